"""Indirect responses: a drug acts on the making or the losing of what is measured."""

from functools import cache

from pkpd.errors import InputError
from pkpd.models.model import Batch, Model, Parameter, Response, State, Values
from pkpd.models.saturation import hill

_TITLES = {
    1: "inhibition of production",
    2: "inhibition of loss",
    3: "stimulation of production",
    4: "stimulation of loss",
}


@cache
def indirect_response(kind: int, driver: str = "conc", sigmoid: bool = False) -> Model:
    """response' = kin (drug on making) - kout (drug on losing) response,   response(0) = kin/kout.

        1: kin  (1 - imax E)      3: kin  (1 + emax E)        E = conc/(c50 + conc), c50 being ic50 or ec50
        2: kout (1 - imax E)      4: kout (1 + emax E)

    sigmoid: conc and c50 to the power gamma. Dayneka, Garg and Jusko 1993, J Pharmacokinet Biopharm 21:457. Raises
    `InputError` for another kind.
    """
    if kind not in _TITLES:
        raise InputError(f"indirect responses are numbered 1 to 4, not {kind!r}")
    inhibits = kind in (1, 2)
    largest, half = ("imax", "ic50") if inhibits else ("emax", "ec50")
    power = "^gamma" if sigmoid else ""
    written = f"(1 {'-' if inhibits else '+'} {largest} {driver}{power}/({half}{power} + {driver}{power}))"

    def derivative(y: Values, u: Values, p: Values) -> dict[str, Batch]:
        conc, c50 = getattr(u, driver), getattr(p, half)
        share = getattr(p, largest) * (hill(conc, c50, p.gamma) if sigmoid else conc / (c50 + conc))
        drug = -share if inhibits else share
        # Written as the difference from rest, it is at rest to the last digit.
        rest = p.kout * (p.kin / p.kout - y.response)
        return {"response": rest + p.kin * drug if kind in (1, 3) else rest - p.kout * drug * y.response}

    making, losing = (f"kin {written}", "kout") if kind in (1, 3) else ("kin", f"kout {written}")
    return Model(
        name=f"indirect_response_{kind}{'_sigmoid' * sigmoid}",
        title=f"indirect response, {_TITLES[kind]}",
        parameters=(
            Parameter("kin", "production", "response/h"),
            Parameter("kout", "loss", "1/h"),
            Parameter(largest, "largest share inhibited", "1", upper=1.0, transform="logit")
            if inhibits
            else Parameter(largest, "largest stimulation", "1"),
            Parameter(half, "concentration giving half of it", "conc"),
            *((Parameter("gamma", "Hill coefficient", "1"),) if sigmoid else ()),
        ),
        responses=(
            Response(
                states=(State("response", "response", "what is measured"),),
                inputs=(driver,),
                initial=lambda p: {"response": p.kin / p.kout},
                derivative=derivative,
                equations=(f"response' = {making} - {losing} response",),
            ),
        ),
        references=("Dayneka, Garg and Jusko 1993, J Pharmacokinet Biopharm 21:457",),
    )
