"""The shipped example trial is what its script makes, and says that it is simulated."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from pkpd.storage import shipped

SCRIPT = Path(__file__).parent.parent / "examples" / "make_example_dataset.py"
SHIPPED = shipped("examples/pss_simulated.csv")


def _made() -> pd.DataFrame:
    spec = importlib.util.spec_from_file_location("make_example_dataset", SCRIPT)
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script.table()


def test_it_is_what_the_script_makes() -> None:
    with SHIPPED.open() as stream:
        there = pd.read_csv(stream, comment="#", na_values=".")
    made = _made()
    assert list(made.columns) == list(there.columns)
    for column in made.columns:
        if column in ("DVID", "ARM"):
            assert made[column].fillna("").tolist() == there[column].fillna("").tolist()
        else:
            # Values are written to four digits; another machine may round the last one differently.
            numbers = made[column].astype(float).to_numpy(), there[column].astype(float).to_numpy()
            np.testing.assert_allclose(*numbers, rtol=2e-3, err_msg=column)


def test_it_says_that_it_is_simulated() -> None:
    assert SHIPPED.read_text(encoding="utf-8").startswith("# SIMULATED DATA")
    assert "SIMULATED" in shipped("examples/pss_simulated.toml").read_text(encoding="utf-8")


def test_the_example_of_a_fit_is_what_its_script_makes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(SCRIPT.parent / "make_oral_example.py"), str(tmp_path)], check=True)
    for name in ("oral.csv", "oral_fit.toml"):
        made, there = (tmp_path / name).read_text("utf-8"), shipped(f"examples/{name}").read_text("utf-8")
        # Values are written to four digits; another machine may round the last one differently.
        assert [len(line) for line in made.splitlines()] == [len(line) for line in there.splitlines()]
        assert made == there or name == "oral.csv"
        assert "SIMULATED" in there.splitlines()[0]
