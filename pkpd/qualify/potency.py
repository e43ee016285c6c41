"""How much IL-2 each cell needs in a dish, by its receptors: EC50 of the signal, full model and reduced one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from pkpd.engine.simulate import simulate
from pkpd.errors import InputError
from pkpd.events.doses import Doses
from pkpd.models.culture import culture
from pkpd.models.il2_receptor import CELLS, Calibration, il2_receptor
from pkpd.models.model import Model
from pkpd.population.virtual import literature_of, typical_values

HOURS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 24.0)
CONCENTRATIONS = np.logspace(-4.0, 2.0, 31)
"""IL-2 in the medium [nM]."""


@dataclass(frozen=True)
class Potency:
    """The signal of one cell: `signal[time, concentration]` in complexes per cell, at `hours` and `concentrations`."""

    cell: str
    calibration: Calibration
    hours: Float[np.ndarray, " time"]
    concentrations: Float[np.ndarray, " concentration"]
    signal: Float[np.ndarray, "time concentration"]

    def ec50(self, hour: float) -> float:
        """IL-2 [nM] at which the signal first reaches half of its largest value at that hour.

        Raises `InputError` for an hour that was not simulated.
        """
        if hour not in self.hours:
            raise InputError(f"no signal at {hour:g} h; there is one at {', '.join(f'{h:g}' for h in self.hours)} h")
        row = self.signal[int(np.flatnonzero(self.hours == hour)[0])]
        k = int(np.argmax(row >= row.max() / 2.0))
        share = (row.max() / 2.0 - row[k - 1]) / (row[k] - row[k - 1])
        low, high = np.log(self.concentrations[[k - 1, k]])
        return float(np.exp(low + share * (high - low)))


def potencies(calibration: Calibration = "first") -> dict[str, Potency]:
    """Every cell of a calibration, stimulated in the same medium."""
    cells = CELLS[calibration]
    known = {cell: typical_values(literature_of(il2_receptor(cell, calibration))) for cell in cells}
    columns = {
        symbol: np.repeat([known[cell][symbol] for cell in cells], len(CONCENTRATIONS)) for symbol in known[cells[0]]
    }
    activity = known[cells[0]]["iu_nm"]
    levels = np.tile(CONCENTRATIONS * activity, len(cells))
    values = stimulated(il2_receptor(cells[0], calibration), columns, levels, HOURS)
    signal = values["pstat5"].reshape(len(HOURS), len(cells), len(CONCENTRATIONS))
    return {
        cell: Potency(cell, calibration, np.array(HOURS), CONCENTRATIONS, signal[:, k]) for k, cell in enumerate(cells)
    }


def stimulated(
    cells: Model, parameters: Mapping[str, np.ndarray], levels: Float[np.ndarray, " subject"], hours: Sequence[float]
) -> dict[str, np.ndarray]:
    """Outputs `[time, subject]` of a cell model at constant IL-2, `levels` in IU/mL."""
    model = culture() >> cells
    one = (1, len(levels))
    doses = Doses(np.zeros(one), levels[None, :], np.zeros(one), np.zeros(one), np.ones(one), np.zeros(1, dtype=int))
    found = simulate(model, {**parameters, "v_medium": np.ones(len(levels))}, doses, np.asarray(hours, dtype=float))
    if found.failures:
        raise ArithmeticError(f"the stimulation failed: {found.failures}")
    return found.values
