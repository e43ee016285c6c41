"""CD56bright natural killer cells: an indirect response to IL-2 at higher concentrations than Treg."""

from functools import cache

from pkpd.models.model import Model, Parameter, Response, State


@cache
def nk_cd56bright() -> Model:
    """CD56bright NK as fold of the subject's own baseline, driven by the IL-2 concentration `il2` [IU/mL].

    nk' = knk (1 + emax_nk il2 / (ec50_nk + il2) - nk),   nk(0) = 1
    """
    return Model(
        name="nk_cd56bright",
        title="CD56bright NK, stimulated production",
        parameters=(
            Parameter("knk", "turnover of CD56bright NK", "1/h"),
            Parameter("emax_nk", "largest stimulation", "1"),
            Parameter("ec50_nk", "IL-2 giving half of it", "IU/mL"),
        ),
        responses=(
            Response(
                states=(State("nk", "fold of baseline", "CD56bright NK cells in blood"),),
                inputs=("il2",),
                initial=lambda p: {"nk": 1.0 + 0.0 * p.knk},
                derivative=lambda y, u, p: {"nk": p.knk * (1.0 + p.emax_nk * (u.il2 / (p.ec50_nk + u.il2)) - y.nk)},
                equations=("nk' = knk (1 + emax_nk il2/(ec50_nk + il2) - nk)",),
            ),
        ),
        references=("Diao et al. 2016, Br J Clin Pharmacol, doi:10.1111/bcp.13051 (time scale of CD56bright NK)",),
        literature=("nk_cd56bright",),
    )
