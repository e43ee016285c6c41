"""How a dose reaches the central compartment: the left part of `pk`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from pkpd.errors import InputError
from pkpd.models.model import Batch, Parameter, Route, Values


@dataclass(frozen=True)
class Absorption:
    """Compartments before the central one, `(name, meaning)` each, and the routes that lead into them or past them.

    inflow: what enters the central compartment, as its equation writes it.
    """

    name: str
    title: str
    states: tuple[tuple[str, str], ...] = ()
    rates: Callable[[Values], Mapping[tuple[str, str], Batch]] = lambda p: {}
    parameters: tuple[Parameter, ...] = ()
    routes: tuple[Route, ...] = ()
    equations: tuple[str, ...] = ()
    inflow: str = ""


_LAG = Parameter("tlag", "absorption lag", "h")
_SHARE = Parameter("f", "bioavailability", "1", upper=1.0, transform="logit")
_RATE = Parameter("ka", "absorption rate", "1/h")
_INTO_BLOOD = Route("iv", into="central")


@cache
def intravenous() -> Absorption:
    """Bolus or infusion into the central compartment, which a record says itself."""
    return Absorption("iv", "i.v.", routes=(_INTO_BLOOD,))


@cache
def first_order(lag: bool = False, bioavailability: bool = False) -> Absorption:
    """depot' = -ka depot.

    Without `bioavailability` every volume and clearance is apparent, that over F, and nothing is given i.v.; with it
    there is the route `iv` beside `oral`.
    """
    return Absorption(
        name="oral" + _suffix(lag, bioavailability),
        title="first-order absorption" + (" with lag" if lag else ""),
        states=(("depot", "amount to be absorbed"),),
        rates=lambda p: {("depot", "central"): p.ka},
        parameters=(_RATE, *_optional(lag, bioavailability)),
        routes=_routes("depot", lag, bioavailability),
        equations=("depot' = -ka depot",),
        inflow="ka depot",
    )


@cache
def zero_order(lag: bool = False, bioavailability: bool = False) -> Absorption:
    """At a constant rate over `d` hours; records say so by RATE -2."""
    return Absorption(
        name="zero" + _suffix(lag, bioavailability),
        title="zero-order absorption" + (" with lag" if lag else ""),
        parameters=(Parameter("d", "duration of absorption", "h"), *_optional(lag, bioavailability)),
        routes=(Route("oral", "central", "f" if bioavailability else None, "tlag" if lag else None, duration="d"),),
    )


@cache
def transit(count: int, bioavailability: bool = False) -> Absorption:
    """`count` transit compartments between the dose and the gut, all left at ktr = (count + 1)/mtt; then ka.

    Savic et al. 2007, doi:10.1007/s10928-007-9066-0. Raises `InputError` for a count below 1.
    """
    if count < 1:
        raise InputError(f"a transit chain has 1 compartment or more, not {count}; without any, take first_order()")
    chain = ("depot", *(f"transit{i}" for i in range(1, count + 1)), "gut")
    steps = list(pairwise(chain))
    leave = f"({count + 1}/mtt)"
    middle = tuple(f"{to}' = {leave} {source} - {leave} {to}" for source, to in steps[:-1])
    return Absorption(
        name=f"transit{count}" + _suffix(False, bioavailability),
        title=f"absorption through {count} transit compartments",
        states=(
            ("depot", "amount given"),
            *((name, "amount on the way to the gut") for name in chain[1:-1]),
            ("gut", "amount to be absorbed"),
        ),
        rates=lambda p: dict.fromkeys(steps, (count + 1) / p.mtt) | {("gut", "central"): p.ka},
        parameters=(Parameter("mtt", "mean transit time", "h"), _RATE, *_optional(False, bioavailability)),
        routes=_routes("depot", False, bioavailability),
        equations=(f"depot' = -{leave} depot", *middle, f"gut' = {leave} {chain[-2]} - ka gut"),
        inflow="ka gut",
    )


_BOTH_SHARES = (
    Parameter("f1", "share of the dose absorbed by the first process", "1", upper=1.0, transform="logit"),
    Parameter("f2", "share of the dose absorbed by the second process", "1", upper=1.0, transform="logit"),
)


@cache
def first_and_zero_order() -> Absorption:
    """A share f1 by first order, and a share f2 at a constant rate over `d` hours after a lag.

    Each dose is recorded twice: into `depot`, and into `central` with RATE -2.
    """
    return Absorption(
        name="first_zero",
        title="first-order beside zero-order absorption",
        states=(("depot", "amount to be absorbed"),),
        rates=lambda p: {("depot", "central"): p.ka},
        parameters=(_RATE, Parameter("d", "duration of zero-order absorption", "h"), _LAG, *_BOTH_SHARES),
        routes=(
            Route("oral", "depot", bioavailability="f1"),
            Route("oral_zero", "central", bioavailability="f2", lag="tlag", duration="d"),
        ),
        equations=("depot' = -ka depot",),
        inflow="ka depot",
    )


@cache
def two_first_order() -> Absorption:
    """A share f1 at rate ka, and a share f2 at rate ka2 after a lag. Each dose is recorded twice, once a depot."""
    return Absorption(
        name="two_first",
        title="two first-order absorptions side by side",
        states=(("depot", "amount to be absorbed by the first process"), ("depot2", "that by the second")),
        rates=lambda p: {("depot", "central"): p.ka, ("depot2", "central"): p.ka2},
        parameters=(_RATE, Parameter("ka2", "second absorption rate", "1/h"), _LAG, *_BOTH_SHARES),
        routes=(
            Route("oral", "depot", bioavailability="f1"),
            Route("oral2", "depot2", bioavailability="f2", lag="tlag"),
        ),
        equations=("depot' = -ka depot", "depot2' = -ka2 depot2"),
        inflow="ka depot + ka2 depot2",
    )


def _suffix(lag: bool, bioavailability: bool) -> str:
    return ("_lag" if lag else "") + ("_f" if bioavailability else "")


def _optional(lag: bool, bioavailability: bool) -> tuple[Parameter, ...]:
    return (_LAG,) * lag + (_SHARE,) * bioavailability


def _routes(into: str, lag: bool, bioavailability: bool) -> tuple[Route, ...]:
    oral = Route("oral", into, "f" if bioavailability else None, "tlag" if lag else None)
    return (oral, _INTO_BLOOD) if bioavailability else (oral,)
