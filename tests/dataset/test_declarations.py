"""What is said about a table: short forms, and that anything not understood is an `InputError`."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pkpd.dataset.declaration import SAYINGS, Covariate, Output, declared
from pkpd.errors import InputError

WEIGHT = Covariate("WT", kind="continuous", low=30.0)


@pytest.mark.parametrize(
    ("said", "outputs"),
    [
        ("il2", (Output("il2"),)),
        (["il2", "treg"], (Output("il2"), Output("treg"))),
        ({"il2": 1, "treg": "Treg"}, (Output("il2", 1), Output("treg", "Treg"))),
        ({"il2": {"value": 2, "column": "CMT", "lloq": 0.5}}, (Output("il2", 2, "CMT", 0.5),)),
        ([Output("il2", 3, scale="log")], (Output("il2", 3, scale="log"),)),
    ],
    ids=str,
)
def test_short_forms_of_outputs(said: object, outputs: tuple[Output, ...]):
    assert declared({"outputs": said}).outputs == outputs


@pytest.mark.parametrize(
    ("said", "covariates"),
    [
        ({"covariates": "WT"}, (Covariate("WT"),)),
        ({"covariates": {"WT": "continuous"}}, (Covariate("WT", kind="continuous"),)),
        ({"covariates": {"WT": {"kind": "continuous", "low": 30}}}, (WEIGHT,)),
        ({"covariates": [WEIGHT]}, (WEIGHT,)),
        ({"strata": ["ARM"]}, (Covariate("ARM", "categorical", "stratum", True),)),
        ({"covariates": ["WT"], "strata": "ARM"}, (Covariate("WT"), Covariate("ARM", "categorical", "stratum", True))),
    ],
    ids=str,
)
def test_short_forms_of_covariates(said: dict[str, object], covariates: tuple[Covariate, ...]):
    assert declared(said).covariates == covariates


def test_standard_names_are_read_in_any_case():
    declaration = declared({"units": {"time": "d", "il2": "pM"}, "columns": {"dv": "CONC"}})
    assert declaration.units == {"TIME": "d", "il2": "pM"}
    assert declaration.columns == {"DV": "CONC"}


def test_conditions_leave_remarks_in_force_and_marks_replace_them():
    assert declared({"ignore": "ID == 3"}).marks == ("#",)
    assert declared({"ignore": ["C", "ID == 3"]}).marks == ("C",)
    assert declared({"ignore": ["C", "ID == 3"]}).conditions == ("ID == 3",)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["WT", "il2"])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
)
FIELDS = st.sampled_from(
    ["value", "column", "lloq", "scale", "kind", "role", "constant", "carry", "low", "labels", "x"]
)
SAID = st.dictionaries(
    st.sampled_from([*SAYINGS, "nonsense"]),
    VALUES | st.dictionaries(st.sampled_from(["WT", "il2", "TIME"]), VALUES | st.dictionaries(FIELDS, VALUES)),
    max_size=4,
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(SAID)
def test_nothing_said_ends_in_a_traceback(said: dict[str, object]):
    with contextlib.suppress(InputError):
        declared(said)
