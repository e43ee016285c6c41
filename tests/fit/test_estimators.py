"""The loop, its methods, and going on after being killed."""

from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from closed_forms import one_compartment_oral, plain_table, wang

from pkpd.errors import InputError
from pkpd.fit.checkpoint import Checkpoint, fingerprint
from pkpd.fit.clock import Clock
from pkpd.fit.estimator import Progress, Verdict, run
from pkpd.fit.first_order import FirstOrder
from pkpd.fit.fit import Start, _result, fit
from pkpd.fit.objective import Approximation, Evaluation, evaluate
from pkpd.fit.quasi_newton import QuasiNewton
from pkpd.fit.scalar import Scalar
from pkpd.fit.starts import starts

FOCEI = Approximation("focei")


@pytest.fixture(scope="module")
def scalar() -> Scalar:
    population, problem = wang("additive")
    return Scalar(population, FOCEI, problem)


@pytest.fixture(scope="module")
def optimum(scalar: Scalar) -> np.ndarray:
    method = QuasiNewton()
    state, verdict = run(method, scalar, method.init(scalar, scalar.population.packing.start()))
    assert verdict.converged
    return method.finish(state)


def test_the_gradient_vanishes_at_the_optimum(scalar: Scalar, optimum: np.ndarray) -> None:
    value, gradient, _ = scalar.value(optimum)
    hessian = scalar.hessian(optimum)
    assert np.linalg.eigvalsh(hessian)[0] > 0
    # What Newton's step still promises, from exact second derivatives and not from the method's own.
    assert gradient @ np.linalg.solve(hessian, gradient) < 1e-7
    assert value < scalar.value(scalar.population.packing.start())[0] - 0.01


@pytest.mark.parametrize("name", ["adam", "nadam", "amsgrad"])
def test_first_order_methods_end_there_too(name: str, scalar: Scalar, optimum: np.ndarray) -> None:
    method = FirstOrder(name, rate=0.1, steps=600, tolerance=1e-4)
    state, _ = run(method, scalar, method.init(scalar, scalar.population.packing.start()))
    assert scalar.value(method.finish(state))[0] == pytest.approx(scalar.value(optimum)[0], abs=1e-4)


@pytest.mark.parametrize("method", [QuasiNewton(), FirstOrder("adam", steps=3)])
def test_progress_counts_what_was_evaluated(
    method: QuasiNewton | FirstOrder, scalar: Scalar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where it ends nothing is evaluated again."""
    asked = []

    def noted(x: np.ndarray, *others: object) -> Evaluation:
        asked.append(np.asarray(x))
        return evaluate(x, *others)  # type: ignore[arg-type]

    monkeypatch.setattr("pkpd.fit.scalar.evaluate", noted)
    fresh = replace(scalar)
    state, _ = run(method, fresh, method.init(fresh, scalar.population.packing.start()))
    assert method.progress(state).evaluations == len(asked) > method.progress(state).step
    if isinstance(method, QuasiNewton):
        end = fresh.evaluation(method.finish(state))
        assert fresh.value(method.finish(state))[0] == end.value.sum()
        assert np.isfinite(fresh.hessian(method.finish(state))).all()
        assert len(asked) == method.progress(state).evaluations


def test_another_place_is_evaluated_anew(scalar: Scalar) -> None:
    x = scalar.population.packing.start()
    here, there = scalar.value(x)[0], scalar.value(x + 0.1)[0]
    assert here != there
    assert (scalar.value(x)[0], scalar.value(x + 0.1)[0]) == (here, there)


def test_an_unknown_method_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="'newton'"):
        FirstOrder("newton")
    with pytest.raises(InputError, match="'focus'"):
        Approximation("focus")
    with pytest.raises(InputError, match="nodes"):
        Approximation("focei", 3)


def test_a_start_without_a_value_is_no_result(scalar: Scalar) -> None:
    method = QuasiNewton()
    state = method.init(scalar, np.full(3, np.nan))
    verdict = method.terminate(state)
    assert verdict.done and not verdict.converged
    assert "infinite" in verdict.reason


def test_too_few_steps_are_not_convergence(scalar: Scalar) -> None:
    method = QuasiNewton(steps=1)
    x = scalar.population.packing.start() + 1.0
    verdict = run(method, scalar, method.init(scalar, x))[1]
    assert not verdict.converged
    assert "1 steps" in verdict.reason


@pytest.mark.F1
@pytest.mark.parametrize("method", [QuasiNewton(), FirstOrder("adam", steps=20)], ids=["bfgs", "adam"])
@pytest.mark.parametrize("killed_after", [1, 3, 6])
def test_a_killed_fit_ends_as_the_uninterrupted(
    method: QuasiNewton | FirstOrder, killed_after: int, scalar: Scalar, tmp_path: Path
) -> None:
    x = scalar.population.packing.start() + 0.7
    whole = run(method, scalar, method.init(scalar, x))[0]

    class KilledError(Exception):
        pass

    seen: list[Progress] = []

    def told(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == killed_after:
            raise KilledError

    kept = Checkpoint(tmp_path / "state.npz", fingerprint(scalar, method, x), interval=0.0)
    with pytest.raises(KilledError):
        run(method, scalar, method.init(scalar, x), told=told, kept=kept.keep)
    again = Checkpoint(tmp_path / "state.npz", fingerprint(scalar, method, x), interval=0.0)
    state = again.resume(method.init(scalar, x))
    assert state is not None
    assert int(state.step) == killed_after
    ended = run(method, scalar, state)[0]
    assert np.array_equal(method.finish(ended), method.finish(whole))
    assert int(ended.step) == int(whole.step)


@pytest.mark.F2
def test_another_fit_does_not_go_on_from_it(scalar: Scalar, tmp_path: Path) -> None:
    method = QuasiNewton()
    x = scalar.population.packing.start()
    path = tmp_path / "state.npz"
    Checkpoint(path, fingerprint(scalar, method, x)).keep(method.init(scalar, x))
    other = Scalar(scalar.population, Approximation("foce"), scalar.problem)
    with pytest.raises(InputError, match="method differ"):
        Checkpoint(path, fingerprint(other, method, x)).resume(method.init(scalar, x))
    with pytest.raises(InputError, match="estimator, start differ"):
        Checkpoint(path, fingerprint(scalar, QuasiNewton(steps=3), x + 1)).resume(method.init(scalar, x))
    data = Scalar(*wang("additive")[:1], FOCEI, wang("proportional")[1])
    assert fingerprint(data, method, x)["data"] == fingerprint(scalar, method, x)["data"]


def test_a_fit_of_another_model_does_not_go_on_from_it(scalar: Scalar) -> None:
    """Also where its parameters are the same and only what is done with them differs; the same twice is the same."""
    inner, method = scalar.problem.predict, QuasiNewton()

    def named(share: float, power: int = 1) -> dict[str, str]:
        def predict(parameters: dict[str, jax.Array]) -> dict[str, jax.Array]:
            return {name: share * value**power for name, value in inner(parameters).items()}

        problem = replace(scalar.problem, predict=jax.tree_util.Partial(predict))
        return fingerprint(Scalar(scalar.population, FOCEI, problem), method, scalar.population.packing.start())

    first = named(1.0)
    assert named(1.0) == first
    for other in (named(1.5), named(1.0, 2)):
        assert [name for name in other if other[name] != first[name]] == ["model"]


def test_a_start_that_came_lower_without_converging_is_told(scalar: Scalar) -> None:
    x = scalar.population.packing.start()
    best = Start(x, 10.0, Verdict(True, True, "settled"), 5, 6, ())
    lower = Start(x, 7.0, Verdict(True, False, "not converged after 5 steps"), 5, 6, ())
    table = plain_table(np.zeros((1, scalar.problem.subjects)))
    found = _result(scalar, table, best, (best, lower), Clock())
    assert found.reasons == ("start 2 came 3.0 lower without converging: there is a better optimum elsewhere",)
    assert _result(scalar, table, best, (best, best), Clock()).reasons == ()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"\x80\x04\x95pickle"])
def test_a_damaged_checkpoint_is_refused(content: bytes, scalar: Scalar, tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    path.write_bytes(content)
    method = QuasiNewton()
    x = scalar.population.packing.start()
    with pytest.raises(InputError, match="no checkpoint"):
        Checkpoint(path, fingerprint(scalar, method, x)).resume(method.init(scalar, x))


def test_starts_are_the_same_whatever_their_number(scalar: Scalar) -> None:
    few, many = starts(scalar.population, 3, seed=4), starts(scalar.population, 8, seed=4)
    assert all(np.array_equal(a, b) for a, b in zip(few, many, strict=False))
    assert np.array_equal(few[0], scalar.population.packing.start())
    moved = np.abs(np.array(many[1:])[:, 0] - few[0][0])
    assert moved.min() > 0 and moved.max() <= np.log(3)
    assert not np.array_equal(starts(scalar.population, 3, seed=5)[1], few[1])


def test_random_starts_stay_where_priors_allow(scalar: Scalar) -> None:
    from numpyro.distributions import Uniform

    name = next(one for one in scalar.population.thetas if scalar.population.thetas[one].transform == "log")
    value = float(scalar.population.thetas[name].initial)
    narrow = replace(scalar.population, priors={name: Uniform(0.9 * value, 1.1 * value)})
    place = narrow.packing.names.index(name)
    moved = np.exp([x[place] for x in starts(narrow, 20, seed=4)]) / value
    assert moved.min() > 0.9 and moved.max() < 1.1 and np.ptp(moved) > 0.02


def test_a_fit_tells_what_it_found_and_resumes_as_a_whole(tmp_path: Path) -> None:
    """A small oral data set: result complete, starts agree, the folder of checkpoints gives the same again."""
    import jax.numpy as jnp

    from pkpd.fit.problem import problem
    from pkpd.population.individual import LogNormal
    from pkpd.population.population import Population
    from pkpd.population.residual import Proportional

    rng = np.random.default_rng(11)
    time = jnp.asarray(np.repeat(np.array([0.5, 1, 2, 4, 8, 16])[:, None], 16, axis=1))
    predict = one_compartment_oral(time, jnp.full(16, 100.0))
    truth = {
        name: jnp.asarray(v * np.exp(rng.normal(0, 0.3, 16))) for name, v in (("ka", 1.0), ("cl", 3.0), ("v", 20.0))
    }
    value = np.asarray(predict(truth)["conc"]) * np.exp(rng.normal(0, 0.1, time.shape))
    population = Population(
        {"ka": LogNormal(1.0, cv=0.3), "cl": LogNormal(3.0, cv=0.3), "v": LogNormal(20.0, cv=0.3)},
        {"conc": Proportional(0.1)},
    )
    table = plain_table(value)
    data = problem(population, table, predict)
    told: list[tuple[int, Progress]] = []
    found = fit(population, data, table, starts=3, told=lambda *one: told.append(one), checkpoints=tmp_path)
    assert found.converged and found.reasons == ()
    assert found.agreeing == 3
    assert found.evaluations == sum(one.evaluations for one in found.starts) > sum(one.steps for one in found.starts)
    assert [start for start, _ in told] == [k for k, one in enumerate(found.starts) for _ in range(one.steps)]
    assert found.ofv == pytest.approx(found.subject_ofv.sum(), abs=1e-9)
    assert set(found.se) == set(found.estimates)
    shown = str(found).splitlines()
    assert shown[1].split() == ["ka", f"{found.estimates['ka']:.4g}", f"{found.se['ka']:.3g}"]
    assert shown[-1].startswith(f"focei, objective {found.ofv:.3f} (-2 log L")
    assert list(found.etas) == ["ka", "cl", "v"]
    # 16 subjects: three times the SE of a log-scale mean of 0.3.
    for name, v in (("ka", 1.0), ("cl", 3.0), ("v", 20.0)):
        assert abs(np.log(found.estimates[name] / v)) < 3 * 0.35 / 4
        assert found.etas[name].shape == (16,)
        assert -0.5 < found.eta_shrinkage[name] < 0.5
    again = fit(population, data, table, starts=3, covariance=None, checkpoints=tmp_path)
    assert np.array_equal(again.x, found.x)
    assert again.uncertainty is None and again.se == {}
