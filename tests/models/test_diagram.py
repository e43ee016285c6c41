"""Diagrams say what the model does: checked on models drawn by hand, and that every state and output is in one."""

import pytest

from pkpd.models.diagram import edges, lines, mermaid
from pkpd.models.library import MODELS, model


def test_two_compartments_under_the_skin() -> None:
    assert lines(model("il2_sc")) == (
        "dose    sc (x f, after tlag) -> depot",
        "dose    iv -> central",
        "flow    depot -> transit -> central -> out",
        "flow    central <-> peripheral",
        "reads   central -> il2",
    )


def test_what_drives_and_what_acts_back() -> None:
    whole = lines(model("il2_treg_nk") >> model("treg_clearance"))
    assert "drives  il2 -> effect_site, treg" in whole or any(line.startswith("drives  il2") for line in whole)
    assert any(line.startswith("acts") and line.endswith("-> central") for line in whole)


@pytest.mark.parametrize("name", MODELS)
def test_every_state_and_output_has_an_arrow(name: str) -> None:
    found = model(name)
    ends = {end for one in edges(found) for end in (one.source, one.target)}
    linear = found.linear.names if found.linear is not None else ()
    inputs = {one for response in found.responses for one in response.inputs}
    driven = {state for response in found.responses if response.inputs for state in response.names}
    assert set(linear) | set(found.outputs_of_linear) | inputs | driven <= ends
    assert mermaid(found).startswith("graph LR")
