"""Fit the reduced IL-2 signal to the full receptor model, and hold the numbers against those that ship.

    python examples/reduce_receptor.py [CELL ..]

For each cell (Treg alone by default): IL-2 is held constant at six levels from 0.08 to 25 IU/mL for a day, the full
model gives the IL-2Rb that signals as a part of the free pool at rest, and uptake, half_uptake and ksignal of
`il2_signal` are fitted to it by least squares; kturn follows from the trafficking and stays. These are numbers of a
model, not data: three are fitted to 6 x 13 values without noise.
"""

import sys

import numpy as np
from scipy.optimize import least_squares

from pkpd.engine.simulate import simulate
from pkpd.events.doses import Doses
from pkpd.models.culture import culture
from pkpd.models.il2_receptor import il2_receptor
from pkpd.models.il2_signal import il2_signal
from pkpd.models.model import Model
from pkpd.population.virtual import literature_of, typical_values

LEVELS = np.geomspace(0.08, 25.0, 6)
TIMES = np.array([0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 20.0, 24.0])
FITTED = ("uptake", "half_uptake", "ksignal")


def courses(model: Model, values: dict[str, float], outputs: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Outputs `[time, level]` of cells in culture, IL-2 added at time 0."""
    whole = culture() >> model
    once = np.ones((1, len(LEVELS)))
    doses = Doses(0 * once, LEVELS[None], 0 * once, 0 * once, once, np.array([0]))
    each = {name: np.full(len(LEVELS), value) for name, value in values.items()}
    found = simulate(whole, each, doses, TIMES, outputs=outputs)
    if found.failures:
        raise RuntimeError(f"{model.name}: {found.failures}")
    return found.values


def reduced(cell: str) -> tuple[dict[str, float], dict[str, float], float]:
    """The numbers fitted anew, those that ship, and the largest error of the new ones, as a part of each peak."""
    full = il2_receptor(cell)
    known = typical_values(literature_of(culture() >> full))
    # Free IL-2Rb at rest: on the surface, and in endosomes that it enters by endocytosis and leaves by trafficking.
    leaving = known["krec"] * (1 - known["fsort"]) + known["kdeg"] * known["fsort"]
    pool = known["beta0"] * (1 + known["endo"] / leaving)
    target = courses(full, known, ("pstat5",))["pstat5"] / pool
    small = il2_signal(cell)
    shipped = typical_values(literature_of(culture() >> small))

    def signal(logs: np.ndarray) -> np.ndarray:
        values = shipped | dict(zip(FITTED, np.exp(logs).tolist(), strict=True))
        return courses(small, values, ("pstat5",))["pstat5"]

    start = np.log([shipped[name] for name in FITTED])
    best = least_squares(lambda logs: ((signal(logs) - target) / target.max(axis=0))[1:].ravel(), start)
    error = np.abs(signal(best.x) - target).max(axis=0) / target.max(axis=0)
    return dict(zip(FITTED, np.exp(best.x).tolist(), strict=True)), shipped, float(error.max())


def main() -> None:
    """Print the table."""
    print(f"{'cell':16s}{'':14s}{'fitted':>10s}{'shipped':>10s}")
    for cell in sys.argv[1:] or ["treg"]:
        fitted, shipped, error = reduced(cell)
        for name in FITTED:
            print(f"{cell:16s}{name:14s}{fitted[name]:10.4g}{shipped[name]:10.4g}")
        print(f"{cell:16s}largest error, constant IL-2: {100 * error:.0f} % of the peak of the course")


if __name__ == "__main__":
    main()
