"""A place in a regimen text that moves on as its tokens are understood, and that complaints point at."""

from fractions import Fraction

from pkpd.regimens.tokens import RegimenTextError, Token, tokens
from pkpd.regimens.vocabulary import A_TIME_UNIT, TIMES


class Cursor:
    """The tokens of a text, read one after another.

    Its methods take what they find and move on, or raise what `expected` returns.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.index = 0

    @property
    def here(self) -> Token:
        """The token that is due."""
        return self.tokens[self.index]

    @property
    def next(self) -> Token:
        """The token after the one that is due."""
        return self.tokens[min(self.index + 1, len(self.tokens) - 1)]

    def expected(self, what: str, token: Token | None = None) -> RegimenTextError:
        """The complaint that `what` was expected at a token, by default the one that is due."""
        return RegimenTextError(self.text, token or self.here, what)

    def advance(self) -> Token:
        """Take the token that is due."""
        self.index += 1
        return self.tokens[self.index - 1]

    def taken(self, *words: str) -> bool:
        """Take the token that is due if it is one of `words`; says whether it was."""
        found = self.here.text in words
        self.index += found
        return found

    def take(self, word: str, what: str) -> None:
        """Take `word`, described as `what`."""
        if not self.taken(word):
            raise self.expected(what)

    def number(self, what: str) -> Fraction:
        """Take a number that is 0 or more."""
        if self.here.kind != "number":
            raise self.expected(what)
        token, comma, digits = self.advance(), self.here, self.next
        glued = token.end == comma.start and comma.end == digits.start
        if comma.text == "," and digits.kind == "number" and glued:
            raise self.expected("a decimal point ('1.5', not '1,5'), or a space after the comma of a list")
        return Fraction(token.text)

    def positive(self, what: str) -> Fraction:
        """Take a number greater than 0."""
        begin = self.here
        number = self.number(what)
        if number == 0:
            raise self.expected(f"{what} greater than 0", begin)
        return number

    def whole(self, what: str) -> int:
        """Take a whole number greater than 0."""
        begin = self.here
        number = self.positive(what)
        if number.denominator != 1:
            raise self.expected(what, begin)
        return number.numerator

    def unit_of_time(self, what: str = A_TIME_UNIT) -> Fraction:
        """Take a unit of time, as hours."""
        if self.here.text not in TIMES:
            raise self.expected(what)
        return TIMES[self.advance().text]

    def duration(self, unit: str = A_TIME_UNIT) -> Fraction:
        """Take a length of time, as hours."""
        return self.positive("a length of time") * self.unit_of_time(unit)
