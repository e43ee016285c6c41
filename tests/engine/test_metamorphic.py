"""Two descriptions of one treatment give one answer (promise A10): compartments to rounding, responses to tolerance."""

from dataclasses import replace

import numpy as np
import pytest
from components import compartments, doses, draws, joined, turnover
from numpy.typing import NDArray

from pkpd.engine.simulate import simulate
from pkpd.engine.tolerances import Tolerances
from pkpd.events.doses import Doses

pytestmark = pytest.mark.A10

DEPOT, CENTRAL = 0, 1
SUBJECTS = 4
MODEL = compartments(1, 1) >> turnover()
PARAMETERS = draws({"ka": 0.5, "cl": 4.0, "v1": 10.0, "q2": 3.0, "v2": 25.0, "k": 0.05}, SUBJECTS, seed=31, spread=0.3)
TIMES = np.array([0.0, 3.5, 12.0, 20.25, 24.0, 36.0, 50.0, 72.0, 96.0])
EXACT = 1e-13
INTEGRATED = 10 * Tolerances().rtol
NOTHING = doses([0.0], 0.0, into=CENTRAL, subjects=SUBJECTS, duration=1.0)
"""An infusion of nothing, so that every run here has a state for infusions and the model is compiled once."""


def given(*args: object, **kwargs: object) -> Doses:
    return doses(*args, subjects=SUBJECTS, **kwargs)


BOLUSES = given([0.0, 24.0], [100.0, 60.0], into=DEPOT, lag=0.5, bioavailability=0.8)
INFUSION = given([12.0], 80.0, into=CENTRAL, duration=6.0)


def run(*parts: Doses, times: NDArray = TIMES) -> dict[str, NDArray]:
    found = simulate(MODEL, PARAMETERS, joined(NOTHING, *parts), times, outputs=("conc", "response"))
    assert found.failures == {}
    assert found.values["conc"].max() > 0.0
    return found.values


def assert_same(found: dict[str, NDArray], expected: dict[str, NDArray], response: float = INTEGRATED) -> None:
    """What is below a millionth of the peak is compared with that."""
    for name, limit in (("conc", EXACT), ("response", response)):
        np.testing.assert_allclose(found[name], expected[name], rtol=limit, atol=1e-6 * limit * expected[name].max())


def assert_same_bits(found: dict[str, NDArray], expected: dict[str, NDArray]) -> None:
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])


def test_two_half_infusions_are_one() -> None:
    half = given([12.0, 12.0], 40.0, into=CENTRAL, duration=6.0)
    assert_same(run(BOLUSES, half), run(BOLUSES, INFUSION), response=EXACT)


def test_an_infusion_in_two_parts_one_after_the_other_is_one() -> None:
    parts = given([12.0, 15.0], 40.0, into=CENTRAL, duration=3.0)
    assert_same(run(BOLUSES, parts), run(BOLUSES, INFUSION))


def test_responses_to_doses_add() -> None:
    apart = [run(BOLUSES), run(INFUSION)]
    added = {name: apart[0][name] + apart[1][name] for name in apart[0]}
    assert_same(run(BOLUSES, INFUSION), added)


def test_twice_the_dose_is_twice_the_response() -> None:
    doubled = replace(BOLUSES, amount=2 * BOLUSES.amount)
    expected = {name: 2 * value for name, value in run(BOLUSES).items()}
    assert_same(run(doubled), expected)
    np.testing.assert_array_equal(run(doubled)["conc"], expected["conc"])


@pytest.mark.parametrize("later", [16.0, 1000.0, 4096.0])
def test_only_time_differences_matter(later: float) -> None:
    shifted = [replace(part, time=part.time + later) for part in (BOLUSES, INFUSION)]
    moved = simulate(
        MODEL,
        PARAMETERS,
        joined(replace(NOTHING, time=NOTHING.time + later), *shifted),
        TIMES + later,
        outputs=("conc", "response"),
    )
    assert_same_bits(moved.values, run(BOLUSES, INFUSION))  # all times are multiples of 1/4 h


@pytest.mark.parametrize("time", [0.0, 24.0, 47.3])
def test_a_dose_of_nothing_changes_nothing(time: float) -> None:
    assert_same(run(BOLUSES, given([time], 0.0)), run(BOLUSES))
    assert_same(run(BOLUSES, given([time], 50.0, bioavailability=0.0)), run(BOLUSES))


def test_doses_from_the_last_time_on_change_no_bit() -> None:
    after = given([96.0, 200.0], 1e6)
    delayed = given([95.0], 1e6, lag=1.5)
    running = given([97.0], 1e6, into=CENTRAL, duration=50.0)
    assert_same_bits(run(BOLUSES, after, delayed, running), run(BOLUSES))


def test_looking_longer_changes_nothing_before() -> None:
    longer = run(BOLUSES, INFUSION, times=np.append(TIMES[:-1], 500.0))
    expected = run(BOLUSES, INFUSION)
    before = [{name: value[:-1] for name, value in values.items()} for values in (longer, expected)]
    assert_same(*before)


def test_an_infusion_that_outlasts_the_last_time() -> None:
    """Only what has entered counts: the same as one that ends then."""
    long, short = (given([80.0], 10.0 * hours, into=CENTRAL, duration=hours) for hours in (100.0, 16.0))
    assert_same(run(long), run(short), response=EXACT)


def test_the_order_of_the_doses_does_not_matter() -> None:
    three = [given([0.0], 100.0), given([0.0], 7.0), given([30.0], 20.0, into=CENTRAL)]
    assert_same(run(*three[::-1]), run(*three), response=EXACT)


def test_a_lag_is_a_later_dose() -> None:
    assert_same_bits(run(given([1.5, 24.25], 50.0)), run(given([1.0, 24.0], 50.0, lag=[0.5, 0.25])))


def test_a_bioavailability_is_a_smaller_dose() -> None:
    assert_same_bits(run(given([0.0, 24.0], 25.0)), run(given([0.0, 24.0], 50.0, bioavailability=0.5)))
    infusions = [
        given([3.0], 80.0, into=CENTRAL, duration=6.0, bioavailability=0.5),
        given([3.0], 40.0, into=CENTRAL, duration=6.0),
    ]
    assert_same_bits(run(infusions[0]), run(infusions[1]))


def test_two_doses_of_one_time_are_one() -> None:
    assert_same(run(given([5.0, 5.0], [30.0, 20.0])), run(given([5.0], 50.0)), response=EXACT)


def test_a_short_infusion_is_nearly_a_bolus_and_the_shortest_is_one() -> None:
    """An infusion shorter than the clock can tell is a bolus, not nothing."""
    bolus = run(given([70.0], into=CENTRAL))
    for duration, limit in ((1e-6, 1e-5), (1e-9, 1e-8), (1e-12, 1e-11)):
        brief = run(given([70.0], into=CENTRAL, duration=duration))
        np.testing.assert_allclose(brief["conc"], bolus["conc"], rtol=limit)
    assert_same_bits(run(given([70.0], into=CENTRAL, duration=1e-15)), bolus)


def test_the_units_of_the_amount_do_not_matter() -> None:
    """In micrograms and mg/L: doses and volume a thousandfold, clearances too."""
    thousand = [replace(part, amount=1000 * part.amount) for part in (NOTHING, BOLUSES, INFUSION)]
    larger = {name: 1000 * value if name in ("cl", "v1", "q2", "v2") else value for name, value in PARAMETERS.items()}
    found = simulate(MODEL, larger, joined(*thousand), TIMES, outputs=("conc", "response"))
    assert_same(found.values, run(BOLUSES, INFUSION))
