"""Observations beyond the limits of an assay: CENS and LIMIT with Monolix's meaning, and what MDV
leaves to score.

CENS 1: the value lies below DV, which is then the limit of quantification, and above LIMIT where that
is given. CENS -1: it lies above DV, and below LIMIT where given. CENS 0: it was measured.
"""

from dataclasses import replace

import numpy as np

from pkpd.dataset.draft import Draft
from pkpd.dataset.findings import Breach


def with_limits(draft: Draft) -> tuple[Draft, list[Breach]]:
    """Complete LLOQ from the outputs, infer CENS from LLOQ where there is no CENS, and complete the DV
    of BLQ rows."""
    lloq = draft.lloq
    stated = np.array([np.nan if output.lloq is None else output.lloq for output in draft.outputs] + [np.nan])
    lloq = np.where(np.isnan(lloq), stated[draft.endpoint], lloq)
    breaches: list[Breach] = []
    cens, dv = draft.cens, draft.dv
    below = draft.observation & (dv < lloq) & ~(draft.mdv == 1)
    if "CENS" not in draft.places and below.any():
        breaches.append(
            draft.told("I-CENS", "DV", below, "DV below LLOQ, taken as censored there", "CENS 1 with DV = LLOQ")
        )
        cens, dv = np.where(below, 1.0, cens), np.where(below, lloq, dv)
    elif "CENS" in draft.places:
        completed = draft.observation & (cens == 1) & ~np.isnan(lloq) & ~(dv >= lloq)
        if completed.any():
            breaches.append(
                draft.told(
                    "I-CENS",
                    "DV",
                    completed,
                    "CENS 1 whose DV is taken from LLOQ",
                    "the DV of CENS 1 is the limit",
                )
            )
        dv = np.where(completed, lloq, dv)
    return replace(draft, cens=cens, dv=dv, lloq=lloq), breaches


def with_scores(draft: Draft) -> tuple[Draft, list[Breach]]:
    """Complete MDV: only an observation row that has a DV is scored; without one it asks for a prediction."""
    given = "MDV" in draft.places
    wanted = draft.observation & ~(draft.mdv == 1)
    unscored = wanted & np.isnan(draft.dv) & ~draft.unreadable & (draft.cens == 0)
    breaches = []
    if unscored.any():
        breaches.append(
            draft.told(
                "I-PREDICTION",
                "DV",
                unscored,
                "observation rows without a DV: a prediction is asked for, nothing is scored",
            )
        )
    hidden = draft.observation & (draft.mdv == 1) & ~np.isnan(draft.dv)
    if hidden.any():
        breaches.append(draft.told("I-MDV", "DV", hidden, "observations with a DV but MDV 1: not scored"))
    contrary = ~draft.observation & ~np.isnan(draft.evid) & (draft.mdv == 0)
    if given and contrary.any():
        breaches.append(
            draft.told(
                "W-MDV",
                "MDV",
                contrary,
                "MDV 0 on rows that are no observation, taken as 1",
                "MDV 1 unless EVID 0",
            )
        )
    mdv = np.where(draft.observation & ~np.isnan(draft.dv) & ~(draft.mdv == 1), 0.0, 1.0)
    bad = given & ~np.isin(draft.mdv, (0.0, 1.0)) & ~np.isnan(draft.mdv)
    return replace(draft, mdv=np.where(bad, draft.mdv, mdv)), breaches
