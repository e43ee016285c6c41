"""Models of a file of one's own: a slip in it is told in words, whatever it is."""

from pathlib import Path

import pytest

from pkpd.errors import InputError
from pkpd.runs.model_source import find_model

HEAD = """
import sys
from pkpd.models.model import Derived, LinearBlock, Model, Parameter, Readout, Response, State


def of(rates=lambda p: {("a", "c"): p.k}, weights=lambda p: {"a": 1.0}, more={}, value=lambda u, p: u.y * p.k):
    own = dict(initial=lambda p: {"y": p.k}, derivative=lambda y, u, p: {"y": u.ca - p.k * y.y}) | more
    states = State("a", "mg", ""), State("c", "mg", "")
    block = LinearBlock(states, rates, (Readout("ca", "mg", "", weights, ""),), ())
    response = Response(states=(State("y", "", ""),), inputs=("ca",), equations=(), **own)
    derived = Derived("twice", "", "", ("y",), value, "")
    return Model("m", "", (Parameter("k", "", "1/h"),), linear=block, responses=(response,), derived=(derived,))
"""

SLIPS = {
    "of(rates=lambda p: {('a', 'C'): p.k})": r"a rate leads from 'a' to 'C'; the compartments are a, c",
    "of(rates=lambda p: {('A', 'c'): p.k})": r"a rate leads from 'A' to 'c'; the compartments are a, c",
    "of(rates=lambda p: {('a', 'c'): p.kk})": r"'m': computing its compartments fails: .* 'kk'; its parameters are k",
    "of(weights=lambda p: {'C': 1.0})": r"'ca' is read off C; the compartments are a, c",
    "of(more={'initial': lambda p: {}})": r"'m': `initial` gives nothing; the states of this response are y",
    "of(more={'derivative': lambda y, u, p: {'y': 0.0, 'z': 0.0}})": r"`derivative` gives y, z; .* are y",
    "of(more={'derivative': lambda y, u, p: {'y': u.conc}})": r"computing its initial values and derivatives fails",
    "of(more={'flows': lambda y, u, p: {'b': p.k}})": r"a flow leads to 'b', and there are a, c",
    "of(value=lambda u, p: u.z)": r"'m': computing its derived outputs fails: AttributeError",
    "lambda: 1 / 0": r"'made' of '.*own.py' fails: ZeroDivisionError: division by zero",
    "lambda x: of()": r"'made' of '.*own.py' cannot be called without arguments",
    "sys.exit(0)": r"importing '.*own.py' fails: SystemExit: 0",
}


def found(folder: Path, made: str) -> str:
    (folder / "own.py").write_text(f"{HEAD}\n\nmade = {made}\n")
    return find_model("own.py:made", folder).name


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_in_a_model_is_told(tmp_path: Path, slip: str) -> None:
    with pytest.raises(InputError, match=SLIPS[slip]):
        found(tmp_path, slip)


def test_a_model_without_slips_is_taken(tmp_path: Path) -> None:
    assert found(tmp_path, "of()") == "m"


def test_a_model_that_needs_another_may_be_looked_at(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("from pkpd.models.indirect_response import indirect_response as made\nx = made(1)")
    assert find_model("own.py:x", tmp_path).missing_inputs == ("conc",)
