"""Units are converted once, at the boundary, by a specific activity that can be changed."""

from pathlib import Path

import pytest

from pkpd.dataset import Dataset, read_dataset
from pkpd.errors import InputError
from pkpd.units import SpecificActivity

TABLE = """ID,TIME,AMT,RATE,II,ADDL,DV,DVID,CENS,LIMIT,LLOQ,WT
1,0,1,0,2,3,.,.,0,.,.,70
1,1,0,0,0,0,61.111111111111111,1,0,.,.,70
1,2,0,0,0,0,61.111111111111111,1,1,6.1111111111111111,.,70
1,3,0,0,0,0,8,2,0,.,1,70
"""
# 18 MIU are 1.1 mg: one MIU is 61.11 ug and one IU/mL is 61.11 pg/mL.
SAID = {
    "outputs": {"il2": 1, "treg": 2},
    "units": {"TIME": "d", "AMT": "MIU", "il2": "pg/mL", "treg": "% of CD4", "WT": "kg"},
    "into": {"il2": "IU/mL"},
    "covariates": {"WT": {"low": 30, "high": 200}},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "trial.csv").write_text(TABLE)
    return tmp_path / "trial.csv"


@pytest.fixture
def dataset(path: Path) -> Dataset:
    return read_dataset(path, **SAID)


def test_every_quantity_follows_its_unit(dataset: Dataset):
    records = dataset.records
    assert records["time"].tolist() == [0, 24, 48, 72]
    assert records["ii"].tolist() == [48, 0, 0, 0]
    assert records["amt"].tolist() == [1e6, 0, 0, 0]
    assert records["dv"].tolist()[1:] == pytest.approx([1, 1, 8], rel=1e-15)
    assert records["limit"].tolist()[2] == pytest.approx(0.1, rel=1e-15)
    assert records["lloq"].tolist()[3] == 1
    assert dict(dataset.units) == {"TIME": "h", "AMT": "IU", "il2": "IU/mL", "treg": "% of CD4", "WT": "kg"}
    assert [endpoint.unit for endpoint in dataset.endpoints] == ["IU/mL", "% of CD4"]


def test_another_product_has_another_activity(path: Path):
    product = SpecificActivity("other", 22e6, 1.1, 15_300.0)
    records = read_dataset(path, **SAID, specific_activity=product).records
    assert records["dv"].tolist()[1] == pytest.approx(22 / 18, rel=1e-14)


def test_activity_by_its_name(path: Path):
    dataset = read_dataset(path, **SAID, specific_activity="aldesleukin")
    assert dataset.records["dv"].tolist()[1] == pytest.approx(1, rel=1e-15)


def test_to_other_units_and_back(dataset: Dataset):
    other = dataset.in_units({"AMT": "ug", "il2": "pM"})
    assert other.records["amt"].tolist()[0] == pytest.approx(61.111, rel=1e-5)
    assert other.records["dv"].tolist()[1] == pytest.approx(3.994, rel=1e-3)
    assert other.endpoint("il2").unit == "pM"
    back = other.in_units({"AMT": "IU", "il2": "IU/mL"})
    assert back.records["dv"].tolist()[1:] == pytest.approx(dataset.records["dv"].tolist()[1:], rel=1e-14)
    assert back.records["amt"].tolist() == pytest.approx(dataset.records["amt"].tolist(), rel=1e-14)


@pytest.mark.parametrize(
    ("into", "said"),
    [
        ({"il2": "mg"}, "'IU/mL' cannot be converted to 'mg'"),
        ({"treg": "IU/mL"}, "treg"),
        ({"nk": "1/L"}, "nk has no unit"),
    ],
)
def test_units_that_do_not_meet_are_both_named(dataset: Dataset, into: dict[str, str], said: str):
    with pytest.raises(InputError, match=said):
        dataset.in_units(into)


def test_a_unit_that_was_never_given_is_asked_for(path: Path):
    dataset = read_dataset(path, outputs=SAID["outputs"])
    assert "no unit is given for TIME, AMT, il2, treg" in dataset.findings.text()
    with pytest.raises(InputError, match=r'state it: units = { .* = "\.\." }'):
        dataset.in_units({"AMT": "IU"})


def test_an_unknown_endpoint_is_named(dataset: Dataset):
    with pytest.raises(InputError, match="there are il2, treg"):
        dataset.endpoint("nk")


def test_moles_of_any_drug_are_no_mass(tmp_path: Path):
    (tmp_path / "drug.csv").write_text("ID,TIME,AMT,DV,EVID\n1,0,100,.,1\n1,1,.,9,0\n")
    said = {"outputs": ["conc"], "units": {"AMT": "mg", "conc": "nmol/L"}}
    drug = read_dataset(tmp_path / "drug.csv", **said)
    with pytest.raises(
        InputError, match="unit of conc: 'nmol/L' becomes 'mg/L' by the molar mass of the drug, which is not"
    ):
        drug.in_units({"conc": "mg/L"})
    with pytest.raises(InputError, match="by the molar mass of the drug"):
        read_dataset(tmp_path / "drug.csv", into={"conc": "mg/L"}, **said)
    of_il2 = read_dataset(tmp_path / "drug.csv", specific_activity="aldesleukin", **said)
    assert of_il2.in_units({"conc": "mg/L"}).records["dv"].max() == pytest.approx(9 * 15300e-6, rel=1e-12)
    # What is counted in IU is interleukin-2.
    assert drug.in_units({"conc": "IU/mL"}).records["dv"].max() == pytest.approx(9e3 / 3.99, rel=1e-2)


def test_the_declared_product_counts_later_too(tmp_path: Path):
    (tmp_path / "drug.csv").write_text("ID,TIME,AMT,DV,EVID\n1,0,1.1,.,1\n1,1,.,9,0\n")
    product = {"name": "another", "international_units": 9e6, "milligrams": 1.1, "molecular_weight": 15300}
    drug = read_dataset(tmp_path / "drug.csv", outputs=["il2"], units={"AMT": "mg"}, specific_activity=product)
    assert drug.in_units({"AMT": "IU"}).records["amt"].max() == pytest.approx(9e6, rel=1e-12)
