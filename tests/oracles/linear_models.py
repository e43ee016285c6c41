"""Rate matrices of the linear compartment models, in amounts: x' = A x with A[to, from] in 1/time.

A disposition model is mammillary: compartment 1 is central, cleared, and exchanges with each peripheral
one. Absorption puts first-order compartments before it: one for oral or plain s.c. dosing, two of equal
rate (depot and transit) for s.c. interleukin-2. Dose compartment 1 is then the depot.
"""

import numpy as np
from numpy.typing import NDArray


def disposition(cl: complex, vc: complex, *peripherals: tuple[complex, complex]) -> NDArray:
    """Central compartment (clearance `cl`, volume `vc`) and one compartment for each pair (Q, V)."""
    n = 1 + len(peripherals)
    rates = np.zeros((n, n), dtype=np.result_type(cl, vc, *sum(peripherals, ()), float))
    rates[0, 0] = -cl / vc
    for i, (q, v) in enumerate(peripherals, start=1):
        rates[0, 0] -= q / vc
        rates[i, 0] = q / vc
        rates[0, i] = q / v
        rates[i, i] = -q / v
    return rates


def absorbed(rates: NDArray, *stages: complex) -> NDArray:
    """`rates` with a chain of first-order compartments before its compartment 1, of the given rates."""
    m, n = len(stages), len(rates)
    chained = np.zeros((m + n, m + n), dtype=np.result_type(rates, *stages))
    chained[m:, m:] = rates
    for i, ka in enumerate(stages):
        chained[i, i] = -ka
        chained[i + 1, i] = ka
    return chained


def one_compartment(cl: complex, v: complex) -> NDArray:
    """[central]."""
    return disposition(cl, v)


def one_compartment_oral(ka: complex, cl: complex, v: complex) -> NDArray:
    """[depot, central]."""
    return absorbed(disposition(cl, v), ka)


def two_compartment(cl: complex, vc: complex, q: complex, vp: complex) -> NDArray:
    """[central, peripheral]."""
    return disposition(cl, vc, (q, vp))


def two_compartment_oral(ka: complex, cl: complex, vc: complex, q: complex, vp: complex) -> NDArray:
    """[depot, central, peripheral]."""
    return absorbed(disposition(cl, vc, (q, vp)), ka)


def three_compartment(cl: complex, vc: complex, q2: complex, v2: complex, q3: complex, v3: complex) -> NDArray:
    """[central, shallow peripheral, deep peripheral]."""
    return disposition(cl, vc, (q2, v2), (q3, v3))


def three_compartment_oral(
    ka: complex, cl: complex, vc: complex, q2: complex, v2: complex, q3: complex, v3: complex
) -> NDArray:
    """[depot, central, shallow peripheral, deep peripheral]."""
    return absorbed(disposition(cl, vc, (q2, v2), (q3, v3)), ka)


def il2_subcutaneous(ka: complex, cl: complex, vc: complex, q: complex, vp: complex) -> NDArray:
    """[depot, transit, central, peripheral]; depot and transit empty at the same rate, so A is defective."""
    return absorbed(disposition(cl, vc, (q, vp)), ka, ka)


def central(rates: NDArray, stages: int) -> int:
    """Number (from 1, as CMT) of the central compartment behind `stages` absorption compartments."""
    if not 0 <= stages < len(rates):
        raise ValueError(f"{len(rates)} compartments cannot hold {stages} absorption stages")
    return stages + 1
