"""A regimen text cut into words, numbers and signs, each with its place; and the error that points there."""

import re
from dataclasses import dataclass
from typing import Literal

from pkpd.errors import InputError

MOST_CHARACTERS = 2000

_SPACE = re.compile(r"\s*")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
# Letters, with the dots of "s.c." and "q.o.d."; they carry no meaning and are dropped.
_WORD = re.compile(r"[^\W\d_]+(?:\.[^\W\d_]+)*\.?")
_ALIKE = {"µg": "ug", "μg": "ug", "×": "x"}
# Beyond these a number is a slip of the keyboard, and exact arithmetic with it could take for ever.
_MOST_DIGITS = 15
_LARGEST_EXPONENT = 12


@dataclass(frozen=True)
class Token:
    """A piece of the text `[start, end)`: `raw` as written, `text` as it is compared."""

    kind: Literal["number", "word", "sign", "end"]
    text: str
    raw: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.raw)


class RegimenTextError(InputError):
    """A regimen text that is not understood.

    `position`: index of the character where the trouble begins. `expected`: what could have stood there.
    `caret`: the text, and below it a line that points there.
    """

    def __init__(self, text: str, token: Token, expected: str) -> None:
        self.text = text
        self.position = token.start
        self.expected = expected
        shown = "".join(character if character.isprintable() else " " for character in text)
        self.caret = f"{shown}\n{' ' * token.start}^"
        found = f"'{shown[token.start : token.end]}'" if token.raw else "the end"
        place = f"position {token.start + 1}, at {found}"
        super().__init__(f"regimen '{shown}' is not understood at {place}: expected {expected}")


def tokens(text: str) -> list[Token]:
    """The tokens of `text`, ended by one of kind "end".

    Raises `RegimenTextError` for a text or a number that is too long to be meant.
    """
    found = []
    at = _space(text, 0)
    if len(text) > MOST_CHARACTERS:
        beyond = Token("sign", "", text[MOST_CHARACTERS], MOST_CHARACTERS)
        raise RegimenTextError(text, beyond, f"a text of at most {MOST_CHARACTERS} characters")
    while at < len(text):
        if number := _NUMBER.match(text, at):
            token = Token("number", number[0].lower(), number[0], at)
            mantissa, _, exponent = token.text.partition("e")
            if len(mantissa) > _MOST_DIGITS or len(exponent) > 3 or abs(int(exponent or 0)) > _LARGEST_EXPONENT:
                raise RegimenTextError(text, token, f"a number of at most {_MOST_DIGITS} digits")
        elif word := _WORD.match(text, at):
            token = Token("word", word[0].lower().replace(".", ""), word[0], at)
        else:
            token = Token("sign", text[at], text[at], at)
        found.append(Token(token.kind, _ALIKE.get(token.text, token.text), token.raw, token.start))
        at = _space(text, token.end)
    return [*found, Token("end", "", "", len(text.rstrip()))]


def _space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
