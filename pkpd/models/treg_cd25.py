"""CD25 (IL-2Ra) on regulatory T cells rises with IL-2."""

from functools import cache

from pkpd.models.model import Model, Parameter, Response, State


@cache
def treg_cd25() -> Model:
    """CD25 on Treg as fold of baseline, driven by `il2` [IU/mL].

        cd25' = k25 (1 + emax25 E - cd25),   E = il2 / (ec50_25 + il2),   cd25(0) = 1

    Rises by 25 % on average at 0.26 MIU/m2 every three days (Seelig 2018), to which emax25 is set.
    """
    return Model(
        name="treg_cd25",
        title="CD25 on Treg, stimulated production",
        parameters=(
            Parameter("k25", "turnover of CD25", "1/h"),
            Parameter("emax25", "largest stimulation", "1"),
            Parameter("ec50_25", "IL-2 giving half of it", "IU/mL"),
        ),
        responses=(
            Response(
                states=(State("cd25", "fold of baseline", "CD25 on regulatory T cells"),),
                inputs=("il2",),
                initial=lambda p: {"cd25": 1.0 + 0.0 * p.k25},
                derivative=lambda y, u, p: {"cd25": p.k25 * (1.0 + p.emax25 * (u.il2 / (p.ec50_25 + u.il2)) - y.cd25)},
                equations=("cd25' = k25 (1 + emax25 il2/(ec50_25 + il2) - cd25)",),
            ),
        ),
        references=("Seelig et al. 2018, JCI Insight, NCT02265809 (+25 % at 0.26 MIU/m2 every three days)",),
        literature=("treg_cd25",),
    )
