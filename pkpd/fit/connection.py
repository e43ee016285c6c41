"""A model and a data set joined: what a population needs to be fitted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from pkpd.dataset.dataset import Dataset
from pkpd.dataset.padded import in_model_units, padded
from pkpd.engine.bounds import check_bounds
from pkpd.engine.predict import predict
from pkpd.engine.prepare import Carry, Prepared, prepare
from pkpd.engine.tolerances import Tolerances
from pkpd.errors import InputError
from pkpd.events.schedule import since_doses
from pkpd.fit.chunks import CHUNK, CHUNK_INTEGRATED, alike
from pkpd.fit.compilation import compiled
from pkpd.fit.expansion import MOST_PIECES
from pkpd.fit.individual import Individual, spread
from pkpd.fit.problem import Problem, Table, problem
from pkpd.fit.table import table
from pkpd.models.model import Model
from pkpd.population.expression import Level, Theta
from pkpd.population.population import Population


@dataclass(frozen=True)
class Connection:
    """The data in the model's units, as a table of what is scored; the records ready for the model; the problem."""

    dataset: Dataset
    table: Table
    prepared: Prepared
    problem: Problem


def connected(
    population: Population,
    model: Model,
    dataset: Dataset,
    *,
    method: str = "auto",
    tolerances: Tolerances | None = None,
) -> Connection:
    """Join `model` and `dataset` by `population`, whose parameters are the model's and whose endpoints are outputs.

    What changes between records is carried as the data's covariates are declared to be, occasions as these are, by
    NOCB if none of them changes. method, tolerances: see `pkpd.engine.plan.plan`.

    Raises `InputError` on a parameter that is missing, unknown, or out of bounds to begin with, an endpoint that is no
    output, units that do not agree, records without meaning in this model, covariates that are not all carried alike.
    """
    model.check_parameters(population.parameters)
    if strange := [name for name in population.residuals if name not in model.outputs]:
        raise InputError(
            f"residual error of {', '.join(strange)}: model '{model.name}' has the outputs {', '.join(model.outputs)}"
        )
    counted = in_model_units(dataset, model)
    rows = table(counted)
    draft = problem(population, rows, _nothing)
    laid = padded(counted, model)
    read = _scored_records(laid.scored)
    start = _at_start(population, draft)
    _check_start(population, model, start, rows.subjects)
    changes = any(value.ndim == 2 for value in start.values())
    ready = prepare(
        model,
        laid.records,
        start,
        outputs=tuple(population.residuals),
        carry=_carry(population, counted) if changes else None,
        method=method,
        tolerances=tolerances,
        read=read,
        changed=None if draft.pieces is None else _changed(np.asarray(draft.pieces.of_record)),
    )
    changing = [name for name in population.moving if start[name].ndim == 2]
    pieces = 1 if draft.pieces is None else len(draft.pieces.first)
    if changing and ready.plan.way != "exact" and pieces > MOST_PIECES:
        raise InputError(
            f"{', '.join(changing)} changes {pieces - 1} times between the records of a subject, and "
            f"'{model.name}' is integrated: more than {MOST_PIECES - 1} changes are not differentiated; make the "
            "covariate constant, or change it less often"
        )
    order = jnp.asarray(alike(*laid.records, rows.value))
    integrated = ready.plan.way != "exact"
    timing = tuple(sorted({one for r in model.routes for one in (r.lag, r.duration) if one is not None}))
    whole = replace(
        draft,
        predict=jax.tree_util.Partial(predict, ready),
        order=order,
        chunk=CHUNK_INTEGRATED if integrated else CHUNK,
        integrated=integrated,
        timing=timing,
        apart=jnp.asarray(since_doses(ready.schedule, laid.records, read))
        if set(timing) & set(population.varying)
        else None,
    )
    return Connection(counted, rows, ready, whole)


def _carry(population: Population, dataset: Dataset) -> Carry:
    """How the covariates in use are carried that change within a subject; where none in use does, as all others are
    if they agree: what occasions do hangs on the data then, not on which covariates a model tries."""
    used = {one.covariate if isinstance(one, Level) else one.name for one in population.covariates}
    counts = dataset.table.groupby("id", observed=True).nunique(dropna=False)
    changing = {one.name: one.carry for one in dataset.covariates if (counts[one.name].to_numpy() > 1).any()}
    rules = {name: carry for name, carry in changing.items() if name in used}
    if not rules and len(set(changing.values())) == 1:
        rules = changing
    if len(set(rules.values())) > 1:
        said = ", ".join(f"{name} by {rule}" for name, rule in rules.items())
        raise InputError(
            f"covariates that change within a subject are carried by one rule, and these by several: {said}; declare "
            "the same `carry` for them"
        )
    return "locf" if "locf" in rules.values() else "nocb"


def _check_start(
    population: Population, model: Model, start: dict[str, np.ndarray], subjects: Sequence[object]
) -> None:
    """Raise `InputError` where estimation begins out of the model's bounds, or may go there."""
    for parameter in model.parameters:
        symbol, lower = parameter.symbol, parameter.lower
        for theta in population.expressions[symbol].walk():
            if isinstance(theta, Theta) and theta.name == symbol and -np.inf < theta.lower < lower:
                raise InputError(f"'{symbol}': the lower bound {theta.lower:g} is below that of the model, {lower:g}")
        if symbol in population.moving and (start[symbol] == lower).any():
            subject = subjects[np.argwhere(start[symbol] == lower)[0, -1]]
            raise InputError(
                f"'{symbol}' of subject {subject} begins at {lower:g}, on the model's bound, from where it may only "
                "leave it; give a larger initial estimate (or covariate), or fix it"
            )
    try:
        check_bounds(model, start, subjects)
    except InputError as error:
        raise InputError(
            f"at the initial estimates, {error} (a model of your own says so in its `Parameter`)"
        ) from error


def _changed(piece: Int[np.ndarray, "record subject"]) -> Bool[np.ndarray, "record subject"]:
    return np.diff(piece, axis=0, prepend=piece[:1]) > 0


def _scored_records(scored: Bool[np.ndarray, "record subject"]) -> Int[np.ndarray, "observation subject"]:
    """Which records are scored, in their order, a subject's last one repeated below: the layout of `table`."""
    order = np.argsort(~scored, axis=0, kind="stable")
    count = scored.sum(axis=0)
    place = np.minimum(np.arange(count.max())[:, None], np.maximum(count - 1, 0))
    return np.take_along_axis(order, place, axis=0)


def _at_start(population: Population, draft: Problem) -> dict[str, np.ndarray]:
    """The model's parameters at the initial estimates, without random effects."""
    found = _typical(jnp.asarray(population.packing.start()), population, draft)
    return {name: np.asarray(value) for name, value in found.items()}


@compiled("population", once=True, short=True)
def _typical(x: Array, population: Population, draft: Problem) -> dict[str, Array]:
    individual = Individual(population, interaction=True)
    zero = jnp.zeros((individual.effects(draft), draft.subjects))
    return individual.parameters(population.packing.values(spread(x, draft)), zero, draft)


def _nothing(parameters: dict[str, Array]) -> dict[str, Array]:
    """Stands for the prediction while there is none."""
    return {}
