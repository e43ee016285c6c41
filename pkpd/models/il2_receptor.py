"""IL-2 receptors of a cell: alpha, beta and the common gamma chain bind IL-2, and all of them come and go.

Everything is written from one table of nine binding steps, on the surface and again in the endosome, so that what is
integrated and what is printed cannot differ.
"""

from collections.abc import Mapping
from functools import cache
from typing import Literal

from pkpd.errors import InputError
from pkpd.models.model import Batch, Derived, Model, Parameter, Response, State, Values

Calibration = Literal["first", "second"]

CELLS = {
    "first": ("treg", "th", "cd8", "nk", "nk_cd56bright"),
    "second": ("treg", "th", "cd8", "nk"),
}
"""Cells whose receptors were counted, by calibration; of CD56bright NK they are assumed."""

TITLES = {
    "treg": "Treg",
    "th": "T helper cell",
    "cd8": "CD8 T cell",
    "nk": "NK cell",
    "nk_cd56bright": "CD56bright NK cell",
}

_FREE = ("alpha", "beta", "gamma")
_BINDING = (("la", "alpha", "k1r"), ("lb", "beta", "k2r"))
"""Complex, the free chain that IL-2 joins, and the rate at which they part."""
_JOINING = (
    ("lag", "la", "gamma", "k4r"),
    ("lbg", "lb", "gamma", "k5r"),
    ("labg", "lbg", "alpha", "k8r"),
    ("labg", "lag", "beta", "k9r"),
    ("labg", "lab", "gamma", "k10r"),
    ("lab", "la", "beta", "k11r"),
    ("lab", "lb", "alpha", "k12r"),
)
"""Complex, the smaller complex and the free chain it is made of, and the rate at which they part."""
_COMPLEXES = ("la", "lb", "lab", "lag", "lbg", "labg")
_ACTIVE = ("lbg", "labg")
_SPECIES = (*_FREE, *_COMPLEXES)
_PARTING = {
    "k1r": "kfbnd kd_a",
    "k2r": "kfbnd kd_b",
    "k4r": "k4r",
    "k5r": "k5r",
    "k8r": "k5r kd_10 kd_11 kd_a/(kd_5^2 kd_b)",
    "k9r": "k5r^2 kd_10 kd_11/(kd_5^2 k4r)",
    "k10r": "k5r kd_10/kd_5",
    "k11r": "k5r kd_11/kd_5",
    "k12r": "k5r kd_11 kd_a/(kd_5 kd_b)",
}


def _parting(p: Values) -> dict[str, Batch]:
    """The rates of `_PARTING` [1/min]; those not measured close the cycles, as detailed balance asks."""
    k1r, k2r = p.kfbnd * p.kd_a, p.kfbnd * p.kd_b
    k10r, k11r = p.k5r * p.kd_10 / p.kd_5, p.k5r * p.kd_11 / p.kd_5
    k12r = k1r * k11r / k2r
    return {
        "k1r": k1r,
        "k2r": k2r,
        "k4r": p.k4r,
        "k5r": p.k5r,
        "k8r": k10r * k12r / p.k5r,
        "k9r": k10r * k11r / p.k4r,
        "k10r": k10r,
        "k11r": k11r,
        "k12r": k12r,
    }


def _bound(y: Mapping[str, Batch], ligand: Batch, parting: Mapping[str, Batch], p: Values) -> dict[str, Batch]:
    """Net change of each species and of free IL-2 (`ligand` [nM]) by binding, molecules per cell and min."""
    change: dict[str, Batch] = dict.fromkeys([*_SPECIES, "ligand"], 0.0)
    for made, chain, rate in _BINDING:
        net = p.kfbnd * ligand * y[chain] - parting[rate] * y[made]
        change[made] = change[made] + net
        change[chain] = change[chain] - net
        change["ligand"] = change["ligand"] - net
    for made, part, chain, rate in _JOINING:
        net = p.kfwd * y[part] * y[chain] - parting[rate] * y[made]
        change[made] = change[made] + net
        change[part] = change[part] - net
        change[chain] = change[chain] - net
    return change


def _inside(p: Values) -> dict[str, Batch]:
    """Free chains in the endosome at rest: as many come in as go back or are degraded."""
    leaving = p.krec * (1.0 - p.fsort) + p.kdeg * p.fsort
    return {name: p.endo / p.area / leaving * getattr(p, f"{name}0") for name in _FREE}


def _initial(p: Values) -> dict[str, Batch]:
    surface = {name: getattr(p, f"{name}0") for name in _FREE} | dict.fromkeys(_COMPLEXES, 0.0 * p.endo)
    inside = _inside(p) | dict.fromkeys(_COMPLEXES, 0.0 * p.endo)
    return surface | {f"{name}_e": value for name, value in inside.items()} | {"il2_e": 0.0 * p.endo}


def _derivative(y: Values, u: Values, p: Values) -> dict[str, Batch]:
    surface = {name: getattr(y, name) for name in _SPECIES}
    inside = {name: getattr(y, f"{name}_e") for name in _SPECIES}
    parting, rest = _parting(p), _inside(p)
    here = _bound(surface, u.il2 / p.iu_nm, parting, p)
    there = _bound(inside, y.il2_e / p.room, {name: p.faster * rate for name, rate in parting.items()}, p)
    recycled = p.krec * (1.0 - p.fsort)
    leaving = recycled + p.kdeg * p.fsort
    found = {}
    for name in _SPECIES:
        if name in _FREE:
            # Synthesis balances trafficking at rest; written as differences from rest, it does so to the last digit.
            moved = p.endo * (getattr(p, f"{name}0") - surface[name]) - p.area * recycled * (rest[name] - inside[name])
            held = leaving * (p.endo / p.area / leaving * surface[name] - inside[name])
        elif name in _ACTIVE:
            moved = -(p.endo + p.active) * surface[name]
            held = (p.endo + p.active) / p.area * surface[name] - p.kdeg * inside[name]
        else:
            moved = p.area * recycled * inside[name] - p.endo * surface[name]
            held = p.endo / p.area * surface[name] - leaving * inside[name]
        found[name] = 60.0 * (here[name] + moved)
        found[f"{name}_e"] = 60.0 * (there[name] + held)
    return found | {"il2_e": 60.0 * (there["ligand"] - p.kdeg * y.il2_e)}


def _equations() -> tuple[str, ...]:
    """One line a state, from the same table."""
    here = [f"{name}' = 60 ({_binding_text(name, '')} {_surface_text(name)})" for name in _SPECIES]
    there = [f"{name}_e' = 60 ({_binding_text(name, '_e')} {_endosome_text(name)})" for name in _SPECIES]
    ligand = f"il2_e' = 60 ({_binding_text('ligand', '_e')} - kdeg il2_e)"
    return (*here, *there, ligand)


def _binding_text(name: str, place: str) -> str:
    il2, off = ("il2/iu_nm", "") if not place else ("il2_e/room", "faster ")
    terms = []
    for made, chain, rate in _BINDING:
        net = f"(kfbnd {il2} {chain}{place} - {off}{_PARTING[rate]} {made}{place})"
        terms += [f"+ {net}"] if name == made else [f"- {net}"] if name in (chain, "ligand") else []
    for made, part, chain, rate in _JOINING:
        net = f"(kfwd {part}{place} {chain}{place} - {off}{_PARTING[rate]} {made}{place})"
        terms += [f"+ {net}"] if name == made else [f"- {net}"] if name in (part, chain) else []
    return " ".join(terms).removeprefix("+ ")


_LEAVING = "(krec (1 - fsort) + kdeg fsort)"


def _surface_text(name: str) -> str:
    if name in _ACTIVE:
        return f"- (endo + active) {name}"
    back = f"area krec (1 - fsort) {name}_e"
    if name in _FREE:
        return f"+ endo ({name}0 - {name}) + {back} - krec (1 - fsort) endo/{_LEAVING} {name}0"
    return f"- endo {name} + {back}"


def _endosome_text(name: str) -> str:
    if name in _ACTIVE:
        return f"+ (endo + active)/area {name} - kdeg {name}_e"
    return f"+ endo/area {name} - {_LEAVING} {name}_e"


_MEANINGS = {
    "alpha": "free IL-2Ra",
    "beta": "free IL-2Rb",
    "gamma": "free common gamma chain",
    "la": "IL-2 on IL-2Ra",
    "lb": "IL-2 on IL-2Rb",
    "lab": "IL-2 on IL-2Ra and IL-2Rb",
    "lag": "IL-2 on IL-2Ra and gamma",
    "lbg": "IL-2 on IL-2Rb and gamma, signalling",
    "labg": "IL-2 on all three, signalling",
}

_STATES = (
    *(State(name, "1/cell", f"{_MEANINGS[name]}, on the surface") for name in _SPECIES),
    *(State(f"{name}_e", "1/cell", f"{_MEANINGS[name]}, in the endosome") for name in _SPECIES),
    State("il2_e", "1/cell", "free IL-2 in the endosome"),
)

_RESPONSE = Response(
    states=_STATES,
    inputs=("il2",),
    initial=_initial,
    derivative=_derivative,
    equations=_equations(),
    stiff=True,
)

_PSTAT5 = Derived(
    "pstat5",
    "1/cell",
    "signalling complexes, in proportion to which STAT5 is active",
    inputs=("lbg", "labg", "lbg_e", "labg_e"),
    value=lambda u, p: u.lbg + u.labg + p.area * (u.lbg_e + u.labg_e),
    equation="pstat5 = lbg + labg + area (lbg_e + labg_e)",
)

_PARAMETERS = (
    Parameter("alpha0", "IL-2Ra on the surface at rest", "1/cell"),
    Parameter("beta0", "IL-2Rb on the surface at rest", "1/cell"),
    Parameter("gamma0", "common gamma chain on the surface at rest", "1/cell"),
    Parameter("kfbnd", "association of IL-2 with IL-2Ra or IL-2Rb", "1/(nM min)"),
    Parameter("kd_a", "dissociation constant of IL-2 and IL-2Ra", "nM"),
    Parameter("kd_b", "dissociation constant of IL-2 and IL-2Rb", "nM"),
    Parameter("kfwd", "association of two chains in the membrane", "cell/min"),
    Parameter("k4r", "gamma leaves IL-2 on IL-2Ra", "1/min"),
    Parameter("k5r", "gamma leaves IL-2 on IL-2Rb", "1/min"),
    Parameter("kd_5", "dissociation constant of the k5r step, in solution", "nM"),
    Parameter("kd_10", "the same of gamma leaving all three", "nM"),
    Parameter("kd_11", "the same of IL-2Rb leaving IL-2 on IL-2Ra", "nM"),
    Parameter("endo", "endocytosis of every chain", "1/min"),
    Parameter("active", "endocytosis that signalling complexes add", "1/min"),
    Parameter("krec", "recycling to the surface", "1/min"),
    Parameter("kdeg", "degradation in the endosome", "1/min"),
    Parameter("fsort", "share sorted for degradation", "1", upper=1.0, transform="logit"),
    Parameter("faster", "dissociation in the endosome over that on the surface", "1"),
    Parameter("area", "membrane of the endosomes over that of the surface", "1"),
    Parameter("room", "molecules in the endosomes of one cell at 1 nM", "1/(nM cell)"),
    Parameter("iu_nm", "activity of IL-2 at 1 nM", "IU/mL/nM"),
)


@cache
def il2_receptor(cell: str = "treg", calibration: Calibration = "first") -> Model:
    """Binding and trafficking of the IL-2 receptors of one cell, driven by `il2` [IU/mL]; rates per min, time in h.

        on the surface    d[x]/dt  = binding(x) + synthesis - endo x + area krec (1 - fsort) x_e
        in the endosome   d[x_e]/dt = binding(x_e) + endo x / area - (krec (1 - fsort) + kdeg fsort) x_e
        signalling lbg, labg: taken up at endo + active, never recycled, degraded at kdeg
        pstat5 = lbg + labg + area (lbg_e + labg_e)                       [complexes per cell]

    Synthesis keeps free receptors at alpha0, beta0, gamma0 where there is no IL-2. Binding steps and constants:
    meyer-lab/gc-cytokines (commit c48ba92). The cell chooses the counts of receptors, `calibration` which of two
    published antibody calibrations they are taken from: these differ 4 to 20 fold in the IL-2Rb of T cells.
    Raises `InputError` for a cell that was not counted in it.
    """
    if cell not in CELLS.get(calibration, ()):
        known = "; ".join(f"{name}: {', '.join(cells)}" for name, cells in CELLS.items())
        raise InputError(f"no receptors of '{cell}' in calibration '{calibration}'; counted are {known}")
    suffix = "" if calibration == "first" else "_second"
    return Model(
        name=f"il2_receptor_{cell}{suffix}",
        title=f"IL-2 receptors of a {TITLES[cell]}: binding, trafficking, signal",
        parameters=_PARAMETERS,
        responses=(_RESPONSE,),
        derived=(_PSTAT5,),
        references=(
            "meyer-lab/gc-cytokines, commit c48ba92 (equations, constants fitted to YT-1 cells, receptor counts)",
            "meyer-lab/gc-valent (second calibration of receptor counts; pSTAT5 EC50s for comparison)",
        ),
        literature=("il2_receptor", f"il2_receptor_{cell}{suffix}"),
    )
