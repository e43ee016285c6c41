"""Mistakes are collected, each with the place in the file, and told together."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

from pkpd.errors import InputError


class Mistakes:
    """What is wrong with one file."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.found: list[str] = []

    def add(self, place: str, said: str) -> None:
        """One more."""
        self.found.append(f"{place}: {said}" if place else said)

    @contextmanager
    def at(self, place: str) -> Iterator[None]:
        """An `InputError` raised inside belongs to `place`, and what follows is looked at all the same."""
        try:
            yield
        except InputError as error:
            self.add(place, str(error))

    def tell(self) -> None:
        """Raise `InputError` if there are any."""
        if len(self.found) == 1:
            raise InputError(f"{self.source}: {self.found[0]}")
        if self.found:
            raise InputError("\n  ".join([f"{self.source}: {len(self.found)} mistakes", *self.found]))


def closest(name: str, known: Iterable[str]) -> str:
    """What `name` may have been meant to be."""
    names = list(known)
    found = get_close_matches(name, names, n=1)
    return f"did you mean '{found[0]}'?" if found else f"known are {', '.join(names) or 'none'}"
