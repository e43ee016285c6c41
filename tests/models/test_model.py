"""How models compose, and what they refuse."""

from dataclasses import replace

import numpy as np
import pytest
from components import compartments, doses, turnover

from pkpd.engine.simulate import simulate
from pkpd.errors import InputError
from pkpd.models.library import MODELS, il2_treg_nk, model
from pkpd.models.model import Model, Parameter, Readout, Route, State

PK = compartments(0, 1)
PD = turnover()


def test_what_stands_on_the_left_drives_what_stands_on_the_right() -> None:
    both = PK >> PD
    assert both.symbols == ("ka", "cl", "v1", "k")
    assert [state.name for state in both.states] == ["depot1", "central", "response"]
    assert both.linear is PK.linear
    assert both.responses == PD.responses
    assert both.missing_inputs == ()
    assert list(both.outputs) == [*PK.outputs, "response"]
    assert both.name == f"{PK.name}+{PD.name}"


def test_composing_is_associative_and_leaves_the_parts_alone() -> None:
    other = turnover("another", "slow")
    left, right = (PK >> PD) >> other, PK >> (PD >> other)
    assert left == right
    assert (len(PK.responses), PD.linear, len(PD.responses)) == (0, None, 1)


def test_literature_and_routes_come_along_and_references_once() -> None:
    whole = il2_treg_nk()
    assert whole.literature == ("il2_sc", "treg_proliferation", "nk_cd56bright")
    assert [route.name for route in whole.routes] == ["sc", "iv"]
    twice = replace(PD, references=("A",)) >> replace(turnover("another", "slow"), references=("A", "B"))
    assert twice.references == ("A", "B")


@pytest.mark.parametrize(
    ("clash", "name"),
    [
        (turnover("response", "slow"), "response"),  # a state
        (turnover("another", "k"), "k"),  # a parameter
        (turnover("conc", "slow"), "conc"),  # a state called like an output
        (turnover("cl", "slow"), "cl"),  # a state called like a parameter
        (turnover("central", "slow"), "central"),  # a state called like a compartment
    ],
)
def test_names_that_clash(clash: Model, name: str) -> None:
    with pytest.raises(InputError, match=rf": {name} named twice.* rename it in one of the blocks"):
        PK >> PD >> clash


def test_a_name_given_twice_within_a_model() -> None:
    with pytest.raises(InputError, match="k named twice"):
        replace(PD, parameters=(*PD.parameters, Parameter("k", "", "1/h")))


def test_compartments_belong_on_the_left() -> None:
    with pytest.raises(InputError, match="has compartments of its own; it belongs on the left of >>"):
        PD >> PK
    with pytest.raises(InputError, match="belongs on the left"):
        PK >> compartments(1, 0)


def test_an_input_that_nothing_provides() -> None:
    with pytest.raises(
        InputError, match=r"'treg_proliferation' needs the input il2; '1 compartments, 1 stages' gives conc"
    ):
        PK >> model("treg_proliferation")
    assert model("treg_proliferation").missing_inputs == ("il2",)
    assert (model("treg_proliferation") >> model("nk_cd56bright")).missing_inputs == ("il2",)


def test_responses_see_only_what_stands_to_their_left() -> None:
    second = replace(turnover("second", "slow").responses[0], inputs=("response",))
    follower = replace(turnover("second", "slow"), responses=(second,))
    assert (PK >> PD >> follower).missing_inputs == ()
    with pytest.raises(InputError, match="'second' needs the input response"):
        PK >> follower >> PD


def test_a_route_that_leads_nowhere() -> None:
    with pytest.raises(InputError, match="route 'sc' leads into 'skin', no such"):
        replace(PK, routes=(Route("sc", into="skin"),))


def test_a_route_may_lead_into_a_response() -> None:
    assert replace(PK >> PD, routes=(Route("sc", into="response"),)).route("sc").into == "response"


def test_a_route_with_a_parameter_there_is_not() -> None:
    with pytest.raises(InputError, match="route 'sc' needs 'f', no such parameter"):
        replace(PK, routes=(Route("sc", into="depot1", bioavailability="f"),))
    with pytest.raises(InputError, match="route 'sc' needs 'tlag', no such parameter"):
        replace(PK, routes=(Route("sc", into="depot1", lag="tlag"),))


def test_a_route_given_twice() -> None:
    with pytest.raises(InputError, match="route 'sc'.* twice"):
        replace(PK, routes=(Route("sc", into="depot1"), Route("sc", into="central")))


def test_a_route_by_name() -> None:
    assert model("il2_sc").route("iv") == Route("iv", into="central")
    with pytest.raises(InputError, match="model 'il2_sc' has no route 'im'; its routes: sc, iv"):
        model("il2_sc").route("im")
    with pytest.raises(InputError, match="its routes: none"):
        PK.route("sc")


def test_a_model_that_needs_compartments_says_so() -> None:
    assert (PK >> PD).compartments is PK.linear
    with pytest.raises(InputError, match="model 'response' has no compartments to dose into"):
        PD.compartments  # noqa: B018


def test_exactly_the_parameters_of_the_model() -> None:
    both = PK >> PD
    both.check_parameters(dict.fromkeys(("k", "v1", "cl", "ka")))
    with pytest.raises(
        InputError, match="parameters of '1 compartments, 1 stages.response': missing k; it takes ka, cl"
    ):
        both.check_parameters(dict.fromkeys(("v1", "cl", "ka")))
    with pytest.raises(InputError, match="missing ka, k; unknown CL, K; it takes ka, cl, v1, k"):
        both.check_parameters(dict.fromkeys(("v1", "cl", "CL", "K")))


@pytest.mark.parametrize(
    ("name", "close"), [("il2sc", "il2_sc"), ("treg_prolif", "treg_proliferation"), ("il2_treg", "il2_treg_nk")]
)
def test_a_model_there_is_not(name: str, close: str) -> None:
    with pytest.raises(InputError, match=f"no model '{name}'; closest: .*{close}.*pkpd models list"):
        model(name)


def test_several_models_in_one_name_are_told_how_to_join() -> None:
    with pytest.raises(InputError, match=r"write model\('il2_sc'\) >> model\('treg_proliferation'\)"):
        model("il2_sc >> treg_proliferation")


def test_nothing_close_points_to_the_list() -> None:
    with pytest.raises(InputError, match="see `pkpd models list`"):
        model("?")


def test_models_are_values() -> None:
    """Two calls give equal models with equal hashes, or each would be compiled anew."""
    for make in MODELS.values():
        assert make() == make()
        assert hash(make()) == hash(make())


def test_a_readout_may_join_compartments() -> None:
    block = replace(
        PK.compartments,
        readouts=(Readout("all", "mg", "", lambda p: {"depot1": 1.0, "central": p.cl / p.cl}, ""),),
    )
    whole = replace(PK, linear=block)
    values = simulate(
        whole,
        {"ka": np.array([0.4]), "cl": np.array([4.0]), "v1": np.array([10.0])},
        doses([0.0]),
        np.array([0.0, 3.0]),
    ).values
    assert list(values) == ["all"]
    # depot + central after ka = ke = 0.4: 100 exp(-1.2) (1 + 1.2)
    np.testing.assert_allclose(values["all"][:, 0], [0.0, 220.0 * np.exp(-1.2)], rtol=1e-13)


def test_states_keep_their_unit_and_meaning() -> None:
    assert model("il2_sc").compartments.states[0] == State("depot", "IU", "amount under the skin")
