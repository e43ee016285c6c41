"""Virtual patients: inside the trial's bounds, spread as the literature says, the same whoever asks."""

import numpy as np
import pytest

from pkpd.literature import covariates
from pkpd.models.library import model
from pkpd.population.virtual import (
    body_surface_area,
    draw_parameters,
    draw_patients,
    draw_typical_values,
    literature_of,
    typical_values,
)

BODY = model("il2_treg_nk")
KNOWN = literature_of(BODY)
TRIAL = covariates("population_pss")
MANY = 20_000


def test_patients_keep_to_the_bounds_of_the_trial() -> None:
    people = draw_patients(TRIAL, MANY, seed=1)
    assert people.female.min() == 1.0
    assert people.age.min() >= 18 and people.age.max() <= 65
    assert people.weight.min() >= 45 and people.weight.max() <= 80
    np.testing.assert_allclose(people.bsa, np.sqrt(people.height * people.weight / 3600))


def test_body_surface_area_of_the_textbook_adult() -> None:
    assert body_surface_area(np.array([170.0]), np.array([70.0])) == pytest.approx(1.818, abs=5e-4)


def test_a_larger_population_begins_with_the_smaller_one() -> None:
    few, many = draw_patients(TRIAL, 10, seed=3), draw_patients(TRIAL, MANY, seed=3)  # by another program
    np.testing.assert_array_equal(few.weight, many.weight[:10])
    a = draw_parameters(BODY, KNOWN, typical_values(KNOWN), few, seed=3)
    b = draw_parameters(BODY, KNOWN, typical_values(KNOWN), many, seed=3)
    for symbol in BODY.symbols:
        np.testing.assert_array_equal(a[symbol], b[symbol][:10])


def test_a_seed_may_be_long() -> None:
    """Beyond 32 bits, and each bit counts."""
    weights = [draw_patients(TRIAL, 10, seed=seed).weight for seed in (2**40, 2**40 + 2**33)]
    assert not np.array_equal(*weights)


def test_another_seed_gives_other_patients() -> None:
    assert not np.array_equal(draw_patients(TRIAL, 10, seed=1).weight, draw_patients(TRIAL, 10, seed=2).weight)


@pytest.mark.parametrize("symbol", ["ka", "tlag", "kout", "kp", "ec50", "knk"])
def test_spread_between_patients_is_the_stated_cv(symbol: str) -> None:
    people = draw_patients(TRIAL, MANY, seed=1)
    drawn = draw_parameters(BODY, KNOWN, typical_values(KNOWN), people, seed=1)[symbol]
    prior = KNOWN[symbol]
    assert prior.bsv_cv is not None
    # Fixed seed. Standard errors for 20 000 draws: median 1.25 cv / 141, CV about 1 % of itself; 4 of each allowed.
    assert np.median(drawn) == pytest.approx(prior.typical, rel=4 * 1.25 * prior.bsv_cv / np.sqrt(MANY))
    assert drawn.std() / drawn.mean() == pytest.approx(prior.bsv_cv, rel=0.05)


def test_weight_moves_clearance_by_its_power() -> None:
    people = draw_patients(TRIAL, 2, seed=1)
    typical = typical_values(KNOWN)
    q = draw_parameters(BODY, KNOWN, typical, people, seed=1)["q"]  # has no spread of its own
    np.testing.assert_allclose(q, 1.4 * (people.weight / 70) ** 0.75)


def test_bioavailability_stays_between_0_and_1() -> None:
    people = draw_patients(TRIAL, MANY, seed=1)
    f = draw_parameters(BODY, KNOWN, typical_values(KNOWN), people, seed=1)["f"]
    assert f.min() > 0 and f.max() < 1


def test_typical_values_are_drawn_as_uncertain_as_they_are_and_leave_the_patients_alone() -> None:
    guesses = draw_typical_values(BODY, KNOWN, MANY, seed=1)
    assert guesses["cl"].std() / guesses["cl"].mean() == pytest.approx(0.35, rel=0.05)
    people = draw_patients(TRIAL, 5, seed=1)
    once = draw_parameters(BODY, KNOWN, typical_values(KNOWN), people, seed=1)["cl"]
    again = draw_parameters(BODY, KNOWN, typical_values(KNOWN) | {"cl": 20.0}, people, seed=1)["cl"]
    np.testing.assert_allclose(again / once, 2.0)


def test_absent_patients_are_no_patients() -> None:
    assert draw_patients(TRIAL, 0, seed=1).count == 0
