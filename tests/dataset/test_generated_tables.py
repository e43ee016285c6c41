"""Generated tables: never a traceback, and nothing accepted that a second opinion refuses, nor the other way round."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from plain_judge import COLUMNS, MISSING, mistakes, number

from pkpd.dataset import check_dataset
from pkpd.dataset.report import report_json, report_text
from pkpd.errors import InputError

SOUND = {
    "ID": ["1", "2", "3"],
    "TIME": ["0", "1", "2.5", "24"],
    "DV": [".", "5", "0", "1.5e1"],
    "AMT": ["0", "100", "."],
    "EVID": ["0", "1"],
    "CMT": ["1", "2", "."],
    "MDV": ["0", "1", "."],
    "RATE": ["0", "10", "-1", "-2"],
    "DUR": ["0", "2", "."],
    "ADDL": ["0", "3", "."],
    "II": ["0", "12", "."],
    "SS": ["0", "1", "2"],
    "CENS": ["0", "1", "-1", "."],
    "LIMIT": [".", "0.1", "9"],
    "LLOQ": [".", "0.5"],
}
ODD = [
    *("", ".", "NA", "NaN", "inf", "-inf", "1e999", "-1", "-3", "0.5", "4", "5", "101", "1e-300", "1e15", "200000"),
    *(
        "abc",
        "1_0",
        "0x1",
        "1e",
        "--1",
        "+1",
        "2.0",
        "1e400",
        "٣",
        "１",
        "😀",
        "=1+1",
        "true",
        "-0",
        "1e5000",
        "\u00a07",
    ),
]
NASTY = [
    *ODD,
    '"',
    '""',
    '"a',
    "'",
    "#",
    "# 1",
    "1,5",
    "1;5",
    "1\t5",
    "\x00",
    "\x1f",
    "\x0b",
    "\u2028",
    "\ufeff",
    " ",
    "x" * 300,
]


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """A header with the columns that are needed, and rows that are mostly sound."""
    others = draw(st.lists(st.sampled_from(COLUMNS[3:]), unique=True, max_size=8))
    header = draw(st.permutations(["ID", "TIME", "DV", *others]))
    count = draw(st.integers(1, 8))
    rows = [[draw(st.sampled_from(SOUND[name])) for name in header] for _ in range(count)]
    if draw(st.booleans()):
        places = {name: place for place, name in enumerate(header)}
        rows.sort(key=lambda cells: (cells[places["ID"]], float(cells[places["TIME"]])))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        row, column = draw(st.integers(0, count - 1)), draw(st.integers(0, len(header) - 1))
        rows[row][column] = draw(st.sampled_from(ODD))
    return header, rows


def judged(table: tuple[list[str], list[list[str]]], separator: str) -> None:
    header, rows = table
    rows = [cells for cells in rows if any(cell.strip() for cell in cells)]
    text = "\n".join(separator.join(cells) for cells in [header, *rows]) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_text(text, encoding="utf-8")
        check = check_dataset(path)
    expected = mistakes(header, rows)
    found = {finding.code for finding in check.findings if finding.severity == "error"}
    assert (check.dataset is None) == bool(found)
    if not expected:
        assert not found, f"{text}\n{check.findings.text()}"
    else:
        # A mistake may hide another one that follows from the same cell, but never all of them.
        assert found & expected, f"{text}\nexpected {expected}\n{check.findings.text()}"
        return
    records = check.dataset.records if check.dataset is not None else None
    assert records is not None
    assert len(records) == len(rows)
    for column, held in (("TIME", "time"), ("AMT", "amt"), ("RATE", "rate"), ("II", "ii"), ("LIMIT", "limit")):
        if column in header and column != "LIMIT":
            wanted = [number(cells[header.index(column)]) or 0.0 for cells in rows]
            assert records[held].tolist() == wanted
    report_text(check)
    report_json(check)


def survived(header: list[str], rows: list[list[str]], separator: str, newline: str) -> None:
    text = newline.join(separator.join(cells) for cells in [header, *rows])
    outcome_is_told(text.encode("utf-8", "surrogatepass"))


def outcome_is_told(content: bytes) -> None:
    """Either a dataset or an error with a message; anything else escapes as a traceback and fails the test."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_bytes(content)
        try:
            check = check_dataset(path, {"covariates": ["WT"]} if b"WT" in content else {})
        except InputError as error:
            assert str(error)
            return
        if check.dataset is None:
            assert check.findings.of("error").breaches
        assert report_text(check)
        report_json(check)


NAMES = st.sampled_from([*COLUMNS, "DVID", "OCC", "WT", "id", "C", "", "1", '"', "X Y", "\ufeffID", "time"])
CELLS = st.one_of(st.sampled_from(NASTY), st.sampled_from(["0", "1", "2"]), st.text(max_size=6), st.floats().map(str))
FAST = settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
SLOW = settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@FAST
@given(tables(), st.sampled_from([",", ";", "\t"]))
def test_two_opinions_agree(table: tuple[list[str], list[list[str]]], separator: str):
    judged(table, separator)


@FAST
@given(
    st.lists(NAMES, min_size=1, max_size=8),
    st.lists(st.lists(CELLS, min_size=1, max_size=8), max_size=6),
    st.sampled_from([",", ";", "\t", " "]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_any_cells_are_survived(header: list[str], rows: list[list[str]], separator: str, newline: str):
    survived(header, rows, separator, newline)


@FAST
@given(st.binary(max_size=200))
@example(b"\xff\xfeI\x00D\x00")
@example(b"ID,TIME,DV\n1,0,\x80")
def test_any_bytes_are_survived(content: bytes):
    outcome_is_told(content)


@pytest.mark.slow
@SLOW
@given(tables(), st.sampled_from([",", ";", "\t"]))
def test_two_opinions_agree_ten_thousand_times(table: tuple[list[str], list[list[str]]], separator: str):
    judged(table, separator)


@pytest.mark.slow
@SLOW
@given(
    st.lists(NAMES, min_size=1, max_size=8),
    st.lists(st.lists(CELLS, min_size=1, max_size=8), max_size=6),
    st.sampled_from([",", ";", "\t", " "]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_any_cells_are_survived_ten_thousand_times(
    header: list[str], rows: list[list[str]], separator: str, newline: str
):
    survived(header, rows, separator, newline)


def test_the_second_opinion_is_not_blind():
    """The judge itself must be able to refuse: one mistake of each kind in an otherwise sound table."""
    header = ["ID", "TIME", "DV", "AMT", "EVID"]
    sound = [["1", "0", ".", "100", "1"], ["1", "1", "5", "0", "0"]]
    assert mistakes(header, sound) == set()
    for place, cell, code in ((1, "x", "E-VALUE"), (2, "7", "E-DV"), (3, "-1", "E-DOSE"), (4, "9", "E-EVID")):
        spoilt = [list(sound[0]), sound[1]]
        spoilt[0][place] = cell
        assert code in mistakes(header, spoilt)
    assert "E-ORDER" in mistakes(header, [sound[0], ["1", "-1", "5", "0", "0"]])
    assert "NA" in MISSING
