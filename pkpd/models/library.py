"""The models by name."""

from collections.abc import Callable

from pkpd.errors import InputError
from pkpd.models.il2_sc import il2_sc
from pkpd.models.model import Model
from pkpd.models.nk_cd56bright import nk_cd56bright
from pkpd.models.treg_proliferation import treg_proliferation


def il2_treg_nk() -> Model:
    """The default model of `pkpd compare`: s.c. IL-2 driving Treg proliferation and CD56bright NK."""
    return il2_sc() >> treg_proliferation() >> nk_cd56bright()


MODELS: dict[str, Callable[[], Model]] = {
    "il2_sc": il2_sc,
    "treg_proliferation": treg_proliferation,
    "nk_cd56bright": nk_cd56bright,
    "il2_treg_nk": il2_treg_nk,
}


def model(name: str) -> Model:
    """The library model called `name`; raises `InputError` with the closest names."""
    if name not in MODELS:
        from difflib import get_close_matches

        close = get_close_matches(name, MODELS, n=3) or list(MODELS)
        raise InputError(f"no model '{name}'; closest: {', '.join(close)} (see `pkpd models list`)")
    return MODELS[name]()
