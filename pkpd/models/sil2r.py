"""Soluble IL-2 receptor, a marker of the Treg pool."""

from functools import cache

from pkpd.models.model import Model, Parameter, Response, State


@cache
def sil2r() -> Model:
    """Soluble IL-2 receptor in serum as fold of baseline, shed by the Treg pool `treg` [fold].

        sil2r' = ksil2r (treg - sil2r),   sil2r(0) = 1

    A marker of the expanded CD25+ pool, not a sink: its affinity is 10 nM, so that 1.2 nM binds some 11 % of IL-2.
    """
    return Model(
        name="sil2r",
        title="soluble IL-2 receptor, marker of the Treg pool",
        parameters=(Parameter("ksil2r", "loss of soluble receptor", "1/h"),),
        responses=(
            Response(
                states=(State("sil2r", "fold of baseline", "soluble IL-2 receptor in serum"),),
                inputs=("treg",),
                initial=lambda p: {"sil2r": 1.0 + 0.0 * p.ksil2r},
                derivative=lambda y, u, p: {"sil2r": p.ksil2r * (u.treg - y.sil2r)},
                equations=("sil2r' = ksil2r (treg - sil2r)",),
            ),
        ),
        references=(
            "Kirchner et al. 1998, Br J Clin Pharmacol 46:5, doi:10.1046/j.1365-2125.1998.00036.x (up by 72 h)",
        ),
        literature=("sil2r",),
    )
