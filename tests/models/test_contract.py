"""What every library model keeps to, from its row in components.py."""

import re
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from components import LEAVING, LIBRARY, Row, amount, doses, scaled_error, with_every_amount
from numpy.typing import NDArray

from pkpd.engine.compiler import quickly
from pkpd.engine.exact import exact_outputs, over_lengths, over_rows, propagators, segment_states
from pkpd.engine.rows import Rows
from pkpd.engine.simulate import simulate
from pkpd.engine.system import linear_system
from pkpd.engine.tolerances import Tolerances
from pkpd.models.direct_effect import effect_compartment
from pkpd.models.library import GENERIC, MODELS
from pkpd.models.model import OUT, Values
from pkpd.population.virtual import literature_of

EVERY = pytest.mark.parametrize("row", LIBRARY, ids=lambda row: row.name)


def rows_with_new(part: Callable[[Row], object]) -> pytest.MarkDecorator:
    """The rows that have such a part and are the first with it: what a model shares with another is tested once."""
    parts = [part(row) for row in LIBRARY]
    rows = [row for k, row in enumerate(LIBRARY) if parts[k] and parts[k] not in parts[:k]]
    return pytest.mark.parametrize("row", rows, ids=lambda row: row.name)


DOSED = rows_with_new(lambda row: row.alone.linear)
LINEAR = rows_with_new(lambda row: None if row.alone.feeds_back else row.alone.linear)
DRIVEN = rows_with_new(lambda row: row.alone.responses[-1:] or row.alone.derived)


def columns(row: Row, count: int = 1) -> dict[str, jax.Array]:
    return {name: jnp.asarray(value) for name, value in row.subjects(count).items()}


def test_every_library_model_has_a_row() -> None:
    assert {row.name for row in LIBRARY} == set(MODELS)


@EVERY
def test_it_is_documented(row: Row) -> None:
    model = row.alone
    assert model.title
    if row.name in GENERIC:
        assert set(row.values) == set(model.symbols), "the row states what no literature does"
    else:
        assert model.references
        assert model.literature
    for parameter in model.parameters:
        assert parameter.meaning
        assert parameter.unit
        assert parameter.lower < parameter.upper
    for state in model.states:
        assert state.unit
        assert state.meaning
    for block in (model.linear, *model.responses):
        if block is not None:
            lines = [line.partition("'")[0].strip() for line in block.equations if "'" in line]
            count = len(block.states)
            assert lines[:count] == [state.name for state in block.states], "one equation a state, in their order"
            assert set(lines[count:]) <= {state.name for state in row.whole.states}, "after them, flows"
    for readout in (*(model.linear.readouts if model.linear else ()), *model.derived):
        assert readout.unit
        assert readout.meaning
        assert readout.equation.startswith(f"{readout.name} = ")


@EVERY
def test_its_equations_name_only_what_it_has(row: Row) -> None:
    model = row.alone
    known = {*model.symbols, *model.outputs, *(state.name for state in row.whole.states), "log", "sqrt"}
    known |= {name for block in (*model.responses, *model.derived) for name in block.inputs}
    blocks = [block for block in (model.linear, *model.responses) if block is not None]
    lines = [line for block in blocks for line in block.equations]
    lines += [readout.equation for readout in (*(model.linear.readouts if model.linear else ()), *model.derived)]
    known |= {line.partition(" = ")[0] for line in lines if "'" not in line}  # names given to parts of others
    for line in lines:
        assert set(re.findall(r"[a-z]\w*", line)) <= known, line


@EVERY
def test_the_literature_has_each_parameter_in_the_model_s_unit_and_bounds(row: Row) -> None:
    model, known = row.alone, literature_of(row.alone)
    if row.name in GENERIC:
        assert known == {}
        return
    assert set(known) == set(model.symbols)
    for parameter in model.parameters:
        prior = known[parameter.symbol]
        assert prior.unit == parameter.unit
        assert parameter.lower < prior.typical < parameter.upper
        if parameter.transform == "logit":
            assert (parameter.lower, parameter.upper) == (0.0, 1.0)


@EVERY
def test_its_routes_have_the_units_of_a_lag_and_a_share(row: Row) -> None:
    unit = {parameter.symbol: parameter.unit for parameter in row.alone.parameters}
    for route in row.alone.routes:
        assert route.into in [state.name for state in row.alone.states]
        assert route.lag is None or unit[route.lag] == "h"
        assert route.bioavailability is None or unit[route.bioavailability] == "1"


@DOSED
def test_nothing_is_lost_or_made_between_compartments(row: Row) -> None:
    block, p = row.alone.compartments, columns(row)
    rates = block.rates(Values(**p))
    assert set(sum(rates, ())) <= {*block.names, OUT}
    assert all(source != OUT and source != destination for source, destination in rates)
    assert all(float(rate[0]) > 0 for rate in rates.values())
    matrix = linear_system(block, p).matrix
    for j, name in enumerate(block.names):
        total = sum(float(entry[0]) for (_, column), entry in matrix.items() if column == j)
        leaving = float(rates[name, OUT][0]) if (name, OUT) in rates else 0.0
        assert total == pytest.approx(-leaving, abs=1e-15)


@LINEAR
def test_what_is_given_is_in_the_body_or_has_left_it_and_never_negative(row: Row) -> None:
    model = with_every_amount(row.alone)
    times = np.linspace(0.0, 240.0, 41)
    for route in model.routes:
        into = model.compartments.names.index(route.into)
        found = simulate(
            model,
            row.subjects(),
            doses([0.0, 48.0], [1e6, 2e5], into=into),
            times,
            outputs=tuple(amount(name) for name in model.compartments.names),
            integrals=(LEAVING,),
        )
        inside = np.stack([found.values[amount(name)][:, 0] for name in model.compartments.names])
        assert (inside >= 0.0).all()
        given = np.where(times > 48.0, 1.2e6, np.where(times > 0.0, 1e6, 0.0))
        balance = inside.sum(axis=0) + found.values[f"{LEAVING}_auc"][:, 0]
        assert np.abs(balance - given).max() <= 1e-12 * 1.2e6


def profile(row: Row, given: float) -> dict[str, NDArray]:
    dosing = doses([0.0, 24.0], given, subjects=2)
    found = simulate(row.whole, row.subjects(2), dosing, np.linspace(0, 480, 21))
    assert found.failures == {}
    return found.values


@DRIVEN
def test_without_drug_it_stays_at_rest_and_with_drug_it_stays_positive(row: Row) -> None:
    names = list(row.alone.outputs) or list(row.whole.outputs)
    rest, treated = profile(row, 0.0), profile(row, row.dose)
    for name in names:
        assert np.ptp(rest[name]) <= 1e-7 * rest[name].max(), "at rest, within the default tolerance"
        if rest[name][0, 0] > 0.0:
            assert (treated[name] > 0.0).all()
        else:  # what is absent at rest: below 0 by no more than the tolerance of the integration
            assert rest[name][0, 0] == 0.0
            assert (treated[name] >= -1e-6 * treated[name].max()).all()
        assert np.ptp(treated[name]) > 0.003 * rest[name].max()


@DRIVEN
@pytest.mark.parametrize("level", [0.0, 1e-300, 1.0, 1e12])
def test_its_derivatives_are_finite_also_where_there_is_no_drug(row: Row, level: float) -> None:
    """Of d/dt by parameters, states and inputs; at rest and far from it."""
    p = columns(row)
    for block in row.alone.responses:
        for factor in (1.0, 5.0):
            y = {name: factor * value for name, value in block.initial(Values(**p)).items()}
            u = {name: jnp.full(1, level) for name in block.inputs}

            def total(p: dict, y: dict, u: dict, block=block) -> jax.Array:
                at = (Values(**y), Values(**u), Values(**p))
                flows = block.flows(*at) if block.flows is not None else {}
                return sum([*block.derivative(*at).values(), *flows.values()])[0]

            for found in jax.tree.leaves(jax.grad(total, argnums=(0, 1, 2))(p, y, u)):
                assert np.isfinite(found).all()


@DRIVEN
@pytest.mark.parametrize("level", [0.0, 1e-300, 1.0, 1e12])
def test_what_is_derived_has_finite_derivatives_too(row: Row, level: float) -> None:
    p = columns(row)
    for one in row.alone.derived:
        u = {name: jnp.full(1, level) for name in one.inputs}

        def value(p: dict, u: dict, one=one) -> jax.Array:
            return one.value(Values(**u), Values(**p))[0]

        for found in jax.tree.leaves(jax.grad(value, argnums=(0, 1))(p, u)):
            assert np.isfinite(found).all()


@LINEAR
def test_its_closed_form_is_what_integration_gives(row: Row) -> None:
    """A dose into each compartment that takes one, bolus and infusion; to what tight steps leave."""
    model = row.alone
    (readout,) = model.outputs_of_linear
    into = [model.compartments.names.index(route.into) for route in model.routes]
    given = doses([0.0] * len(into) + [12.0], row.dose, into=[*into, into[0]], duration=[0.0] * len(into) + [2.0])
    times, tight = np.linspace(0.0, 48.0, 25), Tolerances(rtol=1e-10, atol=1e-13)
    exact = simulate(model, row.subjects(), given, times, outputs=(readout,))
    whole = simulate(
        model >> effect_compartment(readout),
        row.subjects() | {"ke0": np.ones(1)},
        given,
        times,
        outputs=(readout, "ce"),
        method="rodas5p",
        tolerances=tight,
    )
    assert (exact.solver, whole.solver) == ("exact", "rodas5p")
    # Three powers of ten below the peak the integration's absolute tolerance begins to count.
    assert scaled_error(whole.values[readout], exact.values[readout], floor=1e-3) <= 1e-8


@DOSED
def test_a_readout_has_finite_derivatives_by_every_parameter(row: Row) -> None:
    """Forward mode through the exact path, at the time of a dose, after it, and long after; also of no dose."""
    block = row.alone.compartments
    times = jnp.array([[0.0], [1.0], [24.0], [2000.0]])
    readouts = [readout.name for readout in block.readouts]
    into = [block.names.index(route.into) for route in row.alone.routes]

    def outputs(p: dict[str, jax.Array], given: float) -> jax.Array:
        system = linear_system(block, p)
        jump = jnp.zeros((1, len(block.names), 1)).at[0, np.array(into), 0].set(given)
        kind, rate = jnp.zeros(1, dtype=int), jnp.zeros((1, 0, 1))
        rows = Rows(jnp.zeros(times.shape, dtype=int), times)
        made = propagators(system, {"segments": over_lengths(jnp.full((1, 1), 3000.0)), "rows": over_rows(rows)})
        states = segment_states(system, made["segments"], kind, jump, rate)
        return exact_outputs(system, readouts, states, rows, made["rows"])[:, :, 0]

    lines = " ".join([*block.equations, *(readout.equation for readout in block.readouts)])
    named = {symbol for symbol in row.whole.symbols if re.search(rf"\b{symbol}\b", lines)}
    derivatives = quickly(jax.jacfwd(outputs))
    for given, expected in ((1e6, named), (0.0, set())):
        found = derivatives(columns(row), given)
        assert all(np.isfinite(derivative).all() for derivative in found.values())
        assert {name for name, derivative in found.items() if np.any(derivative)} == expected
