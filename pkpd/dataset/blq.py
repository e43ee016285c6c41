"""Observations below the limit of quantification, handled in the data instead of in the likelihood.

The methods are numbered as in Beal 2001 (doi:10.1023/A:1012299115260). M3 and M4 (and M2) are
likelihoods: for these the records are left as they are, flags and limits included.
"""

from dataclasses import replace

import numpy as np

from pkpd.dataset.dataset import Dataset
from pkpd.dataset.findings import Breach, Findings
from pkpd.errors import InputError

METHODS = ("M1", "M5", "M6", "M7")


def with_blq(dataset: Dataset, method: str) -> Dataset:
    """The dataset with its observations below the limit (CENS 1) changed:

    | method | does |
    |---|---|
    | M1 | none of them is scored |
    | M5 | each is half the limit |
    | M6 | the first of each unbroken series of them (subject, endpoint) is half the limit, the rest is not scored |
    | M7 | each is 0 |

    A row that is no longer scored stays, as a request for a prediction: it may carry covariates. What
    was done is told in `findings`. Raises `InputError` for another method, and for M7 where an endpoint
    is on the log scale.
    """
    if method not in METHODS:
        raise InputError(f"method {method!r} changes no data; give one of {', '.join(METHODS)}")
    table = dataset.records
    below = ((table["cens"] == 1) & (table["evid"] == 0) & (table["mdv"] == 0)).to_numpy()
    logged = [endpoint.name for endpoint in dataset.endpoints if endpoint.scale == "log"]
    if method == "M7" and (below & table["endpoint"].isin(logged).to_numpy()).any():
        raise InputError(f"M7 puts 0 where the error model takes logarithms ({', '.join(logged)}); take another method")
    dv = table["dv"].to_numpy()
    put = {"M1": below & False, "M5": below, "M6": below & _opens_series(dataset, below), "M7": below}[method]
    dropped = below & ~put
    table["dv"] = np.where(dropped, np.nan, np.where(put, 0.0 if method == "M7" else dv / 2, dv))
    table["mdv"] = np.where(dropped, 1, table["mdv"].to_numpy())
    table["cens"] = np.where(below, 0, table["cens"].to_numpy())
    table["limit"] = np.where(below, np.nan, table["limit"].to_numpy())
    value = "0" if method == "M7" else "half the limit"
    done = f"{put.sum()} are {value}, {dropped.sum()} are not scored"
    what = f"{method}: of {below.sum()} observations below the limit {done}"
    told = Findings((Breach("I-BLQ", what),))
    return replace(dataset, table=table, findings=dataset.findings + told)


def _opens_series(dataset: Dataset, below: np.ndarray) -> np.ndarray:
    """Rows below the limit whose previous scored row of the same subject and endpoint is not below it."""
    table = dataset.table
    scored = ((table["evid"] == 0) & (table["mdv"] == 0)).to_numpy()
    rows = np.flatnonzero(scored)
    endpoint = table["endpoint"].cat.codes.to_numpy()[rows]
    # A stable sort brings the series of an endpoint together; the rows of a subject already are.
    subject = np.unique(table["id"].to_numpy(), return_inverse=True)[1][rows]
    order = np.lexsort((rows, endpoint, subject))
    flag = below[rows][order]
    continues = np.zeros(len(rows), dtype=bool)
    same = (subject[order][1:] == subject[order][:-1]) & (endpoint[order][1:] == endpoint[order][:-1])
    continues[1:] = same & flag[:-1]
    opens = np.zeros(len(table), dtype=bool)
    opens[rows[order]] = flag & ~continues
    return opens
