"""The signal of IL-2 receptors, reduced to two states: how much receptor is left, and how much of it signals."""

from functools import cache

from pkpd.errors import InputError
from pkpd.models.il2_receptor import CELLS, TITLES
from pkpd.models.model import Batch, Model, Parameter, Response, State, Values


def _occupation(y: Values, u: Values, p: Values) -> Batch:
    return p.uptake * u.il2 * y.il2rb / (1.0 + u.il2 / p.half_uptake)


_RESPONSE = Response(
    states=(
        State("il2rb", "fraction of rest", "IL-2Rb (CD122) that is free, on the surface and inside"),
        State("pstat5", "fraction of the pool at rest", "IL-2Rb that signals, in proportion to which STAT5 is active"),
    ),
    inputs=("il2",),
    initial=lambda p: {"il2rb": 1.0 + 0.0 * p.kturn, "pstat5": 0.0 * p.kturn},
    derivative=lambda y, u, p: {
        "il2rb": p.kturn * (1.0 - y.il2rb) - _occupation(y, u, p),
        "pstat5": _occupation(y, u, p) - p.ksignal * y.pstat5,
    },
    equations=(
        "il2rb' = kturn (1 - il2rb) - uptake il2 il2rb/(1 + il2/half_uptake)",
        "pstat5' = uptake il2 il2rb/(1 + il2/half_uptake) - ksignal pstat5",
    ),
)


@cache
def il2_signal(cell: str = "treg") -> Model:
    """What `il2_receptor` comes to where IL-2 is low, for use in population models; `il2` in IU/mL, rates per h.

        occupation = uptake il2 il2rb / (1 + il2 / half_uptake)
        il2rb'     = kturn (1 - il2rb) - occupation,     il2rb(0) = 1
        pstat5'    = occupation - ksignal pstat5,        pstat5(0) = 0

    IL-2 occupies free receptors, which then signal until they are degraded, and new ones come slowly: the signal of
    a lasting concentration rises within the hour and falls by the next day. uptake, half_uptake and ksignal are least
    squares fits to the full model at 0.08 to 25 IU/mL over a day, kturn follows from its trafficking. Against the full
    model, after 1 MIU s.c.: within 11 % of the peak in Treg, 13 % in the other cells.
    Raises `InputError` for a cell without counted receptors.
    """
    if cell not in CELLS["first"]:
        raise InputError(f"no receptors of '{cell}' are counted; counted are {', '.join(CELLS['first'])}")
    return Model(
        name=f"il2_signal_{cell}",
        title=f"IL-2 signal in a {TITLES[cell]}: receptor left and receptor signalling",
        parameters=(
            Parameter("kturn", "renewal of IL-2Rb", "1/h"),
            Parameter("uptake", "IL-2Rb occupied by IL-2", "mL/(IU h)"),
            Parameter("half_uptake", "IL-2 at which that has saturated by half", "IU/mL"),
            Parameter("ksignal", "loss of signalling complexes", "1/h"),
        ),
        responses=(_RESPONSE,),
        references=("meyer-lab/gc-cytokines, commit c48ba92 (the full model to which this is fitted)",),
        literature=(f"il2_signal_{cell}",),
    )
