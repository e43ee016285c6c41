"""A dataset as the arrays the engine and the likelihood work on: dense, padded, one column a subject."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from pkpd.dataset.dataset import Dataset
from pkpd.errors import InputError
from pkpd.events.records import OTHER, Records
from pkpd.models.model import Model
from pkpd.units import factor


@dataclass(frozen=True)
class Padded:
    """Records of all subjects `[record, subject]`, a subject's last one repeated as padding that does nothing.

    row: line of the source file, 0 for padding. endpoint: index into `endpoints`, -1 where nothing is observed.
    scored: whether `dv` counts. dv, limit, lloq: in the endpoint's unit; cens: 1 below dv, -1 above. covariates:
    `[subject]` where one value holds, else `[record, subject]`; categories as numbers, named in `labels`.
    """

    subjects: np.ndarray
    records: Records
    row: Int[np.ndarray, "record subject"]
    endpoints: tuple[str, ...]
    endpoint: Int[np.ndarray, "record subject"]
    scored: Bool[np.ndarray, "record subject"]
    dv: Float[np.ndarray, "record subject"]
    cens: Int[np.ndarray, "record subject"]
    limit: Float[np.ndarray, "record subject"]
    lloq: Float[np.ndarray, "record subject"]
    occasion: Int[np.ndarray, "record subject"]
    covariates: Mapping[str, Float[np.ndarray, "*record subject"]]
    labels: Mapping[str, tuple[str, ...]]


def padded(dataset: Dataset, model: Model) -> Padded:
    """Lay out `dataset` for `model`, subjects in their order of appearance.

    A compartment of the table means the state of that number (from 1) or name, or the state a route of that name
    leads into; without one, the only state that routes lead into. Raises `InputError` where there is no such state,
    or more than one to choose from.
    """
    table = dataset.records
    subjects = dataset.subjects
    column = _places(subjects, table["id"].to_numpy())
    counts = np.bincount(column, minlength=len(subjects))
    order = np.argsort(column, kind="stable")
    starts = np.cumsum(counts) - counts
    # Record r of a subject is its r-th row; padding repeats the last.
    within = np.minimum(np.arange(counts.max())[:, None], counts[None, :] - 1)
    at = order[starts[None, :] + within]
    real = np.arange(counts.max())[:, None] < counts[None, :]

    def field(name: str) -> np.ndarray:
        return table[name].to_numpy()[at]

    def number(name: str, padding: float) -> np.ndarray:
        return np.where(real, field(name), padding)

    evid = np.where(real, field("evid"), OTHER)
    dosed = np.isin(evid, (1, 4))
    records = Records(
        time=field("time").astype(float),
        evid=evid.astype(int),
        cmt=np.where(dosed, _states(dataset, model, field("cmt"), dosed), 0),
        amt=number("amt", 0.0),
        rate=number("rate", 0.0),
        dur=number("dur", 0.0),
        addl=number("addl", 0.0).astype(int),
        ii=number("ii", 0.0),
        ss=number("ss", 0.0).astype(int),
    )
    names = tuple(one.name for one in dataset.endpoints)
    codes = table["endpoint"].cat.set_categories(list(names)).cat.codes.to_numpy()
    observed = real & (evid == 0)
    covariates, labels = {}, {}
    for one in dataset.covariates:
        values = table[one.name]
        if one.kind == "categorical":
            labels[one.name] = tuple(str(label) for label in values.cat.categories)
            values = values.cat.codes
        dense = values.to_numpy().astype(float)[at]
        covariates[one.name] = dense[0] if (dense == dense[:1]).all() else dense
    return Padded(
        subjects=subjects,
        records=records,
        row=np.where(real, field("row"), 0),
        endpoints=names,
        endpoint=np.where(observed, codes[at], -1),
        scored=observed & (field("mdv") == 0),
        dv=field("dv"),
        cens=number("cens", 0.0).astype(int),
        limit=field("limit"),
        lloq=field("lloq"),
        occasion=field("occ").astype(int),
        covariates=covariates,
        labels=labels,
    )


def in_model_units(dataset: Dataset, model: Model) -> Dataset:
    """The same records with AMT, and every endpoint that is an output of `model`, in the model's units.

    What the model counts in no unit ("fold of baseline") is left alone. Raises `InputError` where the table has no unit
    and the model does, and where one cannot become the other.
    """
    states = {state.name: state.unit for state in model.states}
    amounts = {states[route.into] for route in model.routes}
    wanted = {"AMT": amounts.pop()} if len(amounts) == 1 else {}
    wanted |= {one.name: model.outputs[one.name] for one in dataset.endpoints if one.name in model.outputs}
    wanted = {name: unit for name, unit in wanted.items() if _is_unit(unit)}
    if absent := [name for name in wanted if not dataset.units.get(name)]:
        raise InputError(
            f"E-UNIT: {dataset.source}: {', '.join(absent)} without a unit, and model '{model.name}' counts in "
            f"{', '.join(wanted[name] for name in absent)}; say what the table holds: "
            f'units = {{ {absent[0]} = ".." }}'
        )
    return dataset.in_units(wanted)


def _is_unit(text: str) -> bool:
    try:
        factor(text, text)
    except InputError:
        return False
    return True


def _places(subjects: np.ndarray, ids: np.ndarray) -> np.ndarray:
    order = np.argsort(subjects)
    return order[np.searchsorted(subjects[order], ids)]


def _states(dataset: Dataset, model: Model, cmt: np.ndarray, dosed: np.ndarray) -> np.ndarray:
    """Index of the state each dose enters."""
    states = [state.name for state in model.states]
    routed = sorted({states.index(route.into) for route in model.routes})
    found = cmt.astype(int) - 1
    if (dosed & (cmt == 0)).any():
        if len(routed) != 1:
            raise InputError(
                f"E-CMT: {dataset.source}: a dose names no compartment, and model '{model.name}' can be dosed in "
                f"{', '.join(states[i] for i in routed) or 'none'}; give CMT"
            )
        found = np.where(cmt == 0, routed[0], found)
    if dataset.compartments:
        into = {route.name.lower(): states.index(route.into) for route in model.routes}
        into |= {state.lower(): i for i, state in enumerate(states)}
        places = [into.get(name.lower(), -1) for name in dataset.compartments]
        used = sorted({int(number) for number in cmt[dosed & (cmt > 0)]})
        for number in used:
            if places[number - 1] < 0:
                raise InputError(
                    f"E-CMT: {dataset.source}: model '{model.name}' has no compartment or route '"
                    f"{dataset.compartments[number - 1]}'; its compartments are {', '.join(states)}"
                )
        found = np.where(cmt > 0, np.array(places)[np.maximum(cmt.astype(int), 1) - 1], found)
    beyond = dosed & (found >= len(states))
    if beyond.any():
        raise InputError(
            f"E-CMT: {dataset.source}: CMT {int(cmt[beyond].max())} is dosed, and model '{model.name}' has "
            f"{len(states)} compartments: {', '.join(states)}"
        )
    return found
