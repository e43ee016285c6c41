"""Adverse events as a function of the daily dose, from one small trial of five days.

    P(any) = 1 - (1 - p_background) exp(-hazard dose)

is a maximum likelihood fit to 1, 3, 5 and 6 of 6 patients on 0, 0.33, 1 and 3 MIU a day (NCT01353833). How it splits
into injection-site and systemic events is an assumption.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from pkpd.errors import InputError
from pkpd.literature import priors
from pkpd.models.estimate import Assumed

Dose = float | Sequence[float] | NDArray

BECAUSE = (
    "the split of events is that of another trial (464 of 694 at the injection site, NCT02265809), taken to hold for "
    "whatever the drug adds to placebo"
)


def any_adverse_event(dose: Dose) -> Float[np.ndarray, "..."]:
    """Probability of a non-serious adverse event within five days of `dose` [MIU a day, s.c.].

    Raises `InputError` for a dose below 0.
    """
    known = priors("adverse_events")
    return np.asarray(1.0 - (1.0 - known["p_background"].typical) * np.exp(-known["hazard"].typical * _checked(dose)))


def injection_site_reaction(dose: Dose) -> Assumed:
    """Probability of a reaction at the injection site within five days of `dose` [MIU a day]. AN ASSUMPTION.

    1 - exp(-share hazard dose). Raises `InputError` for a dose below 0.
    """
    known = priors("adverse_events")
    values = 1.0 - np.exp(-known["share_injection_site"].typical * known["hazard"].typical * _checked(dose))
    return Assumed(np.asarray(values), "probability of an injection-site reaction", "1", BECAUSE)


def systemic_adverse_event(dose: Dose) -> Assumed:
    """Probability of any other adverse event within five days of `dose` [MIU a day]. AN ASSUMPTION.

    1 - (1 - p_background) exp(-(1 - share) hazard dose). Raises `InputError` for a dose below 0.
    """
    known = priors("adverse_events")
    hazard = (1.0 - known["share_injection_site"].typical) * known["hazard"].typical
    values = 1.0 - (1.0 - known["p_background"].typical) * np.exp(-hazard * _checked(dose))
    return Assumed(np.asarray(values), "probability of a systemic adverse event", "1", BECAUSE)


def _checked(dose: Dose) -> NDArray:
    given = np.asarray(dose, dtype=float)
    if not np.isfinite(given).all() or (given < 0.0).any():
        raise InputError("a daily dose is a finite number of MIU, 0 or more")
    return given
