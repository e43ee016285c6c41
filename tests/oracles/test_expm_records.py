"""What the order of records, resets and changing covariates mean."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import ArrayLike
from oracles.expm_events import DOSE, RESET, RESET_AND_DOSE, Record, amounts_at_records
from oracles.linear_models import one_compartment, one_compartment_oral

KE = 0.1
RATES = one_compartment(1.0, 10.0)


def amounts(*records: Record) -> np.ndarray:
    """Central amounts after each record of a one-compartment model, ke 0.1/h."""
    return amounts_at_records(RATES, records)[:, 0]


def close(actual: ArrayLike, expected: ArrayLike) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-13, atol=1e-13)


def test_records_of_one_time_act_in_their_order() -> None:
    before, _, after = amounts(Record(2), Record(2, DOSE, 100), Record(2))
    assert before == 0
    assert after == 100


def test_two_doses_of_one_time_add_up() -> None:
    close(amounts(Record(0, DOSE, 100), Record(0, DOSE, 50), Record(1)), [100, 150, 150 * np.exp(-KE)])


def test_a_delayed_dose_arrives_before_the_records_of_its_time() -> None:
    close(amounts(Record(0, DOSE, 100, lag=2), Record(1), Record(2)), [0, 0, 100])


def test_an_additional_dose_arrives_before_the_records_of_its_time() -> None:
    seen = amounts(Record(0, DOSE, 100, addl=1, ii=2), Record(2), Record(2, RESET), Record(3))
    close(seen, [100, 100 + 100 * np.exp(-2 * KE), 0, 0])


def test_times_are_compared_as_the_binary_numbers_they_are() -> None:
    dose = Record(0, DOSE, 100, addl=3, ii=0.1)
    assert 3 * 0.1 > 0.3  # so the fourth dose comes after a sample "at 0.3", by 6e-17 h
    seen = amounts(dose, Record(0.3), Record(3 * 0.1))
    close(seen[2] - seen[1], 100)


def test_a_patient_need_not_begin_at_time_zero() -> None:
    close(amounts(Record(100, DOSE, 100), Record(101)), [100, 100 * np.exp(-KE)])


def test_the_last_record_is_given_too() -> None:
    close(amounts(Record(0), Record(5, DOSE, 100)), [0, 100])


def test_initial_amounts_hold_at_the_start_and_after_a_reset() -> None:
    records = [Record(0), Record(1), Record(1, RESET), Record(2)]
    seen = amounts_at_records(RATES, records, initial=[7.0])[:, 0]
    close(seen, [7, 7 * np.exp(-KE), 7, 7 * np.exp(-KE)])


def test_a_reset_empties_the_body_and_stops_infusions() -> None:
    close(amounts(Record(0, DOSE, 100, dur=10), Record(5, RESET), Record(6))[1:], [0, 0])


def test_a_reset_cancels_doses_that_have_not_arrived() -> None:
    close(amounts(Record(0, DOSE, 100, lag=8), Record(5, RESET), Record(9))[2], 0)


def test_a_reset_cancels_additional_doses() -> None:
    close(amounts(Record(0, DOSE, 100, addl=4, ii=4), Record(5, RESET), Record(20))[2], 0)


def test_a_reset_is_not_delayed_by_a_lag() -> None:
    seen = amounts(Record(0, DOSE, 100), Record(5, RESET, lag=3), Record(6))
    close(seen[1:], [0, 0])


def test_evid_4_empties_the_body_and_doses() -> None:
    seen = amounts(Record(0, DOSE, 100, dur=10), Record(5, RESET_AND_DOSE, 30), Record(6))
    close(seen[1:], [30, 30 * np.exp(-KE)])


def test_evid_4_resets_at_its_record_and_doses_after_its_lag() -> None:
    seen = amounts(Record(0, DOSE, 100), Record(5, RESET_AND_DOSE, 30, lag=2), Record(6), Record(7))
    close(seen[1:], [0, 0, 30])


def test_evid_4_resets_once_however_many_doses_follow() -> None:
    seen = amounts(Record(0, RESET_AND_DOSE, 100, addl=2, ii=5), Record(10))
    close(seen[1], 100 * (1 + np.exp(-5 * KE) + np.exp(-10 * KE)))


SLOW, QUICK = one_compartment(1.0, 10.0), one_compartment(3.0, 10.0)


def test_nocb_takes_the_covariates_of_the_record_that_ends_the_interval() -> None:
    records = [Record(0, DOSE, 100), Record(2), Record(5)]
    seen = amounts_at_records([SLOW, QUICK, SLOW], records, carry="nocb")[:, 0]
    close(seen, 100 * np.exp([0, -0.3 * 2, -0.3 * 2 - 0.1 * 3]))


def test_locf_takes_the_covariates_of_the_record_that_begins_the_interval() -> None:
    records = [Record(0, DOSE, 100), Record(2), Record(5)]
    seen = amounts_at_records([SLOW, QUICK, SLOW], records, carry="locf")[:, 0]
    close(seen, 100 * np.exp([0, -0.1 * 2, -0.1 * 2 - 0.3 * 3]))


def test_covariates_change_at_records_only_not_at_arrivals() -> None:
    records = [Record(0, DOSE, 100, lag=1, addl=1, ii=2), Record(5)]
    nocb = amounts_at_records([SLOW, QUICK], records, carry="nocb")[-1, 0]
    locf = amounts_at_records([SLOW, QUICK], records, carry="locf")[-1, 0]
    close(nocb, 100 * (np.exp(-0.3 * 4) + np.exp(-0.3 * 2)))
    close(locf, 100 * (np.exp(-0.1 * 4) + np.exp(-0.1 * 2)))


def test_the_first_of_several_records_of_a_time_counts_for_nocb_the_last_for_locf() -> None:
    records = [Record(0, DOSE, 100), Record(2), Record(2), Record(4)]
    nocb = amounts_at_records([SLOW, QUICK, SLOW, SLOW], records, carry="nocb")[-1, 0]
    locf = amounts_at_records([SLOW, SLOW, QUICK, SLOW], records, carry="locf")[-1, 0]
    close(nocb, 100 * np.exp(-0.3 * 2 - 0.1 * 2))
    close(locf, 100 * np.exp(-0.1 * 2 - 0.3 * 2))


def test_an_infusion_runs_on_through_a_change_of_covariates() -> None:
    records = [Record(0, DOSE, 40, dur=4), Record(2), Record(6)]
    seen = amounts_at_records([SLOW, SLOW, QUICK], records, carry="nocb")[-1, 0]
    half = 10 / 0.1 * -np.expm1(-0.2)
    close(seen, (half * np.exp(-0.6) + 10 / 0.3 * -np.expm1(-0.6)) * np.exp(-0.6))


@pytest.mark.parametrize("carry", [None, "linear"])
def test_how_covariates_are_carried_must_be_said(carry: str | None) -> None:
    with pytest.raises(ValueError, match="nocb"):
        amounts_at_records([SLOW, QUICK], [Record(0), Record(1)], carry=carry)


def test_constant_covariates_need_no_rule() -> None:
    with pytest.raises(ValueError, match="nocb"):
        amounts_at_records(SLOW, [Record(0), Record(1)], carry="nocb")


def test_equal_covariates_mean_the_same_under_both_rules() -> None:
    oral = one_compartment_oral(1.5, 1.0, 10.0)
    records = [
        Record(0, DOSE, 100, addl=3, ii=6, lag=1),
        Record(4, DOSE, 50, 2, dur=3),
        Record(7),
        Record(20),
    ]
    constant = amounts_at_records(oral, records)
    for carry in ("nocb", "locf"):
        close(amounts_at_records(np.array([oral] * 4), records, carry=carry), constant)


def test_nothing_is_kept_from_the_patient_before() -> None:
    records = [Record(0, DOSE, 100, addl=9, ii=3), Record(4)]
    first = amounts(*records)
    amounts(*[replace(record, time=record.time + 1) for record in records])
    np.testing.assert_array_equal(amounts(*records), first)
