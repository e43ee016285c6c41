"""Marginal likelihoods by two quadratures: a case with a closed form, and four with published values."""

import csv
from collections.abc import Callable

import numpy as np
import pytest
from oracles import wang2007
from oracles.quadrature import LogJoint, by_nodes, by_trapezoid, normal_log_density, population

PRIOR_SD = np.sqrt(wang2007.OMEGA2)
OBJECTIVE_CONSTANT = 20 * np.log(2 * np.pi)


def linear_mixed_model(values: np.ndarray, slopes: np.ndarray, variance: float, omega2: float) -> LogJoint:
    """y_j = slope_j eta + e_j: the marginal is normal with covariance variance I + omega2 slopes slopes'."""

    def log_joint(eta: np.ndarray) -> np.ndarray:
        mean = eta[:, None] * slopes
        likelihood = normal_log_density(values, mean, np.full_like(mean, variance)).sum(axis=1)
        return likelihood + normal_log_density(eta, np.zeros_like(eta), np.full_like(eta, omega2))

    return log_joint


@pytest.mark.parametrize(
    "integral",
    [lambda f: by_trapezoid(f, 0.5), lambda f: by_nodes(f, 0.5, 1), lambda f: by_nodes(f, 0.5, 15)],
    ids=["trapezoid", "Laplace", "15 nodes"],
)
def test_a_linear_mixed_model_has_a_normal_marginal(integral: Callable[[LogJoint], float]) -> None:
    values, slopes, variance, omega2 = np.array([0.4, -1.1, 2.0]), np.array([1.0, 2.0, 0.5]), 0.3, 0.25
    covariance = variance * np.eye(3) + omega2 * np.outer(slopes, slopes)
    sign, log_determinant = np.linalg.slogdet(2 * np.pi * covariance)
    expected = sign * log_determinant + values @ np.linalg.solve(covariance, values)
    # the curvature is a difference quotient, good to about 1e-9; it enters Laplace's value as its logarithm
    assert integral(linear_mixed_model(values, slopes, variance, omega2)) == pytest.approx(expected, abs=1e-8)


def published(method: str) -> dict[str, float]:
    with (wang2007.OBSERVATIONS.parent / "objectives.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["method"] == method]
    return {row["error_model"]: float(row["objective"]) for row in rows}


@pytest.mark.parametrize("error_model", wang2007.VARIANCES)
def test_exact_likelihood_of_the_four_error_models(error_model: str) -> None:
    subjects = wang2007.subjects(error_model)
    assert len(subjects) == 10
    exact = population(subjects, lambda subject: by_trapezoid(subject, PRIOR_SD))
    assert exact - OBJECTIVE_CONSTANT == pytest.approx(published("exact")[error_model], abs=5.1e-6)
    nodes = population(subjects, lambda subject: by_nodes(subject, PRIOR_SD, 41))
    assert nodes == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize("error_model", wang2007.VARIANCES)
def test_an_approximation_is_near_the_exact_value_and_is_not_it(error_model: str) -> None:
    subjects = wang2007.subjects(error_model)
    exact = population(subjects, lambda subject: by_trapezoid(subject, PRIOR_SD))
    laplace = population(subjects, lambda subject: by_nodes(subject, PRIOR_SD, 1))
    focei = published("FOCEI")[error_model] + OBJECTIVE_CONSTANT
    # FOCEI is Laplace with expected curvature; neither is the integral, and a wrong model is units away
    assert 1e-3 < abs(laplace - exact) < 0.2
    assert 1e-3 < abs(focei - exact) < 0.6


def test_an_integrand_that_is_not_a_number_is_not_integrated() -> None:
    with np.errstate(invalid="ignore"), pytest.raises(ArithmeticError, match="did not settle"):
        by_trapezoid(lambda eta: np.full_like(eta, np.nan), 0.5)
