"""How long a newcomer waits: the first calls of a process whose compile cache is empty, and what later ones compile.

    python benchmarks/cold_start.py

Prints one JSON object. All runs in fresh processes; seconds belong to the machine, counts of compilations do not.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

QUICK_START = ("pss_nct02464319", "0.5 MIU sc qd 14d on / 14d off x 3", "placebo")
COMPILED = "/jax/core/compile/backend_compile_duration"
"""What JAX reports for every program it makes ready to run, also where it finds it in the cache on disk."""

Row = dict[str, float]


class Stopwatch:
    """Seconds and compilations of calls."""

    def __init__(self) -> None:
        import jax.monitoring

        self.compiled = 0
        jax.monitoring.register_event_duration_secs_listener(self._heard)

    def _heard(self, event: str, duration_secs: float, **_: str | int) -> None:
        self.compiled += event == COMPILED

    def __call__(self, name: str, call: Callable[[], object]) -> Row:
        before, start = self.compiled, time.perf_counter()
        call()
        return {f"{name}_seconds": time.perf_counter() - start, f"{name}_compilations": self.compiled - before}


def nothing_compiled(folder: Path) -> dict[str, str]:
    """The environment of a process whose compile cache begins in `folder`, whatever the user has set."""
    kept = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    return kept | {"XDG_CACHE_HOME": str(folder)}


def in_this_process() -> Row:
    """Import, a first profile, a first comparison; then both again with other patients and another schedule."""
    start = time.perf_counter()
    from pkpd.engine.simulate import simulate
    from pkpd.models.library import model
    from pkpd.population.virtual import literature_of, typical_values
    from pkpd.regimens.compare import compare

    row: Row = {"import_seconds": time.perf_counter() - start}

    import numpy as np

    from pkpd.events.doses import Doses

    timed, body = Stopwatch(), model("il2_treg_nk")

    def profile(subjects: int, days: list[float]) -> object:
        known = typical_values(literature_of(body))
        columns = {symbol: np.full(subjects, value) for symbol, value in known.items()}
        shape = (len(days), subjects)
        doses = Doses(
            time=np.broadcast_to(24.0 * np.array(days)[:, None], shape),
            amount=np.full(shape, 1e6),
            duration=np.zeros(shape),
            lag=np.zeros(shape),
            bioavailability=np.ones(shape),
            into=np.zeros(len(days), dtype=int),
        )
        return simulate(body, columns, doses, 24.0 * np.arange(85))

    def comparison(regimens: tuple[str, ...], patients: int) -> object:
        return compare(list(regimens), patients=patients)

    row |= timed("first_simulate", lambda: profile(200, [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0]))
    row |= timed("second_simulate", lambda: profile(150, [0.0, 3.0, 6.0, 9.0, 12.0]))
    row |= timed("first_compare", lambda: comparison(QUICK_START, 200))
    row |= timed("second_compare", lambda: comparison(("1 MIU sc q3d x 8 wk", "placebo"), 150))
    return row


def measured() -> Row:
    """All of it, and the quick start on the command line: cold, and with what the cold one left in the cache."""
    with tempfile.TemporaryDirectory() as folder:

        def run(cache: str, *command: str) -> tuple[float, str]:
            start = time.perf_counter()
            done = subprocess.run(
                command,
                env=nothing_compiled(Path(folder) / cache),
                capture_output=True,
                text=True,
                check=True,
            )
            return time.perf_counter() - start, done.stdout

        row: Row = json.loads(run("calls", sys.executable, __file__, "--here")[1].splitlines()[-1])
        out = str(Path(folder) / "out")
        program = "import sys; from pkpd.cli.app import run; sys.exit(run(sys.argv[1:]))"
        quick_start = (sys.executable, "-c", program, "compare", *QUICK_START, "--quiet", "--out", out)
        row["quick_start_seconds"] = run("quick start", *quick_start)[0]
        row["quick_start_again_seconds"] = run("quick start", *quick_start)[0]
        return row


if __name__ == "__main__":
    print(json.dumps(in_this_process() if "--here" in sys.argv else measured(), indent=None))
