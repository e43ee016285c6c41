"""Regulatory T cells in blood that listen less to IL-2 the longer they hear it."""

from functools import cache

from pkpd.models.model import Model, Parameter, Response, State


@cache
def treg_tachyphylaxis() -> Model:
    """Treg as fold of baseline and their sensitivity as fraction of rest, driven by `il2` [IU/mL].

        E            = il2 / (ec50 + il2)
        sensitivity' = krest (1 - sensitivity) - kdes E sensitivity,                   sensitivity(0) = 1
        treg'        = kout (1 - treg) + kp E sensitivity treg (1 - treg / tmax),      treg(0) = 1

    Under lasting IL-2 the sensitivity ends at krest / (krest + kdes E). Treg Ki67 falls under continued daily dosing
    (Whangbo 2019); how fast and how far is not known.
    """
    return Model(
        name="treg_tachyphylaxis",
        title="Treg proliferation with a capacity and tachyphylaxis",
        parameters=(
            Parameter("kout", "loss from the blood pool", "1/h"),
            Parameter("kp", "largest proliferation rate", "1/h"),
            Parameter("ec50", "IL-2 giving half of it", "IU/mL"),
            Parameter("tmax", "capacity, fold of baseline", "1", lower=1.0),
            Parameter("kdes", "largest rate of desensitisation", "1/h"),
            Parameter("krest", "recovery of sensitivity", "1/h"),
        ),
        responses=(
            Response(
                states=(
                    State("sensitivity", "fraction of rest", "sensitivity of Treg to IL-2"),
                    State("treg", "fold of baseline", "regulatory T cells in blood"),
                ),
                inputs=("il2",),
                initial=lambda p: {"sensitivity": 1.0 + 0.0 * p.kout, "treg": 1.0 + 0.0 * p.kout},
                derivative=lambda y, u, p: {
                    "sensitivity": p.krest * (1.0 - y.sensitivity)
                    - p.kdes * (u.il2 / (p.ec50 + u.il2)) * y.sensitivity,
                    "treg": p.kout * (1.0 - y.treg)
                    + p.kp * (u.il2 / (p.ec50 + u.il2)) * y.sensitivity * y.treg * (1.0 - y.treg / p.tmax),
                },
                equations=(
                    "sensitivity' = krest (1 - sensitivity) - kdes il2/(ec50 + il2) sensitivity",
                    "treg' = kout (1 - treg) + kp il2/(ec50 + il2) sensitivity treg (1 - treg/tmax)",
                ),
            ),
        ),
        references=("Whangbo et al. 2019, Blood Adv 3:2550 (Ki67 of Treg falls under continued daily dosing)",),
        literature=("treg_proliferation", "treg_tachyphylaxis"),
    )
