"""The rate matrices: conservation, known rate constants, and the random schedules drawn for them."""

import numpy as np
import pytest
from oracles import linear_models as models
from oracles.expm_events import DOSE, OBSERVATION, Record, amounts_at_records
from oracles.random_schedules import random_rates, random_schedule, short_infusion

MODELS = {
    "one": (models.one_compartment(1.1, 20.0), 0),
    "one, oral": (models.one_compartment_oral(1.5, 1.1, 20.0), 1),
    "two": (models.two_compartment(1.0, 10.0, 2.0, 30.0), 0),
    "two, oral": (models.two_compartment_oral(1.5, 1.0, 10.0, 2.0, 30.0), 1),
    "three": (models.three_compartment(1.0, 10.0, 2.0, 30.0, 0.3, 40.0), 0),
    "three, oral": (models.three_compartment_oral(1.5, 1.0, 10.0, 2.0, 30.0, 0.3, 40.0), 1),
    "s.c. interleukin-2": (models.il2_subcutaneous(0.28, 10.0, 2.8, 1.4, 2.3), 2),
}


@pytest.mark.parametrize(("rates", "stages"), MODELS.values(), ids=MODELS.keys())
def test_only_the_central_compartment_loses_amount(rates: np.ndarray, stages: int) -> None:
    lost = -rates.sum(axis=0)
    central = models.central(rates, stages) - 1
    assert lost[central] > 0
    np.testing.assert_allclose(np.delete(lost, central), 0, atol=1e-15)
    assert (rates - np.diag(np.diag(rates)) >= 0).all()


@pytest.mark.parametrize(("rates", "stages"), MODELS.values(), ids=MODELS.keys())
def test_the_area_under_central_is_dose_over_elimination_rate(rates: np.ndarray, stages: int) -> None:
    central = models.central(rates, stages) - 1
    area = np.linalg.solve(rates, -100 * np.eye(len(rates))[0])[central]
    assert area == pytest.approx(100 / -rates[:, central].sum(), rel=1e-13)


def test_two_compartments_have_the_textbook_half_lives() -> None:
    k10, k12, k21 = 0.1, 0.2, 2 / 30
    total = k10 + k12 + k21
    expected = -0.5 * (total + np.array([1, -1]) * np.sqrt(total**2 - 4 * k10 * k21))
    eigenvalues = np.sort(np.linalg.eigvals(MODELS["two"][0]))
    np.testing.assert_allclose(eigenvalues, expected, rtol=1e-13)


def test_the_interleukin_2_matrix_is_defective() -> None:
    depot_and_transit = MODELS["s.c. interleukin-2"][0][:2, :2]
    assert depot_and_transit[0, 0] == depot_and_transit[1, 1] != 0
    assert np.linalg.matrix_rank(depot_and_transit + 0.28 * np.eye(2)) == 1


def test_the_transit_amount_is_a_gamma_curve() -> None:
    t = np.array([1.0, 3.0, 10.0])
    records = [Record(0, DOSE, 100, 1), *(Record(hour) for hour in t)]
    amounts = amounts_at_records(MODELS["s.c. interleukin-2"][0], records)[1:, 1]
    np.testing.assert_allclose(amounts, 100 * 0.28 * t * np.exp(-0.28 * t), rtol=1e-13)


def test_a_central_compartment_must_be_there() -> None:
    with pytest.raises(ValueError, match="absorption stages"):
        models.central(MODELS["one"][0], 1)


def test_random_schedules_are_the_same_for_the_same_seed() -> None:
    first, again, other = (random_schedule(np.random.default_rng(seed), [1, 2]) for seed in (1, 1, 2))
    assert first == again != other


def test_random_schedules_hold_every_kind_of_record() -> None:
    rng = np.random.default_rng(20)
    records = [record for _ in range(200) for record in random_schedule(rng, [1, 3])]
    doses = [record for record in records if record.amt > 0]
    assert {record.evid for record in records} == {0, 1, 3, 4}
    assert {record.ss for record in doses} == {0, 1, 2}
    assert {record.cmt for record in doses} == {1, 3}
    for kind in ("rate", "dur", "lag", "addl"):
        assert 0 < sum(getattr(dose, kind) > 0 for dose in doses) < len(doses)
    assert any(dose.ss and dose.dur > dose.ii for dose in doses)


def test_random_schedules_are_in_order_and_can_be_solved() -> None:
    rng = np.random.default_rng(21)
    for _ in range(50):
        rates = models.il2_subcutaneous(*random_rates(rng, [0.28, 10.0, 2.8, 1.4, 2.3]))
        records = random_schedule(rng, [1, 3])
        times = [record.time for record in records]
        assert times == sorted(times)
        assert times[0] == 0
        amounts = amounts_at_records(rates, records)
        assert np.isfinite(amounts).all()
        assert (amounts >= -1e-12).all()


def test_samples_fall_on_arrivals_now_and_then() -> None:
    rng = np.random.default_rng(22)
    hits = 0
    for _ in range(50):
        records = random_schedule(rng, [1])
        arrivals = {d.time + d.lag + k * d.ii for d in records if d.amt > 0 for k in range(d.addl + 1)}
        hits += sum(record.time in arrivals for record in records if record.evid == OBSERVATION)
    assert hits > 50


def test_a_short_infusion_is_seen_by_the_exact_engine() -> None:
    rng = np.random.default_rng(23)
    for _ in range(100):
        records = short_infusion(rng, 1)
        amounts = amounts_at_records(models.one_compartment(1.1, 20.0), records)[:, 0]
        dose = records[1]
        assert amounts[0] == 0
        # at its end, the dose less what was eliminated; the clock knows 3e-4 h to 2e-12 h
        expected = dose.amt / dose.dur / 0.055 * -np.expm1(-0.055 * dose.dur)
        assert amounts[4] == pytest.approx(expected, rel=1e-8)
        after = expected * np.exp(-0.055 * (records[5].time - dose.time - dose.dur))
        assert amounts[5] == pytest.approx(after, rel=1e-12)
