"""The 29 dosing scenarios of data/qualification/dosing as records, and what NONMEM printed for them."""

import csv
import math
from pathlib import Path

from numpy.typing import NDArray
from oracles.expm_events import DOSE, OBSERVATION, RESET, RESET_AND_DOSE, Record, by_time
from oracles.linear_models import one_compartment_oral

FOLDER = Path(__file__).parents[2] / "data" / "qualification" / "dosing"
NUMBERS = range(1, 30)
CL, V, KA = 1.1, 20.0, 1.5
DEPOT, CENTRAL = 1, 2
RATES = one_compartment_oral(KA, CL, V)

_EVID = {"dose": DOSE, "reset": RESET, "reset and dose": RESET_AND_DOSE}
_CMT = {"depot": DEPOT, "central": CENTRAL}


def _table(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(newline="") as file:
        return list(csv.DictReader(file))


def description(scenario: int) -> str:
    return _table("scenarios.csv")[scenario - 1]["holds"]


def printed(scenario: int) -> list[str]:
    """NONMEM's concentration at hours 0, 1, .. 130, digit for digit."""
    return [row[f"scenario_{scenario}"] for row in _table("concentrations.csv")]


def records(scenario: int) -> list[Record]:
    """Doses and resets, and hourly samples that follow every other record of their time."""
    given = [_event(row) for row in _table("doses.csv") if int(row["scenario"]) == scenario]
    samples = [Record(float(row["hour"]), OBSERVATION) for row in _table("concentrations.csv")]
    return by_time([*given, *samples])


def _event(row: dict[str, str]) -> Record:
    time, evid = float(row["hour"]), _EVID[row["act"]]
    if evid == RESET:
        return Record(time, evid)
    to_central = row["into"] == "central"
    return Record(
        time,
        evid,
        float(row["amount"]),
        _CMT[row["into"]],
        rate=float(row["rate"] or 0),
        dur=float(row["hours"] or 0),
        addl=int(row["repeats"]),
        ii=float(row["every"]),
        ss=int(row["steady"]),
        lag=float(row["lag_central"]) if to_central else 0.0,
        bioavailability=float(row["fraction_central"]) if to_central else 1.0,
    )


def concentration(amount_in_central: NDArray) -> NDArray:
    return 1000 * amount_in_central / V


def halves_of_the_last_digit(value: float, shown: str) -> float:
    """How far `value` is from the number shown to five digits, in half units of the fifth.

    At most 1 if `value` rounds to what is shown. For a printed zero: 0 if the value is one, else infinite.
    """
    number = float(shown)
    if number == 0:
        return 0.0 if value == 0 else math.inf
    unit = 10.0 ** (math.floor(math.log10(abs(number))) - 4)
    return abs(value - number) / (0.5 * unit)
