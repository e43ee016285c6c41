"""Two stages: each subject as least squares alone would have it, then mean and covariance over the subjects."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import one_compartment_oral, plain_table
from scipy.optimize import least_squares, minimize_scalar
from scipy.stats import multivariate_normal

from pkpd.errors import InputError
from pkpd.fit.problem import Problem, Table, problem
from pkpd.fit.two_stage import TwoStage, two_stage
from pkpd.population.expression import Covariate, Theta, fixed
from pkpd.population.individual import LogNormal, Normal
from pkpd.population.population import Population
from pkpd.population.residual import Additive, exponential

TIMES = np.array([0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16])
SYMBOLS = ("ka", "cl", "v")
START = np.array([1.3, 2.5, 25.0])
SUBJECTS, SPARSE, EMPTY = 12, 4, 7


def concentrations() -> np.ndarray:
    """SIMULATED: rich data, but for one subject with two observations and one with none."""
    rng = np.random.default_rng(3)
    drawn = np.array([[1.0], [3.0], [20.0]]) * np.exp(rng.normal(0, 0.3, (3, SUBJECTS)))
    found = np.stack([bateman(*drawn[:, i]) for i in range(SUBJECTS)], axis=1)
    found = found * np.exp(rng.normal(0, 0.05, found.shape))
    found[2:, SPARSE] = np.nan
    found[:, EMPTY] = np.nan
    return found


def bateman(ka: float, cl: float, v: float) -> np.ndarray:
    ke = cl / v
    return 100 * ka / (v * (ka - ke)) * (np.exp(-ke * TIMES) - np.exp(-ka * TIMES))


@pytest.fixture(scope="module")
def oral() -> TwoStage:
    return analysed(concentrations())


def analysed(value: np.ndarray) -> TwoStage:
    time = jnp.asarray(np.repeat(TIMES[:, None], SUBJECTS, axis=1))
    population = Population(
        {name: LogNormal(float(start), cv=0.4) for name, start in zip(SYMBOLS, START, strict=True)},
        {"conc": exponential(0.1)},
    )
    table = plain_table(value)
    predict = one_compartment_oral(time, jnp.full(SUBJECTS, 100.0))
    return two_stage(population, problem(population, table, predict), table)


@pytest.fixture(scope="module")
def alone() -> tuple[np.ndarray, float]:
    """log estimates of each subject with rich data by least squares `[subject, parameter]`; the residual SD."""
    found, squares = [], 0.0
    for i in np.delete(np.arange(SUBJECTS), [SPARSE, EMPTY]):
        observed = np.log(concentrations()[:, i])
        one = least_squares(
            lambda p, observed=observed: observed - np.log(bateman(*np.exp(p))), np.log(START), method="lm", xtol=1e-14
        )
        found.append(one.x)
        squares += 2 * one.cost
    return np.array(found), float(np.sqrt(squares / (len(found) * (len(TIMES) - 3))))


def test_each_subject_is_fitted_as_if_alone(oral: TwoStage, alone: tuple[np.ndarray, float]) -> None:
    ours = np.log(np.stack([oral.parameters[name] for name in SYMBOLS], axis=1))
    prior = 10 * np.log(1 + 0.4**2) ** 0.5
    share = np.nanmax(np.stack([oral.se[name] for name in SYMBOLS]) / prior) ** 2
    assert share < 4e-4
    # No etas are larger than 1.1, and the prior draws each of the three by that share of them.
    assert np.abs(alone[0] - np.log(START)).max() < 1.1
    kept = np.isfinite(ours).all(axis=1)
    np.testing.assert_allclose(ours[kept], alone[0], rtol=0, atol=3 * 4e-4 * 1.1)


def test_population_is_mean_and_covariance_of_the_subjects(oral: TwoStage, alone: tuple[np.ndarray, float]) -> None:
    estimates, residual = alone
    # The subjects' tolerance, of which the mean has no more and the SD, of n - 1, hardly more.
    np.testing.assert_allclose(
        np.log([oral.typical[name] for name in SYMBOLS]), estimates.mean(axis=0), rtol=0, atol=1.4e-3
    )
    np.testing.assert_allclose(list(oral.sd.values()), estimates.std(axis=0, ddof=1), rtol=0, atol=1.4e-3)
    # Correlations move by a few times the relative change of the SDs, 1.4e-3/0.2.
    np.testing.assert_allclose(oral.correlation, np.corrcoef(estimates.T), rtol=0, atol=0.01)
    # As in REML, three parameters of each subject are paid for; Laplace's curvature is not quite linear here.
    assert oral.residual["conc.sd"] == pytest.approx(residual, rel=2e-3)
    assert tuple(oral.sd) == SYMBOLS and oral.held == () and oral.reasons == ()


def test_a_subject_without_information_is_named_and_counts_for_nothing(oral: TwoStage) -> None:
    assert set(oral.failed) == {oral.subjects[SPARSE], oral.subjects[EMPTY]}
    assert "too little of cl" in oral.failed[oral.subjects[SPARSE]]
    assert oral.failed[oral.subjects[EMPTY]] == "it has no observations"
    for found in (oral.parameters, oral.etas, oral.se):
        for values in found.values():
            assert np.flatnonzero(np.isnan(values)).tolist() == [SPARSE, EMPTY]
    value = concentrations()
    value[:, SPARSE] = np.nan
    without = analysed(value)
    assert oral.residual == pytest.approx(without.residual, rel=1e-6)
    assert oral.typical == pytest.approx(without.typical, rel=1e-6)


def test_a_fit_may_start_from_it(oral: TwoStage) -> None:
    begin = {one.name: one.initial for one in oral.population.packing.free}
    omega = {f"omega.{name}": sd for name, sd in oral.sd.items()}
    assert begin == pytest.approx(oral.typical | oral.residual | omega, rel=1e-12)


WEIGHT = np.array([50.0, 60, 70, 80, 90, 100])
FAILING = 5


def lines() -> tuple[Population, Problem, Table]:
    """y = a (WT/70)^size + b t: b is everybody's. The model breaks down where the last subject's data are."""
    t = np.arange(5.0)

    def predict(p: dict[str, jax.Array]) -> dict[str, jax.Array]:
        line = p["a"][None] + p["b"][None] * jnp.asarray(t)[:, None]
        return {"y": jnp.where(line > 40.0, jnp.nan, line)}

    rng = np.random.default_rng(8)
    value = (5 + rng.normal(0, 1, 6)) * (WEIGHT / 70) ** 0.75 + 0.4 * t[:, None] + rng.normal(0, 0.3, (5, 6))
    value[1:, 0] = np.nan
    value[:, FAILING] += 60
    size = Theta(0.75, name="size")
    population = Population({"a": Normal(4.0, sd=1.0) * (Covariate("WT") / 70) ** size, "b": 0.1}, {"y": Additive(0.5)})
    table = plain_table(value, "y", covariates={"WT": WEIGHT})
    return population, problem(population, table, predict), table


def test_what_is_common_is_estimated_by_the_marginal_likelihood() -> None:
    """A line is linear in everything, so that Laplace's approximation is exact: the oracle is a normal density."""
    population, data, table = lines()
    found = two_stage(population, data, table)
    assert found.failed == {6: "its individual fit fails"}
    assert found.held == ("size",) and found.typical["size"] == 0.75
    times, factor, prior = np.arange(5.0), (WEIGHT / 70) ** 0.75, 10.0

    def each(sd: float):  # type: ignore[no-untyped-def]
        for i in range(FAILING):
            y = table.value[:, i][~np.isnan(table.value[:, i])]
            ones = np.ones(len(y))
            yield (
                y - 4 * factor[i],
                ones * factor[i],
                times[: len(y)],
                sd**2 * np.eye(len(y)) + np.outer(ones, ones) * (prior * factor[i]) ** 2,
            )

    def slope(sd: float) -> float:
        """Generalised least squares."""
        weighted = [(t @ np.linalg.solve(v, y), t @ np.linalg.solve(v, t)) for y, _, t, v in each(sd)]
        return sum(a for a, _ in weighted) / sum(b for _, b in weighted)

    def deviance(sd: float) -> float:
        b = slope(sd)
        return -2 * sum(multivariate_normal(b * t, v).logpdf(y) for y, _, t, v in each(sd))

    sd = minimize_scalar(deviance, bounds=(0.05, 2.0), method="bounded", options={"xatol": 1e-9}).x  # type: ignore[attr-defined]
    # The outer search ends where its own gain is below 1e-7 or so: a flat optimum, known to its square root.
    assert found.residual["y.sd"] == pytest.approx(sd, rel=1e-4)
    assert found.typical["b"] == pytest.approx(slope(sd), rel=1e-4)
    # Each eta, exactly, where the common numbers are those found.
    b, s = found.typical["b"], found.residual["y.sd"]
    for i, (y, z, t, _) in enumerate(each(s)):
        precision = z @ z / s**2 + 1 / prior**2
        assert found.etas["a"][i] == pytest.approx(z @ (y - b * t) / s**2 / precision, abs=1e-8)
        assert found.se["a"][i] == pytest.approx(precision**-0.5, rel=1e-8)
    etas = found.etas["a"][:FAILING]
    assert found.typical["a"] == pytest.approx(4 + etas.mean(), rel=1e-12)
    assert found.sd == {"a": pytest.approx(etas.std(ddof=1), rel=1e-12)}


def test_a_mean_needs_two_subjects() -> None:
    population, data, table = lines()
    bare = replace(table, endpoint=np.where(np.arange(6) == 2, table.endpoint, ""))
    with pytest.raises(InputError, match="1 subjects have an estimate.*subject 1: it has no observations"):
        two_stage(population, problem(population, bare, data.predict), bare)


@pytest.mark.parametrize(
    ("parameters", "residual", "told"),
    [
        ({"a": Normal(4.0, sd=1.0, occasion_sd=0.5)}, Additive(0.5), "between occasions"),
        ({"a": Normal(4.0, sd=1.0, site_sd=0.5)}, Additive(0.5), "between sites"),
        ({"a": Normal(4.0, sd=1.0)}, Additive(LogNormal(0.5, sd=0.3)), "residual error of 'y' varies"),
        ({"a": 4.0}, Additive(0.5), "nothing varies"),
        ({"a": Normal(4.0, sd=1.0)}, Additive(fixed(0.5)), "residual error is fixed"),
        ({"a": Normal(Theta(4.0) + Covariate("WT"), sd=1.0)}, Additive(0.5), "no theta times"),
        ({"a": Normal(Theta(4.0) * Covariate("WT"), sd=1.0)}, Additive(0.5), "a Normal with covariates"),
        (
            {"a": LogNormal(Theta(4.0, name="m"), sd=1.0), "b": LogNormal(Theta(4.0, name="m"), sd=1.0)},
            Additive(0.5),
            "two random effects move 'm'",
        ),
        (
            {"a": LogNormal(Theta(4.0, name="m"), sd=1.0), "b": 2.0 * Theta(4.0, name="m")},
            Additive(0.5),
            "'m' is a typical value and stands elsewhere",
        ),
    ],
)
def test_what_two_stages_cannot_do_is_refused(parameters: dict, residual: Additive, told: str) -> None:
    _, data, table = lines()
    with pytest.raises(InputError, match=told):
        two_stage(Population(parameters, {"y": residual}), data, table)
