"""Compiled solvers are kept on disk, so that the second run of a day does not compile again."""

import os
from pathlib import Path

import jax


def keep_compilations() -> None:
    """Keep compilations under the user's cache folder, unless JAX was told where, or that folder is not ours."""
    if jax.config.jax_compilation_cache_dir is not None:  # pyright: ignore[reportAttributeAccessIssue]
        return
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = root / "pkpd" / "jax"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # no home to write to: compile each time
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
