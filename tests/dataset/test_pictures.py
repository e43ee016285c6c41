"""The numbers behind the pictures, and that what is drawn is what is there."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pkpd.dataset import Dataset, read_dataset
from pkpd.dataset.drawable import Block, blocks, dose_times, observed, typical
from pkpd.dataset.pictures import individual, pooled, save
from pkpd.errors import InputError


def trial(subjects: int = 14) -> Dataset:
    rows = []
    for identity in range(1, subjects + 1):
        arm = "active" if identity % 2 else "placebo"
        amount = 1e6 if identity % 2 else 0.0
        for cycle in range(2):
            rows.append((identity, 672.0 * cycle, 1, amount, 6, 48, None, None, 0, arm))
            rows.append((identity, 672.0 * cycle + 4, 0, 0, 0, 0, 3.0 + identity, "il2", 0, arm))
            rows.append((identity, 672.0 * cycle + 24, 0, 0, 0, 0, 0.2, "il2", 1, arm))
            rows.append((identity, 672.0 * cycle + 336, 0, 0, 0, 0, 8.0, "treg", 0, arm))
    frame = pd.DataFrame(rows, columns=["ID", "TIME", "EVID", "AMT", "ADDL", "II", "DV", "DVID", "CENS", "ARM"])
    return read_dataset(frame, strata=["ARM"], units={"TIME": "h", "AMT": "IU", "il2": "IU/mL"})


def test_observations_have_arm_and_time_after_dose():
    rows = observed(trial(), None)
    assert len(rows) == 14 * 6
    assert set(rows["arm"]) == {"ARM active", "ARM placebo"}
    # The last dose of a cycle, written as ADDL, is given 288 h after its first.
    assert sorted(set(rows["after_dose_h"])) == [4, 24, 336 - 288]


def test_what_is_seen_before_any_dose_is_not_after_one():
    frame = pd.DataFrame({"ID": [1, 1, 2], "TIME": [0, 1, 5], "AMT": [0, 9, 0], "DV": [5, None, 4]})
    assert observed(read_dataset(frame), None)["after_dose_h"].isna().tolist() == [True, True]


def test_arms_by_a_column_that_is_not_there():
    with pytest.raises(InputError, match="cannot group by 'SITE'"):
        observed(trial(), "SITE")


def test_dose_times_are_written_out():
    one = dose_times(trial(), [1])
    assert one.tolist() == [48.0 * nth for nth in range(7)] + [672 + 48.0 * nth for nth in range(7)]
    assert len(dose_times(trial(), [1, 2, 3])) == 3 * 14


def test_blocks_of_treatment():
    assert blocks(dose_times(trial(), [1, 3]), 2) == [Block(0.0, 336.0), Block(672.0, 1008.0)]
    assert blocks(np.array([0.0]), 1) == []
    # One subject of ten who was dosed in the pause does not make a block.
    stray = np.concatenate([np.tile([0.0, 24.0, 48.0], 10), [500.0]])
    assert blocks(stray, 10) == [Block(0.0, 72.0)]


def test_a_typical_course_needs_three_subjects():
    rows = pd.DataFrame({"id": [1, 2, 3, 1, 2], "time_h": [1.0, 1.1, 0.9, 5, 5], "value": [1.0, 2, 9, 7, 7]})
    hours, medians = typical(rows)
    assert (hours.tolist(), medians.tolist()) == ([1.0], [2.0])


def test_every_observation_is_drawn_and_the_censored_apart():
    figure = pooled(trial())
    drawn, limits = 0, 0
    for axes in figure.axes:
        for line in axes.get_lines():
            if line.get_marker() == "o":
                drawn += len(line.get_xdata())
            if line.get_marker() == "v":
                limits += len(line.get_xdata())
    assert (drawn, limits) == (14 * 4, 14 * 2)


def test_pages_hold_every_subject():
    titles = [axes.get_title(loc="left") for figure in individual(trial()) for axes in figure.axes]
    # Two endpoints, twelve subjects on the first page of each, two on the second.
    assert sorted(title for title in titles if title) == sorted([f"ID {number}" for number in range(1, 15)] * 2)


def test_what_a_log_axis_cannot_show_is_said():
    frame = pd.DataFrame({"ID": [1, 1, 1], "TIME": [0, 1, 2], "AMT": [9, 0, 0], "DV": [None, 0, 5]})
    label = pooled(read_dataset(frame), scale="log").axes[0].get_ylabel()
    assert "1 of 0 or less not shown" in label


def test_names_are_not_mathematics(tmp_path: Path):
    frame = pd.DataFrame(
        {"ID": ["$x^"] * 3, "TIME": [0, 1, 2], "AMT": [9, 0, 0], "DV": [None, 4, 5], "ARM": ["$\\bad"] * 3}
    )
    dataset = read_dataset(frame, strata=["ARM"], units={"DV": "$%_"})
    for nth, figure in enumerate([pooled(dataset), pooled(dataset, after_dose=True), *individual(dataset)]):
        save(figure, tmp_path / f"{nth}.png")
        assert (tmp_path / f"{nth}.png").stat().st_size > 5_000


def test_many_arms_wrap_and_the_rest_is_named():
    frame = pd.concat(
        pd.DataFrame({"ID": [arm] * 2, "TIME": [0, 1], "AMT": [9, 0], "DV": [None, 5], "ARM": [f"{arm:02}"] * 2})
        for arm in range(1, 15)
    )
    figure = pooled(read_dataset(frame, strata=["ARM"]))
    assert "not shown: ARM 13, ARM 14" in figure.get_suptitle()
