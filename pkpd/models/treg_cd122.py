"""CD122 (IL-2Rb) on regulatory T cells is lost after a dose and comes back."""

from functools import cache

from pkpd.models.model import Model, Parameter, Response, State


@cache
def treg_cd122() -> Model:
    """CD122 (IL-2Rb) on Treg as fraction of rest, driven by `il2` [IU/mL].

        cd122' = k122 (1 - cd122) - kdown E cd122,   E = il2 / (ec50_122 + il2),   cd122(0) = 1

    Typical values lose 15 to 53 % by 90 min after a single dose of 0.04 to 1.5 MIU/m2, most near 8 h, and have it back
    by day 2; 58 % on average at 90 min are remembered of Todd 2016. The mechanistic counterpart is `il2rb` of
    `il2_signal`.
    """
    return Model(
        name="treg_cd122",
        title="CD122 on Treg, lost after a dose",
        parameters=(
            Parameter("k122", "renewal of CD122", "1/h"),
            Parameter("kdown", "largest rate of loss", "1/h"),
            Parameter("ec50_122", "IL-2 giving half of it", "IU/mL"),
        ),
        responses=(
            Response(
                states=(State("cd122", "fraction of rest", "CD122 on regulatory T cells"),),
                inputs=("il2",),
                initial=lambda p: {"cd122": 1.0 + 0.0 * p.k122},
                derivative=lambda y, u, p: {
                    "cd122": p.k122 * (1.0 - y.cd122) - p.kdown * (u.il2 / (p.ec50_122 + u.il2)) * y.cd122
                },
                equations=("cd122' = k122 (1 - cd122) - kdown il2/(ec50_122 + il2) cd122",),
            ),
        ),
        references=("Todd et al. 2016, PLoS Med 13:e1002139 (CD122 at 90 min; numbers from memory)",),
        literature=("treg_cd122",),
    )
