"""Subjects dealt out in chunks: every one comes back to its place, and who it was dealt with does not matter."""

from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from jaxtyping import Array
from numpy.typing import NDArray
from test_connection import integrated, oral

from pkpd.dataset import read_dataset
from pkpd.fit.chunks import CHUNK, CHUNK_INTEGRATED, alike, by_chunks, chunk_of
from pkpd.fit.connection import connected
from pkpd.fit.objective import Approximation
from pkpd.fit.scalar import Scalar
from pkpd.models.model import Model
from pkpd.population.expression import Theta
from pkpd.population.individual import LogNormal
from pkpd.population.population import Population
from pkpd.population.residual import Proportional

HOURS = np.array([0.5, 2.0, 6.0, 12.0])
COUNT = 11


def people() -> Population:
    return Population(
        parameters={"ka": Theta(1.4), "cl": LogNormal(1.2, cv=0.4), "v": LogNormal(9.0, cv=0.3)},
        residual={"conc": Proportional(0.15)},
    )


def scalar(
    folder: Path, population: Population, body: Model, order: NDArray | None = None, chunk: int | None = None
) -> Scalar:
    """A fit of simulated subjects, in that order and chunk, of whom each second one is sampled half an hour later."""
    rng = np.random.default_rng(2)
    rows: list[dict[str, object]] = []
    for subject in range(COUNT):
        ka, cl, v = np.array([1.5, 1.0, 10.0]) * np.exp(0.3 * rng.standard_normal(3))
        k, times = cl / v, HOURS + 0.5 * (subject % 2)
        mean = 100.0 * ka / v / (ka - k) * (np.exp(-k * times) - np.exp(-ka * times))
        seen = mean * (1 + 0.1 * rng.standard_normal(times.size))
        rows.append({"ID": subject, "TIME": 0.0, "AMT": 100.0, "DV": ".", "EVID": 1})
        rows += [{"ID": subject, "TIME": t, "AMT": ".", "DV": y, "EVID": 0} for t, y in zip(times, seen, strict=True)]
    whole = pd.DataFrame(rows)
    parts = [whole[whole["ID"] == subject] for subject in (range(COUNT) if order is None else order)]
    pd.concat(parts).to_csv(folder / "data.csv", index=False)
    data = read_dataset(folder / "data.csv", outputs=["conc"], units={"AMT": "mg", "conc": "mg/L"})
    problem = connected(population, body, data).problem
    return Scalar(population, Approximation("focei"), problem if chunk is None else replace(problem, chunk=chunk))


@pytest.mark.parametrize("subjects", [4, 7, 11, 12])
def test_each_comes_back_to_its_place(subjects: int) -> None:
    order = np.random.default_rng(subjects).permutation(subjects)
    together = []

    def one(each: dict[str, Array], factor: Array) -> tuple[Array, Array]:
        together.append(each["x"].shape)
        return factor * each["x"], each["y"].sum(axis=0)

    given = {"x": jnp.arange(float(subjects)), "y": jnp.arange(6.0 * subjects).reshape(2, 3, subjects)}
    found = jax.jit(lambda given: by_chunks(one, given, order, 4, jnp.asarray(3.0)))(given)
    np.testing.assert_array_equal(found[0], 3.0 * given["x"])
    np.testing.assert_array_equal(found[1], given["y"].sum(axis=0))
    assert {shape[0] for shape in together} == {chunk_of(subjects, 4)}
    assert chunk_of(subjects, 4) <= 4


def test_what_is_integrated_is_dealt_out_further(tmp_path: Path) -> None:
    """A second core should have its share of a study of forty; in closed form all are done before it were asked."""
    assert scalar(tmp_path, people(), oral()).problem.chunk == CHUNK
    assert scalar(tmp_path, people(), integrated()).problem.chunk == CHUNK_INTEGRATED
    assert chunk_of(40, CHUNK) == 40
    assert chunk_of(40, CHUNK_INTEGRATED) == 20


def test_alike_are_dealt_together_whatever_their_order() -> None:
    times, values = np.array([[2.0, 1.0, 2.0, 1.0], [3.0, 3.0, 3.0, 4.0]]), np.array([[5.0, 6.0, 4.0, 7.0]])
    order = alike(times, values)
    assert order.tolist() == [1, 3, 2, 0]
    other = np.array([3, 0, 2, 1])
    np.testing.assert_array_equal(other[alike(times[:, other], values[:, other])], order)


def test_the_objective_is_that_of_the_whole(tmp_path: Path) -> None:
    whole = scalar(tmp_path, people(), oral())
    x = whole.population.packing.start() + 0.1
    expected, bent = whole.evaluation(x), whole.hessian(x)
    dealt = scalar(tmp_path, people(), oral(), chunk=4)
    found = dealt.evaluation(x)
    for name in ("value", "score", "z", "w"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-9, atol=1e-11, err_msg=name)
    assert not found.failed.any()
    np.testing.assert_allclose(dealt.hessian(x), bent, rtol=1e-10, atol=1e-10)


@pytest.mark.C5
def test_what_is_integrated_does_not_depend_on_the_order_of_the_table(tmp_path: Path) -> None:
    order = np.random.default_rng(1).permutation(COUNT)
    population = people()
    one = scalar(tmp_path, population, integrated(), chunk=4)
    other = scalar(tmp_path, population, integrated(), order, chunk=4)
    x = one.population.packing.start()
    np.testing.assert_allclose(other.evaluation(x).value, one.evaluation(x).value[order], rtol=1e-12)
    exact = scalar(tmp_path, people(), oral(), chunk=4)
    assert one.value(x)[0] == pytest.approx(exact.value(x)[0], abs=1e-4)
