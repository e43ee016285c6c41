"""Target-mediated disposition when binding is fast: free drug is found from the totals."""

from functools import cache

from pkpd.models.model import Batch, Derived, Model, Parameter, Response, Route, State, Values


def _free(total: Batch, target: Batch, kss: Batch) -> Batch:
    """Free concentration: the positive root of c^2 - (total - target - kss) c - kss total = 0.

    Written without the difference of what is nearly equal, which would lose every digit of a small one.
    """
    import jax.numpy as jnp

    gap = total - target - kss
    root = jnp.sqrt(gap * gap + 4.0 * kss * total)
    # Where the gap is not positive, root - gap is a sum; elsewhere gap + root is.
    below = gap <= 0.0
    return jnp.where(below, 2.0 * kss * total / jnp.where(below, root - gap, 1.0), 0.5 * (gap + root))


def _derivative(y: Values, u: Values, p: Values) -> dict[str, Batch]:
    conc = u.conc
    taken = p.kint * y.target * conc / (p.kss + conc)
    return {
        "depot": -p.ka * y.depot,
        "total": p.ka * y.depot - p.kel * p.v * conc - p.v * taken,
        "target": p.kdeg * (p.ksyn / p.kdeg - y.target) + p.kdeg * y.target * conc / (p.kss + conc) - taken,
    }


@cache
def tmdd_qss() -> Model:
    """Quasi-steady state of binding; amounts in nmol, concentrations in nmol/L, time in h.

        depot'  = -ka depot                                               (s.c. dose x f enters here)
        total'  =  ka depot - kel v conc - v kint target conc/(kss + conc)   (i.v. dose enters here)
        target' =  ksyn - kdeg target - (kint - kdeg) target conc/(kss + conc),   target(0) = ksyn/kdeg
        conc    =  ((g + sqrt(g^2 + 4 kss total/v)) / 2,   g = total/v - target - kss

    `total` is free and bound drug, `target` free and bound receptor, kss = (koff + kint)/kon in terms of `tmdd_full`,
    which this approaches as binding gets fast. Gibiansky et al. 2008, doi:10.1007/s10928-008-9102-8.
    """
    return Model(
        name="tmdd_qss",
        title="target-mediated disposition, binding at quasi-steady state",
        parameters=(
            Parameter("ka", "absorption rate", "1/h"),
            Parameter("f", "subcutaneous bioavailability", "1", upper=1.0, transform="logit"),
            Parameter("v", "volume", "L"),
            Parameter("kel", "elimination rate of free drug", "1/h"),
            Parameter("kss", "free drug that binds half of the receptor", "nmol/L"),
            Parameter("ksyn", "synthesis of the receptor", "nmol/(L h)"),
            Parameter("kdeg", "degradation of the receptor", "1/h"),
            Parameter("kint", "internalisation of the complex", "1/h"),
        ),
        responses=(
            Response(
                states=(
                    State("depot", "nmol", "amount under the skin"),
                    State("total", "nmol", "free and bound drug in plasma"),
                    State("target", "nmol/L", "free and bound receptor"),
                ),
                inputs=("conc",),
                initial=lambda p: {"depot": 0.0 * p.ka, "total": 0.0 * p.ka, "target": p.ksyn / p.kdeg},
                derivative=_derivative,
                equations=(
                    "depot' = -ka depot",
                    "total' = ka depot - kel v conc - v kint target conc/(kss + conc)",
                    "target' = ksyn - kdeg target - (kint - kdeg) target conc/(kss + conc)",
                ),
            ),
        ),
        derived=(
            Derived(
                "conc",
                "nmol/L",
                "free drug in plasma",
                inputs=("total", "target"),
                value=lambda u, p: _free(u.total / p.v, u.target, p.kss),
                equation="conc = (total/v - target - kss + sqrt((total/v - target - kss)^2 + 4 kss total/v)) / 2",
            ),
        ),
        routes=(Route("sc", into="depot", bioavailability="f"), Route("iv", into="total")),
        references=("Gibiansky et al. 2008, J Pharmacokinet Pharmacodyn 35:573, doi:10.1007/s10928-008-9102-8",),
    )
