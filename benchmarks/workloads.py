"""Each workload by pkpd at its default tolerances: what it took, and how far off it was."""

import resource
import statistics
import time
from collections.abc import Callable

import numpy as np
import workload

Row = dict[str, object]


ENOUGH = 2.0
"""Short work is repeated for so long [s]: its median should not hang on what else the machine does for a moment."""


def timed(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """(first call, median of the later ones, of `repeats` at least) [s]."""
    start = time.perf_counter()
    work()
    first = time.perf_counter() - start
    found: list[float] = []
    while len(found) < repeats or sum(found) < ENOUGH:
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return first, statistics.median(found)


def plain(name: str, repeats: int) -> Row:
    """W1 or W2."""
    import jax

    from pkpd.engine.simulate import simulate

    body, parameters = getattr(workload, name.lower())()
    doses = workload.doses()
    last = {}

    def solve() -> None:
        last["run"] = simulate(body, parameters, doses, workload.TIMES, outputs=("treg", "nk"))

    first, seconds = timed(solve, repeats)
    run = last["run"]
    return {
        "seconds": seconds,
        "first_call_seconds": first,
        "max_rel_error": workload.largest_relative_error(run.values["treg"], name),
        "solver": f"{run.solver}, rtol {run.tolerances.rtol:g}",
        "devices": jax.device_count(),
        "steps": run.steps,
    }


def hourly(repeats: int) -> Row:
    """W3: Treg, NK and IL-2 at every hour; the error is that of Treg and NK against rtol 1e-11."""
    from pkpd.engine.simulate import simulate
    from pkpd.engine.tolerances import Tolerances

    body, parameters = workload.w1()
    doses, outputs = workload.doses(), ("il2", "treg", "nk")
    last = {}

    def solve() -> None:
        last["run"] = simulate(body, parameters, doses, workload.HOURS, outputs=outputs)

    first, seconds = timed(solve, repeats)
    _, daily = timed(lambda: simulate(body, parameters, doses, workload.TIMES, outputs=("treg", "nk")), repeats)
    exact = simulate(body, parameters, doses, workload.HOURS, outputs=outputs, tolerances=Tolerances(1e-11, 1e-13))
    found = last["run"].values
    errors = [np.abs(found[name] / exact.values[name] - 1.0).max() for name in ("treg", "nk")]
    return {
        "seconds": seconds,
        "first_call_seconds": first,
        "times_w1": seconds / daily,
        "max_rel_error": float(max(*errors, workload.largest_relative_error(found["treg"][::24]))),
    }


def own_schedules(repeats: int) -> Row:
    """W4."""
    from pkpd.engine.simulate import simulate

    body, parameters = workload.w1()
    own, same = workload.own_doses(), workload.doses()
    first, seconds = timed(lambda: simulate(body, parameters, own, workload.TIMES, outputs=("treg", "nk")), repeats)
    _, shared = timed(lambda: simulate(body, parameters, same, workload.TIMES, outputs=("treg", "nk")), repeats)
    return {"seconds": seconds, "first_call_seconds": first, "times_w1": seconds / shared}


def growth(repeats: int) -> Row:
    """W5: a thousand and a hundred thousand patients, metrics kept only."""
    from pkpd.engine.simulate import simulate

    body, parameters = workload.w1()
    doses = workload.doses()

    def peaks(patients: int) -> np.ndarray:
        found = np.empty(patients)
        for first in range(0, patients, workload.PATIENTS):
            run = simulate(body, parameters, doses, workload.TIMES, outputs=("treg", "nk"))
            found[first : first + workload.PATIENTS] = run.values["treg"].max(axis=0)
        return found

    _, small = timed(lambda: peaks(1000), repeats)
    start = time.perf_counter()
    peaks(100_000)
    large = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"seconds": large, "per_patient_growth": large / (100.0 * small), "peak_gib": peak}


def squares(values, reference):
    """Sum over times of (treg - reference)^2, for each patient."""
    return ((values["treg"] - reference) ** 2).sum(axis=0)


def gradient(repeats: int) -> Row:
    """W6: to every parameter of every patient, for W1 and W2, against the forward solve of the same."""
    from pkpd.engine.gradient import value_and_gradient
    from pkpd.engine.simulate import simulate

    row: Row = {}
    for name, suffix in (("W1", ""), ("W2", "_w2")):
        body, parameters = getattr(workload, name.lower())()
        doses, truth, outputs = workload.doses(), 1.01 * workload.reference(name), ("treg", "nk")

        def forward(body=body, parameters=parameters, doses=doses, outputs=outputs) -> object:
            return simulate(body, parameters, doses, workload.TIMES, outputs=outputs)

        def reverse(body=body, parameters=parameters, doses=doses, outputs=outputs, truth=truth) -> object:
            return value_and_gradient(squares, body, parameters, doses, workload.TIMES, truth, outputs=outputs)

        _, once = timed(forward, repeats)
        first, both = timed(reverse, max(2, repeats // 3))
        row |= {
            f"seconds{suffix}": both,
            f"first_call_seconds{suffix}": first,
            f"times_forward{suffix}": both / once,
        }
    return row


WORKLOADS: dict[str, Callable[[int], Row]] = {
    "W1": lambda repeats: plain("W1", repeats),
    "W2": lambda repeats: plain("W2", repeats),
    "W3": hourly,
    "W4": own_schedules,
    "W5": growth,
    "W6": gradient,
}
