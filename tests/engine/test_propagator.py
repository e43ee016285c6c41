"""exp(A t) of compartment systems, against fifty digits."""

from collections.abc import Mapping
from functools import partial

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray
from oracles.high_precision import expm_action
from oracles.linear_models import disposition, il2_subcutaneous, one_compartment_oral, three_compartment_oral

from pkpd.engine.propagator import Sparse, closure, exponential, product, taylor


def chain(stages: int, rate: float) -> NDArray:
    """`stages` compartments of one rate in a row, the last leading out."""
    return np.diag(np.full(stages, -rate)) + np.diag(np.full(stages - 1, rate), -1)


SYSTEMS = {
    "one compartment": disposition(1.0, 3.0),
    "three compartments": three_compartment_oral(0.9, 4.0, 10.0, 2.0, 15.0, 0.7, 40.0),
    "four rates, two of them equal": il2_subcutaneous(0.28, 10.0, 2.8, 1.4, 2.3),
    "equal rates": one_compartment_oral(0.25, 0.25, 1.0),
    "rates equal to 1e-14": one_compartment_oral(0.25 * (1 + 1e-14), 0.25, 1.0),
    "nothing leaves": disposition(0.0, 10.0, (2.0, 15.0)),
    "nothing moves": np.zeros((2, 2)),
    "a rate of 0": one_compartment_oral(0.0, 1.0, 3.0),
    "transit chain of 10": chain(10, 2.5),
}


def sparse(matrix: NDArray, times: NDArray) -> Sparse:
    """Non-zeros and the diagonal, spread over a batch of times."""
    return {
        (int(i), int(j)): jnp.full(times.shape, matrix[i, j])
        for i, j in np.ndindex(*matrix.shape)
        if matrix[i, j] or i == j
    }


def dense(entries: Mapping[tuple[int, int], jax.Array], size: int) -> NDArray:
    """[batch, row, column]."""
    batch = next(iter(entries.values())).shape[0]
    full = np.zeros((batch, size, size))
    for (i, j), entry in entries.items():
        full[:, i, j] = entry
    return full


@partial(jax.jit, static_argnums=1)
def compiled(matrix: Sparse, size: int, times: jax.Array) -> Sparse:
    return exponential(matrix, size, times)


def propagators(matrix: NDArray, times: NDArray) -> NDArray:
    """[time, row, column]; in batches of ten, so that a system is compiled once."""
    batch = np.resize(times, 10)
    return dense(compiled(sparse(matrix, batch), len(matrix), jnp.asarray(batch)), len(matrix))[: len(times)]


def fifty_digits(matrix: NDArray, time: float) -> mpmath.matrix:
    """exp(A t) by the oracle's series at a time 2^-k t, where it is short, squared k times with digits to spare."""
    size = float(np.abs(matrix).sum(axis=0).max()) * time
    squarings = max(0, int(np.ceil(np.log2(max(size, 1.0)))))
    columns = [expm_action(matrix, unit, time / 2.0**squarings, digits=130) for unit in np.eye(len(matrix))]
    with mpmath.workdps(150):
        result = mpmath.matrix([list(row) for row in zip(*columns, strict=True)])
        for _ in range(squarings):
            result = result * result
    return result


def largest_relative_error(found: NDArray, truth: mpmath.matrix) -> float:
    """Over all entries, each by its own size; what a double cannot hold must be 0 or nearly."""
    with mpmath.workdps(60):
        return max(
            float(abs(mpmath.mpf(float(found[i, j])) - truth[i, j]) / max(abs(truth[i, j]), mpmath.mpf("1e-290")))
            for i, j in np.ndindex(*found.shape)
        )


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_entry_is_right_to_rounding(system: str) -> None:
    matrix = SYSTEMS[system]
    norm = max(float(np.abs(matrix).sum(axis=0).max()), 1e-3)
    reach = np.array([0.0, 1e-6, 1e-3, 0.5, 1.0, 3.0, 30.0, 300.0, 1e3, 1e4])
    times = reach / norm
    found = propagators(matrix, times)
    for size, time, entries in zip(reach, times, found, strict=True):
        # each squaring doubles the relative error; measured at most 9e-16 t |A|, 3e-13 at 1e3
        limit = 1e-15 * max(size, 2.0)
        assert largest_relative_error(entries, fifty_digits(matrix, float(time))) <= limit, size


@pytest.mark.A8
@pytest.mark.parametrize("distance", [0.0, 1e-16, 1e-14, 1e-12, 1e-9, 1e-6, 1e-4, 1e-2])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_nearly_equal_rates_are_no_special_case(distance: float, sign: float) -> None:
    matrix = one_compartment_oral(0.25 * (1 + sign * distance), 0.25, 1.0)
    times = np.array([0.1, 4.0, 24.0, 300.0])
    for time, entries in zip(times, propagators(matrix, times), strict=True):
        assert largest_relative_error(entries, fifty_digits(matrix, float(time))) <= 1e-13


@pytest.mark.A9
def test_columns_of_a_closed_system_sum_to_one() -> None:
    found = propagators(SYSTEMS["nothing leaves"], np.array([0.1, 10.0, 1e4]))
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.A9
def test_nothing_is_ever_negative() -> None:
    for matrix in SYSTEMS.values():
        assert (propagators(matrix, np.geomspace(1e-6, 1e5, 10)) >= 0).all()


def test_two_steps_are_one_of_their_length() -> None:
    matrix = SYSTEMS["three compartments"]
    first, second = 3.7, 41.3
    a, b, both = propagators(matrix, np.array([first, second, first + second]))
    np.testing.assert_allclose(b @ a, both, rtol=1e-13)


def test_a_step_of_no_length_changes_nothing() -> None:
    for matrix in SYSTEMS.values():
        np.testing.assert_array_equal(propagators(matrix, np.zeros(1))[0], np.eye(len(matrix)))


@pytest.mark.F4
def test_neighbours_in_the_batch_change_no_bit() -> None:
    matrix = SYSTEMS["four rates, two of them equal"]
    mixed = np.array([1e-6, 1e4, 0.3, 2.0, 700.0, 0.0, 24.0, 1e9])
    together = propagators(matrix, mixed)
    for k, time in enumerate(mixed):
        np.testing.assert_array_equal(together[k], propagators(matrix, np.full(8, time))[0])


@pytest.mark.parametrize("time", [1e13, np.inf, np.nan])
def test_what_cannot_be_done_is_nan_for_that_subject_alone(time: float) -> None:
    matrix = SYSTEMS["three compartments"]
    found = propagators(matrix, np.array([1.0, time, 2.0]))
    assert np.isnan(found[1]).any()
    assert np.isfinite(found[[0, 2]]).all()


def test_a_rate_that_is_not_a_number_is_not_hidden() -> None:
    matrix = {(0, 0): jnp.array([-1.0, jnp.nan, -jnp.inf])}
    found = np.asarray(exponential(matrix, 1, jnp.ones(3))[0, 0])
    assert np.isnan(found).tolist() == [False, True, True]


def test_very_long_times_end_at_nothing_or_at_balance() -> None:
    np.testing.assert_array_equal(propagators(SYSTEMS["one compartment"], np.array([1e9]))[0], [[0.0]])
    # 1e6 h x 0.33/h is 3e5: a relative error of 2e-16 times that
    balance = propagators(SYSTEMS["nothing leaves"], np.array([1e6]))[0]
    np.testing.assert_allclose(balance, [[0.4, 0.4], [0.6, 0.6]], rtol=1e-10)


def test_the_pattern_is_what_can_be_reached() -> None:
    assert closure({(1, 0), (2, 1)}, 3) == ((0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2))
    assert closure({(0, 1), (1, 0)}, 2) == ((0, 0), (0, 1), (1, 0), (1, 1))
    assert closure(set(), 2) == ((0, 0), (1, 1))


def test_a_product_of_sparse_matrices_is_that_of_dense_ones() -> None:
    times = np.ones(1)
    a, b = SYSTEMS["three compartments"], SYSTEMS["four rates, two of them equal"]
    found = dense(product(sparse(a, times), sparse(b, times)), 4)[0]
    np.testing.assert_allclose(found, a @ b, rtol=1e-15, atol=1e-16)


def test_the_series_alone_is_right_up_to_norm_one() -> None:
    matrix = SYSTEMS["four rates, two of them equal"]
    time = 0.5 / float(np.abs(matrix).sum(axis=0).max())
    found = dense(taylor(sparse(matrix, np.ones(1)), 4, jnp.array([time])), 4)[0]
    assert largest_relative_error(found, fifty_digits(matrix, time)) <= 1e-15


@pytest.mark.A8
@pytest.mark.parametrize("ka", [0.25, 0.25 * (1 + 1e-14), 0.3, 0.0])
def test_derivatives_are_finite_and_right_also_at_equal_rates(ka: float) -> None:
    """d/d(ka, ke, t) of the amount in the second compartment, by forward mode, against fifty digits."""
    ke, time = 0.25, 7.0

    def second(rates: jax.Array) -> jax.Array:
        a, e, t = (jnp.reshape(value, (1,)) for value in (rates[0], rates[1], rates[2]))
        return exponential({(0, 0): -a, (1, 0): a, (1, 1): -e}, 2, t)[1, 0][0]

    found = np.asarray(jax.jacfwd(second)(jnp.array([ka, ke, time])))

    with mpmath.workdps(60):
        # exp(A t)[1, 0] = a t exp(-e t) phi((e - a) t), phi(z) = (exp(z) - 1)/z as a series
        def exact(a: mpmath.mpf, e: mpmath.mpf, t: mpmath.mpf) -> mpmath.mpf:
            z = (e - a) * t
            phi = mpmath.nsum(lambda n: z**n / mpmath.factorial(n + 1), [0, 80])
            return a * t * mpmath.exp(-e * t) * phi

        at = tuple(mpmath.mpf(value) for value in (ka, ke, time))
        truth = [
            float(mpmath.diff(exact, at, tuple(int(k == which) for k in range(3)), h=mpmath.mpf("1e-20")))
            for which in range(3)
        ]
    np.testing.assert_allclose(found, truth, rtol=1e-12, atol=1e-15)
