"""What a table must keep to before anything is computed from it: one small object a rule.

A rule looks at all rows at once and says where it is broken. To add one: one row in one of the tables
of rules, one bad table in the tests.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pkpd.dataset.draft import Draft
from pkpd.dataset.findings import Breach


@dataclass(frozen=True)
class Rule:
    """`broken(draft)` is true in the rows that break the rule; `column` is where to look for the mistake.

    `code`: stable, several rules may share one. `what`: what is wrong; `rule`: what is right; `fix`:
    how to mend it. `once`: told once with the number of rows, rather than row by row. `purpose`: None,
    or the only purpose of reading ("fit", "simulate") for which the rule holds.
    """

    code: str
    column: str
    broken: Callable[[Draft], np.ndarray]
    what: str
    rule: str
    fix: str
    once: bool = False
    purpose: str | None = None

    def check(self, draft: Draft) -> list[Breach]:
        """The breach of this rule in `draft`, or nothing."""
        broken = self.broken(draft)
        if not broken.any():
            return []
        report = draft.told if self.once else draft.breach
        return [report(self.code, self.column, broken, self.what, self.rule, self.fix)]


def goes_back(draft: Draft) -> np.ndarray:
    """Rows earlier than the row before them in the same subject."""
    back = np.zeros(len(draft), dtype=bool)
    back[1:] = draft.time[1:] < draft.time[:-1]
    return back & draft.follows


def returns(draft: Draft) -> np.ndarray:
    """Rows where a subject begins again after another one's rows; a row without an ID is nobody's."""
    named = np.flatnonzero(draft.subject >= 0)
    subject = draft.subject[named]
    begins = np.ones(len(named), dtype=bool)
    begins[1:] = subject[1:] != subject[:-1]
    again = np.zeros(len(draft), dtype=bool)
    again[named[begins]] = True
    return again & ~draft.first


def at_a_dose(draft: Draft) -> np.ndarray:
    """Observations at the time of a dose of the same subject in a neighbouring row."""
    same = np.zeros(len(draft), dtype=bool)
    same[1:] = draft.time[1:] == draft.time[:-1]
    same &= draft.follows
    after = same & np.roll(draft.dose, 1)
    before = np.roll(same, -1) & np.roll(draft.dose, -1)
    return draft.observation & (after | before)


def given_twice(draft: Draft) -> np.ndarray:
    """Dose rows that repeat the dose row before them in their subject."""
    doses = np.flatnonzero(draft.dose)
    same = np.ones(max(0, len(doses) - 1), dtype=bool)
    for held in (draft.subject, draft.time, draft.amt, draft.cmt, draft.rate, draft.dur):
        same &= held[doses[1:]] == held[doses[:-1]]
    twice = np.zeros(len(draft), dtype=bool)
    twice[doses[1:][same]] = True
    return twice


# At such times, in hours, a double no longer tells one minute from the next.
LATEST = 1e12

ORDER = (
    Rule(
        "E-ORDER",
        "TIME",
        lambda d: goes_back(d) & ~np.isin(d.evid, (3, 4)),
        "time goes back within a subject",
        "the rows of a subject are in time order",
        "correct the time, or sort: allow_unsorted = true, or `pkpd data check FILE --fix OUT`",
    ),
    Rule(
        "E-ORDER",
        "TIME",
        lambda d: goes_back(d) & np.isin(d.evid, (3, 4)),
        "time starts anew at a reset",
        "the rows of a subject are in time order, also across EVID 3 and 4",
        "make what follows the reset a subject of its own, or let its times run on",
    ),
    Rule(
        "E-ID",
        "ID",
        returns,
        "an ID comes back after the rows of another one",
        "the rows of a subject stand together",
        "give the second subject an ID of its own, or gather the rows: allow_unsorted = true",
    ),
    Rule(
        "E-LIMIT",
        "TIME",
        lambda d: np.abs(d.time) > LATEST,
        "times so large that minutes are lost in rounding",
        f"TIME lies between {-LATEST:g} and {LATEST:g}",
        "count from the first dose",
    ),
    Rule(
        "I-SAMETIME",
        "TIME",
        at_a_dose,
        "observations at the time of a dose",
        "rows of one time act in the order of the table: above the dose is before it",
        "move the row if it was meant the other way round",
        once=True,
    ),
    Rule(
        "W-TWICE",
        "AMT",
        given_twice,
        "doses that repeat the dose row before them",
        "both are given",
        "remove the row if it is a copy",
        once=True,
    ),
)

EVENTS = (
    Rule(
        "E-VALUE",
        "MDV",
        lambda d: ~np.isin(d.mdv, (0, 1)) & ~np.isnan(d.mdv),
        "values of MDV that mean nothing",
        "MDV is 0 (DV counts) or 1 (it does not)",
        "write 0 or 1, or remove the column",
    ),
    Rule(
        "E-VALUE",
        "OCC",
        lambda d: (d.occ != np.floor(d.occ)) & ~np.isnan(d.occ),
        "occasions that are not whole numbers",
        "OCC counts the occasions of a subject",
        "number the occasions 1, 2, ...",
    ),
    Rule(
        "E-EMPTY",
        "ID",
        lambda d: d.first & ~d.subject_has(d.scored | d.unreadable) & d.scored.any(),
        "subjects without an observation to fit",
        "every subject has at least one row with EVID 0, MDV 0 and a DV",
        'leave them out: ignore = ["ID == .."], or read only to predict: purpose = "simulate"',
        purpose="fit",
    ),
    Rule(
        "W-DOSEONLY",
        "ID",
        lambda d: d.first & ~d.subject_has(d.observation | d.unreadable),
        "subjects without an observation row",
        "nothing is predicted for a subject that only has doses",
        "add rows with EVID 0 at the times wanted",
        purpose="simulate",
    ),
    Rule(
        "I-NODOSE",
        "ID",
        lambda d: d.first & ~d.subject_has(d.dose | d.unreadable),
        "subjects that are never dosed",
        "placebo and untreated subjects have no dose row",
        "check AMT and EVID if they were treated",
        once=True,
    ),
)
