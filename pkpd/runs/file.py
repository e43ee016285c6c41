"""Reading a run file: what it says as far as it is understood, and what is not."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from pkpd.errors import InputError
from pkpd.runs.mistakes import closest
from pkpd.runs.written import (
    CovariateEffect,
    EndpointError,
    Method,
    ModelParameter,
    OmegaBlock,
    PriorDistribution,
    RunFile,
    Value,
)


@dataclass(frozen=True)
class Written:
    """A run file: the bytes it was read from, and what they say.

    `misspelt`: every key that is unknown, missing or of the wrong kind: its place, and what is wrong. The entries of
    the file with such a key (`parameters.cl`, `omega`) are `unclear`, and not in `said`; whoever reads on tells both
    what is misspelt and what else is wrong.
    """

    path: Path
    said: RunFile
    content: bytes
    misspelt: tuple[tuple[str, str], ...] = ()
    unclear: tuple[str, ...] = ()

    def names(self, section: str) -> tuple[str, ...]:
        """The names of a section's entries, unclear ones among them."""
        unclear = (one.partition(".") for one in self.unclear)
        return (*getattr(self.said, section), *(name for within, _, name in unclear if within == section and name))


def read_run_file(path: Path) -> Written:
    """The run file `path`. Raises `InputError` where it cannot be read, or is no TOML."""
    try:
        content = path.read_bytes()
        said = tomllib.loads(content.decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot read the run file '{path}': {reason}") from error
    try:
        return Written(path, RunFile.model_validate(said), content)
    except ValidationError as error:
        problems = error.errors()
    misspelt = tuple((".".join(map(str, one["loc"])), _told(one["type"], one["loc"], one["msg"])) for one in problems)
    entries = {_entry(one["loc"]) for one in problems}
    clear = _without(said, entries)
    return Written(path, RunFile.model_validate(clear), content, misspelt, tuple(sorted(map(".".join, entries))))


def _entry(place: tuple[Any, ...]) -> tuple[str, ...]:
    """The entry of the file that `place` is in: one of a section of entries with names, or a whole section."""
    return place[: 2 if place[0] in ("parameters", "residual", "priors") else 1]


def _without(said: dict[str, Any], entries: set[tuple[str, ...]]) -> dict[str, Any]:
    """What is said beside these entries; nothing where something has to be said."""
    left: dict[str, Any] = {"model": "", "parameters": {}, "residual": {}}
    for section, content in said.items():
        if (section,) not in entries:
            named = {one[1] for one in entries if one[0] == section}
            left[section] = {k: v for k, v in content.items() if k not in named} if named else content
    return left


def _told(kind: str, place: tuple[Any, ...], message: str) -> str:
    if kind == "extra_forbidden":
        return f"no such key; {closest(str(place[-1]), _section(place).model_fields)}"
    if kind == "missing":
        return "is missing"
    message = message.removeprefix("Value error, ")
    return message[0].lower() + message[1:]


def _section(place: tuple[Any, ...]) -> type[BaseModel]:
    """The section that the last key of `place` was looked for in."""
    inside = place[:-1]
    if not inside:
        return RunFile
    if inside[0] == "parameters":
        if len(inside) == 2:
            return ModelParameter
        return CovariateEffect if inside[2] == "covariates" and len(inside) == 4 else Value
    if inside[0] == "residual":
        return EndpointError if len(inside) == 2 else Value
    sections = {
        "omega": OmegaBlock,
        "occasion_omega": OmegaBlock,
        "site_omega": OmegaBlock,
        "priors": PriorDistribution,
        "method": Method,
    }
    return sections[inside[0]]
