"""How JAX is set up: 64 bits, all cores, compilations kept; and never against the user's stated wish."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles.expm_events import DOSE, Record
from recorded import dosed, dosing_parameters, records_of

from pkpd.engine.predict import predict
from pkpd.engine.prepare import prepare

ROOT = Path(__file__).parents[2]


def output_of(script: str, **environment: str) -> str:
    """What `script` prints in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.F6
def test_numbers_have_64_bits() -> None:
    import pkpd.engine

    assert pkpd.engine.__doc__
    assert jnp.zeros(1).dtype == jnp.float64
    assert jax.device_count() >= 1


@pytest.mark.F6
@pytest.mark.parametrize("wish", ["0", "false", "OFF", "n"])
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


IN_32_BITS = """
import jax, numpy as np
from pkpd.errors import InputError
from components import compartments, doses, turnover
from pkpd.engine.simulate import simulate
from recorded import dosed, dosing_parameters, records_of
from oracles.expm_events import DOSE, Record
from pkpd.engine.prepare import prepare
from pkpd.engine.predict import predict

schedule = [Record(0.0, DOSE, 100.0, 1), Record(5.0)]
parameters = dosing_parameters(dosed(0, 0), [schedule], True) | {"cl": np.ones(1), "v1": np.ones(1)}
ready = prepare(dosed(0, 0), records_of([schedule]), parameters)

def profile(model, **own):
    return simulate(model, own, doses([0.0]), np.array([0.0, 5.0]))

calls = {
    "exact": lambda: profile(compartments(), cl=np.ones(1), v1=np.ones(1)).values["conc"],
    "driven": lambda: profile(compartments() >> turnover(), cl=np.ones(1), v1=np.ones(1), k=np.ones(1)).values["conc"],
    "records": lambda: predict(ready, parameters)["a1"],
}
calls["records"]()  # compiled in 64 bits before: not to be taken for an answer in 32
for switch in ("for the moment", "for good"):
    if switch == "for good":
        jax.config.update("jax_enable_x64", False)
    for name, call in calls.items():
        try:
            if switch == "for good":
                found = call()
            else:
                with jax.enable_x64(False):
                    found = call()
            print(name, "in silence", found.dtype)
        except InputError as error:
            print(name, "refused" if "JAX is set to 32 bits" in str(error) else error)
"""


@pytest.mark.F6
def test_32_bits_asked_for_later_are_refused_by_every_way_to_solve() -> None:
    path = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    found = output_of(IN_32_BITS, PYTHONPATH=path).splitlines()
    assert found == [f"{name} refused" for name in ("exact", "driven", "records")] * 2


@pytest.mark.F6
def test_parameters_of_32_bits_are_computed_with_in_64() -> None:
    """They are the numbers they are; nothing more is lost."""
    schedule = [Record(0.0, DOSE, 100.0, 1), Record(5.0)]
    model = dosed(0, 0)
    usual = dosing_parameters(model, [schedule], constant=True) | {"cl": np.full(1, 0.7), "v1": np.full(1, 3.0)}
    short = {name: value.astype(np.float32) for name, value in usual.items()}
    ready = prepare(model, records_of([schedule]), usual)
    found = jax.jit(predict)(ready, short)["a1"]
    assert found.dtype == np.float64
    expected = 100.0 * np.exp(-float(short["cl"][0]) / 3.0 * 5.0)
    np.testing.assert_allclose(found[1], expected, rtol=1e-13)


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


FLAGS = "import os, pkpd.engine, jax; jax.jit(lambda x: x + 1)(1); print(os.environ['XLA_FLAGS'])"


def test_loops_are_functions_unless_the_user_has_told_the_compiler_otherwise() -> None:
    ours = "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold="
    added = output_of(FLAGS, XLA_FLAGS="--xla_cpu_enable_fast_math=false")
    assert added.startswith(f"--xla_cpu_enable_fast_math=false {ours}")
    theirs = "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1024"
    assert output_of(FLAGS, XLA_FLAGS=theirs) == theirs
