"""Regulatory T cells of monkeys given mRNA-6231: the mutein stimulates their production, after a delay."""

from functools import cache

from pkpd.models.model import Batch, Model, Parameter, Response, State, Values
from pkpd.models.mrna6231_kpd import SOURCE
from pkpd.models.saturation import hill


def _derivative(y: Values, u: Values, p: Values) -> dict[str, Batch]:
    return {
        "ce": p.ke0 * (u.cil2 - y.ce),
        "treg": p.kin * p.emax * hill(y.ce, p.ec50, p.gamma) + p.kout * (p.kin / p.kout - y.treg),
    }


@cache
def mrna6231_treg() -> Model:
    """Treg as % of CD4, driven by the mutein `cil2` [ng/mL]; stands to the right of `mrna6231_kpd`.

    ce'   = ke0 (cil2 - ce)
    treg' = kin (1 + emax ce^gamma/(ec50^gamma + ce^gamma)) - kout treg,   treg(0) = kin/kout
    """
    return Model(
        name="mrna6231_treg",
        title="Treg of monkeys given mRNA-6231, stimulated production",
        parameters=(
            Parameter("ke0", "equilibration with the site of effect", "1/h"),
            Parameter("kin", "production", "%/h"),
            Parameter("kout", "loss", "1/h"),
            Parameter("emax", "largest stimulation of production", "1"),
            Parameter("ec50", "mutein giving half of it", "ng/mL"),
            Parameter("gamma", "Hill coefficient", "1"),
        ),
        responses=(
            Response(
                states=(
                    State("ce", "ng/mL", "mutein at the site of effect"),
                    State("treg", "% of CD4", "regulatory T cells, FOXP3+ of CD4"),
                ),
                inputs=("cil2",),
                initial=lambda p: {"ce": 0.0 * p.kin, "treg": p.kin / p.kout},
                derivative=_derivative,
                equations=(
                    "ce' = ke0 (cil2 - ce)",
                    "treg' = kin (1 + emax ce^gamma/(ec50^gamma + ce^gamma)) - kout treg",
                ),
            ),
        ),
        references=(SOURCE,),
        literature=("mrna6231_treg",),
    )
