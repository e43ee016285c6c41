"""Regulatory T cells in blood: IL-2 drives proliferation towards a capacity."""

from functools import cache

from pkpd.models.model import Model, Parameter, Response, State


@cache
def treg_proliferation() -> Model:
    """Treg as fold of the subject's own baseline, driven by the IL-2 concentration `il2` [IU/mL].

        E     = il2 / (ec50 + il2)
        treg' = kout (1 - treg) + kp E treg (1 - treg / tmax),   treg(0) = 1

    With `kp > kout` the pool would grow without bound under constant exposure; `tmax` is the capacity that
    keeps it finite.
    """
    return Model(
        name="treg_proliferation",
        title="Treg proliferation with a capacity",
        parameters=(
            Parameter("kout", "loss from the blood pool", "1/h"),
            Parameter("kp", "largest proliferation rate", "1/h"),
            Parameter("ec50", "IL-2 giving half of it", "IU/mL"),
            Parameter("tmax", "capacity, fold of baseline", "1", lower=1.0),
        ),
        responses=(
            Response(
                states=(State("treg", "fold of baseline", "regulatory T cells in blood"),),
                inputs=("il2",),
                initial=lambda p: {"treg": 1.0 + 0.0 * p.kout},
                derivative=lambda y, u, p: {
                    "treg": p.kout * (1.0 - y.treg)
                    + p.kp * (u.il2 / (p.ec50 + u.il2)) * y.treg * (1.0 - y.treg / p.tmax)
                },
                equations=("treg' = kout (1 - treg) + kp il2/(ec50 + il2) treg (1 - treg/tmax)",),
            ),
        ),
        references=(
            "Todd et al. 2016, PLoS Med 13:e1002139 (single doses)",
            "Seelig et al. 2018, JCI Insight, NCT02265809 (every three days)",
            "Koreth et al. 2016, Blood 128:130 (daily, twelve weeks)",
        ),
        literature=("treg_proliferation",),
    )
