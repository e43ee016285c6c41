"""The printed figures, read back from matplotlib's own objects."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from fake_comparison import fake_comparison, only, renamed
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pkpd.regimens.drawing import IL2_FLOOR, NK, TREG
from pkpd.regimens.figures import cell_figure, figures, il2_figure
from pkpd.regimens.overview import overview_figure
from pkpd.regimens.results import Comparison

TRIAL, DAILY, STRONG, PLACEBO = (
    "pss_nct02464319",
    "0.25 MIU sc qd x 84 d",
    "cgvhd_koreth2016",
    "placebo",
)


@pytest.fixture(scope="module")
def three() -> Comparison:
    return only(fake_comparison(), TRIAL, DAILY, PLACEBO)


def drawn(figure: Figure) -> list[Axes]:
    return [axes for axes in figure.axes if axes.axison]


def words(figure: Figure) -> str:
    labels = [figure.get_supylabel(), *(text.get_text() for text in figure.texts)]
    for axes in figure.axes:
        labels += [axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()]
        labels += [text.get_text() for text in axes.texts]
    return "\n".join(labels)


def test_all_pictures_have_names(three: Comparison) -> None:
    assert [name for name, _ in figures(three)] == ["il2", "treg", "nk", "overview"]


@pytest.mark.parametrize("panel", [TREG, NK])
def test_cells_one_panel_a_regimen(three: Comparison, panel) -> None:
    figure = cell_figure(three, panel)
    assert [axes.get_title(loc="left") for axes in drawn(figure)] == [TRIAL, DAILY, PLACEBO]
    text = words(figure)
    assert "fold of baseline" in text
    assert "time (weeks)" in text
    assert "Simulated" in text
    assert "seed 7" in text
    limits = {(axes.get_xlim(), axes.get_ylim()) for axes in drawn(figure)}
    assert len(limits) == 1, "all panels share their axes"


def test_curves_are_the_data(three: Comparison) -> None:
    axes = drawn(cell_figure(three, TREG))[1]
    median = three.profiles["treg"].sel(regimen=DAILY, quantile=0.5).values
    grey = three.profiles["treg"].sel(regimen=TRIAL, quantile=0.5).values
    curves = [line.get_ydata() for line in axes.lines if len(line.get_ydata()) == len(median)]
    assert any(np.array_equal(curve, median) for curve in curves), "the regimen's own median"
    assert any(np.array_equal(curve, grey) for curve in curves), "the reference in grey"
    weeks = next(line.get_xdata() for line in axes.lines if len(line.get_ydata()) == len(median))
    assert weeks[-1] == 24.0


def test_doses_are_ticks_and_blocks_are_shaded(three: Comparison) -> None:
    trial, _, placebo = drawn(cell_figure(three, TREG))
    ticks = [c for c in trial.collections if c.get_transform() is not None and hasattr(c, "get_segments")]
    starts = sorted(float(segment[0][0]) for segment in ticks[-1].get_segments())
    np.testing.assert_allclose(starts, three.regimen(TRIAL).dose_times_h / 168.0)
    spans = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in trial.patches]
    assert spans == [(0.0, 2.0), (4.0, 6.0), (8.0, 10.0)]
    assert not placebo.patches


def test_fold_axis_is_linear_for_small_and_log_for_large_ranges(three: Comparison) -> None:
    assert drawn(cell_figure(only(three, TRIAL, PLACEBO), TREG))[0].get_yscale() == "linear"
    wide = cell_figure(only(fake_comparison(), TRIAL, STRONG), TREG)
    assert drawn(wide)[0].get_yscale() == "log"
    assert "log axis" in wide.get_supylabel()


def test_il2_is_on_a_log_axis_from_the_floor(three: Comparison) -> None:
    figure = il2_figure(three)
    panels = drawn(figure)
    assert len(panels) == 6, "for each regimen the whole course and the first two weeks"
    assert {axes.get_yscale() for axes in panels} == {"log"}
    low, high = panels[0].get_ylim()
    assert IL2_FLOOR / 10 < low < IL2_FLOOR
    assert high > three.profiles["il2"].max()
    text = words(figure)
    assert "IL-2 (IU/mL)" in text
    assert "time (days)" in text
    assert "0.01 IU/mL upwards" in text


def test_overview_draws_both_intervals_apart(three: Comparison) -> None:
    figure = overview_figure(three)
    panels = drawn(figure)
    assert all(axes.get_xlabel() for axes in panels)
    peak = three.estimate(TRIAL, "treg_peak")
    axes = panels[1]
    segments = [segment for c in axes.collections for segment in c.get_segments()]
    ends = {(round(float(s[0][0]), 6), round(float(s[1][0]), 6)): float(s[0][1]) for s in segments}
    spread = ends[round(peak.low, 6), round(peak.high, 6)]
    doubt = ends[round(peak.median_low, 6), round(peak.median_high, 6)]
    assert spread < 0 < doubt, "patients above, the uncertainty of their median below"


def test_overview_says_what_is_missing() -> None:
    comparison = only(fake_comparison(), TRIAL, PLACEBO)
    gone = comparison.table["regimen"].eq(PLACEBO) & comparison.table["metric"].eq("selectivity")
    numbers = ["median", "low", "high", "median_low", "median_high"]
    table = comparison.table.copy()
    table.loc[gone, numbers] = np.nan
    axes = drawn(overview_figure(replace(comparison, table=table)))[-1]
    assert [text.get_text() for text in axes.texts] == ["–"]


def test_names_are_never_read_as_mathematics() -> None:
    comparison = renamed(only(fake_comparison(), TRIAL, PLACEBO), TRIAL, r"cost $x_{$ \frac")
    for _, figure in figures(comparison):
        figure.canvas.draw()


def test_one_regimen_alone() -> None:
    for _, figure in figures(only(fake_comparison(), PLACEBO)):
        figure.canvas.draw()


def test_no_global_state_of_pyplot() -> None:
    code = "import sys, pkpd.regimens.figures; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
