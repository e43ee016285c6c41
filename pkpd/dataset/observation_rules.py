"""The rules of an observation row: DV, its limits, and the DV that stands where none belongs."""

import numpy as np

from pkpd.dataset.draft import Draft
from pkpd.dataset.rules import Rule


def on_log_scale(draft: Draft) -> np.ndarray:
    """Observations of an endpoint whose error model takes logarithms."""
    logged = np.array([output.scale == "log" for output in draft.outputs] + [False])
    return logged[draft.endpoint]


def censored(draft: Draft) -> np.ndarray:
    return draft.observation & ((draft.cens == 1) | (draft.cens == -1))


OBSERVATIONS = (
    Rule(
        "E-DV",
        "DV",
        lambda d: ~d.observation & ~np.isnan(d.evid) & (np.nan_to_num(d.dv) != 0),
        "a DV on a row that is not an observation",
        "the DV of a row with EVID 1 to 4 is missing or 0, for it is not used",
        "give the observation a row of its own with EVID 0, or empty the cell",
    ),
    Rule(
        "W-DVONDOSE",
        "DV",
        lambda d: d.dose & (d.dv == 0),
        "doses with DV 0, which is taken as no observation",
        "a DV on a dose row is not used",
        "write '.' as the DV of a dose",
        once=True,
    ),
    Rule(
        "I-DVONDOSE",
        "DV",
        lambda d: d.dose & np.isnan(d.dv) & ("DV" in d.places) & d.is_missing("DV"),
        "doses without a DV, as they should be",
        "",
        "",
        once=True,
    ),
    Rule(
        "E-DV",
        "DV",
        lambda d: d.scored & (d.dv <= 0) & on_log_scale(d) & (d.cens == 0),
        "values of zero or less where the error model takes logarithms",
        "DV is above 0 on an endpoint of scale 'log'",
        "mark values below the limit of quantification: CENS 1 with the limit as DV",
    ),
    Rule(
        "W-DVZERO",
        "DV",
        lambda d: d.scored & (d.dv <= 0) & ~on_log_scale(d) & (d.cens == 0),
        "observations of zero or less, taken as measured",
        "a value below the limit of quantification is censored, not zero",
        "if so: CENS 1 with the limit as DV, or an LLOQ",
        once=True,
    ),
    Rule(
        "E-BLQ",
        "CENS",
        lambda d: ~np.isin(d.cens, (-1, 0, 1)) & ~np.isnan(d.cens),
        "kinds of censoring that do not exist",
        "CENS is 0 (measured), 1 (below DV) or -1 (above DV)",
        "correct CENS",
    ),
    Rule(
        "E-BLQ",
        "DV",
        lambda d: censored(d) & np.isnan(d.dv) & d.is_missing("DV"),
        "a censored observation without a limit",
        "the DV of a row with CENS 1 or -1 is the limit, unless LLOQ gives it",
        "write the limit of quantification in DV, or add LLOQ",
    ),
    Rule(
        "E-BLQ",
        "DV",
        lambda d: d.observation & (d.cens == 1) & (d.dv > d.lloq),
        "a value marked as below the limit that lies above it",
        "with CENS 1, DV is not above LLOQ",
        "correct CENS, DV or LLOQ",
    ),
    Rule(
        "E-BLQ",
        "LIMIT",
        lambda d: d.observation & (((d.cens == 1) & (d.limit >= d.dv)) | ((d.cens == -1) & (d.limit <= d.dv))),
        "an interval whose ends are in the wrong order",
        "CENS 1: LIMIT < value < DV; CENS -1: DV < value < LIMIT",
        "correct LIMIT, or leave it empty",
    ),
    Rule(
        "E-BLQ",
        "LLOQ",
        lambda d: d.observation & (d.lloq <= 0),
        "limits of quantification of zero or less",
        "LLOQ is above 0",
        "correct LLOQ, or leave it empty",
    ),
    Rule(
        "W-BLQ",
        "DV",
        lambda d: d.scored & (d.cens == 0) & (d.dv < d.lloq),
        "observations below LLOQ with CENS 0, taken as measured",
        "CENS says which values are censored",
        "set CENS to 1 if the assay did not quantify them",
        once=True,
    ),
    Rule(
        "W-BLQ",
        "DV",
        lambda d: d.scored & (d.cens == 1) & (d.dv == 0),
        "values below a limit of 0",
        "the DV of a row with CENS 1 is the limit of quantification, unless LLOQ gives it",
        "write the limit in DV, or add LLOQ",
        once=True,
    ),
    Rule(
        "W-CENS",
        "CENS",
        lambda d: ~d.observation & ~np.isnan(d.evid) & (np.nan_to_num(d.cens) != 0),
        "a CENS on a row that is no observation",
        "CENS belongs to rows with EVID 0",
        "set CENS to 0 here",
        once=True,
    ),
)
