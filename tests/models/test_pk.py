"""The pieces of `pk` put together, against SciPy; and effects driven by it."""

import itertools

import numpy as np
import pytest
from components import doses, scaled_error
from oracles.expm_events import DOSE, Record
from recorded import records_of
from scipy.integrate import solve_ivp

from pkpd.engine.predict import predict
from pkpd.engine.prepare import prepare
from pkpd.engine.simulate import simulate
from pkpd.engine.tolerances import Tolerances
from pkpd.errors import InputError
from pkpd.models.absorption import first_and_zero_order, first_order, intravenous, transit, two_first_order, zero_order
from pkpd.models.indirect_response import indirect_response
from pkpd.models.pk import pk

TIGHT = Tolerances(rtol=1e-10, atol=1e-13)
TIMES = np.linspace(0.0, 48.0, 17)
ABSORPTIONS = (
    intravenous(),
    first_order(),
    first_order(lag=True, bioavailability=True),
    zero_order(lag=True),
    transit(2, bioavailability=True),
    first_and_zero_order(),
    two_first_order(),
)


@pytest.mark.parametrize("absorption", ABSORPTIONS, ids=lambda absorption: absorption.name)
def test_every_combination_is_a_model_of_its_own(absorption) -> None:
    made = [
        pk(absorption, compartments, elimination, parametrisation)
        for compartments, elimination, parametrisation in itertools.product(
            (1, 2, 3), ("linear", "michaelis_menten", "mixed"), ("clearance", "rates")
        )
    ]
    assert len({model.name for model in made}) == len(made)
    for model in made:
        assert ("vmax" in model.symbols) is model.feeds_back
        used = " ".join(
            [
                *model.compartments.equations,
                model.compartments.readouts[0].equation,
                *(equation for response in model.responses for equation in response.equations),
            ]
        )
        routed = {getattr(route, own) for route in model.routes for own in ("lag", "bioavailability", "duration")}
        for symbol in model.symbols:
            assert symbol in used or symbol in routed


def test_rates_are_made_of_clearances() -> None:
    p = {"cl": 4.0, "vc": 20.0, "q": 6.0, "vp": 50.0, "q2": 1.0, "vp2": 200.0}
    k = {"vc": 20.0, "k10": 0.2, "k12": 0.3, "k21": 0.12, "k13": 0.05, "k31": 0.005}
    by_clearance, by_rate = (
        simulate(model, {name: np.full(1, v) for name, v in given.items()}, doses([0.0]), TIMES).values["conc"]
        for model, given in ((pk(None, 3), p), (pk(None, 3, parametrisation="rates"), k))
    )
    np.testing.assert_allclose(by_clearance, by_rate, rtol=1e-13)


def test_mixed_elimination_by_another_solver() -> None:
    """First order into two compartments, linear beside Michaelis-Menten; 1e-7 for LSODA at 1e-11."""
    model = pk(first_order(), 2, "mixed")
    p = {"ka": 0.7, "cl": 1.0, "vc": 20.0, "q": 6.0, "vp": 50.0, "vmax": 4.0, "km": 0.5}

    def slope(t: float, x: np.ndarray) -> list[float]:
        c = x[1] / p["vc"]
        back = p["q"] * (c - x[2] / p["vp"])
        return [-p["ka"] * x[0], p["ka"] * x[0] - back - p["cl"] * c - p["vmax"] * c / (p["km"] + c), back]

    expected = solve_ivp(slope, (0.0, 48.0), [100.0, 0.0, 0.0], "LSODA", TIMES, rtol=1e-11, atol=1e-13).y[1] / p["vc"]
    values = {name: np.full(1, value) for name, value in p.items()}
    found = simulate(model, values, doses([0.0]), TIMES, tolerances=TIGHT).values["conc"][:, 0]
    assert scaled_error(found, expected, floor=1e-3) <= 1e-7


@pytest.mark.parametrize("lag", [False, True])
def test_zero_order_absorption_is_an_infusion_whose_length_is_a_parameter(lag: bool) -> None:
    """RATE -2: D/(d cl) (1 - exp(-k t)) while it lasts, and what is left of it afterwards."""
    p = {"cl": 4.0, "v": 30.0, "d": 3.0} | ({"tlag": 0.5} if lag else {})
    values = {name: np.full(1, value) for name, value in p.items()}
    at = np.array([1.0, 3.0, 10.0])
    records = records_of([[Record(0.0, DOSE, 100.0, 1, rate=-2.0), *(Record(hour) for hour in at)]])
    found = predict(prepare(pk(zero_order(lag=lag)), records, values), values)["conc"][1:, 0]
    since, k = at - p.get("tlag", 0.0), p["cl"] / p["v"]
    while_on = np.minimum(since, p["d"])
    expected = 100.0 / (p["d"] * p["cl"]) * -np.expm1(-k * while_on) * np.exp(-k * (since - while_on))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_steady_state_with_michaelis_menten_is_what_a_long_run_comes_to() -> None:
    """Nothing but compartments and a saturable way out of them."""
    values = {"v": np.full(1, 30.0), "vmax": np.full(1, 20.0), "km": np.full(1, 2.0)}
    after = [Record(hour) for hour in (0.0, 6.0)]
    long = [Record(720.0 + record.time) for record in after]
    found = []
    for records in (
        [Record(0.0, DOSE, 100.0, 1, ii=12.0, ss=1), *after],
        [Record(0.0, DOSE, 100.0, 1, ii=12.0, addl=60), *long],
    ):
        ready = prepare(pk(elimination="michaelis_menten"), records_of([records]), values, tolerances=TIGHT)
        found.append(np.asarray(predict(ready, values)["conc"])[-1, 0])
    assert found[0] == pytest.approx(found[1], rel=1e-7)


def test_warfarin_is_a_composition() -> None:
    """First order with lag >> inhibition of production, by SciPy from the lag on; 1e-7 for LSODA at 1e-11."""
    model = pk(first_order(lag=True)) >> indirect_response(1)
    p = {"ka": 1.2, "tlag": 0.9, "cl": 0.13, "v": 8.0, "kin": 5.0, "kout": 0.05, "imax": 0.95, "ic50": 1.2}

    def slope(t: float, y: np.ndarray) -> list[float]:
        conc = y[1] / p["v"]
        made = p["kin"] * (1.0 - p["imax"] * conc / (p["ic50"] + conc))
        return [-p["ka"] * y[0], p["ka"] * y[0] - p["cl"] * conc, made - p["kout"] * y[2]]

    times = np.array([0.0, 0.5, 2.0, 12.0, 48.0, 120.0])
    start = [100.0, 0.0, p["kin"] / p["kout"]]
    later = solve_ivp(slope, (0.9, 120.0), start, "LSODA", times[2:], rtol=1e-11, atol=1e-13).y[2]
    values = {name: np.full(1, value) for name, value in p.items()}
    found = simulate(model, values, doses([0.0], lag=0.9), times, tolerances=TIGHT).values["response"][:, 0]
    np.testing.assert_allclose(found, [start[2], start[2], *later], rtol=1e-7)


def test_what_pk_refuses() -> None:
    for given in ({"compartments": 4}, {"elimination": "none"}, {"parametrisation": "macro"}):
        with pytest.raises(InputError, match=f"pk: {next(iter(given))} is .*; there are"):
            pk(**given)
    with pytest.raises(InputError, match="a transit chain has 1 compartment or more, not 0"):
        transit(0)
    with pytest.raises(InputError, match="indirect responses are numbered 1 to 4, not 5"):
        indirect_response(5)
