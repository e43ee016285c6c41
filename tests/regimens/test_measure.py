"""Batches of patients measured beside one another: nothing is lost, mixed up or silent."""

import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from pkpd.engine.simulate import Simulation
from pkpd.engine.tolerances import Tolerances
from pkpd.events.doses import Doses
from pkpd.models.library import model
from pkpd.population.virtual import Patients
from pkpd.regimens import measure as measuring
from pkpd.regimens.aside import Aside
from pkpd.regimens.measure import measure
from pkpd.regimens.resolve import resolve

TIMES = np.arange(0.0, 8 * 168.0 + 0.5)
COUNT = 23
BODY = model("il2_treg_nk")
PEOPLE = Patients(*(np.linspace(1.0, 2.0, COUNT) for _ in range(5)))


def level(parameters: dict[str, NDArray]) -> NDArray:
    return parameters["kp"]


@pytest.fixture
def parameters(monkeypatch: pytest.MonkeyPatch) -> dict[str, NDArray]:
    """Of patients whose Tregs lie, for ever, where their kp says; five to a batch."""

    def simulated(
        body: object, own: dict[str, NDArray], doses: Doses, times: NDArray, *, integrals: object, progress: object
    ) -> Simulation:
        flat = np.broadcast_to(level(own), (len(times), len(level(own))))
        values = {name: np.array(flat) for name in ("il2", "il2_auc", "treg", "nk")}
        lost = {int(j): "gone" for j in np.flatnonzero(level(own) < 0)}
        return Simulation(times, values, lost, "by hand", Tolerances(), steps=len(flat[0]), rejected=0)

    monkeypatch.setattr(measuring, "simulate", simulated)
    monkeypatch.setattr(measuring, "BATCH", 5)
    return {symbol: np.linspace(1.0, 3.0, COUNT) for symbol in BODY.symbols}


def test_batches_come_back_in_their_order(parameters: dict[str, NDArray]) -> None:
    with Aside() as aside:
        found = measure(BODY, resolve("1 MIU sc qod x 4 wk"), PEOPLE, parameters, TIMES, lambda done: None, aside)()
    peak = next(one for one in found.metrics if one.name == "treg_peak")
    np.testing.assert_array_equal(peak.values, level(parameters))
    assert found.profiles["treg"].shape == (len(TIMES), COUNT)
    np.testing.assert_allclose(found.profiles["nk"][0], level(parameters), rtol=1e-6)
    assert found.steps == COUNT


def test_a_patient_that_fails_is_named_by_its_place_among_all(parameters: dict[str, NDArray]) -> None:
    level(parameters)[17] = -1.0
    with Aside() as aside, pytest.raises(ArithmeticError, match="patient 17: gone"):
        measure(BODY, resolve("1 MIU sc once"), PEOPLE, parameters, TIMES, lambda done: None, aside)


def test_no_more_than_one_piece_of_work_waits() -> None:
    begun, go = [], threading.Event()

    def slow(number: int) -> int:
        begun.append(number)
        assert go.wait(timeout=60.0)
        return number

    with Aside() as aside:
        first = aside.begin(lambda: slow(1))
        threading.Timer(0.2, go.set).start()
        second = aside.begin(lambda: slow(2))
        assert first.done()
    assert begun == [1, 2]
    assert second.result() == 2


def test_what_goes_wrong_aside_is_told_by_what_comes_next() -> None:
    with Aside() as aside, pytest.raises(ZeroDivisionError):
        aside.begin(lambda: 1 / 0)
        aside.begin(lambda: 1)
