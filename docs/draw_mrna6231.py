"""Draw docs/mrna6231.png: what the fits of docs/mrna6231.md say of the mutein and of Tregs, no data.

python docs/draw_mrna6231.py
"""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from pkpd.engine.simulate import simulate
from pkpd.events.doses import Doses
from pkpd.models.library import model
from pkpd.storage import write_atomically

ANIMALS, DAYS = 1000, 28
GROUPS = {0.001: 2.5, 0.01: 25.0, 0.1: 250.0}
"""Single doses: mg/kg, and the ug an animal received."""

SYMBOLS = ("ka", "cl", "v", "slope", "c50", "clc", "ecl", "ke0", "kin", "kout", "emax", "gamma", "ec50")
PUBLISHED = (0.07496, 12.865, 171.558, 4570.3, 0.13123, 1.54847, 0.30751)
APART = (*PUBLISHED, 0.01182, 0.05954, 0.01518, 17.24, 2.474, 159.2)
TOGETHER = (0.0737, 12.64, 171.558, 3263.0, 0.0864, 1.558, 0.278, 0.01366, 0.0600, 0.01528, 9.85, 2.66, 107.6)
FITS = {
    "drug first, then Tregs": (APART, (0.5139, 0.2291, 0.2123), (0.366, 0.302, -1.0), "#1b6ca8"),
    "both together": (TOGETHER, (0.489, 0.222, 0.364), (0.367, 0.790, 0.017), "#c0512f"),
}
"""Typical values, (SD, SD, correlation) of the etas of slope and clc, and of kin and emax."""


def animals(typical: tuple[float, ...], drug: tuple, treg: tuple, group: float) -> dict[str, np.ndarray]:
    """The typical animal, then others drawn from Omega."""
    rng = np.random.default_rng(1)
    values = {name: np.full(1 + ANIMALS, one) for name, one in zip(SYMBOLS, typical, strict=True)}
    for names, (one, other, correlation) in ((("slope", "clc"), drug), (("kin", "emax"), treg)):
        a, b = np.hstack([np.zeros((2, 1)), rng.standard_normal((2, ANIMALS))])
        values[names[0]] *= np.exp(one * a)
        values[names[1]] *= np.exp(other * (correlation * a + (1 - correlation**2) ** 0.5 * b))
    values["clc"] *= (group / 0.0045) ** values.pop("ecl")
    return values


def main() -> None:
    body = model("mrna6231_kpd") >> model("mrna6231_treg")
    times = np.linspace(0.0, 24.0 * DAYS, 337)
    figure = Figure(figsize=(9.0, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(2, len(GROUPS), sharex=True, sharey="row")
    for column, (group, amount) in enumerate(GROUPS.items()):
        for label, (typical, drug, treg, colour) in FITS.items():
            values = animals(typical, drug, treg, group)
            none, one = np.zeros((1, 1 + ANIMALS)), np.ones((1, 1 + ANIMALS))
            doses = Doses(none, amount * one, none, none, one, np.array([0]))
            found = simulate(body, values, doses, times)
            if found.failures:
                raise RuntimeError(f"{found.failures}")
            for row, output in enumerate(("cil2", "treg")):
                axes, y = grid[row, column], found.values[output]
                low, high = np.quantile(y[:, 1:], [0.1, 0.9], axis=1)
                axes.fill_between(times / 24, low, high, color=colour, alpha=0.18, linewidth=0)
                axes.plot(times / 24, y[:, 0], color=colour, linewidth=1.6, label=label)
        grid[0, column].set_title(f"{1000 * group:g} ug/kg", fontsize=10)
        grid[1, column].set_xlabel("time after the dose (d)", fontsize=9)
    grid[0, 0].set_ylabel("mutein (ng/mL)", fontsize=9)
    grid[0, 0].set_yscale("log")
    grid[0, 0].set_ylim(0.1, 3000)
    grid[1, 0].set_ylabel("Tregs (% of CD4 T cells)", fontsize=9)
    grid[1, 0].legend(fontsize=8, frameon=False, loc="upper left")
    for axes in grid.flat:
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    write_atomically(Path(__file__).parent / "mrna6231.png", lambda path: figure.savefig(path, dpi=110, format="png"))


if __name__ == "__main__":
    main()
