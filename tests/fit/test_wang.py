"""Ten subjects at fixed parameters: every approximation against NONMEM's numbers, or against quadrature."""

import csv
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import WANG, wang
from oracles import wang2007
from oracles.quadrature import by_nodes, by_trapezoid
from oracles.quadrature import population as summed

from pkpd.fit.objective import Approximation, evaluate

PRINTED = Path(__file__).parents[2] / "data" / "qualification" / "wang2007" / "objectives.csv"
N_LOG_2PI = 20 * np.log(2 * np.pi)
PRIOR_SD = wang2007.OMEGA2**0.5


def printed() -> dict[tuple[str, str], float]:
    with PRINTED.open(newline="") as stream:
        return {(row["error_model"], row["method"]): float(row["objective"]) for row in csv.DictReader(stream)}


def objective(error_model: str, approximation: Approximation) -> float:
    population, problem = wang(error_model)
    found = evaluate(jnp.asarray(population.packing.start()), population, approximation, problem)
    assert not np.asarray(found.failed).any()
    return float(found.value.sum())


@pytest.mark.C1
@pytest.mark.parametrize("method", ["FO", "FOCE", "FOCEI"])
@pytest.mark.parametrize("error_model", WANG)
def test_the_objective_is_nonmems(error_model: str, method: str) -> None:
    # NONMEM prints three decimals; half of the last one is all that may differ, with room for 1e-5 beyond.
    assert objective(error_model, Approximation(method.lower())) == pytest.approx(  # type: ignore[arg-type]
        printed()[error_model, method], abs=5.1e-4
    )


@pytest.mark.C2
@pytest.mark.parametrize("error_model", WANG)
def test_laplace_is_one_node_of_adaptive_quadrature(error_model: str) -> None:
    exact = summed(wang2007.subjects(error_model), lambda one: by_nodes(one, PRIOR_SD, 1)) - N_LOG_2PI
    # The oracle takes its curvature from differences, good to 1e-7 of each subject's.
    assert objective(error_model, Approximation("laplace")) == pytest.approx(exact, abs=1e-5)


@pytest.mark.C2
@pytest.mark.parametrize("error_model", WANG)
def test_adaptive_quadrature_is_exact(error_model: str) -> None:
    exact = summed(wang2007.subjects(error_model), lambda one: by_trapezoid(one, PRIOR_SD)) - N_LOG_2PI
    assert objective(error_model, Approximation("agq", 21)) == pytest.approx(exact, abs=1e-6)


@pytest.mark.C2
def test_more_nodes_come_nearer() -> None:
    exact = summed(wang2007.subjects("proportional"), lambda one: by_trapezoid(one, PRIOR_SD)) - N_LOG_2PI
    errors = [abs(objective("proportional", Approximation("agq", nodes)) - exact) for nodes in (2, 5, 11)]
    assert errors[0] > 10 * errors[1] > 100 * errors[2]


@pytest.mark.C5
def test_the_objective_is_a_function_of_its_parameters() -> None:
    """Cold, after points far away, after one that failed, and with the subjects in another order."""
    population, problem = wang("proportional")
    focei = Approximation("focei")
    x = jnp.asarray(population.packing.start())
    cold = evaluate(x, population, focei, problem)
    for far in (x + 1.5, x - 1.5, x * jnp.nan):
        evaluate(far, population, focei, problem)
    warm = evaluate(x, population, focei, problem)
    # Nothing is kept between evaluations: equal to the last bit.
    assert np.array_equal(np.asarray(cold.value), np.asarray(warm.value))

    import jax

    order = np.random.default_rng(5).permutation(10)
    shuffled = jax.tree.map(lambda leaf: leaf[..., order], problem)
    # Wang's times are the same for all subjects, so the prediction function need not be shuffled.
    other = evaluate(x, population, focei, shuffled)
    np.testing.assert_allclose(np.asarray(other.value), np.asarray(cold.value)[order], rtol=0, atol=1e-12)


@pytest.mark.F7
def test_a_subject_that_fails_is_named_and_harms_nobody() -> None:
    from dataclasses import replace

    from pkpd.fit.scalar import Scalar

    population, problem = wang("additive")
    observed = problem.observations["conc"]
    spoilt = replace(observed, value=observed.value.at[1, 3].set(jnp.nan))
    focei = Approximation("focei")
    x = population.packing.start()
    sound = evaluate(jnp.asarray(x), population, focei, problem)
    broken = replace(problem, observations={"conc": spoilt})
    found = evaluate(jnp.asarray(x), population, focei, broken)
    assert np.flatnonzero(np.asarray(found.failed)).tolist() == [3]
    others = np.arange(10) != 3
    np.testing.assert_allclose(np.asarray(found.value)[others], np.asarray(sound.value)[others], atol=1e-12)
    np.testing.assert_allclose(np.asarray(found.score)[:, others], np.asarray(sound.score)[:, others], atol=1e-9)
    assert Scalar(population, focei, broken).value(x)[0] == np.inf
