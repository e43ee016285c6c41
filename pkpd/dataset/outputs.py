"""Which endpoint an observation belongs to: by DVID where the table has it, else by CMT."""

from dataclasses import replace

import numpy as np

from pkpd.dataset.columns import WHOLE, Labels, labels
from pkpd.dataset.declaration import Output
from pkpd.dataset.draft import Draft
from pkpd.dataset.findings import Breach

USUAL = 0.9
"""Share of the observations above which a key of the others is more likely a slip than an endpoint."""


def with_outputs(draft: Draft, declared: tuple[Output, ...], dvid: int | None) -> tuple[Draft, list[Breach]]:
    """Give each observation its endpoint; `dvid` is the position of the DVID column.

    Without a declaration every DVID (or every CMT an observation has) is an endpoint of its own, and
    that is told.
    """
    keys, column = _keys(draft, dvid)
    outputs, breaches = (declared, []) if declared else _inferred(draft, keys, column)
    endpoint = np.full(len(draft), -1)
    absent: list[str] = []
    for index, output in enumerate(outputs):
        chosen, named = keys, column
        if output.column is not None and output.column != column:
            chosen, named = _keys(draft, dvid, output.column)
        rows = draft.observation
        if output.value is not None:
            rows = rows & _is(chosen, str(output.value))
        elif output.name.lower() in (name.lower() for name in chosen.names):
            rows = rows & _is(chosen, output.name)
        elif len(outputs) > 1:
            rows = np.zeros(len(draft), dtype=bool)
        elif _kinds(draft, chosen, named) > 1:
            # An error either way; where nearly all rows agree, those that do not are the ones to look at.
            rows = rows & _usual(draft, chosen)
        if (endpoint[rows] >= 0).any():
            breaches.append(
                draft.told(
                    "E-DVID",
                    named or "DV",
                    rows & (endpoint >= 0),
                    f"observations of both '{output.name}' and '{outputs[int(endpoint[rows].max())].name}'",
                    "an observation belongs to one endpoint",
                    "give each output the DVID or CMT that is its own",
                )
            )
        endpoint[rows & (endpoint < 0)] = index
        if not rows.any():
            absent.append(output.name)
    if absent:
        breaches.append(
            Breach(
                "W-OUTPUT",
                f"no row is an observation of {', '.join(absent)}",
                "an output names the DVID or CMT of its observations",
                f"found in {column or 'the table'}: {', '.join(keys.names) or 'no DVID and no CMT'}",
            )
        )
    homeless = draft.observation & (endpoint < 0) & ~np.isnan(draft.dv)
    if homeless.any():
        names = ", ".join(f"'{output.name}'" for output in outputs) or "none"
        breaches.append(
            draft.breach(
                "E-DVID",
                column or "DV",
                homeless,
                "observations of no known endpoint",
                f"every observation belongs to a declared output; declared: {names}",
                "declare it (outputs), correct the cell, or leave such rows out (ignore)",
            )
        )
    return replace(draft, endpoint=endpoint, outputs=outputs), breaches


def _keys(draft: Draft, dvid: int | None, column: str | None = None) -> tuple[Labels, str | None]:
    """What tells the endpoints apart, and the column it comes from."""
    if column != "CMT" and dvid is not None:
        return labels(draft.sheet, dvid), "DVID"
    if column != "DVID" and "CMT" in draft.places:
        return labels(draft.sheet, draft.places["CMT"]), "CMT"
    return Labels(np.full(len(draft), -1), ()), None


def _is(keys: Labels, value: str) -> np.ndarray:
    same = [name.lower() == value.lower() for name in keys.names]
    return np.array([*same, False], dtype=bool)[keys.codes]


def _kinds(draft: Draft, keys: Labels, column: str | None) -> int:
    """How many different keys the observations have; no CMT is no kind of its own, for it means the default."""
    used = np.unique(keys.codes[draft.observation & ~np.isnan(draft.dv)])
    return len(used if column == "DVID" else used[used >= 0])


def _usual(draft: Draft, keys: Labels) -> np.ndarray:
    """Rows with the key that `USUAL` of the observations have; none where there is no such key."""
    codes, counts = np.unique(keys.codes[draft.observation & ~np.isnan(draft.dv)], return_counts=True)
    return (keys.codes == codes[counts.argmax()]) & (counts.max() >= USUAL * counts.sum())


def _inferred(draft: Draft, keys: Labels, column: str | None) -> tuple[tuple[Output, ...], list[Breach]]:
    used = keys.codes[draft.observation]
    found = [keys.names[code] for code in np.unique(used[used >= 0])]
    if column is None or (column == "CMT" and len(found) <= 1):
        return (Output("dv"),), []
    outputs = tuple(
        Output(
            f"{column.lower()}{name}" if WHOLE.fullmatch(name) else name,
            name,
            column="DVID" if column == "DVID" else "CMT",
        )
        for name in sorted(found, key=lambda name: (len(name), name))
    )
    names = ", ".join(output.name for output in outputs) or "none"
    told = Breach(
        "I-DVID",
        f"each {column} of an observation is an endpoint: {names}",
        "",
        "name them: outputs = { il2 = 1, .. }",
    )
    return outputs, [told]
