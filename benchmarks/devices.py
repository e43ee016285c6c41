"""W1 by one host device and by two, and what two cores of this machine are worth.

    python benchmarks/devices.py

Alternately, each in a process of its own. Two processes at once that share nothing, each with one device and a core of
its own, show how much two cores can do at best: they share the cache, the memory and the clock.
"""

import json
import os
import statistics
import subprocess
import sys
import time

import workload

Row = dict[str, float]

ROUNDS = 5
SECONDS = 4.0
"""How long a process repeats W1 for, once it is compiled."""


def here() -> float:
    """W1 in this process, the median of many [s]."""
    from pkpd.engine.simulate import simulate

    body, parameters = workload.w1()
    doses = workload.doses()
    found: list[float] = []
    begun = None
    while begun is None or time.perf_counter() - begun < SECONDS:
        start = time.perf_counter()
        simulate(body, parameters, doses, workload.TIMES, outputs=("treg", "nk"))
        found.append(time.perf_counter() - start)
        begun = begun or time.perf_counter()
    return statistics.median(found[1:])


def process(devices: int, core: int | None = None) -> subprocess.Popen[str]:
    """Started, with so many devices, held on a core where one is named."""
    command = [sys.executable, __file__, "--here", *([] if core is None else [str(core)])]
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": str(devices)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def ended(*processes: subprocess.Popen[str]) -> float:
    """The mean of what they took [s]."""
    said = [one.communicate()[0] for one in processes]
    if any(one.returncode for one in processes):
        raise RuntimeError("W1 failed in a process of its own")
    return statistics.mean(json.loads(one) for one in said)


def measured() -> Row:
    """Medians over the rounds, and the speed-ups they make. Empty on a machine of one core."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        return {}
    times: dict[str, list[float]] = {"one_device": [], "two_devices": [], "one_core": [], "two_processes": []}
    for _ in range(ROUNDS):
        times["one_device"].append(ended(process(1)))
        times["two_devices"].append(ended(process(2)))
        times["one_core"].append(ended(process(1, cores[0])))
        times["two_processes"].append(ended(*[process(1, core) for core in cores[:2]]))
    row = {f"{name}_seconds": statistics.median(found) for name, found in times.items()}
    row["two_devices_speedup"] = row["one_device_seconds"] / row["two_devices_seconds"]
    row["two_processes_speedup"] = 2.0 * row["one_core_seconds"] / row["two_processes_seconds"]
    return row


if __name__ == "__main__":
    if "--here" in sys.argv:
        if len(sys.argv) > 2:
            os.sched_setaffinity(0, {int(sys.argv[2])})
        print(json.dumps(here()))
    else:
        print(json.dumps(measured()))
