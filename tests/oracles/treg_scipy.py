"""One patient's Treg and NK response to s.c. interleukin-2, as one stiff ODE, integrated by SciPy.

The benchmark workloads W1 and W2 (their parameters are yardsticks, not literature values), in hours, litres
and IU, C = A_central / (1000 Vc) in IU/mL:

    depot'      = -ka depot
    transit'    = ka depot - ka transit
    central'    = ka transit - (clearance + Q)/Vc central + Q/Vp peripheral
    peripheral' = Q/Vc central - Q/Vp peripheral
    Treg'       = kout (1 - Treg) + kp E Treg (1 - Treg/12),   E = C/(EC50 + C)
    NK'         = kNK (1 + 6 C/(EC50N + C) - NK)
    clearance   = CL (W1), CL + CLT0 Treg/(1 + C/K_T) (W2)

Every arrival and every output time ends an integration: nothing is interpolated, no dose is inside a step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

TREG_CAPACITY = 12.0
NK_GAIN = 6.0


@dataclass(frozen=True)
class Patient:
    """Typical values of the workloads; `clt0` is 0 in W1 and 1 L/h in W2."""

    cl: float = 10.0
    vc: float = 2.8
    q: float = 1.4
    vp: float = 2.3
    ka: float = 0.28
    kout: float = 0.0075
    kp: float = 0.010
    ec50: float = 0.3
    knk: float = 0.004
    ec50n: float = 6.0
    clt0: float = 0.0
    k_t: float = 2.8


DOSE_IU, LAG_H, BIOAVAILABILITY = 1e6, 0.45, 0.4
DOSE_DAYS = [28 * cycle + day for cycle in range(3) for day in range(0, 14, 2)]
ARRIVALS = [(24.0 * day + LAG_H, BIOAVAILABILITY * DOSE_IU) for day in DOSE_DAYS]
OUTPUT_HOURS = 24.0 * np.arange(169)

STATES = ("depot", "transit", "central", "peripheral", "treg", "nk")


def derivative(patient: Patient, state: NDArray) -> NDArray:
    """Of the six amounts and folds, per hour."""
    depot, transit, central, peripheral, treg, nk = state
    c = central / (1000 * patient.vc)
    clearance = patient.cl + patient.clt0 * treg / (1 + c / patient.k_t)
    exchange = patient.q * (central / patient.vc - peripheral / patient.vp)
    stimulation = patient.kp * c / (patient.ec50 + c)
    return np.array(
        [
            -patient.ka * depot,
            patient.ka * (depot - transit),
            patient.ka * transit - clearance / patient.vc * central - exchange,
            exchange,
            patient.kout * (1 - treg) + stimulation * treg * (1 - treg / TREG_CAPACITY),
            patient.knk * (1 + NK_GAIN * c / (patient.ec50n + c) - nk),
        ]
    )


def states_at(
    patient: Patient,
    hours: Sequence[float] | NDArray,
    *,
    arrivals: Sequence[tuple[float, float]] = tuple(ARRIVALS),
    method: Literal["LSODA", "DOP853", "Radau"] = "LSODA",
    tolerance: float = 1e-12,
) -> NDArray:
    """The six states at `hours` (increasing, from 0): [time, state], with a dose arriving just then in them.

    Args:
        arrivals: (hour, IU) of each dose into the depot, as it arrives: after its lag, times F.
        tolerance: relative and absolute, on IU and on folds.

    Raises:
        ArithmeticError: the integrator gave up.
    """
    options = {"method": method, "rtol": tolerance, "atol": tolerance}
    state, now = np.array([0, 0, 0, 0, 1.0, 1.0]), 0.0
    answer = []
    happenings = [(hour, False, amount) for hour, amount in arrivals] + [(hour, True, 0.0) for hour in hours]
    for hour, is_output, amount in sorted(happenings):
        if hour > now:
            solution = solve_ivp(lambda _, x: derivative(patient, x), (now, hour), state, **options)
            if not solution.success:
                raise ArithmeticError(f"{method} stopped between {now} h and {hour} h: {solution.message}")
            state, now = solution.y[:, -1], hour
        if is_output:
            answer.append(state)
        else:
            state = state + amount * np.eye(len(STATES))[0]
    return np.array(answer)
