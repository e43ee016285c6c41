"""The library of published regimens, and what is meant by what a user gives as a regimen."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pkpd.errors import InputError
from pkpd.regimens.grammar import parse
from pkpd.regimens.library import REFERENCE, library
from pkpd.regimens.regimen import EVIDENCE, Regimen
from pkpd.regimens.resolve import resolve
from pkpd.storage import shipped
from pkpd.units import SpecificActivity

DAY = 24.0
TRIAL = [28 * cycle + 2 * dose for cycle in range(3) for dose in range(7)]
FIVES = [21 * course + dose for course in range(4) for dose in range(5)]

# name, days of the doses, amounts of the doses (one for all, or one each) in 1e6 IU, basis, weeks of treatment
EXPECTED = [
    ("pss_nct02464319", TRIAL, 1, "flat", 12),
    ("sle_he2020", TRIAL, 1, "flat", 12),
    ("sle_dose_finding_0.2", [*range(0, 84, 2), *range(84, 168, 7)], 0.2, "flat", 24),
    ("sle_dose_finding_0.5", [*range(0, 84, 2), *range(84, 168, 7)], 0.5, "flat", 24),
    ("sle_dose_finding_1", [*range(0, 84, 2), *range(84, 168, 7)], 1, "flat", 24),
    ("pss_rapa_il2", [7 * week + day for week in range(12) for day in (0, 3)], 1, "flat", 12),
    ("lupil2", [0, 1, 2, 3, 4, *range(7, 84, 7)], 1.5, "flat", 12),
    ("t1d_hartemann_0.33", [*range(5)], 0.33, "flat", 5 / 7),
    ("t1d_hartemann_1", [*range(5)], 1, "flat", 5 / 7),
    ("t1d_hartemann_3", [*range(5)], 3, "flat", 5 / 7),
    ("dilt1d_0.04", [0], 0.04, "m2", 1 / 7),
    ("dilt1d_0.101", [0], 0.101, "m2", 1 / 7),
    ("dilt1d_0.497", [0], 0.497, "m2", 1 / 7),
    ("dilt1d_1.5", [0], 1.5, "m2", 1 / 7),
    ("dilfrequency", [*range(0, 84, 3)], 0.26, "m2", 12),
    ("dfil2_child_0.125", [0, 1, 2, 3, 4, *range(14, 364, 14)], 0.125, "m2", 52),
    ("dfil2_child_0.25", [0, 1, 2, 3, 4, *range(14, 364, 14)], 0.25, "m2", 52),
    ("dfil2_child_0.5", [0, 1, 2, 3, 4, *range(14, 364, 14)], 0.5, "m2", 52),
    ("cgvhd_koreth2011_0.3", [*range(56)], 0.3, "m2", 12),
    ("cgvhd_koreth2011_1", [*range(56)], 1, "m2", 12),
    ("cgvhd_koreth2011_3", [*range(56)], 3, "m2", 12),
    ("cgvhd_koreth2016", [*range(84)], 1, "m2", 16),
    ("cgvhd_escalate_child", [*range(56)], [0.33] * 14 + [0.67] * 14 + [1] * 28, "m2", 8),
    ("cgvhd_escalate_adult", [*range(56)], [0.67] * 14 + [1.33] * 14 + [2] * 28, "m2", 8),
    ("hcv_saadoun", FIVES, [1.5] * 5 + [3] * 15, "flat", 12),
    ("hv_ito_0.05", [*range(5)], 0.05, "m2", 5 / 7),
    ("hv_ito_0.2", [*range(5)], 0.2, "m2", 5 / 7),
    ("hiv_jacobson_0.0625", [*range(182)], 0.0625, "m2", 26),
    ("hiv_jacobson_0.25", [*range(182)], 0.25, "m2", 26),
    ("hiv_lowdose_haart", [*range(182)], 1.2, "m2", 26),
    ("transreg", [0, 1, 2, 3, 4, *range(14, 182, 14)], 1, "flat", 26),
    ("alopecia_castela", FIVES, [1.5] * 5 + [3] * 15, "flat", 12),
    ("als_imodals_1", [28 * cycle + day for cycle in range(3) for day in range(5)], 1, "flat", 12),
    ("als_imodals_2", [28 * cycle + day for cycle in range(3) for day in range(5)], 2, "flat", 12),
    ("als_mirocals", [28 * cycle + day for cycle in range(19) for day in range(5)], 2, "flat", 76),
    ("lilacs_0.3", [*range(5)], 0.3, "flat", 5 / 7),
    ("lilacs_3", [*range(5)], 3, "flat", 5 / 7),
    ("ivory", [0, 1, 2, 3, 4, *range(7, 56, 7)], 1.5, "flat", 8),
    ("gvhd_ped_kennedy_0.1", [7 * week + day for week in range(12) for day in (0, 2, 4)], 0.1, "m2", 12),
    ("gvhd_ped_kennedy_0.2", [7 * week + day for week in range(12) for day in (0, 2, 4)], 0.2, "m2", 12),
    (
        "high_dose_label",
        [(328 * cycle + 8 * dose) / 24 for cycle in range(2) for dose in range(14)],
        0.6,
        "kg",
        656 / 168,
    ),
    ("placebo", [], 1, "flat", 0),
]
NOT_COMPARABLE = {
    "pss_rapa_il2_rapamycin": "rapamycin",
    "skyler_t1d": "neither its dose nor its schedule is known",
    "nktr358_sle_3": "long-acting",
    "nktr358_sle_24": "long-acting",
    **{f"efavaleukin_sle_cohort{number}": "its doses are not known" for number in range(1, 6)},
}


@pytest.mark.parametrize(("name", "days", "amounts", "basis", "weeks"), EXPECTED)
def test_an_arm_is_dosed_as_published(name: str, days: list, amounts: float | list, basis: str, weeks: float) -> None:
    regimen = library()[name]
    doses = regimen.doses()
    assert [dose.time for dose in doses] == pytest.approx([DAY * day for day in days], rel=1e-15)
    expected = amounts if isinstance(amounts, list) else [amounts] * len(days)
    assert [dose.amount for dose in doses] == pytest.approx([1e6 * amount for amount in expected], rel=1e-15)
    assert {dose.basis for dose in doses} <= {basis}
    assert regimen.treatment_end == pytest.approx(168 * weeks, rel=1e-15)


def test_the_library_is_complete_and_nothing_in_it_is_untested() -> None:
    assert set(library()) == {row[0] for row in EXPECTED} | set(NOT_COMPARABLE)
    assert next(iter(library())) == REFERENCE


def test_every_entry_says_to_whom_by_whom_and_how_surely() -> None:
    for regimen in library().values():
        assert regimen.title and regimen.population and regimen.agent and regimen.source, regimen.name
        assert {regimen.dose_status, regimen.schedule_status} <= set(EVIDENCE), regimen.name
        assert regimen.name == regimen.name.lower(), regimen.name


def test_every_entry_reads_back_from_its_sentence() -> None:
    for regimen in library().values():
        assert parse(regimen.sentence()) == regimen.phases, regimen.name
        assert len(regimen.dose_table()) == regimen.injections, regimen.name


def test_names_are_given_once() -> None:
    content = tomllib.loads(shipped("regimens/library.toml").read_text(encoding="utf-8"))
    names = [arm["name"] for trial in content["trial"] for arm in trial["arm"]]
    assert len(names) == len(set(names)) == len(library())


def test_the_reference_is_the_trial() -> None:
    trial = library()["pss_nct02464319"]
    assert trial.total_dose == "21 MIU in 21 injections"
    assert trial.on_blocks() == ((0, 336), (672, 1008), (1344, 1680))
    assert trial.sentence() == "1 MIU sc qod 14 d on / 14 d off x 3"
    assert {dose.route for dose in trial.doses()} == {"sc"}


def test_the_total_of_the_hepatitis_courses_is_the_published_one() -> None:
    assert library()["hcv_saadoun"].total_dose == "52.5 MIU in 20 injections"


def test_the_label_is_infused_for_15_minutes() -> None:
    assert {(dose.route, dose.duration) for dose in library()["high_dose_label"].doses()} == {("iv", 0.25)}


@pytest.mark.parametrize(("name", "why"), NOT_COMPARABLE.items())
def test_what_cannot_be_simulated_says_why(name: str, why: str) -> None:
    for ask in (library()[name].comparable, library()[name].doses):
        with pytest.raises(InputError, match=f"regimen '{name}' is listed but cannot be simulated: .*{why}"):
            ask()


def test_a_dose_that_is_not_known_is_the_reason() -> None:
    with pytest.raises(InputError, match="its dose is not known"):
        resolve("unknown dose sc qw x 12 wk").comparable()


def test_the_status_is_the_weaker_of_dose_and_schedule() -> None:
    known = library()
    assert known["dilfrequency"].dose_status == "verified"
    assert known["dilfrequency"].status == known["dilfrequency"].schedule_status == "unknown"
    assert known["cgvhd_escalate_child"].status == known["cgvhd_escalate_child"].dose_status == "memory"
    assert known["dilt1d_0.04"].status == "verified"
    assert known["dilt1d_0.101"].status == "derived"
    assert known["dilt1d_0.497"].status == "memory"


def test_doses_in_micrograms_follow_the_specific_activity() -> None:
    regimen = resolve("11 ug sc once")
    own = SpecificActivity("mine", international_units=15e6, milligrams=1.0, molecular_weight=15_300.0)
    assert regimen.doses()[0].amount == pytest.approx(180_000, rel=1e-15)
    assert regimen.doses(own)[0].amount == pytest.approx(165_000, rel=1e-15)


def test_changing_the_returned_library_does_not_change_the_library() -> None:
    library().clear()
    assert REFERENCE in library()


# --- what a user gives -----------------------------------------------------------------------------------------


def test_a_regimen_stays_itself_and_a_name_is_looked_up() -> None:
    regimen = library()["lupil2"]
    assert resolve(regimen) is regimen
    assert resolve("lupil2") is resolve(" LUPIL2 ") is regimen


def test_a_text_is_called_by_its_sentence() -> None:
    regimen = resolve("1 miu s.c. q3d for 8 weeks")
    assert regimen.name == regimen.sentence() == "1 MIU sc q3d x 8 wk"
    assert regimen.status == "own text"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pss_nct0246431", "no regimen is called 'pss_nct0246431'; the closest are pss_nct02464319"),
        ("NCT02464319", "the closest are pss_nct02464319"),
        ("pss nct02464319", "the closest are pss_nct02464319"),
        ("sle_dose_finding", "sle_dose_finding_0.2, sle_dose_finding_0.5, sle_dose_finding_1$"),
        ("zzzzzz", "no regimen is called 'zzzzzz'; `pkpd regimens list` prints the library"),
        ("", "an empty regimen; give a name"),
        ("1 MIU sc", "position 9, at the end: expected an interval"),
        ("one MIU sc qd x 5 d", "position 1, at 'one': expected a dose"),
    ],
)
def test_what_is_not_understood_is_answered_with_help(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve(text)


def _written(folder: Path, content: str) -> Path:
    path = folder / "my.toml"
    path.write_text(content, encoding="utf-8")
    return path


def test_a_file_with_a_text(tmp_path: Path) -> None:
    path = _written(tmp_path, '\ufeffname = "mine"\ntitle = "Mine"\nregimen = "1 MIU sc q3d x 8 wk"\n')
    regimen = resolve(str(path))
    assert (regimen.name, regimen.title, regimen.injections) == ("mine", "Mine", 19)
    assert regimen.status == "own file"
    assert resolve(path) == regimen


def test_a_file_with_single_doses(tmp_path: Path) -> None:
    dose = '[[dose]]\ntime = "{}"\namount = {}\nunit = "{}"\nroute = "{}"\n'
    doses = [
        ("0 d", 1, "MIU", "sc"),
        ("12 h", "1.0", "MIU", "sc"),
        ("3 d", 0.1 + 0.2, "MIU/m2", "sc"),
        ("1 wk", 2, "ug/kg", "iv over 15 min"),
    ]
    path = _written(tmp_path, 'name = "by hand"\n' + "".join(dose.format(*row) for row in doses))
    regimen = resolve(path)
    assert regimen.sentence() == "1 MIU sc at 0, 12 h, then 0.3 MIU/m2 at 3 d, then 2 ug/kg iv over 15 min at 7 d"
    assert [dose.time for dose in regimen.doses()] == [0, 12, 72, 168]
    assert [dose.duration for dose in regimen.doses()] == [0, 0, 0, 0.25]
    assert parse(regimen.sentence()) == regimen.phases
    assert regimen.on_blocks() == ((0, 192),)
    assert regimen.total_dose == "2 MIU + 0.3 MIU/m2 + 2 ug/kg in 4 doses"


GOOD_DOSE = '[[dose]]\ntime = "1 d"\namount = 1\nunit = "MIU"\nroute = "sc"\n'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('name = "a"\nregime = "1 MIU sc qd x 5 d"', "unknown key 'regime'; a regimen file has name, title"),
        ('regimen = "1 MIU sc qd x 5 d"', "missing key 'name': write name = \"weekend\""),
        ('name = 3\nregimen = "1 MIU sc qd x 5 d"', "no text in key 'name'"),
        ('name = "a/b"\nregimen = "1 MIU sc qd x 5 d"', "give the regimen a name of up to 60 letters"),
        ('name = "lupil2"\nregimen = "1 MIU sc qd x 5 d"', "the library has a regimen called 'lupil2'"),
        ('name = "a"', "give either regimen = "),
        ('name = "a"\nregimen = "1 MIU sc once"\n' + GOOD_DOSE, "give either regimen = "),
        ('name = "a"\nregimen = "1 MIU sc"', "position 9, at the end: expected an interval"),
        ('name = "a"\nregimen = ["1 MIU sc once"]', "no text in key 'regimen'"),
        ('name = "a"\ndose = 1', r"write each single dose as a table of its own, \[\[dose\]\]"),
        ('name = "a"\n[[dose]]\nwhen = "1 d"', "dose 1: unknown key 'when'; a dose has time, amount, unit, route"),
        ('name = "a"\n' + GOOD_DOSE.replace("1\n", '"1"\n'), "dose 1: give its amount as a number"),
        ('name = "a"\n' + GOOD_DOSE.replace("= 1\n", "= true\n"), "dose 1: give its amount as a number"),
        ('name = "a"\n' + GOOD_DOSE.replace("= 1\n", "= -1\n"), "dose 1: .*expected a dose"),
        ('name = "a"\n' + GOOD_DOSE.replace("= 1\n", "= nan\n"), "dose 1: .*expected a dose"),
        ('name = "a"\n' + GOOD_DOSE.replace('"1 d"', "1"), "dose 1: no text in key 'time': write time = \"3 d\""),
        ('name = "a"\n' + GOOD_DOSE.replace('"sc"', '"po"'), "dose 1: .*at 'po': expected a route"),
        ('name = "a"\n' + GOOD_DOSE.replace('"1 d"', '"1, 2 d"'), "dose 1: give one dose at one time"),
        ('name = "a"\n' + GOOD_DOSE + GOOD_DOSE, "dose 2 is not later than dose 1"),
        ('name = "a"\ndose = []', r"write each single dose as a table of its own"),
        ('name = "a"\n' + GOOD_DOSE.replace("= 1\n", f"= 1{'0' * 400}\n"), "is no TOML file|expected a dose"),
        ('name = "a"\n' + GOOD_DOSE.replace("= 1\n", f"= 1{'0' * 5000}\n"), "is no TOML file"),
        ("name = ", "is no TOML file"),
        ("x = " + "[" * 5000 + "]" * 5000, "is no TOML file"),
        ("# " + "x" * 1_000_001, "more than 1000000 bytes"),
    ],
)
def test_a_file_that_is_not_understood_is_named_with_the_reason(tmp_path: Path, content: str, message: str) -> None:
    path = _written(tmp_path, content)
    with pytest.raises(InputError, match=message) as caught:
        resolve(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_or_not_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read 'nowhere\.toml': No such file"):
        resolve("nowhere.toml")
    folder = tmp_path / "folder.toml"
    folder.mkdir()
    with pytest.raises(InputError, match=r"folder\.toml': Is a directory"):
        resolve(folder)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is no TOML file"):
        resolve(binary)


def test_the_language_is_read_without_loading_anything_heavy() -> None:
    program = (
        "import sys; from pkpd.regimens.resolve import resolve; r = resolve('1 MIU sc qod x 12 wk'); r.doses();"
        "print([m for m in ('jax', 'pandas', 'pint', 'numpy', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_regimen_without_doses_is_placebo() -> None:
    placebo = resolve("placebo")
    assert isinstance(placebo, Regimen)
    assert placebo.doses() == placebo.on_blocks() == ()
    assert placebo.total_dose == "no interleukin-2"
    assert placebo.dose_table().empty
    placebo.comparable()
