"""Long profiles are written on memory that is used again: what stood there before is never seen."""

from collections.abc import Iterator

import jax
import numpy as np
import pytest
from components import compartments, doses, draws, response
from jax.sharding import Mesh
from numpy.typing import NDArray

from pkpd.engine import sheets
from pkpd.engine import simulate as simulating
from pkpd.engine.simulate import Simulation, simulate
from pkpd.events.doses import Doses

MODEL = compartments(0, 1) >> response(
    lambda y, u, p: {"y": p.gain * u.conc / (p.half + u.conc) * y.y - p.loss * (y.y - 1.0)}, "gain half loss"
)
TYPICAL = {"ka": 0.3, "cl": 4.0, "v1": 10.0, "gain": 0.02, "half": 0.5, "loss": 0.01}
TIMES = np.linspace(0.0, 500.0, 2001)
COUNT = 300


def own_schedules(count: int = COUNT) -> Doses:
    times = np.sort(np.random.default_rng(5).uniform(0.0, 400.0, (4, count)), axis=0)
    return doses(times, 100.0)


def simulated(
    count: int = COUNT, dosing: Doses | None = None, seed: int = 4, outputs: tuple[str, ...] = ("conc", "y")
) -> Simulation:
    given = doses([0.0, 30.1, 200.0], 100.0, subjects=count) if dosing is None else dosing
    return simulate(MODEL, draws(TYPICAL, count, seed, spread=0.3), given, TIMES, outputs=outputs)


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Every sheet is full of NaN; how many were taken."""
    count: list[int] = []

    def taken(rows: int, outputs: tuple[int, ...], subjects: int, mesh: Mesh) -> tuple[jax.Array, ...]:
        found = sheets.taken(rows, outputs, subjects, mesh)
        count.append(len(found))
        return tuple(jax.device_put(np.full(one.shape, np.nan), one.sharding) for one in found)

    monkeypatch.setattr(simulating, "taken", taken)
    yield count


@pytest.mark.parametrize(
    ("own", "outputs"),
    [(False, ("conc", "amount in depot1", "y")), (True, ("conc", "y")), (False, ("conc",)), (True, ("y",))],
)
def test_what_stood_there_is_written_over(
    own: bool, outputs: tuple[str, ...], poisoned: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    dosing = own_schedules() if own else None
    found = simulated(dosing=dosing, outputs=outputs)
    assert sum(poisoned) > 0
    assert not found.failures
    monkeypatch.setattr(simulating, "taken", sheets.taken)
    for _ in range(2):
        again = simulated(dosing=dosing, outputs=outputs)
        for name in outputs:
            np.testing.assert_array_equal(found.values[name], again.values[name])


def test_a_result_stays_as_it_is() -> None:
    first = simulated()
    copies = {name: value.copy() for name, value in first.values.items()}
    simulated(seed=9)
    for name, copy in copies.items():
        np.testing.assert_array_equal(first.values[name], copy)


def test_who_fails_has_no_numbers_of_others(poisoned: list[int]) -> None:
    parameters = draws(TYPICAL, COUNT, seed=4, spread=0.3)
    parameters["gain"][7] = 1e308
    given = doses([0.0, 30.1, 200.0], 100.0, subjects=COUNT)
    found = simulate(MODEL, parameters, given, TIMES, outputs=("conc", "y"))
    assert set(found.failures) == {7}
    assert np.isnan(found.values["y"][:, 7]).all()
    sound = simulated().values["y"]
    others = np.arange(COUNT) != 7
    np.testing.assert_allclose(found.values["y"][:, others], sound[:, others], rtol=1e-5)


def test_many_rounds_use_few_sheets(monkeypatch: pytest.MonkeyPatch) -> None:
    """More rounds than sheets, and each subject has its own numbers."""
    made: list[int] = []
    put = jax.device_put
    monkeypatch.setattr(sheets, "_free", [])
    monkeypatch.setattr(sheets.jax, "device_put", lambda *given: made.append(1) or put(*given))
    count = 256 * jax.device_count() * 3 + 5
    found = simulated(count, outputs=("conc",))
    assert sum(made) == 2
    p = draws(TYPICAL, count, seed=4, spread=0.3)
    k, ka = p["cl"] / p["v1"], p["ka"]
    expected = np.zeros((len(TIMES), count))
    for at in (0.0, 30.1, 200.0):
        t = np.maximum(TIMES - at, 0.0)[:, None]
        expected += 100.0 * ka / (p["v1"] * (ka - k)) * (np.exp(-k * t) - np.exp(-ka * t))
    np.testing.assert_allclose(found.values["conc"], expected, rtol=1e-7, atol=1e-9)


def test_what_is_kept_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "_free", [])
    monkeypatch.setattr(sheets, "MOST_BYTES", 3 * 8 * 100)
    pieces: list[NDArray] = [np.zeros((10, 1, 10)) for _ in range(5)]
    for piece in pieces:
        sheets.given_back((jax.device_put(piece),))
    assert len(sheets._free) == 3
    sheets.given_back((jax.device_put(np.zeros((1000, 1, 10))),))
    assert sheets._free == []


def test_memory_of_a_result_comes_back_when_nobody_looks_at_it() -> None:
    first, second = sheets.lent((40, 3)), sheets.lent((40, 3))
    place, part = first.ctypes.data, first[5:, 1]
    assert not np.shares_memory(first, second)
    first[...] = 7.0
    del first
    other = sheets.lent((40, 3))
    assert other.ctypes.data not in (place, second.ctypes.data)
    other[...] = 8.0
    assert (part == 7.0).all()
    del part
    assert sheets.lent((40, 3)).ctypes.data == place
    sheets.lent((41, 3))
    assert list(sheets._back) == [(41, 3)]


def test_results_of_several_simulations_stand_beside_one_another() -> None:
    found = [simulated(seed=seed) for seed in (1, 2, 3)]
    again = [simulated(seed=seed) for seed in (1, 2, 3)]
    for one, same in zip(found, again, strict=True):
        for name, value in one.values.items():
            np.testing.assert_array_equal(value, same.values[name])
            assert not any(
                np.shares_memory(value, other.values[name]) for other in (*found, *again) if other is not one
            )
