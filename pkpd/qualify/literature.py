"""Model beside published fact: what was observed, what the models give, and whether that lies inside.

Nothing is tuned here. A fact that the models miss stays in the table, and so does one by which they were calibrated,
which then says so.
"""

import tomllib
from dataclasses import dataclass
from typing import Any

from pkpd.errors import InputError
from pkpd.literature import Status
from pkpd.storage import shipped

_NEEDED = {"quantity", "fact", "model", "unit", "kind", "status", "source", "used_for_calibration"}
_BOUNDS = {"low", "high"}


@dataclass(frozen=True)
class Observed:
    """The interval of an observation, open on a side where there is no bound; `kind` says what its ends are."""

    low: float | None
    high: float | None
    unit: str
    kind: str

    def holds(self, value: float) -> bool:
        """Whether `value` lies inside, ends included."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


@dataclass(frozen=True)
class Fact:
    """One published fact and what the model called `described_by` gives for it, in the same unit."""

    fact: str
    status: Status
    source: str
    used_for_calibration: bool
    described_by: str
    observed: Observed
    model: float
    inside: bool


def qualify_literature() -> list[Fact]:
    """All facts of `data/qualification/literature/facts.toml` beside the models, in their order there.

    Raises `InputError` for an entry whose fields or quantity are not known.
    """
    from pkpd.qualify.quantities import quantities

    content = tomllib.loads(shipped("qualification/literature/facts.toml").read_text(encoding="utf-8"))
    computed = quantities()
    return [_fact(entry, computed) for entry in content["fact"]]


def _fact(entry: dict[str, Any], computed: dict[str, float]) -> Fact:
    name = entry.get("fact", "without a text")
    unknown, missing = sorted(set(entry) - _NEEDED - _BOUNDS), sorted(_NEEDED - set(entry))
    if unknown or missing or not _BOUNDS & set(entry):
        raise InputError(
            f"qualification fact '{name}': unknown fields {unknown}, missing fields {missing}; an entry has "
            f"{', '.join(sorted(_NEEDED))} and low, high or both"
        )
    if entry["quantity"] not in computed:
        raise InputError(
            f"qualification fact '{name}': no quantity '{entry['quantity']}'; there are {', '.join(sorted(computed))}"
        )
    observed = Observed(entry.get("low"), entry.get("high"), entry["unit"], entry["kind"])
    value = computed[entry["quantity"]]
    return Fact(
        fact=name,
        status=entry["status"],
        source=entry["source"],
        used_for_calibration=entry["used_for_calibration"],
        described_by=entry["model"],
        observed=observed,
        model=value,
        inside=observed.holds(value),
    )
