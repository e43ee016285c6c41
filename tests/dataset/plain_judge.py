"""Is a table fit to be used? A second, slow opinion in plain Python: no pandas, nothing of the package.

It knows tables of one separator without quotes, whose cells are given as text, read with nothing declared.
"""

import math
from collections.abc import Sequence

MISSING = {"", ".", "NA"}
COLUMNS = ("ID", "TIME", "DV", "AMT", "EVID", "CMT", "MDV", "RATE", "DUR", "ADDL", "II", "SS", "CENS", "LIMIT", "LLOQ")


def number(cell: str) -> float | None:
    """The number in a cell; None if it is missing; NaN if it is neither."""
    cell = cell.strip()
    if cell in MISSING:
        return None
    if not cell.isascii() or any(letter not in "0123456789+-.eE" for letter in cell):
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        return math.nan
    return value if abs(value) <= 1e100 else math.nan


def mistakes(header: Sequence[str], rows: Sequence[Sequence[str]]) -> set[str]:
    """Codes of the mistakes in the table; empty if it may be used for fitting."""
    found: set[str] = set()
    records = []
    for cells in rows:
        record = {name: number(cell) for name, cell in zip(header, cells, strict=True) if name not in ("ID", "CMT")}
        if any(value is not None and math.isnan(value) for value in record.values()):
            found.add("E-VALUE")
        identity = cells[header.index("ID")].strip()
        record["who"] = who(identity)
        if "CMT" in header:
            record["CMT"] = number(cells[header.index("CMT")])
        records.append(record)
        if record["who"] is None or record["TIME"] is None or ("EVID" in record and record["EVID"] is None):
            found.add("E-VALUE")
    if "CMT" in header and (named := names([cells[header.index("CMT")].strip() for cells in rows])):
        for record, cells in zip(records, rows, strict=True):
            record["CMT"] = named.get(cells[header.index("CMT")].strip())
    for record in records:
        found |= of_record(record)
    found |= of_order(records)
    seen = [record for record in records if kind(record) == 0]
    several = len({record["CMT"] for record in seen if record.get("CMT") is not None}) > 1
    if several and any(record["CMT"] is None and record.get("DV") is not None for record in seen):
        found.add("E-DVID")
    scored = {record["who"] for record in records if is_scored(record)}
    if any(record["who"] not in scored for record in records) or not records:
        found.add("E-EMPTY")
    return found


def who(identity: str) -> float | str | None:
    """The subject a cell means: 1 and 1.0 are one; the remains of a failed computation are none."""
    if identity in MISSING or identity.lower() == "nan":
        return None
    held = number(identity)
    return identity if held is None or math.isnan(held) else held


def names(cells: Sequence[str]) -> dict[str, float]:
    """Numbers of the compartments if all cells are words, else nothing."""
    words = [cell for cell in cells if cell not in MISSING]
    if any(not word[0].isalpha() or not word.isalnum() or word.lower() in ("nan", "inf") for word in words):
        return {}
    return {word: float(words.index(word) + 1) for word in words}


def value(record: dict, name: str, default: float = 0.0) -> float:
    held = record.get(name)
    return default if held is None else held


def kind(record: dict) -> float:
    """EVID, inferred where the table has none."""
    if "EVID" in record:
        return {101.0: 1.0}.get(value(record, "EVID", math.nan), value(record, "EVID", math.nan))
    forever = value(record, "RATE") > 0 and value(record, "SS") > 0
    return 1.0 if value(record, "AMT") != 0 or forever else 0.0


def is_scored(record: dict) -> bool:
    limited = record.get("DV") is not None or (value(record, "CENS") == 1 and record.get("LLOQ") is not None)
    return kind(record) == 0 and value(record, "MDV") == 0 and limited


def of_record(record: dict) -> set[str]:
    evid, found = kind(record), set()
    amt, rate, dur, addl, ii, ss = (value(record, name) for name in ("AMT", "RATE", "DUR", "ADDL", "II", "SS"))
    cens, dv = value(record, "CENS"), record.get("DV")
    if math.isnan(evid):
        return found
    if evid not in (0, 1, 2, 3, 4):
        return {"E-EVID"}
    cmt = value(record, "CMT")
    if math.isnan(cmt) or cmt < 0 or cmt != int(cmt) or cmt > 100_000:
        found.add("E-CMT")
    if "EVID" in record and record["EVID"] == 101 and cmt > 1:
        found.add("E-EVID")
    if record.get("MDV") is not None and record["MDV"] not in (0, 1):
        found.add("E-VALUE")
    dose = evid in (1, 4)
    forever = dose and rate > 0 and ss > 0 and amt == 0
    if abs(value(record, "TIME")) > 1e12 or (dose and 0 < amt < 1e-100) or (dose and addl >= 100_000):
        found.add("E-LIMIT")
    if not dose and amt != 0:
        found.add("E-AMT")
    if dose and record.get("AMT") is None and not forever:
        found.add("E-AMT")
    doubtful = [
        amt < 0,
        rate < 0 and rate not in (-1, -2),
        dose and rate != 0 and amt == 0 and record.get("AMT") is not None and not forever,
        forever and (ii != 0 or addl != 0),
        dur < 0,
        dose and dur > 0 and rate != 0,
        addl < 0 or addl != math.floor(addl) if not math.isnan(addl) else False,
        dose and addl > 0 and not ii > 0 and not forever,
        dose and ss > 0 and amt > 0 and not ii > 0,
        ii < 0,
        ss not in (0, 1, 2),
        not dose and (rate != 0 or dur != 0 or addl != 0 or ss != 0),
    ]
    if any(doubtful):
        found.add("E-DOSE")
    if evid != 0 and dv not in (None, 0):
        found.add("E-DV")
    lloq, limit = record.get("LLOQ"), record.get("LIMIT")
    if cens not in (-1, 0, 1):
        found.add("E-BLQ")
    if evid == 0:
        if lloq is not None and lloq <= 0:
            found.add("E-BLQ")
        inferred = "CENS" not in record and dv is not None and value(record, "MDV") != 1
        if inferred and lloq is not None and dv < lloq:
            cens = 1.0
        if cens == 1 and lloq is not None and (dv is None or dv < lloq):
            dv = lloq
        if cens in (-1, 1) and dv is None:
            found.add("E-BLQ")
        if cens == 1 and dv is not None and lloq is not None and dv > lloq:
            found.add("E-BLQ")
        if dv is not None and limit is not None and ((cens == 1 and limit >= dv) or (cens == -1 and limit <= dv)):
            found.add("E-BLQ")
    return found


def of_order(records: Sequence[dict]) -> set[str]:
    found, seen = set(), []
    for before, record in zip([None, *records], records, strict=False):
        if before is None or before["who"] != record["who"]:
            if record["who"] in seen:
                found.add("E-ID")
            seen.append(record["who"])
        elif value(record, "TIME", math.nan) < value(before, "TIME", math.nan):
            found.add("E-ORDER")
    return found
