"""What is known of a fit before it is run."""

from dataclasses import dataclass, field

from pkpd.fit.fit import Fit


@dataclass(frozen=True)
class Expected:
    """Its objective within `bound` (or, `below`, not higher than by that), estimates and standard errors by name with
    the relative deviation allowed, and, of simulated data, the `true` values, which the 95 % intervals should hold."""

    ofv: float | None
    bound: float = 0.005
    below: bool = False
    estimates: dict[str, float] = field(default_factory=dict)
    se: dict[str, float] = field(default_factory=dict)
    estimates_bound: float = 0.002
    se_bound: float = 0.01
    true: dict[str, float] = field(default_factory=dict)

    def checks(self, found: Fit) -> dict[str, float]:
        """The largest relative deviation of estimates and of standard errors; true values outside their interval."""
        checks = {}
        if self.estimates:
            checks["estimates"] = max(abs(found.estimates[name] / known - 1) for name, known in self.estimates.items())
        if self.se:
            checks["se"] = max(abs(found.se[name] / known - 1) for name, known in self.se.items())
        if self.true:
            outside = [
                name
                for name, known in self.true.items()
                if not abs(found.estimates[name] - known) < 1.96 * found.se[name]
            ]
            checks["true values outside 95 %"] = float(len(outside))
        return checks

    def holds(self, difference: float | None, checks: dict[str, float]) -> bool:
        """Whether all of it is in bounds."""
        near = difference is None or (difference < self.bound if self.below else abs(difference) < self.bound)
        bounds = {"estimates": self.estimates_bound, "se": self.se_bound, "true values outside 95 %": 1.0}
        return near and all(value < bounds[name] for name, value in checks.items())
