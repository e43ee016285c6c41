"""Reading a delimited text file: separators, quotes, marks and line ends as they occur in the wild.

The body is looked at as bytes, not as a million Python strings, so that checking costs little more than
pandas takes to read. Only files whose quotes hold separators or quotes take a slower step, which rewrites
them plainly first.
"""

import csv
import io
import string
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pkpd.dataset.findings import Breach, Findings
from pkpd.dataset.sheet import Sheet

LARGEST_FILE = 2 * 1024**3
LARGEST_ROWS = 20_000_000
LARGEST_COLUMNS = 1_000
# The csv module's own limit for a cell, which other packages change for everybody.
LONGEST_QUOTED_LINE = 131_072

# A separator that no cell can hold, for tables rewritten plainly.
PLAIN = "\x1f"
SEPARATORS = (",", ";", "\t")
NEWLINE = 10
# What separates like a blank in a table separated by blanks.
OTHER_BLANKS = b"\t\x0b\x0c\x1c\x1d\x1e\x1f"

FOREIGN = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"%PDF", "a PDF"),
    (b"HEADER RECORD", "a SAS transport file"),
    (b"\xff\xfe", "text in UTF-16"),
    (b"\xfe\xff", "text in UTF-16"),
)


class UnreadableError(Exception):
    """The file cannot be looked at as a table at all; `breach` says why."""

    def __init__(self, breach: Breach) -> None:
        super().__init__(breach.what)
        self.breach = breach


def read_text(path: Path, marks: tuple[str, ...], missing: tuple[str, ...]) -> Sheet:
    """The table in a text file with columns separated by commas, semicolons, tabs or blanks.

    Empty lines are passed over and told, and so are rows that begin with one of the `marks`: NONMEM's
    IGNORE, `@` standing for any letter. A row with too many or too few cells is an E-ROW and left out.
    Raises `UnreadableError` where there is no table to speak of.
    """
    data = _bytes_of(path)
    lines, first = _header(data, "#" if "#" in marks else "")
    separator = _separator(lines[-1])
    names = tuple(_cells(lines[-1], separator))
    _refuse(len(names) > LARGEST_COLUMNS, "E-LIMIT", f"{len(names)} columns", f"at most {LARGEST_COLUMNS} columns")

    body = _without_needless_quotes(data[first:], separator)
    if b'"' in body or (separator == " " and not body.isascii()):
        body = _plainly(body.decode(), separator).encode()
        separator = PLAIN
    elif b" " in body or separator == " ":
        body = _without_padding(body, separator)
    rows = Lines.of(body)
    limit = f"at most {LARGEST_ROWS} rows"
    _refuse(len(rows.ends) > LARGEST_ROWS, "E-LIMIT", f"{len(rows.ends)} rows", limit)

    number = len(lines) + 1 + np.arange(len(rows.ends))
    cells = rows.count(separator) + 1
    begun_by = "".join(marks).replace("@", "@" + string.ascii_letters)
    remark = rows.begin_with(begun_by)
    blank = rows.ends - rows.starts == cells - 1
    wrong = ~remark & ~blank & (cells != len(names))
    good = ~remark & ~blank & ~wrong

    breaches = []
    if wrong.any():
        breaches.append(_wrong_length(number[wrong], cells[wrong], len(names), separator))
    remarks = int(remark.sum()) + sum(bool(line.strip()) for line in lines[:-1])
    if remarks:
        breaches.append(Breach("I-COMMENT", f"{remarks} rows beginning with {' or '.join(marks)} were passed over"))
    if blank.any():
        breaches.append(Breach("I-BLANK", f"{blank.sum()} empty rows were passed over"))
    rows = rows if good.all() else rows.keep(good)
    return Sheet(
        source=path.name,
        names=names,
        cells=_parsed(rows.data, separator, len(names), missing),
        lines=number[good],
        text=lambda row, column: rows[row].split(separator)[column],
        findings=Findings(tuple(breaches)),
    )


@dataclass(frozen=True)
class Lines:
    """Lines of text as bytes: line i is `data[starts[i]:ends[i]]`."""

    data: bytes
    starts: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, data: bytes) -> "Lines":
        ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == NEWLINE)
        return cls(data, np.concatenate([[0], ends + 1])[: len(ends)], ends)

    def __getitem__(self, line: int) -> str:
        return self.data[self.starts[line] : self.ends[line]].decode()

    def count(self, letter: str) -> np.ndarray:
        """How often `letter` occurs in each line."""
        places = np.flatnonzero(np.frombuffer(self.data, dtype=np.uint8) == ord(letter))
        return np.diff(np.searchsorted(places, self.ends), prepend=0)

    def begin_with(self, letters: str) -> np.ndarray:
        """Lines whose first letter is one of `letters`."""
        firsts = np.frombuffer(self.data, dtype=np.uint8)[self.starts]
        return np.isin(firsts, np.frombuffer(letters.encode(), dtype=np.uint8))

    def keep(self, wanted: np.ndarray) -> "Lines":
        """Only the lines where `wanted` is true."""
        letters = np.frombuffer(self.data, dtype=np.uint8)
        return Lines.of(letters[np.repeat(wanted, self.ends - self.starts + 1)].tobytes())


def _bytes_of(path: Path) -> bytes:
    """The text of a file as UTF-8 without byte order mark, with \\n at every line's end."""
    try:
        size = path.stat().st_size
        _refuse(size > LARGEST_FILE, "E-LIMIT", f"{size} bytes", f"at most {LARGEST_FILE} bytes")
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableError(
            Breach("E-FILE", f"cannot read '{path}': {reason}", "", "give the path of a table you may read")
        ) from error
    for magic, kind in FOREIGN:
        _refuse(data.startswith(magic), "E-FILE", f"this is {kind}", "a table is plain text in UTF-8, or Parquet")
    data = data.removeprefix(b"\xef\xbb\xbf")
    _refuse(b"\x00" in data, "E-FILE", "the file holds NUL bytes", "a table is plain text in UTF-8, or Parquet")
    _refuse(data.lstrip()[:1] == b"<", "E-FILE", "this is XML or HTML", "a table is plain text, or Parquet")
    try:
        # A million strings' worth of text is only made where a byte could be wrong.
        if not data.isascii():
            data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UnreadableError(
            Breach(
                "E-FILE",
                f"line {line} holds a byte that is not UTF-8",
                "text is UTF-8",
                "save the table as 'CSV UTF-8' (units such as µg are where this usually comes from)",
            )
        ) from error
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data if data.endswith(b"\n") or not data else data + b"\n"


def _header(data: bytes, comment: str) -> tuple[list[str], int]:
    """The lines down to the one with the column names, and where the body begins."""
    lines, start = [], 0
    while start < len(data):
        stop = data.index(b"\n", start)
        lines.append(data[start:stop].decode())
        start = stop + 1
        if lines[-1].strip() and not (comment and lines[-1].lstrip().startswith(comment)):
            return lines, start
    raise UnreadableError(
        Breach("E-EMPTY", "the file holds no table", "the first row that is not a comment names the columns", "")
    )


def _separator(header: str) -> str:
    """The most frequent of comma, semicolon and tab outside quotes, or else the blank."""
    outside = "".join(header.split('"')[::2])
    best = max(SEPARATORS, key=outside.count)
    return best if best in outside else " "


def _cells(line: str, separator: str) -> list[str]:
    """The cells of a line, unquoted and without the blanks around them."""
    if '"' not in line:
        return line.split() if separator == " " else [cell.strip() for cell in line.split(separator)]
    if separator == " ":
        # The csv module would see an empty cell between any two blanks.
        line = " ".join(line.split())
    if len(line) > LONGEST_QUOTED_LINE:
        # Kept whole, so that the row is found too short.
        return [line]
    return [cell.strip() for cell in next(csv.reader([line], delimiter=separator, skipinitialspace=separator != " "))]


def _without_needless_quotes(body: bytes, separator: str) -> bytes:
    """The body without its quotes where they only enclose whole cells that hold no separator; else as it is."""
    letters = np.frombuffer(body, dtype=np.uint8)
    quotes = np.flatnonzero(letters == ord('"'))
    # Between blanks, an empty cell can only be seen by its quotes.
    if not len(quotes) or len(quotes) % 2 or (separator == " " and b'""' in body):
        return body
    separating = separator.encode() + (OTHER_BLANKS if separator == " " else b"")
    edges = np.isin(letters, np.frombuffer(separating + b"\n", dtype=np.uint8))
    opening, closing = quotes[::2], quotes[1::2]
    between = np.flatnonzero(edges)
    whole = ((opening == 0) | edges[opening - 1]) & edges[closing + 1]
    if (whole & (np.searchsorted(between, opening) == np.searchsorted(between, closing))).all():
        return body.replace(b'"', b"")
    return body


def _without_padding(body: bytes, separator: str) -> bytes:
    """The cells without the blanks around them; where blanks separate, one of them between any two cells."""
    if separator == " ":
        body = body.translate(bytes.maketrans(OTHER_BLANKS, b" " * len(OTHER_BLANKS)))
    letters = np.frombuffer(body, dtype=np.uint8)
    blanks = np.flatnonzero(letters == ord(" "))
    first = np.diff(blanks, prepend=-2) > 1
    last = np.append(first[1:], True)[: len(blanks)]
    edges = letters == NEWLINE
    if separator != " ":
        edges |= letters == ord(separator)
    begin, end = blanks[first], blanks[last]
    outer = (begin == 0) | edges[begin - 1] | edges[end + 1]
    dropped = outer[np.cumsum(first) - 1]
    if separator == " ":
        dropped |= ~first
    kept = np.ones(len(letters), dtype=bool)
    kept[blanks[dropped]] = False
    return letters[kept].tobytes()


def _plainly(body: str, separator: str) -> str:
    return "\n".join(PLAIN.join(_cells(line, separator)) for line in body.split("\n"))


def _parsed(body: bytes, separator: str, columns: int, missing: tuple[str, ...]) -> pd.DataFrame:
    if not body:
        return pd.DataFrame({place: pd.Series(dtype=object) for place in range(columns)})
    return pd.read_csv(
        io.BytesIO(body),
        sep=separator,
        header=None,
        names=list(range(columns)),
        index_col=False,
        na_values=list(missing),
        keep_default_na=False,
        quoting=csv.QUOTE_NONE,
        skip_blank_lines=False,
        low_memory=False,
    )


def _wrong_length(rows: np.ndarray, cells: np.ndarray, expected: int, separator: str) -> Breach:
    decimal = " (a decimal comma makes two cells of one)" if separator == "," else ""
    return Breach(
        "E-ROW",
        f"rows with more or fewer cells than the {expected} column names",
        "every row has one cell for each column name",
        f"complete the row or quote cells that hold the separator{decimal}",
        column="cells",
        rows=rows,
        ids=["?"] * len(rows),
        values=[str(count) for count in cells],
    )


def _refuse(broken: bool, code: str, what: str, rule: str) -> None:
    if broken:
        raise UnreadableError(
            Breach(code, what, rule, "save the table as plain CSV in UTF-8" if code == "E-FILE" else "")
        )
