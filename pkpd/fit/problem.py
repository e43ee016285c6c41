"""What an estimator sees: observations, covariates and a prediction function, dense, with the subjects last."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import log, pi
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

import pkpd.engine  # noqa: F401  sets JAX up: 64 bits
from pkpd.errors import InputError
from pkpd.fit.arrow import Sharing
from pkpd.fit.chunks import CHUNK, by_chunks
from pkpd.population.expression import Covariate, Level, level_name
from pkpd.population.likelihood import Endpoint, Observations
from pkpd.population.noise import Gaussian
from pkpd.population.population import Population
from pkpd.population.residual import Residual, UserDensity

_R = TypeVar("_R")

Prediction = Callable[[dict[str, Array]], Mapping[str, Array]]
"""predict(parameters `[subject]` or `[record, subject]`) -> outputs `[observation, subject]`, in JAX.

A `jax.tree_util.Partial` may carry the doses of the data as arguments: a second data set of the same shape is then
not compiled again.
"""


@dataclass(frozen=True)
class Table:
    """Observations of all subjects, padded, `[observation, subject]`; covariates `[subject]` or `[record, subject]`.

    `endpoint`: name of the endpoint of a scored row, "" elsewhere. `value`, `cens`, `limit`: DV, CENS and LIMIT
    with their meaning in `Dataset`. `row`: line of the source. `occasion`: `[record, subject]`, numbered from 0.
    """

    subjects: Sequence[Any]
    endpoint: np.ndarray
    value: Float[np.ndarray, "observation subject"]
    cens: Int[np.ndarray, "observation subject"]
    limit: Float[np.ndarray, "observation subject"]
    row: Int[np.ndarray, "observation subject"]
    covariates: Mapping[str, np.ndarray] = field(default_factory=dict)
    occasion: Int[np.ndarray, "record subject"] | None = None

    def place(self, observation: int, subject: int) -> str:
        """Where a row comes from, for a message."""
        return f"row {self.row[observation, subject]} (subject {self.subjects[subject]})"


class Pieces(NamedTuple):
    """Runs of records, in all subjects, within which no covariate and no occasion changes.

    of_record: the piece of each record. first: the first record of each piece; of one that a subject does not have,
    any.
    """

    of_record: Int[Any, "record subject"]
    first: Int[Any, "piece subject"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Problem:
    """A `Table` as JAX arrays, with the prediction function.

    `constant`: n log(2 pi) of each subject, n its measured observations with a normal error: what NONMEM leaves out
    of -2 log L. `occasions[occasion, record, subject]`: 1 where a record is of an occasion; None if nothing varies
    between them. `pieces`: of records with the same parameters; None if these never change. `censored`: the
    endpoints that have observations beyond a limit. `sharing`: which subjects share random effects; None if none
    do. `order`: in which subjects are dealt into chunks, where every array in it ends in the subjects, those of
    `predict` too; None if they do not. `chunk`: how many share one at most on a CPU. `integrated`: whether
    predictions are, and so take long. `timing`: the parameters by which doses arrive or infusions end; where
    these vary `apart` says how long after each dose before it each sample is [h]. Leaves have no stated type: while
    JAX differentiates, others than arrays stand there.
    """

    predict: Any
    observations: dict[str, Observations]
    covariates: dict[str, Any]
    occasions: Any
    pieces: Any
    constant: Any
    sharing: Any
    censored: tuple[str, ...] = field(metadata={"static": True})
    order: Any = None
    apart: Any = None
    chunk: int = field(default=CHUNK, metadata={"static": True})
    integrated: bool = field(default=False, metadata={"static": True})
    timing: tuple[str, ...] = field(default=(), metadata={"static": True})

    @property
    def subjects(self) -> int:
        """How many there are."""
        return self.constant.shape[0]

    def by_chunks(self, one: Callable[..., _R], each: Any, *shared: Any) -> _R:
        """`one(each, *shared)` for some subjects at a time where that can be; `each` ends in the subjects."""
        return by_chunks(one, each, self.order, self.chunk, *shared) if self._apart else one(each, *shared)

    @property
    def _apart(self) -> bool:
        return self.order is not None and self.sharing is None

    @property
    def occasion_count(self) -> int:
        """How many occasions there are; 0 where nothing varies between them."""
        return 0 if self.occasions is None else self.occasions.shape[0]


def problem(population: Population, table: Table, predict: Prediction) -> Problem:
    """The problem of fitting `population` to `table`.

    Raises `InputError` on an endpoint without error model, an error model without observations, a covariate that
    is not there or not a number, and an observation that its transformation does not take.
    """
    scored = table.endpoint != ""
    found = sorted(set(table.endpoint[scored].tolist()))
    if strange := [name for name in found if name not in population.residuals]:
        raise InputError(
            f"the data observe {', '.join(strange)}, which has no residual error (those that have one: "
            f"{', '.join(population.residuals)}); add one, or call the data's outputs what the model calls them"
        )
    if unused := [name for name in population.residuals if name not in found]:
        raise InputError(f"residual error of {', '.join(unused)}: the data observe {', '.join(found) or 'nothing'}")
    observations, censored = {}, []
    constant = np.zeros(len(table.subjects))
    for name, residual in population.residuals.items():
        observed = _observations(name, residual, table)
        observations[name] = observed
        counted = np.asarray(observed.scored) & np.asarray(observed.measured)
        if (np.asarray(observed.scored) & ~counted).any():
            censored.append(name)
        if residual.noise == Gaussian() and not isinstance(residual.scale, UserDensity):
            constant += log(2 * pi) * counted.sum(axis=0)
    covariates, occasions = _covariates(population, table), _occasions(population, table)
    _check_errors(population, covariates)
    return Problem(
        predict=predict if isinstance(predict, jax.tree_util.Partial) else jax.tree_util.Partial(predict),
        observations=observations,
        covariates=covariates,
        occasions=occasions,
        pieces=_pieces(covariates, occasions),
        constant=jnp.asarray(constant),
        sharing=_sharing(population, table),
        censored=tuple(censored),
    )


def endpoint(population: Population, name: str, problem: Problem) -> Endpoint:
    """The likelihood of an endpoint."""
    return Endpoint(population.residuals[name], name in problem.censored)


def _observations(name: str, residual: Residual, table: Table) -> Observations:
    method = "M3" if residual.below is None else residual.below.method
    scored = (table.endpoint == name) & ~np.isnan(table.value)
    below, above = scored & (table.cens == 1), scored & (table.cens == -1)
    if method == "M1":
        scored, below, above = scored & ~(below | above), below & False, above & False
    measured = scored & ~(below | above)
    if isinstance(residual.scale, UserDensity) and (below | above).any():
        raise InputError(
            f"'{name}' has observations beyond a limit and a UserDensity, which says nothing of those; leave them out "
            "with an M1 data set"
        )
    transformation = residual.transformation
    if method == "M4" and transformation is not None:
        raise InputError(
            f"'{name}': M4 is for errors that could make an observation negative; with {transformation.kind} take M3"
        )
    floor = 0.0 if method == "M4" else -np.inf
    limit = table.limit
    low = np.where(below, np.fmax(np.where(np.isnan(limit), -np.inf, limit), floor), -np.inf)
    low = np.where(above, table.value, low)
    high = np.where(below, table.value, np.where(above & ~np.isnan(limit), limit, np.inf))
    if transformation is not None:
        bottom, top = transformation.support
        _refuse(name, measured & ~((table.value > bottom) & (table.value < top)), table, f"{transformation.kind} takes")
    _refuse(name, (below | above) & ~(low < high), table, "an interval, its lower end below its upper one, takes")
    # Rows without a value hold a number all the same: a NaN that is not used would still spoil derivatives.
    value = np.where(measured, table.value, 1.0)
    return Observations(*(jnp.asarray(one) for one in (value, low, high, measured, scored)))


def _refuse(name: str, wrong: np.ndarray, table: Table, who: str) -> None:
    if wrong.any():
        where = [f"{table.place(i, j)}: {table.value[i, j]:g}" for i, j in np.argwhere(wrong).tolist()]
        more = f" and {len(where) - 5} more" if len(where) > 5 else ""
        raise InputError(
            f"'{name}': {who} no such observation: {'; '.join(where[:5])}{more}; leave them out or mend them"
        )


def _check_errors(population: Population, covariates: Mapping[str, Array]) -> None:
    """Raise `InputError` where a parameter of an error would change within a subject."""
    for endpoint, labels in population.residual_expressions.items():
        for label, one in labels.items():
            for part in one.walk():
                column = part.column if isinstance(part, Level) else part.name if isinstance(part, Covariate) else None
                if column is not None and covariates[column].ndim > 1:
                    raise InputError(
                        f"'{endpoint}.{label}' depends on '{column}', which changes within a subject; an error has one "
                        "set of parameters a subject: take a covariate that is constant"
                    )


def _covariates(population: Population, table: Table) -> dict[str, Array]:
    found = {}
    for one in population.covariates:
        name = one.covariate if isinstance(one, Level) else one.name
        if name not in table.covariates:
            raise InputError(f"the data have no covariate '{name}'; they have {', '.join(table.covariates) or 'none'}")
        column = table.covariates[name]
        if isinstance(one, Level):
            named = np.vectorize(level_name, otypes=[object])(column)
            levels = sorted(set(named.ravel()))
            if level_name(one.level) not in levels:
                raise InputError(f"covariate '{name}' is never '{one.level}'; its levels: {', '.join(levels[:10])}")
            found[one.column] = jnp.asarray((named == level_name(one.level)).astype(float))
            continue
        if not np.issubdtype(column.dtype, np.number):
            raise InputError(f"covariate '{name}' is categorical; give it an effect by level, with changes")
        if not np.isfinite(column).all():
            raise InputError(f"covariate '{name}' is missing for some subjects; complete it in the data")
        found[name] = jnp.asarray(column.astype(float))
    return found


def _occasions(population: Population, table: Table) -> Float[Array, "occasion record subject"] | None:
    if population.within is None:
        return None
    if table.occasion is None or table.occasion.max() < 1:
        raise InputError("something varies between occasions, and the data have one occasion only; give an OCC column")
    return jnp.asarray((table.occasion[None] == np.arange(table.occasion.max() + 1)[:, None, None]).astype(float))


def _sharing(population: Population, table: Table) -> Sharing | None:
    if population.shared is None:
        return None
    who, name = f"{', '.join(population.site_effects)} varies between sites", population.site
    if name not in table.covariates:
        raise InputError(
            f"{who}, and the data have no covariate '{name}' (they have {', '.join(table.covariates) or 'none'}); "
            "declare the column of the site as a covariate, and name it as `site`"
        )
    column = table.covariates[name]
    if column.ndim > 1:
        raise InputError(f"{who}, and '{name}' changes within a subject; a subject has one site")
    sites, of_subject = np.unique(column, return_inverse=True)
    if len(sites) < 2:
        raise InputError(f"{who}, and '{name}' is {sites[0]} for all subjects; there is nothing to tell sites apart")
    return Sharing(jnp.asarray(of_subject), jnp.asarray(np.bincount(of_subject).astype(float)))


def _pieces(
    covariates: Mapping[str, Float[Array, "*record subject"]], occasions: Float[Array, "occasion record subject"] | None
) -> Pieces | None:
    columns = [np.asarray(one) for one in covariates.values() if one.ndim == 2]
    columns += [] if occasions is None else list(np.asarray(occasions))
    if not columns:
        return None
    changed = np.any([np.diff(one, axis=0) != 0 for one in columns], axis=0)
    of_record = np.concatenate([np.zeros_like(changed[:1], dtype=int), np.cumsum(changed, axis=0)])
    first = [np.argmax(of_record == piece, axis=0) for piece in range(int(of_record.max()) + 1)]
    return Pieces(jnp.asarray(of_record), jnp.asarray(np.stack(first)))
