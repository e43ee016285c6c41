"""Pharmacokinetics put together: an absorption, one to three compartments, an elimination."""

from collections.abc import Mapping
from functools import cache

from pkpd.errors import InputError
from pkpd.models.absorption import Absorption, intravenous
from pkpd.models.model import OUT, Batch, LinearBlock, Model, Parameter, Readout, Response, State, Values

_SUFFIX = {"linear": "", "michaelis_menten": "_mm", "mixed": "_mixed"}
_COUNT = {1: "one compartment", 2: "two compartments", 3: "three compartments"}
_ELIMINATION = {"linear": "linear", "michaelis_menten": "Michaelis-Menten", "mixed": "linear and Michaelis-Menten"}


@cache
def pk(
    absorption: Absorption | None = None,
    compartments: int = 1,
    elimination: str = "linear",
    parametrisation: str = "clearance",
    output: str = "conc",
    amount: str = "mg",
    volume: str = "L",
) -> Model:
    """Concentration `output` [amount/volume] = central / v, time in h.

        central' = input - k10 central - k12 central + k21 peripheral (- k13 .. + k31 ..) - vmax conc/(km + conc)

    absorption: i.v. by default; see `pkpd.models.absorption`. elimination: k10 alone, the last term alone, or both.
    Rates are parameters themselves (k10, k12, k21, k13, k31; ke with one compartment), or made of clearances and
    volumes: cl/vc, q/vc, q/vp, q2/vc, q2/vp2. The volume is `v` with one compartment, `vc` with more. Linear models
    are solved exactly; with Michaelis-Menten the whole is integrated.

    Raises `InputError` for another number of compartments, elimination or parametrisation.
    """
    absorption = absorption or intravenous()
    _one_of("compartments", compartments, (1, 2, 3))
    _one_of("elimination", elimination, ("linear", "michaelis_menten", "mixed"))
    _one_of("parametrisation", parametrisation, ("clearance", "rates"))
    saturable, linear = elimination != "linear", elimination != "michaelis_menten"
    centre = "v" if compartments == 1 else "vc"
    outer = ("peripheral", "peripheral2")[: compartments - 1]
    written = _written(centre, len(outer), linear, parametrisation)

    def rates(p: Values) -> dict[tuple[str, str], Batch]:
        return {**absorption.rates(p), **_rates(centre, outer, linear, parametrisation, p)}

    leaving = [f"{rate} central" for (source, _), rate in written.items() if source == "central"]
    coming = [f"{rate} {source}" for (source, to), rate in written.items() if to == "central"]
    terms = [term for term in (absorption.inflow, *coming) if term]
    central = " + ".join(terms) + "".join(f" - {term}" for term in leaving)
    exchange = tuple(
        f"{name}' = {written['central', name]} central - {written[name, 'central']} {name}" for name in outer
    )
    return Model(
        name=f"pk_{compartments}cmt_{absorption.name}{_SUFFIX[elimination]}{'_rates' * (parametrisation == 'rates')}",
        title=f"{absorption.title}, {_COUNT[compartments]}, {_ELIMINATION[elimination]} elimination",
        parameters=(
            *absorption.parameters,
            *_parameters(centre, len(outer), linear, parametrisation, volume),
            *(
                (
                    Parameter("vmax", "largest rate of saturable elimination", f"{amount}/h"),
                    Parameter("km", "concentration at half of it", f"{amount}/{volume}"),
                )
                if saturable
                else ()
            ),
        ),
        linear=LinearBlock(
            states=(
                *(State(name, amount, meaning) for name, meaning in absorption.states),
                State("central", amount, "amount in plasma"),
                *(State(name, amount, "amount in tissue") for name in outer),
            ),
            rates=rates,
            readouts=(
                Readout(
                    output,
                    f"{amount}/{volume}",
                    "plasma concentration",
                    weights=lambda p: {"central": 1.0 / getattr(p, centre)},
                    equation=f"{output} = central / {centre}",
                ),
            ),
            equations=(*absorption.equations, f"central' = {central.removeprefix(' ') or '0'}", *exchange),
        ),
        responses=(_saturable(output),) if saturable else (),
        routes=absorption.routes,
    )


@cache
def _saturable(output: str) -> Response:
    def flows(y: Values, u: Values, p: Values) -> dict[str, Batch]:
        conc = getattr(u, output)
        return {"central": -p.vmax * conc / (p.km + conc)}

    return Response(
        states=(),
        inputs=(output,),
        initial=lambda p: {},
        derivative=lambda y, u, p: {},
        flows=flows,
        equations=(f"central' = .. - vmax {output}/(km + {output})",),
    )


_NUMBERS = ("", "2")
"""What tells the second peripheral compartment's clearance and volume from the first's."""


def _written(centre: str, outer: int, linear: bool, parametrisation: str) -> dict[tuple[str, str], str]:
    """Each rate of the disposition as its equations write it."""
    found = {}
    by_rate = parametrisation == "rates"
    if linear:
        found["central", OUT] = ("ke" if outer == 0 else "k10") if by_rate else f"(cl/{centre})"
    for i, number in enumerate(_NUMBERS[:outer]):
        there, back = (f"k1{i + 2}", f"k{i + 2}1") if by_rate else (f"(q{number}/{centre})", f"(q{number}/vp{number})")
        found["central", f"peripheral{number}"] = there
        found[f"peripheral{number}", "central"] = back
    return found


def _rates(
    centre: str, outer: tuple[str, ...], linear: bool, parametrisation: str, p: Values
) -> Mapping[tuple[str, str], Batch]:
    if parametrisation == "rates":
        return {
            path: getattr(p, symbol) for path, symbol in _written(centre, len(outer), linear, parametrisation).items()
        }
    middle = getattr(p, centre)
    found = {("central", OUT): p.cl / middle} if linear else {}
    for name, number in zip(outer, _NUMBERS, strict=False):
        between = getattr(p, f"q{number}")
        found["central", name] = between / middle
        found[name, "central"] = between / getattr(p, f"vp{number}")
    return found


def _parameters(centre: str, outer: int, linear: bool, parametrisation: str, volume: str) -> tuple[Parameter, ...]:
    middle = Parameter(centre, "volume" if centre == "v" else "central volume", volume)
    if parametrisation == "rates":
        rates = _written(centre, outer, linear, parametrisation)
        return middle, *(Parameter(rate, f"rate from {source} to {to}", "1/h") for (source, to), rate in rates.items())
    found = (Parameter("cl", "clearance", f"{volume}/h"), middle) if linear else (middle,)
    for number, which in zip(_NUMBERS[:outer], ("", " of the second"), strict=False):
        found += (
            Parameter(f"q{number}", f"intercompartmental clearance{which}", f"{volume}/h"),
            Parameter(f"vp{number}", f"peripheral volume{which}", volume),
        )
    return found


def _one_of(what: str, given: object, known: tuple[object, ...]) -> None:
    if given not in known:
        raise InputError(f"pk: {what} is {given!r}; there are {', '.join(map(str, known))}")
