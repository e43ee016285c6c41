"""The words of the regimen language and what they mean."""

from fractions import Fraction
from typing import Literal

from pkpd.regimens.schedule import DAY, WEEK, Rhythm

HOUR = Fraction(1)
TIMES = {
    "minutes": HOUR / 60, "minute": HOUR / 60, "min": HOUR / 60,
    "hours": HOUR, "hour": HOUR, "hr": HOUR, "h": HOUR,
    "days": DAY, "day": DAY, "d": DAY,
    "weeks": WEEK, "week": WEEK, "wks": WEEK, "wk": WEEK, "w": WEEK,
}  # fmt: skip
AMOUNTS: dict[str, tuple[int, Literal["IU", "ug"]]] = {
    "iu": (1, "IU"), "kiu": (1_000, "IU"), "miu": (1_000_000, "IU"),
    "ug": (1, "ug"), "mcg": (1, "ug"),
}  # fmt: skip
INTERVALS = {
    "qd": Rhythm(DAY), "daily": Rhythm(DAY), "qod": Rhythm(2 * DAY), "bid": Rhythm(12 * HOUR),
    "qw": Rhythm(WEEK), "weekly": Rhythm(WEEK),
}  # fmt: skip
TIMES_A_WEEK = {
    "twice": Rhythm(WEEK, (0 * DAY, 3 * DAY)),
    "thrice": Rhythm(WEEK, (0 * DAY, 2 * DAY, 4 * DAY)),
}
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
AMBIGUOUS = ("biw", "biweekly")

A_DOSE = "a dose such as 1 MIU, 0.26 MIU/m2 or 5 ug/kg"
A_UNIT = "a unit of dose: MIU, kIU, IU or ug, with /m2 or /kg if so"
A_ROUTE = "a route: sc, iv or iv over 15 min"
AN_INTERVAL = "an interval: qd, qod, q3d, bid, q8h, qw, q2w, twice weekly or mon,wed,fri (or 'once')"
AN_EXTENT = "how long: x 8 wk, x 14 doses, to 12 wk, or 14 d on / 14 d off x 3"
A_TIME_UNIT = "a unit of time: min, h, d or wk"
AN_END = "', then ...' or the end of the text"

# What lies beyond is a slip of the keyboard: a high-dose infusion holds some 40 million IU.
MOST = {"IU": 1_000_000_000, "ug": 100_000}
MOST_HOURS = 5200 * WEEK
