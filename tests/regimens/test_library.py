"""The library of published regimens, and finding a regimen by what a user says."""

import tomllib
from pathlib import Path

import pytest

from pkpd.errors import InputError
from pkpd.regimens.library import REFERENCE, library
from pkpd.regimens.resolve import resolve
from pkpd.storage import shipped

STUDIES = ["pss_nct02464319", "sle_he2020", "sle_dose_finding", "pss_rapa", "lupil2", "t1d_hartemann", "dilt1d", "dilfrequency", "dfil2_child", "skyler_t1d", "cgvhd_koreth2011", "cgvhd_koreth2016", "cgvhd_escalate", "hcv_saadoun", "hv_ito", "hiv_jacobson", "hiv_lowdose_haart", "transreg", "alopecia_castela", "als_imodals", "als_mirocals", "lilacs", "ivory", "gvhd_ped_kennedy", "nktr358_sle", "efavaleukin_sle", "high_dose_label", "placebo"]
DAYS = [28 * cycle + 2 * dose for cycle in range(3) for dose in range(7)]


def test_every_study_is_there() -> None:
    for study in STUDIES:
        assert any(name.startswith(study) for name in library()), study


def test_every_entry_says_where_it_comes_from_and_how_sure_it_is() -> None:
    known = {"regimen", "title", "population", "source", "status", "agent", "note"}
    for name, fields in tomllib.loads(shipped("regimens/library.toml").read_text(encoding="utf-8")).items():
        assert set(fields) <= known, name
        assert fields["source"] and fields["population"], name
        assert fields["status"] in {"verified", "secondary", "derived", "memory", "unknown"}, name


def test_every_sentence_parses_back() -> None:
    for regimen in library().values():
        if regimen.text is not None:
            assert resolve(regimen.sentence()).phases == regimen.phases, regimen.name


def test_the_reference_is_the_trial() -> None:
    trial = library()[REFERENCE]
    assert [dose.time for dose in trial.doses()] == [24 * day for day in DAYS]
    assert {dose.amount for dose in trial.doses()} == {1e6}
    assert trial.total_dose == "21 MIU"
    assert trial.treatment_end == 12 * 168


def test_loading_then_weekly_keeps_the_calendar_of_the_start() -> None:
    assert [dose.time / 24 for dose in library()["lupil2"].doses()] == [0, 1, 2, 3, 4, *range(7, 84, 7)]


@pytest.mark.parametrize(("name", "why"), [("skyler_t1d", "dose is not known"), ("nktr358_sle_24", "long-acting")])
def test_what_cannot_be_compared_says_why(name: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        library()[name].comparable()


def test_unknown_name_is_answered_with_the_closest() -> None:
    with pytest.raises(InputError, match="closest: pss_nct02464319"):
        resolve("pss_nct0246431")


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text('regimen = "1 MIU sc q3d x 8 wk"\ntitle = "mine"\n', encoding="utf-8")
    found = resolve(str(path))
    assert (found.name, found.title, len(found.doses())) == ("my", "mine", 19)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('regimen = "1 MIU sc"', "my.toml.*position 9"),
        ('regime = "1 MIU sc qd x 5 d"', "unknown field regime; a regimen file has name"),
        ('title = "x"', "the field 'regimen' is missing"),
        ("regimen = 3", "must be a text"),
        ("regimen = ", "not valid TOML"),
    ],
)
def test_a_broken_file_is_named_with_the_reason(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "my.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        resolve(path)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(InputError, match=r"cannot read 'nowhere\.toml': No such file"):
        resolve("nowhere.toml")
