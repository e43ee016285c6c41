"""Dates and clock times as hours since the first record of the subject, only where the user says so."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from pkpd.dataset.columns import Labels, Numbers, numbers
from pkpd.dataset.findings import Breach, shortened
from pkpd.dataset.sheet import Sheet

ISO_DATE = "%Y-%m-%d"
CLOCKS = ("%H:%M", "%H:%M:%S")
HOUR = np.timedelta64(3_600_000_000_000, "ns")


def hours(sheet: Sheet, time: int, date: int | None, date_format: str | None, ids: Labels) -> Numbers:
    """Hours since the subject's first record in the file.

    With a DATE column: `date_format` reads the date (ISO without it), and TIME is a clock time 08:30,
    08:30:00, or a number of hours since midnight. Without one, `date_format` reads the whole of TIME,
    as in "%Y-%m-%d %H:%M".
    """
    if date is None:
        moment = _moments(_written(sheet, time), (date_format or ISO_DATE,))
    else:
        days = _moments(_written(sheet, date), (date_format or ISO_DATE,))
        moment = days + _since_midnight(sheet, time)
    nanoseconds = moment.to_numpy(dtype="datetime64[ns]")
    known = ~np.isnat(nanoseconds)
    first = np.full(len(ids.names) + 1, np.datetime64("NaT", "ns"))
    rows = np.flatnonzero(known)[::-1]
    first[ids.codes[rows]] = nanoseconds[rows]
    return Numbers(np.where(known, (nanoseconds - first[ids.codes]) / HOUR, np.nan), ~known)


def wrong_moments(
    sheet: Sheet, places: Mapping[str, int], date_format: str | None, ids: Labels, bad: np.ndarray
) -> list[Breach]:
    """The rows where `hours` could read no moment, each with its date and its time as written."""
    if not bad.any():
        return []
    form = date_format or ISO_DATE
    written = [places[name] for name in ("DATE", "TIME") if name in places]
    rows = [int(row) for row in np.flatnonzero(bad)]
    if "DATE" not in places:
        rule = f"TIME is written as {form}, in every row"
    else:
        rule = f"the date is written as {form}, and TIME as 08:30, 08:30:00 or hours of the day, in every row"
    return [
        Breach(
            "E-VALUE",
            "dates or clock times that cannot be read",
            rule,
            "correct the cell, or say how dates are written (date_format)",
            column="TIME",
            rows=sheet.lines[rows],
            ids=[ids[row] for row in rows],
            values=[shortened(" ".join(sheet.text(row, place).strip() for place in written)) for row in rows],
        )
    ]


def _since_midnight(sheet: Sheet, time: int) -> pd.Series:
    """TIME as a clock time or as hours of the day; whole nanoseconds, for a float would lose some."""
    of_day = numbers(sheet, time)
    since = pd.to_timedelta(pd.Series(np.round(of_day.values * HOUR.astype(float))), unit="ns")
    if of_day.bad.any():
        since = since.fillna(_moments(_written(sheet, time), CLOCKS) - pd.Timestamp("1900-01-01"))
    return since


def _written(sheet: Sheet, place: int) -> pd.Series:
    """The cells as written, each different one looked at once."""
    return pd.Series([sheet.text(row, place).strip() for row in range(len(sheet))], dtype=object)


def _moments(texts: pd.Series, formats: tuple[str, ...]) -> pd.Series:
    """Each text by the first of the formats that reads it, NaT where none does."""
    read = pd.Series(np.full(len(texts), np.datetime64("NaT", "ns")), index=texts.index)
    for form in formats:
        read = read.fillna(pd.to_datetime(texts, format=form, errors="coerce").astype("datetime64[ns]"))
    return read
