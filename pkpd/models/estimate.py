"""A number beyond what data support, which never travels without saying so."""

from dataclasses import dataclass

from jaxtyping import Float
from numpy import ndarray


@dataclass(frozen=True)
class Assumed:
    """Values with what they mean, their unit, and why they are no fact."""

    values: Float[ndarray, "..."]
    meaning: str
    unit: str
    because: str

    @property
    def label(self) -> str:
        """For axes and tables: "responder probability [1], ASSUMPTION"."""
        return f"{self.meaning} [{self.unit}], ASSUMPTION"
