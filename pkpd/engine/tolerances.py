"""How accurate a step must be."""

from dataclasses import dataclass

from pkpd.errors import InputError


@dataclass(frozen=True)
class Tolerances:
    """A step is accepted when the error estimate is below `rtol |y| + atol` in root mean square over the states.

    Of an amount, `atol` is a part of the largest dose. The run ends as failed after `max_steps` steps, accepted and
    rejected. Raises `InputError` unless all are positive.
    """

    rtol: float = 1e-7
    atol: float = 1e-9
    max_steps: int = 200_000

    def __post_init__(self) -> None:
        for name in ("rtol", "atol", "max_steps"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} is {getattr(self, name):g}; it must be more than 0")


def default_tolerances(method: str) -> Tolerances:
    """1e-7, or for rodas5p, whose estimate is of a higher order and says more than is true, 5e-7."""
    return Tolerances(rtol=5e-7, atol=5e-9) if method == "rodas5p" else Tolerances()
