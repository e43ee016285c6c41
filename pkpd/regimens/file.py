"""A regimen of one's own, in a TOML file: one regimen a file.

    name = "weekend"                      needed
    title = "every third day, halved"     if wanted, as population and source
    regimen = "0.5 MIU sc q3d x 8 wk"     the regimen language, or instead of it single doses:

    [[dose]]
    time = "0 d"                          since the start, with its unit
    amount = 1.5
    unit = "MIU"                          IU, kIU, MIU or ug, with /m2 or /kg if so
    route = "sc"                          or "iv", or "iv over 15 min"

A key that is not known is an error.
"""

import re
import tomllib
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

from pkpd.errors import InputError
from pkpd.regimens.dose import Administration
from pkpd.regimens.grammar import parse
from pkpd.regimens.phase import Phase
from pkpd.regimens.regimen import Regimen
from pkpd.regimens.schedule import At

FIELDS = ("name", "title", "population", "source", "regimen", "dose")
DOSE_FIELDS = ("time", "amount", "unit", "route")

_EXAMPLES = {
    "name": 'name = "weekend"',
    "title": 'title = "..."',
    "population": 'population = "..."',
    "source": 'source = "..."',
    "regimen": 'regimen = "1 MIU sc qod x 12 wk"',
    "time": 'time = "3 d"',
    "unit": 'unit = "MIU"',
    "route": 'route = "sc"',
}
_NAME = re.compile(r"\w[\w .+-]{0,59}")
_MOST_BYTES = 1_000_000


def read(path: Path) -> Regimen:
    """The regimen in the file `path`.

    Raises `InputError` naming the file: for one that cannot be read, for a key that is not known, missing or of
    the wrong kind, for a text that is not understood.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"more than {_MOST_BYTES} bytes are no regimen; give a TOML file of one")
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        return _regimen(content)
    except OSError as error:
        raise InputError(f"cannot read '{path}': {error.strerror}; give the path of a TOML file") from error
    except InputError as error:
        raise InputError(f"'{path}': {error}") from error
    except (ValueError, OverflowError, RecursionError) as error:  # TOML that is none, or a number that is too long
        raise InputError(f"'{path}' is no TOML file: {error}") from error


def _regimen(content: dict[str, Any]) -> Regimen:
    _only(content, FIELDS, "a regimen file")
    name = _text(content, "name")
    described = {key: _text(content, key) for key in ("title", "population", "source") if key in content}
    if not _NAME.fullmatch(name):
        raise InputError(
            'give the regimen a name of up to 60 letters, digits, spaces and . _ + -, such as name = "weekly"'
        )
    if ("regimen" in content) == ("dose" in content):
        raise InputError('give either regimen = "1 MIU sc qod x 12 wk" or single doses as [[dose]]')
    phases = parse(_text(content, "regimen")) if "regimen" in content else _single_doses(content["dose"])
    return Regimen(name, phases, schedule_status="own file", dose_status="own file", **described)


def _single_doses(doses: object) -> tuple[Phase, ...]:
    """A list of doses as phases; those in a row that differ in nothing but time are one phase."""
    if not isinstance(doses, list) or not doses or not all(isinstance(dose, dict) for dose in doses):
        raise InputError("write each single dose as a table of its own, [[dose]]")
    given: list[tuple[Administration, Fraction]] = []
    for number, dose in enumerate(doses, start=1):
        try:
            given.append(_single_dose(dose))
        except InputError as error:
            raise InputError(f"dose {number}: {error}") from error
        if number > 1 and given[-1][1] <= given[-2][1]:
            raise InputError(f"dose {number} is not later than dose {number - 1}; list doses in the order of time")
    return tuple(
        Phase(administration, At(tuple(time for _, time in same)))
        for administration, same in groupby(given, key=lambda pair: pair[0])
    )


def _single_dose(dose: dict[str, Any]) -> tuple[Administration, Fraction]:
    _only(dose, DOSE_FIELDS, "a dose")
    amount = dose.get("amount")
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        raise InputError("give its amount as a number, such as amount = 1.5")
    words = [_text(dose, key) for key in ("unit", "route")]
    match parse(f"{amount:.12g} {' '.join(words)} at {_text(dose, 'time')}"):
        case (Phase(administration, At((time,))),):
            return administration, time
    raise InputError('give one dose at one time, such as unit = "MIU", route = "sc", time = "3 d"')


def _only(content: dict[str, Any], known: tuple[str, ...], what: str) -> None:
    if unknown := [key for key in content if key not in known]:
        raise InputError(f"unknown key '{unknown[0]}'; {what} has {', '.join(known)}")


def _text(content: dict[str, Any], key: str) -> str:
    if not isinstance(content.get(key), str):
        raise InputError(f"{'missing key' if key not in content else 'no text in key'} '{key}': write {_EXAMPLES[key]}")
    return content[key]
