"""Regulatory T cells leave the blood for a while after a dose."""

from functools import cache

from pkpd.models.model import Model, Parameter, Response, State


@cache
def treg_trafficking() -> Model:
    """Share of the blood pool of Treg that circulates, driven by `il2` [IU/mL]; 1 at rest.

        circulating' = kback (1 - circulating) - kleave E circulating,   E = il2 / (ec50_leave + il2)

    After a dose some cells leave the blood within hours and come back within two days. Counted in blood is
    treg x circulating; the pool itself (`treg_proliferation` and its kin) is left as it is.
    """
    return Model(
        name="treg_trafficking",
        title="Treg that leave the blood for two days after a dose",
        parameters=(
            Parameter("kback", "return to the blood", "1/h"),
            Parameter("kleave", "largest rate of leaving it", "1/h"),
            Parameter("ec50_leave", "IL-2 giving half of it", "IU/mL"),
        ),
        responses=(
            Response(
                states=(State("circulating", "fraction of rest", "share of the blood pool of Treg that circulates"),),
                inputs=("il2",),
                initial=lambda p: {"circulating": 1.0 + 0.0 * p.kback},
                derivative=lambda y, u, p: {
                    "circulating": p.kback * (1.0 - y.circulating)
                    - p.kleave * (u.il2 / (p.ec50_leave + u.il2)) * y.circulating
                },
                equations=("circulating' = kback (1 - circulating) - kleave il2/(ec50_leave + il2) circulating",),
            ),
        ),
        references=(
            "Todd et al. 2016, PLoS Med 13:e1002139 (fall at 90 min and day 1, back on day 2; numbers from memory)",
        ),
        literature=("treg_trafficking",),
    )
