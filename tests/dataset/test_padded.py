"""From a checked table to arrays: nothing lost, nothing of one subject in another."""

import os
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
from recorded import dosed

from pkpd import read_dataset
from pkpd.dataset.padded import in_model_units, padded
from pkpd.engine.predict import predict
from pkpd.engine.prepare import prepare
from pkpd.errors import InputError
from pkpd.models.il2_sc import il2_sc
from pkpd.qualify.dosing import MODEL

TABLE = pd.DataFrame(
    [
        ["b", 0.0, 1, 100.0, 1, np.nan, 70.0, "F"],
        ["b", 1.0, 0, 0.0, 0, 5.0, 70.0, "F"],
        ["b", 2.0, 0, 0.0, 0, np.nan, 71.0, "F"],
        ["a", 0.5, 1, 50.0, 2, np.nan, 60.0, "M"],
        ["a", 4.0, 0, 0.0, 0, 3.0, 60.0, "M"],
    ],
    columns=["ID", "TIME", "EVID", "AMT", "CMT", "DV", "WT", "SEX"],
)


def test_every_record_has_its_place() -> None:
    found = padded(read_dataset(TABLE, covariates=["WT", "SEX"], purpose="simulate"), MODEL)
    assert list(found.subjects) == ["b", "a"]
    np.testing.assert_array_equal(found.records.time, [[0.0, 0.5], [1.0, 4.0], [2.0, 4.0]])
    np.testing.assert_array_equal(found.records.evid, [[1, 1], [0, 0], [0, 2]])
    np.testing.assert_array_equal(found.records.cmt, [[0, 1], [0, 0], [0, 0]])
    np.testing.assert_array_equal(found.records.amt, [[100, 50], [0, 0], [0, 0]])
    np.testing.assert_array_equal(found.scored, [[False, False], [True, True], [False, False]])
    np.testing.assert_array_equal(found.endpoint, [[-1, -1], [0, 0], [0, -1]])
    assert found.dv[1, 0] == 5.0 and found.dv[1, 1] == 3.0
    np.testing.assert_array_equal(found.covariates["WT"], [[70, 60], [70, 60], [71, 60]])
    assert found.covariates["SEX"].shape == (2,)
    assert [found.labels["SEX"][int(code)] for code in found.covariates["SEX"]] == ["F", "M"]
    found.records.check(("depot", "central"))


def test_compartments_by_name_of_state_or_route() -> None:
    named = TABLE.assign(CMT=["sc", "", "", "central", ""])
    found = padded(read_dataset(named, purpose="simulate"), il2_sc())
    np.testing.assert_array_equal(found.records.cmt[0], [0, 2])


def test_what_the_model_lacks_is_said() -> None:
    with pytest.raises(InputError, match="no compartment or route 'gut'"):
        padded(read_dataset(TABLE.assign(CMT=["gut", "", "", "central", ""]), purpose="simulate"), il2_sc())
    with pytest.raises(InputError, match="CMT 2 is dosed, and model 'one' has 1 compartments"):
        padded(read_dataset(TABLE, purpose="simulate"), replace(dosed(0, 0), name="one"))
    with pytest.raises(InputError, match="a dose names no compartment"):
        padded(read_dataset(TABLE.drop(columns="CMT"), purpose="simulate"), il2_sc())


def test_units_of_the_table_become_those_of_the_model() -> None:
    """18 MIU are 1.1 mg, so 1 pg/mL is 18e6/1.1e9 IU/mL."""
    table = TABLE.assign(CMT=["sc", "", "", "sc", ""]).drop(columns=["WT", "SEX"])
    given = read_dataset(table, outputs="il2", units={"AMT": "ug", "il2": "pg/mL"}, purpose="simulate")
    found = padded(in_model_units(given, il2_sc()), il2_sc())
    per_microgram = 18e6 / 1100.0
    np.testing.assert_allclose(found.records.amt[0], [100 * per_microgram, 50 * per_microgram], rtol=1e-12)
    np.testing.assert_allclose(found.dv[1], np.array([5.0, 3.0]) * 1e-6 * per_microgram, rtol=1e-12)
    bare = read_dataset(table, outputs="il2", purpose="simulate")
    with pytest.raises(InputError, match="E-UNIT: .*AMT, il2 without a unit, and model 'il2_sc' counts in IU, IU/mL"):
        in_model_units(bare, il2_sc())


@pytest.mark.reference
@pytest.mark.skipif("PKPD_REFERENCE" not in os.environ, reason="set PKPD_REFERENCE to the folder of real data")
def test_theophylline_against_its_closed_form() -> None:
    """Dose at time 0 into the depot; the concentration of a one-compartment model at every sample."""
    path = Path(os.environ["PKPD_REFERENCE"]) / "theophylline" / "theo_sd.csv"
    data = padded(read_dataset(path, covariates=["WT"]), MODEL)
    subjects = len(data.subjects)
    ka, cl, v = 1.6, 2.8, 32.0
    values = {"ka": ka, "cl": cl, "v": v, "lag": 0.0, "f": 1.0}
    parameters = {name: np.full(subjects, value) for name, value in values.items()}
    conc = np.asarray(jax.jit(predict)(prepare(MODEL, data.records, parameters), parameters)["conc"])
    dose, ke = data.records.amt.sum(axis=0), cl / v
    t = data.records.time
    bateman = 1000 * dose * ka / (v * (ka - ke)) * (np.exp(-ke * t) - np.exp(-ka * t))
    np.testing.assert_allclose(conc[data.scored], bateman[data.scored], rtol=1e-11, atol=1e-9)
    assert int(data.scored.sum()) > 100 and subjects == 12
