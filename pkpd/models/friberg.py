"""Myelosuppression: cells divide, mature in three steps and circulate; what circulates tells how fast to divide."""

from functools import cache
from itertools import pairwise

from pkpd.models.model import Batch, Model, Parameter, Response, State, Values

_CHAIN = ("prol", "maturing1", "maturing2", "maturing3", "circ")


@cache
def friberg(driver: str = "conc") -> Model:
    """ktr = 4/mtt; every pool is circ0 at rest.

        prol'      = ktr prol ((1 - slope conc) (circ0/circ)^gamma - 1)
        maturing1' = ktr (prol - maturing1), and so on;   circ' = ktr (maturing3 - circ)

    Friberg et al. 2002, J Clin Oncol 20:4713, doi:10.1200/JCO.2002.02.140.
    """

    def derivative(y: Values, u: Values, p: Values) -> dict[str, Batch]:
        ktr = 4.0 / p.mtt
        growth = (1.0 - p.slope * getattr(u, driver)) * (p.circ0 / y.circ) ** p.gamma
        pools = [getattr(y, name) for name in _CHAIN]
        later = zip(_CHAIN[1:], pools[:-1], pools[1:], strict=True)
        return {"prol": ktr * y.prol * (growth - 1.0)} | {name: ktr * (into - own) for name, into, own in later}

    return Model(
        name="friberg",
        title="myelosuppression with three transits and feedback",
        parameters=(
            Parameter("circ0", "circulating cells at rest", "cells"),
            Parameter("mtt", "mean transit time", "h"),
            Parameter("slope", "share of divisions lost per unit of concentration", "1/conc"),
            Parameter("gamma", "strength of the feedback", "1"),
        ),
        responses=(
            Response(
                states=(
                    State("prol", "cells", "dividing cells"),
                    *(State(f"maturing{i}", "cells", "maturing cells") for i in (1, 2, 3)),
                    State("circ", "cells", "circulating cells"),
                ),
                inputs=(driver,),
                initial=lambda p: dict.fromkeys(_CHAIN, p.circ0),
                derivative=derivative,
                equations=(
                    f"prol' = 4/mtt prol ((1 - slope {driver}) (circ0/circ)^gamma - 1)",
                    *(f"{own}' = 4/mtt ({into} - {own})" for into, own in pairwise(_CHAIN)),
                ),
            ),
        ),
        references=("Friberg et al. 2002, J Clin Oncol 20:4713, doi:10.1200/JCO.2002.02.140",),
    )
