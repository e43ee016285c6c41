"""Disease activity of Sjogren's syndrome as if Treg alone decided it: an assumption, and no part of any default.

No measurement links Treg to ESSDAI. What is here serves to think a trial through; the link carries the whole
difference between the arms of one trial (NCT02464319).
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from pkpd.literature import priors
from pkpd.models.model import Model, Parameter, Response, State

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pkpd.models.estimate import Assumed

BECAUSE = "no data link Treg to ESSDAI: the whole difference between the arms of NCT02464319 is ascribed to Treg"


@cache
def essdai() -> Model:
    """ESSDAI improvement that follows the Treg pool `treg` [fold of baseline]. AN ASSUMPTION.

    essdai_gain' = kessdai (slope_essdai (treg - 1) - essdai_gain),   essdai_gain(0) = 0
    """
    return Model(
        name="essdai",
        title="ASSUMPTION: ESSDAI follows Treg; no data show that it does",
        parameters=(
            Parameter("kessdai", "rate at which ESSDAI follows Treg", "1/h"),
            Parameter("slope_essdai", "ESSDAI points lost per fold of Treg gained", "points"),
        ),
        responses=(
            Response(
                states=(
                    State(
                        "essdai_gain",
                        "points, ASSUMPTION",
                        "ESSDAI points lost since baseline",
                    ),
                ),
                inputs=("treg",),
                initial=lambda p: {"essdai_gain": 0.0 * p.kessdai},
                derivative=lambda y, u, p: {
                    "essdai_gain": p.kessdai * (p.slope_essdai * (u.treg - 1.0) - y.essdai_gain)
                },
                equations=("essdai_gain' = kessdai (slope_essdai (treg - 1) - essdai_gain)",),
            ),
        ),
        references=("He et al. 2022, doi:10.1001/jamanetworkopen.2022.41451 (response: ESSDAI lower by 3 or more)",),
        literature=("essdai",),
    )


def responder_probability(exposure: "float | Sequence[float] | NDArray") -> "Assumed":
    """Probability of an ESSDAI at least 3 points lower by week 24, of a mean Treg fold over treatment. AN ASSUMPTION.

    logit p = logit p_placebo + slope_response (exposure - 1)
    """
    import numpy as np

    from pkpd.models.estimate import Assumed

    known = priors("essdai_response")
    placebo = known["p_placebo"].typical
    logit = np.log(placebo / (1.0 - placebo)) + known["slope_response"].typical * (np.asarray(exposure, float) - 1.0)
    return Assumed(np.asarray(1.0 / (1.0 + np.exp(-logit))), "probability of an ESSDAI response", "1", BECAUSE)
