"""Regulatory T cells in blood: what injected IL-2 adds to the patient's own."""

from functools import cache

from pkpd.models.model import Batch, Model, Parameter, Response, State, Values


def _drive(il2: Batch, p: Values) -> Batch:
    """What IL-2 on top of the endogenous level adds to the occupation, exactly 0 where there is none."""
    return p.ec50 * il2 / ((p.ec50 + p.c0 + il2) * (p.ec50 + p.c0))


@cache
def treg_endogenous() -> Model:
    """Treg as fold of baseline, driven by injected IL-2 `il2` on top of an endogenous level `c0` [IU/mL].

        E(c)  = c / (ec50 + c)
        treg' = kout (1 - treg) + kp (E(c0 + il2) - E(c0)) treg (1 - treg / tmax),   treg(0) = 1

    The pool is at rest at the endogenous level, whose own drive is part of what keeps it there. With c0 = 0 this is
    `treg_proliferation`.
    """
    return Model(
        name="treg_endogenous",
        title="Treg proliferation above endogenous IL-2",
        parameters=(
            Parameter("kout", "loss from the blood pool", "1/h"),
            Parameter("kp", "largest proliferation rate", "1/h"),
            Parameter("ec50", "IL-2 giving half of it", "IU/mL"),
            Parameter("tmax", "capacity, fold of baseline", "1", lower=1.0),
            Parameter("c0", "endogenous IL-2", "IU/mL"),
        ),
        responses=(
            Response(
                states=(State("treg", "fold of baseline", "regulatory T cells in blood"),),
                inputs=("il2",),
                initial=lambda p: {"treg": 1.0 + 0.0 * p.kout},
                derivative=lambda y, u, p: {
                    "treg": p.kout * (1.0 - y.treg) + p.kp * _drive(u.il2, p) * y.treg * (1.0 - y.treg / p.tmax)
                },
                equations=(
                    "treg' = kout (1 - treg) + kp ((c0 + il2)/(ec50 + c0 + il2) - c0/(ec50 + c0)) treg (1 - treg/tmax)",
                ),
            ),
        ),
        references=("de Pillis et al. 2013, doi:10.3934/dcdsb.2013.18.915 (quotes 0.049 IU/mL in healthy serum)",),
        literature=("treg_proliferation", "il2_endogenous"),
    )
