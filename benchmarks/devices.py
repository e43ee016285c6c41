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
    """W1 in this process, the median of many [s]; once it is compiled it says so, and waits to be told to begin."""
    from pkpd.engine.simulate import simulate

    body, parameters = workload.w1()
    doses = workload.doses()

    def once() -> float:
        start = time.perf_counter()
        simulate(body, parameters, doses, workload.TIMES, outputs=("treg", "nk"))
        return time.perf_counter() - start

    once()
    print("ready", flush=True)
    sys.stdin.readline()
    found, end = [once()], time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        found.append(once())
    return statistics.median(found)


def process(devices: int, core: int | None = None) -> subprocess.Popen[str]:
    """Started, with so many devices, held on a core where one is named."""
    command = [sys.executable, __file__, "--here", *([] if core is None else [str(core)])]
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": str(devices)}
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ended(*processes: subprocess.Popen[str]) -> float:
    """The mean of what they took [s], begun together."""
    for one in processes:
        assert one.stdout is not None
        one.stdout.readline()
    for one in processes:
        assert one.stdin is not None
        one.stdin.write("begin\n")
        one.stdin.flush()
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
