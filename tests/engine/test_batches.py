"""What a subject's numbers owe to the others of its batch (promise F3 and F4).

Subjects of a chunk of up to 256 share their steps. So compartments give every subject the same numbers in any
company, to rounding; responses change with the company, but less than ten times the relative tolerance; neither order
nor padding changes a bit within a chunk; and chunks are the same however many devices share them out.
"""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from components import compartments, doses, draws, response
from numpy.typing import NDArray

from pkpd.engine.batches import CHUNK, batch_of, chunk_of
from pkpd.engine.simulate import simulate
from pkpd.engine.tolerances import Tolerances
from pkpd.events.doses import course_of

COUNT = 300
ROUNDING = 1e-12
COMPANY = 10 * Tolerances().rtol
MODEL = compartments(0, 1) >> response(
    lambda y, u, p: {"y": p.gain * u.conc / (p.half + u.conc) * y.y - p.loss * (y.y - 1.0)}, "gain half loss"
)
TYPICAL = {"ka": 0.3, "cl": 4.0, "v1": 10.0, "gain": 0.02, "half": 0.5, "loss": 0.01}
PARAMETERS = draws(TYPICAL, COUNT, seed=21, spread=0.3)
DOSE_TIMES = np.sort(np.random.default_rng(22).choice(np.arange(0.0, 600.0, 0.5), (6, COUNT)), axis=0)
TIMES = np.linspace(0.0, 720.0, 31)


def predicted(subjects: NDArray) -> dict[str, NDArray]:
    """Concentration and response [time, subject] of these subjects, solved together."""
    found = simulate(
        MODEL,
        {name: value[subjects] for name, value in PARAMETERS.items()},
        doses(DOSE_TIMES[:, subjects], 100.0),
        TIMES,
        outputs=("conc", "y"),
    )
    assert found.failures == {}
    return found.values


def columns(values: dict[str, NDArray], subjects: NDArray) -> dict[str, NDArray]:
    return {name: value[:, subjects] for name, value in values.items()}


def deviation(found: NDArray, expected: NDArray) -> float:
    return float((np.abs(found - expected) / np.where(expected == 0, 1.0, np.abs(expected))).max())


def assert_same_bits(found: dict[str, NDArray], expected: dict[str, NDArray]) -> None:
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])


@pytest.mark.F3
def test_the_same_call_gives_the_same_bits() -> None:
    assert_same_bits(predicted(np.arange(16)), predicted(np.arange(16)))


@pytest.mark.F4
def test_the_order_within_a_chunk_changes_no_bit() -> None:
    for count in (16, 256):
        shuffled = np.random.default_rng(count).permutation(count)
        assert_same_bits(predicted(shuffled), columns(predicted(np.arange(count)), shuffled))


@pytest.mark.F4
def test_padding_changes_no_bit() -> None:
    """Thirteen subjects are padded by copies of the last; here they are, with three of the copies asked for."""
    alone, padded = np.arange(13), np.array([*range(13), 12, 12, 12])
    assert_same_bits(predicted(alone), columns(predicted(padded), alone))


@pytest.mark.F4
def test_the_size_of_the_batch() -> None:
    everyone = predicted(np.arange(256))
    for count in (1, 3, 16):
        subjects = np.arange(count)
        few, many = predicted(subjects), columns(everyone, subjects)
        assert deviation(few["conc"], many["conc"]) <= ROUNDING
        assert deviation(few["y"], many["y"]) <= COMPANY  # measured 1e-7


@pytest.mark.F4
@pytest.mark.parametrize("before", [1, 2])
def test_more_subjects_than_a_chunk_holds(before: int) -> None:
    """More than a chunk for each device: the last ones come in a second turn, or a third round, and not to each other's
    places."""
    subjects = np.arange(before * CHUNK * jax.device_count() + 44) % COUNT
    everyone, alone = predicted(subjects), predicted(np.arange(256))
    assert np.unique(alone["y"][-1]).size == 256
    for place in (0, 255, CHUNK, CHUNK * jax.device_count() - 1, CHUNK * jax.device_count(), len(subjects) - 1):
        same = subjects[place]
        if same < 256:
            assert deviation(everyone["conc"][:, place], alone["conc"][:, same]) <= ROUNDING
            assert deviation(everyone["y"][:, place], alone["y"][:, same]) <= COMPANY


def test_what_is_integrated_as_a_whole_in_two_turns() -> None:
    subjects = np.arange(CHUNK * jax.device_count() + 44) % COUNT
    dosing = doses(DOSE_TIMES[:, subjects], 100.0)
    own = {name: value[subjects] for name, value in PARAMETERS.items()}
    found = simulate(MODEL, own, dosing, TIMES, outputs=("conc", "y"), method="rodas5p")
    assert found.failures == {}
    for name, values in predicted(subjects).items():
        np.testing.assert_allclose(found.values[name], values, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(("chunks", "found", "turns"), [(1, 31, 1), (2, 31, 2), (3, 31, 1), (4, 31, 2), (2, 4033, 1)])
def test_a_device_solves_two_chunks_in_one_go_if_what_it_finds_is_short(chunks: int, found: int, turns: int) -> None:
    subjects = np.arange(chunks * CHUNK * jax.device_count()) % COUNT
    own = {name: value[subjects] for name, value in PARAMETERS.items()}
    batch = batch_of(MODEL, own, doses([0.0], 100.0, subjects=len(subjects)), TIMES, found)
    assert batch.turns == turns
    assert len(batch.rounds) == chunks // turns


@pytest.mark.F4
def test_the_number_of_devices(tmp_path: Path) -> None:
    """In another process with one device more."""
    other = jax.device_count() + 1
    file = tmp_path / "found.npz"
    script = (
        "import jax, numpy as np, test_batches as t\n"
        f"assert jax.device_count() == {other}, jax.device_count()\n"
        f"np.savez({str(file)!r}, **t.predicted(np.arange(16)))\n"
    )
    folder = Path(__file__).parent
    environment = os.environ | {
        "JAX_NUM_CPU_DEVICES": str(other),
        "PYTHONPATH": os.pathsep.join(map(str, (folder, folder.parent, folder.parents[1]))),
    }
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    here = predicted(np.arange(16))
    with np.load(file) as there:
        assert deviation(there["conc"], here["conc"]) <= ROUNDING
        assert deviation(there["y"], here["y"]) <= ROUNDING


@pytest.mark.parametrize(
    ("subjects", "platform", "devices", "expected"),
    [
        (3, "cpu", 2, 4),
        (200, "cpu", 2, 256),
        (100_000, "cpu", 64, CHUNK),
        (200, "gpu", 1, 256),
        (10_000, "gpu", 1, 16384),
        (10_000, "gpu", 4, 4096),
        (1_000_000, "gpu", 1, 16384),
    ],
)
def test_how_many_subjects_are_solved_together(subjects: int, platform: str, devices: int, expected: int) -> None:
    assert chunk_of(subjects, platform, devices) == expected


COMPILED = "/jax/core/compile/backend_compile_duration"


@pytest.mark.F9
def test_other_subjects_and_another_schedule_compile_nothing_new() -> None:
    """Five subjects, thirteen of them, and a dose more or less: all within one bucket."""
    compiled = 0

    def heard(event: str, seconds: float, **details: object) -> None:
        nonlocal compiled
        compiled += event == COMPILED

    model = compartments(0, 1) >> response(lambda y, u, p: {"y": p.gain * u.conc - p.loss * y.y}, "gain loss")

    def run(subjects: int, hours: list[float]) -> None:
        parameters = {name: PARAMETERS[name][:subjects] for name in model.symbols}
        found = simulate(model, parameters, doses(hours, 100.0, subjects=subjects), TIMES, outputs=("conc", "y"))
        assert found.failures == {}

    jax.monitoring.register_event_duration_secs_listener(heard)
    try:
        run(5, [0.0, 24.0, 48.0])
        assert compiled > 0
        compiled = 0
        run(13, [0.0, 24.0, 48.0])
        run(13, [0.0, 36.0, 48.0, 100.0])
        run(7, [12.0])
        assert compiled == 0
        run(7, [4.0 * k for k in range(80)])  # more doses than the bucket holds: the count is not blind
        assert compiled > 0
    finally:
        jax.monitoring.unregister_event_duration_listener(heard)


def test_a_schedule_that_all_share_is_as_if_written_for_each() -> None:
    shared = doses(np.repeat(DOSE_TIMES[:, :1], COUNT, axis=1), 100.0)
    batch = batch_of(MODEL, PARAMETERS, shared, TIMES, found=1)
    line = course_of(shared, len(MODEL.states), TIMES[0], TIMES[-1])
    count = line.start.shape[0]
    for found, expected in zip(batch.subjects.line, line, strict=True):
        np.testing.assert_array_equal(found[:count], expected)
    assert shared.of_all is not None
    late = shared.time.copy()
    late[0, -1] += 1e-9
    assert replace(shared, time=late).of_all is None


@pytest.mark.parametrize("turns", [1, 2])
def test_each_device_is_dealt_its_own_chunks(turns: int) -> None:
    batch = replace(batch_of(MODEL, PARAMETERS, doses(DOSE_TIMES, 100.0), TIMES, found=1), chunk=5, turns=turns)
    count = batch.together
    members = np.random.default_rng(23).permutation(count)
    dealt = batch.dealt(
        {"own": np.arange(2 * count).reshape(2, count), "alike": np.broadcast_to(7, (2, count))}, members
    )
    for place, part in enumerate(members.reshape(-1, batch.chunk)):
        np.testing.assert_array_equal(dealt["own"][divmod(place, turns)], [part, count + part])
    assert dealt["alike"].shape == dealt["own"].shape
    assert (dealt["alike"] == 7).all()
