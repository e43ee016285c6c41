"""64-bit arithmetic: switched on once, never against the user's stated wish, and never left in silence.

Doses, receptors and cells of one model span ten orders of magnitude and more, and steps are chosen from differences of
nearly equal numbers: in 32 bits the engine's tolerances could not be met. So 32 bits are refused wherever they are
asked for, rather than given with an accuracy nobody can state.
"""

import os

import jax

from pkpd.errors import InputError

_WHY = "doses and cells span too many orders of magnitude for 32 bits"


def require_double_precision() -> None:
    """Switch JAX to 64 bits. Raises `InputError` when the user has set `JAX_ENABLE_X64` to off."""
    wish = os.environ.get("JAX_ENABLE_X64", "").strip().lower()
    if wish in {"0", "n", "no", "f", "false", "off"}:
        raise InputError(f"JAX_ENABLE_X64={wish} asks for 32 bits, but {_WHY}: unset JAX_ENABLE_X64 to run in 64 bits")
    jax.config.update("jax_enable_x64", True)


def check_double_precision() -> None:
    """Raise `InputError` where JAX has been told to compute in 32 bits since; asked whenever a solve is traced."""
    if not jax.config.jax_enable_x64:  # pyright: ignore[reportAttributeAccessIssue]
        raise InputError(
            f"JAX is set to 32 bits here (jax_enable_x64 is off), but {_WHY}: "
            'call pkpd outside of jax.enable_x64(False), or jax.config.update("jax_enable_x64", True) before it'
        )
