"""64-bit arithmetic: switched on once, and never against the user's stated wish."""

import os

import jax

from pkpd.errors import InputError


def require_double_precision() -> None:
    """Switch JAX to 64 bits. Raises `InputError` when the user has set `JAX_ENABLE_X64` to off."""
    wish = os.environ.get("JAX_ENABLE_X64", "").strip().lower()
    if wish in {"0", "false", "no", "off"}:
        raise InputError(
            f"JAX_ENABLE_X64={wish} asks for 32 bits, but doses and cells span too many orders of magnitude for "
            "that: unset JAX_ENABLE_X64 to run in 64 bits"
        )
    jax.config.update("jax_enable_x64", True)
