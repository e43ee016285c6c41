"""Reading a run file: what it says, or everything that is wrong with it at once."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from pkpd.errors import InputError
from pkpd.runs.mistakes import Mistakes, closest
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
    """A run file that was understood: `said`, and the bytes it was read from."""

    path: Path
    said: RunFile
    content: bytes


def read_run_file(path: Path) -> Written:
    """The run file `path`. Raises `InputError` with every key that is unknown, missing or of the wrong kind."""
    try:
        content = path.read_bytes()
        said = tomllib.loads(content.decode("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot read the run file '{path}': {reason}") from error
    try:
        return Written(path, RunFile.model_validate(said), content)
    except ValidationError as error:
        mistakes = Mistakes(path.name)
        for problem in error.errors():
            mistakes.add(".".join(map(str, problem["loc"])), _told(problem["type"], problem["loc"], problem["msg"]))
        mistakes.tell()
        raise


def _told(kind: str, place: tuple[Any, ...], message: str) -> str:
    if kind == "extra_forbidden":
        return f"no such key; {closest(str(place[-1]), _section(place).model_fields)}"
    if kind == "missing":
        return "is missing"
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
