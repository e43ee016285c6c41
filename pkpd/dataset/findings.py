"""What a table breaks, tells or leaves open, with the place, the rule and the way to mend it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pkpd.errors import InputError

Severity = Literal["error", "warning", "note"]

SEVERITY: dict[str, Severity] = {"E": "error", "W": "warning", "I": "note"}
SHOWN_ROWS = 5
LONGEST_VALUE = 60


@dataclass(frozen=True)
class Finding:
    """One place in a table where a rule is broken or something had to be told.

    `code` is stable (`E-ORDER`, `W-DVONDOSE`); its first letter is the severity. `row` is the line of
    the file, the header counting as a line, as an editor shows it (of a table in memory: the row,
    counted from 1). `row`, `id`, `column` and `value` are None where the finding is about the whole
    table.
    """

    code: str
    severity: Severity
    what: str
    row: int | None
    id: str | None
    column: str | None
    value: str | None
    rule: str = ""
    fix: str = ""


@dataclass(frozen=True)
class Breach:
    """All places of one rule: the places share the sentences, so a million of them stay cheap.

    `rows`, `ids` and `values` run in parallel and are empty for a breach of the whole table. `count`: how many rows
    there are where the first stands for all, None where each is listed.
    """

    code: str
    what: str
    rule: str = ""
    fix: str = ""
    column: str | None = None
    rows: Sequence[int] | np.ndarray = ()
    ids: Sequence[str] = ()
    values: Sequence[str] = ()
    count: int | None = None

    @property
    def told(self) -> str:
        """The breach in one line."""
        count = len(self.rows) if self.count is None else self.count
        return f"{self.severity} {self.code}: {self.what}" + (f" ({count} rows)" if count > 1 else "")

    @property
    def severity(self) -> Severity:
        return SEVERITY[self.code[0]]

    def __len__(self) -> int:
        return max(1, len(self.rows))

    def __iter__(self) -> Iterator[Finding]:
        common = (self.code, self.severity, self.what)
        if not len(self.rows):
            yield Finding(*common, None, None, self.column, None, self.rule, self.fix)
        for row, identity, value in zip(self.rows, self.ids, self.values, strict=True):
            yield Finding(*common, int(row), identity, self.column, value, self.rule, self.fix)


@dataclass(frozen=True)
class Findings:
    """Every finding of a table, errors first; iterating gives one `Finding` a place."""

    breaches: tuple[Breach, ...] = ()

    def __iter__(self) -> Iterator[Finding]:
        for breach in self.breaches:
            yield from breach

    def __len__(self) -> int:
        return sum(len(breach) for breach in self.breaches)

    def __add__(self, other: "Findings") -> "Findings":
        both = self.breaches + other.breaches
        return Findings(tuple(sorted(both, key=lambda breach: list(SEVERITY).index(breach.code[0]))))

    @property
    def codes(self) -> frozenset[str]:
        return frozenset(breach.code for breach in self.breaches)

    def of(self, severity: Severity) -> "Findings":
        """Only the findings of one severity."""
        return Findings(tuple(breach for breach in self.breaches if breach.severity == severity))

    def text(self, shown: int = SHOWN_ROWS) -> str:
        """One paragraph a rule, with its first `shown` places."""
        return "\n".join(line for breach in self.breaches for line in _paragraph(breach, shown))


NONE = Findings()


class DataError(InputError):
    """A table breaks rules. `findings` holds every place; the message shows the first of each rule."""

    def __init__(self, source: str, findings: Findings) -> None:
        self.findings = findings
        errors = findings.of("error")
        places = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        super().__init__(f"{source}: {places}\n{errors.text()}")


def shortened(value: str) -> str:
    """A cell as a message may show it: printable, and no longer than a line bears."""
    printable = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in value)
    return printable if len(printable) <= LONGEST_VALUE else printable[: LONGEST_VALUE - 3] + "..."


def _paragraph(breach: Breach, shown: int) -> Iterator[str]:
    count = len(breach.rows) if breach.count is None else breach.count
    yield breach.told
    for row, identity, value in zip(breach.rows[:shown], breach.ids[:shown], breach.values[:shown], strict=True):
        yield f"    row {row}, ID {identity}: {breach.column or 'row'} = {value or '(empty)'}"
    if len(breach.rows) > shown:
        yield f"    and {count - shown} rows more"
    if breach.rule:
        yield f"    rule: {breach.rule}"
    if breach.fix:
        yield f"    fix: {breach.fix}"
