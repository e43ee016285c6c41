"""The models by name."""

from collections.abc import Callable
from functools import partial

from pkpd.errors import InputError
from pkpd.models import absorption
from pkpd.models.direct_effect import (
    effect_compartment,
    effect_emax,
    effect_imax,
    effect_linear,
    effect_log,
    effect_sigmoid,
)
from pkpd.models.eosinophils import eosinophils
from pkpd.models.essdai import essdai
from pkpd.models.friberg import friberg
from pkpd.models.il2_receptor import CELLS, il2_receptor
from pkpd.models.il2_sc import il2_sc
from pkpd.models.il2_sc_minimal import il2_sc_minimal
from pkpd.models.il2_signal import il2_signal
from pkpd.models.indirect_response import indirect_response
from pkpd.models.model import Model
from pkpd.models.mrna6231_kpd import mrna6231_kpd
from pkpd.models.mrna6231_treg import mrna6231_treg
from pkpd.models.nk_cd56bright import nk_cd56bright
from pkpd.models.pk import pk
from pkpd.models.sil2r import sil2r
from pkpd.models.tmdd_full import tmdd_full
from pkpd.models.tmdd_mm import tmdd_mm
from pkpd.models.tmdd_qss import tmdd_qss
from pkpd.models.tolerance import tolerance_moderator, tolerance_precursor
from pkpd.models.treg_cd25 import treg_cd25
from pkpd.models.treg_cd122 import treg_cd122
from pkpd.models.treg_cells import treg_cells
from pkpd.models.treg_clearance import treg_clearance
from pkpd.models.treg_endogenous import treg_endogenous
from pkpd.models.treg_production import treg_production
from pkpd.models.treg_proliferation import treg_proliferation
from pkpd.models.treg_tachyphylaxis import treg_tachyphylaxis
from pkpd.models.treg_trafficking import treg_trafficking


def il2_treg_nk() -> Model:
    """The default model of `pkpd compare`: s.c. IL-2 driving Treg proliferation and CD56bright NK."""
    return il2_sc() >> treg_proliferation() >> nk_cd56bright()


GENERIC: dict[str, Callable[[], Model]] = {
    "pk_1cmt_iv": partial(pk),
    "pk_2cmt_iv": partial(pk, None, 2),
    "pk_3cmt_iv": partial(pk, None, 3),
    "pk_1cmt_oral": partial(pk, absorption.first_order()),
    "pk_2cmt_oral": partial(pk, absorption.first_order(), 2),
    "pk_1cmt_oral_lag": partial(pk, absorption.first_order(lag=True)),
    "pk_2cmt_oral_lag": partial(pk, absorption.first_order(lag=True), 2),
    "pk_1cmt_zero": partial(pk, absorption.zero_order()),
    "pk_1cmt_first_zero": partial(pk, absorption.first_and_zero_order()),
    "pk_1cmt_two_first": partial(pk, absorption.two_first_order()),
    "pk_transit": partial(pk, absorption.transit(3)),
    "pk_1cmt_iv_mm": partial(pk, None, 1, "michaelis_menten"),
    "pk_1cmt_oral_mm": partial(pk, absorption.first_order(), 1, "michaelis_menten"),
    "pk_2cmt_iv_mm": partial(pk, None, 2, "michaelis_menten"),
    "effect_linear": effect_linear,
    "effect_log": effect_log,
    "effect_emax": effect_emax,
    "effect_imax": effect_imax,
    "effect_sigmoid": effect_sigmoid,
    "effect_compartment": effect_compartment,
    **{f"indirect_response_{kind}": partial(indirect_response, kind) for kind in (1, 2, 3, 4)},
    "friberg": friberg,
    "tolerance_moderator": tolerance_moderator,
    "tolerance_precursor": tolerance_precursor,
    "tmdd_full": tmdd_full,
    "tmdd_qss": tmdd_qss,
    "tmdd_mm": tmdd_mm,
}
"""Models of any drug: their parameters have no typical values."""

MODELS: dict[str, Callable[[], Model]] = {
    "il2_sc": il2_sc,
    "treg_proliferation": treg_proliferation,
    "nk_cd56bright": nk_cd56bright,
    "il2_treg_nk": il2_treg_nk,
    "treg_production": treg_production,
    "treg_tachyphylaxis": treg_tachyphylaxis,
    "treg_endogenous": treg_endogenous,
    "treg_trafficking": treg_trafficking,
    "treg_cd25": treg_cd25,
    "treg_cd122": treg_cd122,
    "treg_cells": treg_cells,
    "sil2r": sil2r,
    "eosinophils": eosinophils,
    "essdai": essdai,
    **{f"il2_receptor_{cell}": partial(il2_receptor, cell) for cell in CELLS["first"]},
    **{f"il2_signal_{cell}": partial(il2_signal, cell) for cell in CELLS["first"]},
    "il2_sc_minimal": il2_sc_minimal,
    "treg_clearance": treg_clearance,
    "mrna6231_kpd": mrna6231_kpd,
    "mrna6231_treg": mrna6231_treg,
    **GENERIC,
}


def model(name: str) -> Model:
    """The library model called `name`; raises `InputError` with the closest names."""
    if name not in MODELS:
        from difflib import get_close_matches

        if ">>" in name:
            said = " >> ".join(f"model('{one.strip()}')" for one in name.split(">>"))
            raise InputError(f"'{name}' is not one model of the library but several: write {said}")
        close = get_close_matches(name, MODELS, n=3)
        hint = f"closest: {', '.join(close)} (see `pkpd models list`)" if close else "see `pkpd models list`"
        raise InputError(f"no model '{name}'; {hint}")
    return MODELS[name]()
