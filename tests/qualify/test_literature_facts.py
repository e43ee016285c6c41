"""Model beside published facts: computed, not asserted; misses stay in the table."""

import json

import pytest

from pkpd.cli.app import run
from pkpd.errors import InputError
from pkpd.qualify.literature import Observed, _fact


def test_the_table_is_printed_with_its_misses(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["qualify", "literature", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)["facts"]
    assert len(facts) > 45
    for fact in facts:
        low, high = fact["observed"]["low"], fact["observed"]["high"]
        assert fact["inside"] is ((low is None or fact["model"] >= low) and (high is None or fact["model"] <= high))
        assert fact["source"]
        assert fact["status"] in ("verified", "secondary", "derived")
    found = {fact["fact"]: fact for fact in facts}
    daily = found["Treg at week 12 of 1 MIU/m2 daily"]
    assert (daily["inside"], daily["used_for_calibration"]) == (False, True)
    assert daily["model"] == pytest.approx(3.8, abs=0.1)
    # One MIU s.c. peaks at 4.55 h by the exact solution of the compartments.
    assert found["s.c. peak time"]["model"] == pytest.approx(4.55, abs=0.06)


@pytest.mark.parametrize(("low", "high", "value", "inside"), [
    (1.0, 2.0, 2.0, True), (1.0, 2.0, 2.01, False), (None, 2.0, -9.0, True), (5.0, None, 4.9, False),
])  # fmt: skip
def test_inside_is_between_the_bounds_there_are(
    low: float | None, high: float | None, value: float, inside: bool
) -> None:
    assert Observed(low, high, "h", "range").holds(value) is inside


def test_an_entry_that_is_not_understood_is_refused() -> None:
    entry = {"fact": "peak", "quantity": "tmax", "model": "il2_sc", "unit": "h", "kind": "range", "status": "verified"}
    entry |= {"source": "a label", "used_for_calibration": False}
    with pytest.raises(InputError, match="low, high or both"):
        _fact(entry, {"tmax": 4.5})
    with pytest.raises(InputError, match="no quantity 'tmax'; there are lag"):
        _fact(entry | {"low": 2.0}, {"lag": 0.4})
