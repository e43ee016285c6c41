"""The rules of a dose row: amount, rate, duration, repetition, steady state."""

import numpy as np

from pkpd.dataset.draft import Draft
from pkpd.dataset.rules import Rule

# More than this many doses of a subject are a mistake in ADDL, not a treatment.
MOST_DOSES = 100_000
# Below this an amount times a rate constant underflows on its way through a computation.
SMALLEST_AMOUNT = 1e-100


def endless(draft: Draft) -> np.ndarray:
    """Dose rows that mean an infusion for ever: no amount, a rate, steady state."""
    return draft.dose & (draft.amt == 0) & (draft.rate > 0) & (draft.ss > 0)


def too_many(draft: Draft) -> np.ndarray:
    """First rows of the subjects whose dose rows stand for more doses than can be meant."""
    given = np.where(draft.dose, 1.0 + np.nan_to_num(np.maximum(draft.addl, 0.0)), 0.0)
    if given.sum() <= MOST_DOSES:
        return np.zeros(len(draft), dtype=bool)
    total = np.bincount(draft.subject + 1, weights=given)
    return draft.first & (total[draft.subject + 1] > MOST_DOSES)


def dosing_elsewhere(column: str) -> Rule:
    """A dosing column other than AMT must be zero or missing on a row that doses nothing."""
    return Rule(
        "E-DOSE",
        column,
        lambda d: ~d.dose & ~np.isnan(d.evid) & (np.nan_to_num(getattr(d, column.lower())) != 0),
        f"{column} on a row that is not a dose",
        f"{column} belongs to dose rows (EVID 1 or 4)",
        f"set {column} to 0 here, or correct EVID",
    )


DOSES = (
    Rule(
        "E-DOSE",
        "AMT",
        lambda d: d.amt < 0,
        "negative amounts",
        "AMT is zero or more",
        "correct the sign",
    ),
    Rule(
        "E-AMT",
        "AMT",
        lambda d: ~d.dose & ~np.isnan(d.evid) & (np.nan_to_num(d.amt) != 0),
        "an amount on a row that is not a dose",
        "AMT is zero or missing unless EVID is 1 or 4",
        "set EVID to 1 if the dose was given, AMT to 0 if not",
    ),
    Rule(
        "E-AMT",
        "AMT",
        lambda d: d.dose & np.isnan(d.amt) & d.is_missing("AMT"),
        "doses without an amount",
        "a dose row has an AMT; 0 where nothing is given, as for a placebo",
        "write the amount, or 0",
    ),
    Rule(
        "W-ZERODOSE",
        "AMT",
        lambda d: d.dose & (d.amt == 0) & ~endless(d),
        "doses of nothing",
        "a dose row with AMT 0 gives nothing, as for a placebo",
        "write the amount, or EVID 2 if nothing was given",
        once=True,
    ),
    Rule(
        "E-LIMIT",
        "AMT",
        lambda d: d.dose & (d.amt > 0) & (d.amt < SMALLEST_AMOUNT),
        "amounts too small to compute with",
        f"AMT is 0 or at least {SMALLEST_AMOUNT:g}",
        "correct the exponent, or use another unit",
    ),
    Rule(
        "E-DOSE",
        "RATE",
        lambda d: (d.rate < 0) & ~np.isin(d.rate, (-1, -2)),
        "rates that mean nothing",
        "RATE is an amount per time, 0, or -1 (rate from the model) or -2 (duration from the model)",
        "correct RATE",
    ),
    Rule(
        "E-DOSE",
        "RATE",
        lambda d: d.dose & (d.rate != 0) & (d.amt == 0) & ~endless(d) & ~np.isnan(d.rate),
        "an infusion of nothing",
        "RATE needs an AMT; only at steady state (SS 1 or 2, II 0) may AMT be 0: an infusion without end",
        "write the amount, or RATE 0",
    ),
    Rule(
        "E-DOSE",
        "II",
        lambda d: endless(d) & ((d.ii != 0) | (d.addl != 0)),
        "an infusion without end that is repeated",
        "an endless infusion (AMT 0, RATE > 0, SS) has neither II nor ADDL",
        "set II and ADDL to 0, or give AMT",
    ),
    Rule(
        "E-DOSE",
        "DUR",
        lambda d: d.dur < 0,
        "negative durations",
        "DUR is zero or more",
        "correct the sign",
    ),
    Rule(
        "E-DOSE",
        "DUR",
        lambda d: d.dose & (d.dur > 0) & (d.rate != 0) & ~np.isnan(d.rate),
        "both a rate and a duration",
        "an infusion has RATE or DUR, the other follows from AMT",
        "set one of them to 0",
    ),
    Rule(
        "E-DOSE",
        "ADDL",
        lambda d: (d.addl < 0) | ((d.addl != np.floor(d.addl)) & ~np.isnan(d.addl)),
        "a number of additional doses that cannot be",
        "ADDL is a whole number, zero or more",
        "correct ADDL",
    ),
    Rule(
        "E-DOSE",
        "II",
        lambda d: d.dose & (d.addl > 0) & ~(d.ii > 0) & ~np.isnan(d.ii) & ~endless(d),
        "additional doses without an interval",
        "ADDL needs an II above 0",
        "write the interval in II, or ADDL 0",
    ),
    Rule(
        "E-DOSE",
        "II",
        lambda d: d.dose & (d.ss > 0) & (d.amt > 0) & ~(d.ii > 0) & ~np.isnan(d.ii),
        "steady state without an interval",
        "SS needs an II above 0, unless AMT is 0 and RATE given (an infusion without end)",
        "write the interval in II, or SS 0",
    ),
    Rule(
        "E-DOSE",
        "II",
        lambda d: (d.ii < 0) & ~(d.dose & ((d.addl > 0) | (d.ss > 0))),
        "negative intervals",
        "II is zero or more",
        "correct the sign",
    ),
    Rule(
        "W-II",
        "II",
        lambda d: d.dose & (d.ii > 0) & (d.addl == 0) & (d.ss == 0),
        "an II that repeats nothing",
        "II counts only with ADDL or SS",
        "write ADDL or SS if the dose was repeated",
        once=True,
    ),
    Rule(
        "E-DOSE",
        "SS",
        lambda d: ~np.isin(d.ss, (0, 1, 2)) & ~np.isnan(d.ss),
        "kinds of steady state that do not exist",
        "SS is 0, 1 (forget what was before) or 2 (add to it)",
        "correct SS",
    ),
    Rule(
        "E-LIMIT",
        "ADDL",
        too_many,
        "subjects whose rows stand for too many doses",
        f"a subject has at most {MOST_DOSES} doses, ADDL included",
        "correct ADDL; use SS 1 for a treatment without end",
    ),
    *(dosing_elsewhere(column) for column in ("RATE", "DUR", "ADDL", "SS")),
    Rule(
        "W-II",
        "II",
        lambda d: ~d.dose & ~np.isnan(d.evid) & (d.ii > 0),
        "an II on a row that is no dose",
        "II belongs to dose rows",
        "set II to 0 here",
        once=True,
    ),
)
