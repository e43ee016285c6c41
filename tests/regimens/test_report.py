"""The report is one file, harmless, and says what the table says."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from fake_comparison import fake_comparison, only, renamed

from pkpd.regimens.interactive import overview_figure, profiles_figure
from pkpd.regimens.numerals import number
from pkpd.regimens.report import report
from pkpd.regimens.results import Comparison

TRIAL, DAILY, PLACEBO = "pss_nct02464319", "0.25 MIU sc qd x 84 d", "placebo"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


class Page(HTMLParser):
    """What a browser would see: tags with their attributes, table cells, text outside scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[tuple[dict[str, str | None], str]] = []
        self.text = ""
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag if tag in ("script", "style") else self._inside
        if tag == "td":
            self.cells.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.text += data
            if self.cells:
                attributes, text = self.cells[-1]
                self.cells[-1] = (attributes, text + data)


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return fake_comparison()


@pytest.fixture(scope="module")
def html(comparison: Comparison) -> str:
    return report(comparison)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_nothing_is_loaded_from_anywhere(html: str, page: Page) -> None:
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "img"), tag
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_no_chart_can_be_uploaded(html: str) -> None:
    configurations = re.findall(r'\{"responsive": true,.*?"toImageButtonOptions"', html)
    assert len(configurations) == 2
    for configuration in configurations:
        assert '"showSendToCloud": false' in configuration
        assert '"modeBarButtonsToRemove": ["sendChartToCloud"' in configuration


def test_small_enough_to_mail(html: str) -> None:
    assert len(html.encode()) < 8e6
    assert html.count("plotly.js v") == 1, "the library is inside, once"


def test_answer_table_equals_the_table(comparison: Comparison, html: str) -> None:
    part = html[html.index('id="answer-table"') : html.index("“Within a patient”")]
    rows = re.findall(r'<tr data-metric="([^"]+)">(.*?)</tr>', part, flags=re.DOTALL)
    medians = comparison.table.set_index(["metric", "regimen"])[["median", "unit"]]
    compared = 0
    for metric, row in rows:
        for name, shown in re.findall(r'data-regimen="([^"]+)"><b>([^<]+)</b>', row):
            median, unit = medians.loc[(metric, name)]
            assert shown == number(median, unit) + ("\u00a0%" if unit == "%" and np.isfinite(median) else "")
            compared += 1
    assert compared == 3 * 8


def test_missing_is_a_dash_and_never_zero(comparison: Comparison, page: Page) -> None:
    missing = [text for attributes, text in page.cells if attributes.get("data-value") == "nan"]
    singles = comparison.table["metric"].str.contains(r"_\d+$")
    assert len(missing) == comparison.table.loc[~singles, "median"].isna().sum() > 0
    assert {text.strip() for text in missing} == {"–"}
    assert "nan" not in re.findall(r"[a-z]+", page.text)


def test_sections_are_grouped_and_narrow(comparison: Comparison, html: str) -> None:
    tables = re.findall(r'data-group="([^"]+)">\s*<thead>(.*?)</thead>', html, flags=re.DOTALL)
    assert [group for group, _ in tables] == list(dict.fromkeys(comparison.table["group"]))
    assert all(head.count("<th") <= 9 for _, head in tables)


def test_origin_is_complete(comparison: Comparison, page: Page) -> None:
    for piece in ("pkpd compare pss_nct02464319", "0.0 (synthetic)", "seed 7", "not for treating patients"):
        assert piece in page.text
    for regimen in comparison.regimens:
        assert regimen.sentence in page.text
        assert regimen.source in page.text


def test_assumptions_are_marked_as_such(html: str) -> None:
    part = html[html.index('id="assumptions-table"') :]
    assert '<span class="badge doubtful">unknown</span>' in part
    assert '<span class="badge doubtful">D</span>' in part
    assert '<span class="badge">derived</span>' in part


def test_no_assumptions_at_all(comparison: Comparison) -> None:
    certain = replace(only(comparison, TRIAL), assumptions=comparison.assumptions.iloc[:0])
    assert "No input of this comparison is marked as an assumption" in report(certain)


def test_hostile_text_stays_text(comparison: Comparison, page: Page) -> None:
    small = renamed(renamed(only(comparison, TRIAL, PLACEBO), TRIAL, HOSTILE), PLACEBO, HOSTILE + "2")
    small = replace(
        small,
        assumptions=small.assumptions.assign(source=HOSTILE, status=HOSTILE),
        provenance=small.provenance | {"command": HOSTILE, HOSTILE: HOSTILE, "date": HOSTILE},
    )
    html = report(small)
    attacked = Page(html)
    assert HOSTILE in attacked.text, "shown as it was written"
    assert HOSTILE not in html, "nowhere as markup, scripts and their data included"
    assert [tag for tag, _ in attacked.tags].count("script") == [tag for tag, _ in page.tags].count("script")
    assert "img" not in [tag for tag, _ in attacked.tags]


def test_interactive_curves_are_exact_where_they_are_drawn(comparison: Comparison) -> None:
    figure = profiles_figure(comparison, (TRIAL, DAILY))
    lines = [trace for trace in figure.data if trace.legendgroup == DAILY and trace.customdata is not None]
    assert len(lines) == 3
    for trace, variable in zip(lines, ("il2", "treg", "nk"), strict=True):
        hours = np.round(np.asarray(trace.x, dtype=float) * 168).astype(int)
        median = comparison.profiles[variable].sel(regimen=DAILY, quantile=0.5).values
        # Drawn in single precision: 6e-8 relative, and nothing below a tenth of the floor of the IL-2 axis.
        np.testing.assert_allclose(trace.y, np.maximum(median[hours], 1e-3 if variable == "il2" else 0), rtol=1e-6)
        assert len(hours) < 4033 / 2
        assert np.max(trace.y) == pytest.approx(median.max(), rel=1e-3), "peaks survive the thinning"


def test_names_are_not_markup_in_the_interactive_figures(comparison: Comparison) -> None:
    small = renamed(only(comparison, TRIAL, PLACEBO), TRIAL, "<b>x</b> & <a href='javascript:1'>y</a>")
    for figure in (profiles_figure(small, small.names), overview_figure(small)):
        menus = [button.label for menu in figure.layout.updatemenus for button in menu.buttons]
        ticks = [tick for axis in figure.select_yaxes() for tick in axis.ticktext or ()]
        for shown in [*(trace.name for trace in figure.data if trace.name), *menus, *ticks]:
            assert "<" not in shown.replace("<br>", ""), shown
        assert any("&lt;b>" in shown or "&lt;b&gt;" in shown for shown in ticks)


def test_only_the_regimens_of_the_answer_are_visible_at_first(comparison: Comparison) -> None:
    figure = profiles_figure(comparison, (TRIAL, DAILY))
    shown = {trace.legendgroup for trace in figure.data if trace.legendgroup and trace.visible is True}
    assert shown == {TRIAL, DAILY}
