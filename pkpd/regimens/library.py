"""The library of published low-dose interleukin-2 regimens, one entry an arm."""

import tomllib
from collections.abc import Iterator
from functools import cache
from typing import Any

from pkpd.errors import InputError
from pkpd.regimens.grammar import parse
from pkpd.regimens.regimen import EVIDENCE, Regimen
from pkpd.storage import shipped

REFERENCE = "pss_nct02464319"
"""What other regimens are held against, unless another is named."""

_NEEDED = {"name", "regimen", "title", "population", "agent", "source", "dose_status", "schedule_status"}
_WANTED = {"note", "unmodelled"}


def library() -> dict[str, Regimen]:
    """The regimens of `data/regimens/library.toml` by name, in their order there."""
    return dict(_library())


@cache
def _library() -> dict[str, Regimen]:
    content = tomllib.loads(shipped("regimens/library.toml").read_text(encoding="utf-8"))
    found: dict[str, Regimen] = {}
    for fields in _arms(content):
        regimen = _entry(fields)
        if regimen.name in found:
            raise InputError(f"regimen library: two entries are called '{regimen.name}'; give each its own name")
        found[regimen.name] = regimen
    return found


def _arms(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The fields of each arm: its own, and for the rest its trial's."""
    for trial in content["trial"]:
        shared = {key: value for key, value in trial.items() if key != "arm"}
        for arm in trial["arm"]:
            yield shared | arm


def _entry(fields: dict[str, Any]) -> Regimen:
    name = fields.get("name", "without a name")
    unknown, missing = sorted(set(fields) - _NEEDED - _WANTED), sorted(_NEEDED - set(fields))
    if unknown or missing:
        raise InputError(
            f"regimen library, entry '{name}': unknown fields {unknown}, missing fields {missing}; "
            f"an entry has {', '.join(sorted(_NEEDED | _WANTED))}"
        )
    for key in ("dose_status", "schedule_status"):
        if fields[key] not in EVIDENCE:
            raise InputError(f"regimen library, entry '{name}': {key} '{fields[key]}' is none of {', '.join(EVIDENCE)}")
    described = {key: value for key, value in fields.items() if key != "regimen"}
    return Regimen(phases=parse(fields["regimen"]), **described)
