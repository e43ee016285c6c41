"""The shipped numbers: complete, and honest about how well they are known."""

import pytest

from pkpd.errors import InputError
from pkpd.literature import _check, covariates, is_assumption, priors
from pkpd.models.library import GENERIC, MODELS


@pytest.mark.parametrize("name", [name for name in MODELS if name not in GENERIC])
def test_every_parameter_has_a_prior_in_its_own_unit(name: str) -> None:
    found = MODELS[name]()
    known = {symbol: prior for file in found.literature for symbol, prior in priors(file).items()}
    assert set(known) == set(found.symbols)
    for parameter in found.parameters:
        prior = known[parameter.symbol]
        assert prior.unit == parameter.unit
        assert parameter.lower <= prior.typical <= parameter.upper
        assert prior.source


@pytest.mark.parametrize(
    ("status", "grade", "assumption"),
    [
        ("verified", "A", False),
        ("derived", "A/B", False),
        ("derived", "B/C", True),
        ("verified", "C", True),
        ("derived", "D", True),
        ("memory", "", True),
        ("unknown", "A", True),
    ],
)
def test_what_counts_as_an_assumption(status: str, grade: str, assumption: bool) -> None:
    assert is_assumption(status, grade) is assumption


def test_the_population_is_the_trials() -> None:
    weight = covariates("population_pss")["weight"]
    assert (weight.lower, weight.upper, weight.status) == (45.0, 80.0, "unknown")


def test_an_unknown_field_or_status_is_named() -> None:
    with pytest.raises(InputError, match="unknown fields \\['colour'\\], missing fields \\['status'\\]"):
        _check("file", "entry", {"colour": 1}, {"status"})
    with pytest.raises(InputError, match="status 'sure' is none of verified"):
        _check("file", "entry", {"status": "sure"}, {"status"})
