"""How JAX is set up: 64 bits, all cores, compilations kept; and never against the user's stated wish."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

ROOT = Path(__file__).parents[2]


def output_of(script: str, **environment: str) -> str:
    """What `script` prints in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_numbers_have_64_bits() -> None:
    import pkpd.engine

    assert pkpd.engine.__doc__
    assert jnp.zeros(1).dtype == jnp.float64
    assert jax.device_count() >= 1


@pytest.mark.parametrize("wish", ["0", "false", "OFF"])
def test_who_asks_for_32_bits_is_told_why_not(wish: str) -> None:
    script = (
        "from pkpd.errors import InputError\ntry:\n import pkpd.engine\nexcept InputError as error:\n print(error)\n"
    )
    if wish != "0":  # JAX itself reads its variable when it is imported: one start is enough to see that ours speaks
        from pkpd.engine.precision import require_double_precision
        from pkpd.errors import InputError

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("JAX_ENABLE_X64", wish)
            with pytest.raises(InputError, match="unset JAX_ENABLE_X64 to run in 64 bits"):
                require_double_precision()
        return
    assert "JAX_ENABLE_X64=0 asks for 32 bits" in output_of(script, JAX_ENABLE_X64=wish)


def test_the_user_s_number_of_devices_and_cache_are_kept(tmp_path: Path) -> None:
    script = "import pkpd.engine, jax\nprint(jax.device_count(), jax.config.jax_compilation_cache_dir)"
    wish = {"JAX_NUM_CPU_DEVICES": "3", "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "mine")}
    assert output_of(script, **wish) == f"3 {tmp_path / 'mine'}"


def test_a_home_that_cannot_be_written_to_is_no_obstacle(tmp_path: Path) -> None:
    file = tmp_path / "a file, not a folder"
    file.touch()
    script = (
        "import os\nos.environ.pop('JAX_COMPILATION_CACHE_DIR', None)\n"
        "import pkpd.engine, jax\nprint(jax.config.jax_compilation_cache_dir)"
    )
    assert output_of(script, XDG_CACHE_HOME=str(file / "below")) == "None"
