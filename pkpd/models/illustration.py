"""How to show each model of the library: what drives it, a dose that does something, and numbers where none are known.

The numbers of models of any drug are of no drug at all: they make a figure, and give the tests something to solve.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pkpd.models.il2_receptor import CELLS
from pkpd.models.library import model
from pkpd.models.model import Model


@dataclass(frozen=True)
class Illustration:
    """driver: the model that must stand on its left before it can be solved. values: of the parameters without typical
    value in the literature. dose: one that shows an effect, in the unit of the first state."""

    driver: str | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    dose: float = 1e6

    def whole(self, name: str) -> Model:
        """The library model `name` with its driver."""
        return model(self.driver) >> model(name) if self.driver else model(name)

    def stated(self) -> dict[str, float]:
        """`values`, those of the driver included."""
        return dict(ILLUSTRATIONS[self.driver].values if self.driver else {}) | dict(self.values)


_PK = {"cl": 4.0, "v": 30.0}
_PK2 = {"cl": 4.0, "vc": 20.0, "q": 6.0, "vp": 50.0}
_ORAL = {"ka": 0.7}
_TWICE = _ORAL | {"tlag": 1.5, "f1": 0.6, "f2": 0.3}
_SATURABLE = {"v": 30.0, "vmax": 10.0, "km": 2.0}
_EMAX = {"emax": 5.0, "ec50": 2.0}
_IMAX = {"imax": 0.8, "ic50": 2.0}
_TURNOVER = {"kin": 1.5, "kout": 0.05}
_TARGET = {"ka": 0.3, "f": 0.7, "v": 3.0, "kel": 0.1, "ksyn": 0.3, "kdeg": 0.1, "kint": 0.05}

ILLUSTRATIONS: dict[str, Illustration] = {
    "il2_sc": Illustration(),
    "treg_proliferation": Illustration(driver="il2_sc"),
    "nk_cd56bright": Illustration(driver="il2_sc"),
    "il2_treg_nk": Illustration(),
    "treg_production": Illustration(driver="il2_sc"),
    "treg_tachyphylaxis": Illustration(driver="il2_sc"),
    "treg_endogenous": Illustration(driver="il2_sc"),
    "treg_trafficking": Illustration(driver="il2_sc"),
    "treg_cd25": Illustration(driver="il2_sc"),
    "treg_cd122": Illustration(driver="il2_sc"),
    "treg_cells": Illustration(driver="il2_treg_nk"),
    "sil2r": Illustration(driver="il2_treg_nk"),
    "eosinophils": Illustration(driver="il2_sc"),
    "essdai": Illustration(driver="il2_treg_nk"),
    **{f"il2_receptor_{cell}": Illustration(driver="il2_sc") for cell in CELLS["first"]},
    **{f"il2_signal_{cell}": Illustration(driver="il2_sc") for cell in CELLS["first"]},
    "il2_sc_minimal": Illustration(),
    "treg_clearance": Illustration(driver="il2_treg_nk"),
    "mrna6231_kpd": Illustration(dose=100.0),
    "mrna6231_treg": Illustration(driver="mrna6231_kpd", dose=100.0),
    "pk_1cmt_iv": Illustration(values=_PK, dose=100.0),
    "pk_2cmt_iv": Illustration(values=_PK2, dose=100.0),
    "pk_3cmt_iv": Illustration(values=_PK2 | {"q2": 1.0, "vp2": 200.0}, dose=100.0),
    "pk_1cmt_oral": Illustration(values=_PK | _ORAL, dose=100.0),
    "pk_2cmt_oral": Illustration(values=_PK2 | _ORAL, dose=100.0),
    "pk_1cmt_oral_lag": Illustration(values=_PK | _ORAL | {"tlag": 0.8}, dose=100.0),
    "pk_2cmt_oral_lag": Illustration(values=_PK2 | _ORAL | {"tlag": 0.8}, dose=100.0),
    "pk_1cmt_zero": Illustration(values=_PK | {"d": 3.0}, dose=100.0),
    "pk_1cmt_first_zero": Illustration(values=_PK | _TWICE | {"d": 3.0}, dose=100.0),
    "pk_1cmt_two_first": Illustration(values=_PK | _TWICE | {"ka2": 0.2}, dose=100.0),
    "pk_transit": Illustration(values=_PK | _ORAL | {"mtt": 2.0}, dose=100.0),
    "pk_1cmt_iv_mm": Illustration(values=_SATURABLE, dose=100.0),
    "pk_1cmt_oral_mm": Illustration(values=_SATURABLE | _ORAL, dose=100.0),
    "pk_2cmt_iv_mm": Illustration(values={"vc": 20.0, "q": 6.0, "vp": 50.0, "vmax": 10.0, "km": 2.0}, dose=100.0),
    "effect_linear": Illustration(driver="pk_1cmt_oral", values={"e0": 3.0, "slope": 0.7}, dose=100.0),
    "effect_log": Illustration(driver="pk_1cmt_oral", values={"e0": 3.0, "slope": 0.7, "c1": 0.2}, dose=100.0),
    "effect_emax": Illustration(driver="pk_1cmt_oral", values={"e0": 3.0} | _EMAX, dose=100.0),
    "effect_imax": Illustration(driver="pk_1cmt_oral", values={"e0": 3.0} | _IMAX, dose=100.0),
    "effect_sigmoid": Illustration(
        driver="pk_1cmt_oral", values={"e0": 3.0, "emax": 5.0, "ec50": 0.5, "gamma": 2.5}, dose=100.0
    ),
    "effect_compartment": Illustration(driver="pk_1cmt_oral", values={"ke0": 0.2}, dose=100.0),
    **{
        f"indirect_response_{k}": Illustration(driver="pk_1cmt_oral", values=_TURNOVER | _IMAX, dose=100.0)
        for k in (1, 2)
    },
    **{
        f"indirect_response_{k}": Illustration(driver="pk_1cmt_oral", values=_TURNOVER | _EMAX, dose=100.0)
        for k in (3, 4)
    },
    "friberg": Illustration(
        driver="pk_1cmt_oral",
        values={"circ0": 5.0, "mtt": 90.0, "slope": 0.3, "gamma": 0.17},
        dose=100.0,
    ),
    "tolerance_moderator": Illustration(
        driver="pk_1cmt_oral", values={"e0": 3.0, "ktol": 0.1, "m50": 1.0} | _EMAX, dose=100.0
    ),
    "tolerance_precursor": Illustration(driver="pk_1cmt_oral", values={"kp": 0.1} | _TURNOVER | _EMAX, dose=100.0),
    "tmdd_full": Illustration(values=_TARGET | {"kon": 2.0, "koff": 0.2}, dose=40.0),
    "tmdd_qss": Illustration(values=_TARGET | {"kss": 0.125}, dose=40.0),
    "tmdd_mm": Illustration(
        values={"ka": 0.3, "f": 0.7, "v": 3.0, "ke": 0.1, "vmax": 0.9, "km": 0.25},
        dose=40.0,
    ),
}
