"""From doses to segments: what enters when, and that nothing is lost on the way."""

from types import SimpleNamespace

import numpy as np
from components import doses, joined
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from pkpd.events.doses import Doses, course_of, infused_by


class Line(SimpleNamespace):
    """The segments of `course_of`, and the states that are infused."""


def line_of(dosing: Doses, states: int, begin: float, end: float) -> Line:
    return Line(**course_of(dosing, states, begin, end)._asdict(), infused=infused_by(dosing))


def entered(line: Line, subject: int = 0) -> NDArray:
    """Amount that has entered each compartment by the end: jumps, and rates times how long they run."""
    total = line.jump[:, :, subject].sum(axis=0)
    for i, compartment in enumerate(line.infused):
        total[compartment] += (line.rate[:, i, subject] * line.duration[:, subject]).sum()
    return total


def at(line: Line, time: float, subject: int = 0) -> NDArray:
    """What is added at `time`, per compartment."""
    return line.jump[line.start[:, subject] == time][:, :, subject].sum(axis=0)


def test_nobody_is_dosed() -> None:
    line = line_of(Doses(*[np.zeros((0, 3))] * 5, np.zeros(0, dtype=int)), 2, 5.0, 9.0)
    assert_array_equal(line.start, np.full((1, 3), 5.0))
    assert_array_equal(line.duration, np.full((1, 3), 4.0))
    assert_array_equal(line.jump, np.zeros((1, 2, 3)))
    assert (line.rate.shape, line.infused) == ((1, 0, 3), ())


def test_a_dose_arrives_after_its_lag_and_in_part() -> None:
    line = line_of(doses([2.0], 100.0, into=1, lag=0.5, bioavailability=0.4), 3, 0.0, 10.0)
    assert_array_equal(line.start[:, 0], [0.0, 2.5])
    assert_array_equal(line.duration[:, 0], [2.5, 7.5])
    assert_array_equal(line.jump[:, :, 0], [[0, 0, 0], [0, 40.0, 0]])


def test_segments_follow_each_other_and_are_sorted_for_each_subject() -> None:
    dosing = doses(np.array([[7.0, 1.0], [3.0, 8.0]]), [10.0, 20.0])
    line = line_of(dosing, 1, 0.0, 9.0)
    assert_array_equal(line.start, [[0, 0], [3, 1], [7, 8]])
    assert_array_equal(line.start[1:], (line.start + line.duration)[:-1])
    assert_array_equal(line.jump[:, 0], [[0, 0], [20, 10], [10, 20]])


def test_an_infusion_runs_from_its_arrival_for_its_duration() -> None:
    line = line_of(doses([1.0], 60.0, into=1, duration=4.0, lag=0.5, bioavailability=0.5), 2, 0.0, 10.0)
    assert line.infused == (1,)
    assert_array_equal(line.start[:, 0], [0.0, 1.5, 5.5])
    assert_array_equal(line.rate[:, 0, 0], [0.0, 7.5, 0.0])
    assert not line.jump.any()


def test_the_rates_of_infusions_that_overlap_add_and_end_at_exactly_nothing() -> None:
    line = line_of(doses([0.0, 0.1, 0.2], 0.1, duration=[0.7, 0.3, 0.1]), 1, 0.0, 2.0)
    # The first segment ends where the first infusion begins, at once.
    assert_array_equal(line.rate[1:, 0, 0] > 0, [s < 0.7 for s in line.start[1:, 0]])
    assert (line.rate[0, 0, 0], line.duration[0, 0]) == (0.0, 0.0)
    assert line.rate[-1, 0, 0] == 0.0
    assert line.rate[:, 0, 0].max() == (0.1 / 0.7 + 0.1 / (0.1 + 0.3 - 0.1) + 0.1 / (0.2 + 0.1 - 0.2))


def test_infusions_into_several_compartments() -> None:
    line = line_of(doses([0.0, 1.0, 2.0], [10.0, 20.0, 5.0], into=[2, 0, 2], duration=[2.0, 4.0, 1.0]), 3, 0.0, 8.0)
    assert line.infused == (0, 2)
    assert_array_equal(line.start[:, 0], [0, 0, 1, 2, 2, 3, 5])
    assert_array_equal(line.rate[:, :, 0], [[0, 0], [0, 5], [5, 5], [5, 0], [5, 5], [5, 0], [0, 0]])


def test_a_row_may_be_a_bolus_for_one_subject_and_an_infusion_for_another() -> None:
    dosing = doses([1.0], 12.0, subjects=2, duration=np.array([[0.0, 3.0]]))
    line = line_of(dosing, 1, 0.0, 10.0)
    assert_array_equal(at(line, 1.0, 0), [12.0])
    assert_array_equal(at(line, 1.0, 1), [0.0])
    assert_array_equal(line.rate[:, 0, 0], np.zeros(3))
    assert_allclose([entered(line, 0), entered(line, 1)], 12.0)


def test_what_arrives_after_the_end_is_left_out_and_infusions_are_cut() -> None:
    late = doses([9.0, 10.0, 8.0], 50.0, lag=[0.0, 0.0, 2.5])
    line = line_of(joined(late, doses([9.5, 12.0], 30.0, duration=2.0)), 1, 0.0, 10.0)
    assert (line.start <= 10.0).all()
    assert (line.duration >= 0.0).all()
    assert entered(line)[0] == 50.0 + 50.0 + 30.0 * 0.5 / 2.0


def test_a_dose_at_the_beginning_enters_at_the_beginning() -> None:
    line = line_of(doses([3.0], 7.0), 1, 3.0, 4.0)
    assert_array_equal(line.start[:, 0], [3.0, 3.0])
    assert_array_equal(line.duration[:, 0], [0.0, 1.0])
    assert_array_equal(line.jump[:, 0, 0], [0.0, 7.0])


def test_an_infusion_too_short_for_the_clock_is_given_at_once() -> None:
    line = line_of(doses([5000.0], 100.0, duration=1e-13), 1, 0.0, 6000.0)
    assert not line.rate.any()
    assert_array_equal(at(line, 5000.0), [100.0])


def test_a_short_infusion_late_in_the_year_gives_its_whole_dose() -> None:
    """The clock rounds 5000 h + 3e-12 h; rate times length is the dose all the same."""
    for duration in (3e-12, 1e-9, 1 / 3600):
        line = line_of(doses([5000.1], 100.0, duration=duration), 1, 0.0, 6000.0)
        assert_allclose(entered(line), 100.0, rtol=1e-15)


@st.composite
def schedules(draw: st.DrawFn) -> Doses:
    rows, subjects = draw(st.integers(0, 6)), draw(st.integers(1, 3))

    def table(smallest: float, largest: float, zero: bool = False) -> NDArray:
        number = st.floats(smallest, largest)
        cell = st.one_of(st.just(0.0), number) if zero else number
        row = st.lists(cell, min_size=subjects, max_size=subjects)
        return np.array(draw(st.lists(row, min_size=rows, max_size=rows)), dtype=float).reshape(rows, subjects)

    into = draw(st.lists(st.integers(0, 2), min_size=rows, max_size=rows))
    return Doses(
        time=table(0.0, 200.0),
        amount=table(1e-3, 1e3, zero=True),
        duration=table(1e-15, 50.0, zero=True),
        lag=table(0.0, 5.0, zero=True),
        bioavailability=table(0.0, 1.0),
        into=np.array(into, dtype=int),
    )


@settings(max_examples=150, deadline=None, derandomize=True)
@given(schedules())
def test_whatever_is_given_before_the_end_enters_and_nothing_else(dosing: Doses) -> None:
    end = 300.0
    line = line_of(dosing, 3, 0.0, end)
    assert (line.duration >= 0.0).all()
    assert (line.rate >= 0.0).all()
    assert_array_equal(line.start[0], 0.0)
    assert_allclose(line.start[1:], line.start[:-1] + line.duration[:-1], rtol=1e-15)
    assert_allclose(line.start[-1] + line.duration[-1], end, rtol=1e-15)
    for subject in range(dosing.time.shape[1]):
        expected = np.zeros(3)
        np.add.at(expected, dosing.into, (dosing.amount * dosing.bioavailability)[:, subject])
        # JAX sets the CPU to flush subnormal numbers to zero; doses that small are not meant here.
        assert_allclose(entered(line, subject), expected, rtol=1e-12, atol=1e-300)
