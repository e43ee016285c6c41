"""Several runs beside each other, from what their folders hold."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pkpd.errors import InputError
from pkpd.runs.folder import read_json

_SAME = {
    "convention": "convention",
    "method": "method",
    "nodes": "number of nodes",
    "observations": "number of observations",
}
"""What two runs must have in common, and how a person calls it."""


def compared(folders: Sequence[Path]) -> list[dict[str, Any]]:
    """One row a run, with the difference of its objective to the run it is based on, or to the first.

    A difference means something only where the same rows are scored, in the same unit, by the same convention and the
    same method, with the same priors: where one of them differs there is none, and `note` says why. Raises `InputError`
    on a folder that is no run.
    """
    runs = [(folder, read_json(folder, "manifest.json"), _fit(folder)) for folder in folders]
    if not runs:
        raise InputError("give one run folder or more, for example pkpd runs compare runs/*")
    by_name = {folder.name: (manifest, fit) for folder, manifest, fit in runs}
    rows = []
    for folder, manifest, fit in runs:
        parent = Path(manifest.get("parent") or "").name
        base = by_name.get(parent, (runs[0][1], runs[0][2]))
        note = _not_comparable(manifest, fit, *base)
        known = fit.get("ofv") is not None and base[1].get("ofv") is not None
        notes = [f"no difference of objectives: {note}"] if note and known else []
        if parent and parent not in by_name:
            notes.append(f"it is based on '{parent}', which is not among these, and compared with {runs[0][0].name}")
        rows.append(
            {
                "run": folder.name,
                "folder": str(folder),
                "based_on": parent,
                "description": manifest.get("description", ""),
                "status": manifest.get("status", ""),
                "method": fit.get("method", ""),
                "ofv": fit.get("ofv"),
                "delta_ofv": fit["ofv"] - base[1]["ofv"] if known and not note else None,
                "estimated": fit.get("estimated", ""),
                "aic": fit.get("aic"),
                "bic": fit.get("bic"),
                "condition": fit.get("condition"),
                "agreeing": fit.get("agreeing", ""),
                "starts": len(fit.get("starts", [])),
                "seconds": sum(fit.get("seconds", {}).values()) or None,
                "note": f"{folder.name}: {'; '.join(notes)}" if notes else "",
            }
        )
    return rows


def _fit(folder: Path) -> dict[str, Any]:
    """fit.json; nothing where the run has not come so far."""
    return read_json(folder, "fit.json") if (folder / "fit.json").exists() else {}


def _not_comparable(manifest: dict[str, Any], fit: dict[str, Any], base: dict[str, Any], other: dict[str, Any]) -> str:
    differ = []
    if manifest.get("sha256", {}).get("data") != base.get("sha256", {}).get("data"):
        differ.append("other data")
    differ += [f"another {text}" for name, text in _SAME.items() if fit and other and fit[name] != other[name]]
    if fit and other and fit.get("priors", {}) != other.get("priors", {}):
        differ.append("other priors")
    mine, theirs = fit.get("scored", {}), other.get("scored", {})
    for what, text in (("rows", "other rows scored"), ("below", "another `below`"), ("unit", "another unit")):
        pairs = {name: (mine[name][what], theirs[name][what]) for name in mine if name in theirs}
        where = [name for name, (one, another) in pairs.items() if one != another and None not in (one, another)]
        differ += [f"{text} of {', '.join(where)}"] if where else []
    if mine and theirs and set(mine) != set(theirs):
        differ.append("other endpoints")
    return ", ".join(differ)
