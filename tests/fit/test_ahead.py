"""What a fit runs is made ready before it begins, and not once more."""

from pathlib import Path

import jax.monitoring
import numpy as np
import pandas as pd
import pytest

from pkpd.dataset import read_dataset
from pkpd.fit import hessian
from pkpd.fit.ahead import prepare
from pkpd.fit.connection import Connection, connected
from pkpd.fit.fit import estimated, examined
from pkpd.fit.objective import Approximation
from pkpd.fit.scalar import Scalar
from pkpd.models.library import model
from pkpd.population.individual import LogNormal
from pkpd.population.population import Population
from pkpd.population.residual import Proportional

PROGRAMS = ("_evaluated", "searched", "_placed", "_by_pairs", "_by_rows", "_log_weights", "natural")
HEARD: list[str] = []
"""What was traced or compiled, by the names of the functions."""


def _heard(event: str, _: float, **said: str | int) -> None:
    if event.startswith("/jax/core/compile/"):
        HEARD.append(str(said.get("fun_name")).removeprefix("jit(").removesuffix(")"))


jax.monitoring.register_event_duration_secs_listener(_heard)


POPULATION = Population({"cl": LogNormal(1.0, cv=0.3), "v": LogNormal(7.0, cv=0.3)}, {"conc": Proportional(0.1)})


def data_of(subjects: int, folder: Path) -> Connection:
    """A bolus each, three samples."""
    random, rows = np.random.default_rng(5), []
    for subject in range(subjects):
        rows.append((subject, 0.0, 100.0, ".", 1))
        k, v = np.exp(random.normal([-2.0, 2.0], 0.2))
        for hour in (1.0, 4.0, 12.0):
            rows.append((subject, hour, 0.0, 100.0 / v * np.exp(-k * hour) * random.uniform(0.9, 1.1), 0))
    file = folder / "data.csv"
    pd.DataFrame(rows, columns=["ID", "TIME", "AMT", "DV", "EVID"]).to_csv(file, index=False)
    data = read_dataset(file, outputs=["conc"], units={"AMT": "mg", "conc": "mg/L"})
    return connected(POPULATION, model("pk_1cmt_iv"), data)


@pytest.mark.parametrize(("subjects", "method"), [(3, "foce"), (66, "focei")])
def test_what_is_made_ready_is_not_made_again(subjects: int, method: str, tmp_path: Path) -> None:
    """Little data, walked through; and more than a chunk, compiled."""
    joined = data_of(subjects, tmp_path)
    prepare(Scalar(POPULATION, Approximation(method), joined.problem))
    assert {"_evaluated", "searched", "_placed", "_by_pairs", "_log_weights"} <= set(HEARD)
    HEARD.clear()
    found = estimated(POPULATION, joined.problem, joined.table, method=method)
    found = examined(found, joined.problem)
    assert found.uncertainty is not None
    assert found.audit is not None
    assert not set(PROGRAMS) & set(HEARD)


def test_what_cannot_be_made_ready_does_not_stop_the_estimates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(hessian, "ahead", failing)
    joined = data_of(3, tmp_path)
    assert np.isfinite(estimated(POPULATION, joined.problem, joined.table, method="foce", covariance="r").ofv)
