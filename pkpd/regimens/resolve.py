"""What a user gives as a regimen - a name of the library, a text, a TOML file - and what is meant by it."""

from difflib import get_close_matches
from pathlib import Path

from pkpd.errors import InputError
from pkpd.regimens import file
from pkpd.regimens.grammar import parse
from pkpd.regimens.library import library
from pkpd.regimens.regimen import Regimen
from pkpd.regimens.sentence import sentence

_MOST_SUGGESTIONS = 6


def resolve(regimen: str | Path | Regimen) -> Regimen:
    """The regimen that is meant: itself, a name of the library, a path that ends in .toml, or a text.

    A text becomes a regimen whose name is its canonical sentence.

    Raises `InputError`: for an unknown name with the closest ones, for a text with the place of the trouble, for
    a file with what is wrong in it.
    """
    if isinstance(regimen, Regimen):
        return regimen
    if isinstance(regimen, Path) or regimen.strip().lower().endswith(".toml"):
        return _own(Path(regimen))
    text = regimen.strip()
    known = library()
    if text.lower() in known:
        return known[text.lower()]
    if not text:
        raise InputError(
            'an empty regimen; give a name of the library, a text such as "1 MIU sc qod x 12 wk", or a file'
        )
    close = _close(text, list(known))
    # A text begins with the number of a dose or is several words; what else it may be is a name.
    if text[0].isalpha() and (close or " " not in text):
        hint = f"the closest are {', '.join(close)}" if close else "`pkpd regimens list` prints the library"
        raise InputError(f"no regimen is called '{_shown(text)}'; {hint}")
    phases = parse(regimen)
    return Regimen(sentence(phases), phases)


def _own(path: Path) -> Regimen:
    regimen = file.read(path)
    if regimen.name in library():
        raise InputError(f"'{path}': the library has a regimen called '{regimen.name}'; choose another name")
    return regimen


def _close(text: str, names: list[str]) -> list[str]:
    """Names that contain the text or resemble it."""
    plain = "_".join(text.lower().replace("-", " ").split())
    containing = [name for name in names if plain in name]
    similar = get_close_matches(plain, names, n=_MOST_SUGGESTIONS)
    return list(dict.fromkeys([*containing, *similar]))[:_MOST_SUGGESTIONS]


def _shown(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)[:80]
