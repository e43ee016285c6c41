"""What `simulate` refuses, and in which words."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from components import compartments, doses, turnover
from numpy.typing import NDArray

from pkpd.engine.simulate import simulate
from pkpd.engine.tolerances import Tolerances
from pkpd.errors import InputError
from pkpd.events.doses import Doses
from pkpd.models.library import model
from pkpd.models.model import Model

MODEL = compartments(0, 1) >> turnover()
TIMES = np.array([0.0, 1.0, 24.0])
DOSES = doses([0.0, 12.0], subjects=2)


def parameters(**changed: object) -> dict[str, NDArray]:
    found = {"ka": 0.5, "cl": 4.0, "v1": 10.0, "k": 0.05}
    return {name: np.full(2, value) for name, value in found.items()} | changed


def refused(
    message: str,
    whole: Model = MODEL,
    values: Mapping[str, NDArray] | None = None,
    dosing: Doses = DOSES,
    times: NDArray = TIMES,
    **options: object,
) -> None:
    with pytest.raises(InputError, match=message):
        simulate(whole, parameters() if values is None else values, dosing, times, **options)


def test_the_input_all_others_are_a_change_of_is_accepted() -> None:
    found = simulate(MODEL, parameters(), DOSES, TIMES, outputs=("conc",))
    assert list(found.values) == ["conc"]
    assert found.values["conc"].shape == (3, 2)
    assert (found.steps, found.rejected) == (0, 0)  # nothing is integrated that nobody asked for


@pytest.mark.parametrize("name", ["treg", "amount", "", "k"])
def test_an_output_the_model_does_not_have(name: str) -> None:
    refused(f"no output '{name}'; it has conc, amount in depot1", outputs=("conc", name))


def test_an_integral_of_what_the_model_does_not_have_or_of_a_response() -> None:
    refused("no output 'area'; it has conc", integrals=("area",))
    refused("no integral of 'response': only outputs of compartments", integrals=("conc", "response"))


def test_a_parameter_is_missing_or_unknown() -> None:
    values = parameters()
    del values["cl"]
    refused("missing cl; it takes ka, cl, v1, k", values=values)
    refused("unknown cll; it takes ka, cl, v1, k", values=parameters(cll=np.ones(2)))
    refused("missing cl; unknown CL", values=values | {"CL": np.ones(2)})


@pytest.mark.parametrize("value", [np.ones(1), np.ones(3), np.array(1.0), np.ones((2, 2))])
def test_a_parameter_of_another_shape(value: NDArray) -> None:
    if value.ndim == 1:  # the test suite's type checks answer for the rank
        refused(rf"'cl' has shape \({len(value)},\); it needs one value for each of the 2", values=parameters(cl=value))
    else:
        with pytest.raises(Exception, match="cl|parameters"):
            simulate(MODEL, parameters(cl=value), DOSES, TIMES)


@pytest.mark.parametrize("value", [-1.0, -1e-300, np.nan, -np.inf, np.inf])
def test_a_parameter_out_of_its_bounds(value: float) -> None:
    refused(
        "'cl' of subject 1 is .* must be finite and between 0 and inf", values=parameters(cl=np.array([1.0, value]))
    )


def test_bounds_are_those_of_the_model() -> None:
    il2 = model("il2_sc")
    values = {symbol: np.full(2, 0.5) for symbol in il2.symbols}
    refused("'f' of subject 0 is 1.2 1; it must be finite and between 0 and 1", il2, values | {"f": np.full(2, 1.2)})


@pytest.mark.parametrize(
    "times", [[], [0.0], [0.0, 0.0], [0.0, 2.0, 1.0], [0.0, np.nan, 2.0], [0.0, np.inf], [-np.inf, 0.0]]
)
def test_times_that_do_not_ascend(times: list[float]) -> None:
    refused("times must be at least two finite numbers that ascend", times=np.array(times))


@pytest.mark.parametrize("field", ["time", "amount", "duration", "lag", "bioavailability"])
@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_a_dose_with_a_number_that_means_nothing(field: str, value: float) -> None:
    changed = getattr(DOSES, field).copy()
    changed[1, 0] = value
    refused(f"doses: every {field} must be finite and not negative", dosing=replace(DOSES, **{field: changed}))


@pytest.mark.parametrize("field", ["amount", "duration", "lag", "bioavailability"])
@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (2, 3), (3, 2)])
def test_doses_of_several_shapes(field: str, shape: tuple[int, int], unchecked: Callable[..., Doses]) -> None:
    refused(rf"doses: {field} has shape \({shape[0]}, {shape[1]}\)", dosing=unchecked(**{field: np.ones(shape)}))


@pytest.fixture
def unchecked() -> Callable[..., Doses]:
    """Doses as a user without the test suite's type checks can make them."""

    def make(**changed: NDArray) -> Doses:
        made = replace(DOSES)
        for field, value in changed.items():
            object.__setattr__(made, field, value)
        return made

    return make


@pytest.mark.parametrize("into", [-1, 3, 17])
def test_a_dose_into_no_state(into: int) -> None:
    refused(
        "doses: into must be 0 to 2, the place of a state in depot1, central, response",
        dosing=replace(DOSES, into=np.array([0, into])),
    )


def test_a_dose_before_the_first_time() -> None:
    refused("a dose at 12 h lies before the first time, 13 h", dosing=doses([12.0], subjects=2), times=TIMES + 13.0)


def test_a_response_without_what_drives_it() -> None:
    refused("needs conc from a model on its left", turnover(), {"k": np.ones(2)})


def test_a_model_that_waits_for_an_input() -> None:
    whole = replace(compartments(), responses=model("treg_proliferation").responses)
    values = {"cl": np.ones(2), "v1": np.ones(2)}
    refused("needs il2 from a model on its left", whole, values)


def test_a_method_there_is_not() -> None:
    refused("no method 'rk4'; there are auto, tsit5, dopri5, rodas5p", method="rk4")
    refused("no method 'rk4'; there are auto, tsit5, dopri5, rodas5p", method="rk4", outputs=("conc",))


@pytest.mark.parametrize("changed", [{"rtol": 0.0}, {"atol": -1e-9}, {"rtol": np.nan}, {"max_steps": 0}])
def test_tolerances_that_mean_nothing(changed: dict[str, float]) -> None:
    with pytest.raises(InputError, match=f"{next(iter(changed))} is .*; it must be more than 0"):
        Tolerances(**changed)
