"""Every table of the list of bad ones is refused, with the right code at the right line, and never with a traceback."""

from pathlib import Path

import pytest
from bad_tables import BAD, Bad

from pkpd.dataset import DataError, check_dataset, read_dataset
from pkpd.dataset.report import report_json, report_text


def by_name(bad: Bad) -> str:
    return bad.name


def written(folder: Path, table: str) -> Path:
    path = folder / "table.csv"
    path.write_text(table.replace("|", "\n") + ("\n" if table else ""), encoding="utf-8")
    return path


def test_there_are_at_least_sixty_and_none_twice():
    assert len(BAD) >= 60
    assert len({bad.name for bad in BAD}) == len(BAD)


@pytest.mark.parametrize("bad", BAD, ids=by_name)
def test_a_bad_table_gets_its_code_at_its_row(bad: Bad, tmp_path: Path):
    check = check_dataset(written(tmp_path, bad.table), bad.said)
    assert check.dataset is None
    found = [(finding.code, finding.row) for finding in check.findings if finding.severity == "error"]
    assert (bad.code, bad.row) in found, check.findings.text()


@pytest.mark.parametrize("bad", BAD, ids=by_name)
def test_nothing_else_is_called_an_error(bad: Bad, tmp_path: Path):
    """One mistake is one kind of error: a newcomer is not sent after consequences of it."""
    check = check_dataset(written(tmp_path, bad.table), bad.said)
    codes = {finding.code for finding in check.findings.of("error")}
    assert codes == {bad.code}, check.findings.text()


@pytest.mark.parametrize("bad", BAD, ids=by_name)
def test_reading_raises_one_error_that_says_it_all(bad: Bad, tmp_path: Path):
    path = written(tmp_path, bad.table)
    with pytest.raises(DataError) as caught:
        read_dataset(path, **bad.said)
    assert bad.code in str(caught.value)
    assert path.name in str(caught.value)


def test_a_missing_id_is_not_asked_to_be_a_number(tmp_path: Path):
    told = check_dataset(written(tmp_path, "ID,TIME,AMT,DV|P-1,0,9,.|.,1,0,5|P-1,2,0,4")).findings.of("error").text()
    assert "rows without an ID" in told
    assert "finite" not in told


@pytest.mark.parametrize("bad", BAD, ids=by_name)
def test_every_error_says_rule_and_fix(bad: Bad, tmp_path: Path):
    check = check_dataset(written(tmp_path, bad.table), bad.said)
    for breach in check.findings.of("error").breaches:
        assert breach.what
        assert breach.rule or breach.fix
        if len(breach.rows):
            assert breach.column
            assert len(breach.rows) == len(breach.ids) == len(breach.values)
    assert bad.code in report_text(check)
    assert report_json(check)["ok"] is False


def test_a_slip_of_one_row_does_not_blame_the_others(tmp_path: Path):
    bad = next(one for one in BAD if one.name == "one observation with another CMT than all others")
    errors = check_dataset(written(tmp_path, bad.table), bad.said).findings.of("error")
    assert [finding.row for finding in errors] == [bad.row]
