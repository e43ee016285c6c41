"""A checked data set as the dense table that a fit reads."""

import numpy as np

from pkpd.dataset.dataset import Dataset
from pkpd.errors import InputError
from pkpd.fit.problem import Table


def table(dataset: Dataset) -> Table:
    """Scored observations, in the order of the file, `[observation, subject]`; covariates and occasions
    `[record, subject]`, or `[subject]` where they never change.

    Short subjects are padded below: observations with endpoint "", records with the subject's last values. Raises
    `InputError` when nothing is scored.
    """
    records = dataset.records
    subjects = dataset.subjects
    scored = ((records["evid"] == 0) & (records["mdv"] == 0)).to_numpy()
    if not scored.any():
        raise InputError(f"{dataset.source}: no observation is scored; there is nothing to fit")
    ids = records["id"].to_numpy()
    rows = [np.flatnonzero(ids == subject) for subject in subjects]
    observed = [one[scored[one]] for one in rows]
    place, filled = _padded(observed)
    every, _ = _padded(rows)

    def column(name: str, nothing: float | int | str) -> np.ndarray:
        return np.where(filled, records[name].to_numpy()[place], nothing)

    names = records["endpoint"].astype(object).to_numpy()[place]
    occasion = np.unique(records["occ"].to_numpy(), return_inverse=True)[1][every]
    return Table(
        subjects=list(subjects),
        endpoint=np.where(filled, names, "").astype(str),
        value=column("dv", np.nan).astype(float),
        cens=column("cens", 0).astype(int),
        limit=column("limit", np.nan).astype(float),
        row=column("row", 0).astype(int),
        covariates={one.name: _shortest(_plain(records[one.name].to_numpy())[every]) for one in dataset.covariates},
        occasion=occasion,
    )


def _padded(rows: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers `[place, subject]`, the last one repeated, and which are not repeats."""
    longest = max(len(one) for one in rows)
    counts = np.array([len(one) for one in rows])
    table = np.stack([np.resize(one, longest) if len(one) else np.zeros(longest, int) for one in rows], axis=1)
    filled = np.arange(longest)[:, None] < counts
    last = np.array([one[-1] if len(one) else 0 for one in rows])
    return np.where(filled, table, last), filled


def _plain(values: np.ndarray) -> np.ndarray:
    """Numbers as float, labels as text."""
    return values.astype(float) if np.issubdtype(values.dtype, np.number) else values.astype(str)


def _shortest(values: np.ndarray) -> np.ndarray:
    """One value a subject where it never changes."""
    return values[0] if (values == values[:1]).all() else values
