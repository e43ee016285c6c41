"""Tables that must be refused: what each is, the code it must get, and the line of the file the finding must name.

A bar stands for the end of a line; the header is line 1, and row None means that the finding is about the whole table.
A new rule needs a row here, and one in `good_tables` for what it must let pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Bad:
    name: str
    code: str
    row: int | None
    table: str
    said: Mapping[str, object] = field(default_factory=dict)


LABELS = {"covariates": {"WT": {"kind": "categorical", "labels": {"1": "thin", "2": "fat"}}}}
TRACT = {"compartments": ["depot", "central"]}
DATED = "ID,DATE,TIME,AMT,DV|1,2024-02-29,8:00,9,."
DAYS = {"date_format": "%Y-%m-%d", "units": {"TIME": "d"}}
HEAD = "ID,TIME,AMT,EVID,CMT,DV"
DOSED = f"{HEAD}|1,0,100,1,1,.|1,1,0,0,2,5"
FULL = "ID,TIME,AMT,EVID,DV,RATE,DUR,ADDL,II,SS"
SEEN = "1,9,0,0,5,0,0,0,0,0"


def dose(text: str) -> str:
    """A table of one dose row of FULL, on line 2, and one observation."""
    return f"{FULL}|{text}|{SEEN}"


def covariate(*cells: str) -> str:
    """A table of one subject with the covariate WT in these cells, from line 2 on."""
    rows = [
        f"1,{time},{'100' if time == 0 else '0'},{'.' if time == 0 else '5'},{cell}" for time, cell in enumerate(cells)
    ]
    return "|".join(["ID,TIME,AMT,DV,WT", *rows])


BLQ = "ID,TIME,AMT,DV,CENS,LIMIT,LLOQ|1,0,100,.,0,.,.|1,1,0,5,0,.,."
TWO = "ID,TIME,AMT,DV,DVID|1,0,100,.,.|1,1,0,5,1|1,2,0,6,2"
RANGE = {"covariates": {"WT": {"kind": "continuous", "low": 30, "high": 200}}}

BAD = (
    # nothing there
    Bad("an empty file", "E-EMPTY", None, ""),
    Bad("blank lines only", "E-EMPTY", None, "|||"),
    Bad("comments only", "E-EMPTY", None, "# nothing|# here"),
    Bad("a header only", "E-EMPTY", None, HEAD),
    Bad("no observation", "E-EMPTY", None, f"{HEAD}|1,0,100,1,1,."),
    Bad("observations without a value", "E-EMPTY", None, f"{HEAD}|1,0,100,1,1,.|1,1,0,0,2,."),
    Bad("values that MDV hides", "E-EMPTY", None, "ID,TIME,AMT,DV,MDV|1,0,100,.,1|1,1,0,5,1"),
    Bad("everything left out", "E-EMPTY", None, DOSED, {"ignore": ["ID == 1"]}),
    Bad("a subject without observation", "E-EMPTY", 4, f"{DOSED}|2,0,100,1,1,."),
    # columns
    Bad("no ID", "E-COLUMN", None, "SUBJ,TIME,AMT,DV|1,0,100,.|1,1,0,5"),
    Bad("no TIME", "E-COLUMN", None, "ID,HOURS,AMT,DV|1,0,100,.|1,1,0,5"),
    Bad("no DV", "E-COLUMN", None, "ID,TIME,AMT,CONC|1,0,100,.|1,1,0,5"),
    Bad("a column twice", "E-COLUMN", None, "ID,TIME,AMT,DV,DV|1,0,100,.,.|1,1,0,5,6"),
    Bad("a column twice in two cases", "E-COLUMN", None, "ID,TIME,AMT,DV,wt,WT|1,0,100,.,1,1|1,1,0,5,1,1"),
    Bad("no header", "E-COLUMN", None, "1,0,100,0|1,1,0,5"),
    Bad("a header made a comment", "E-COLUMN", None, "#ID,TIME,AMT,DV|1,0,100,0|1,1,0,5"),
    Bad("values without a name", "E-COLUMN", None, "ID,TIME,AMT,DV,|1,0,100,.,7|1,1,0,5,7"),
    Bad("a declared covariate absent", "E-COLUMN", None, DOSED, {"covariates": ["WT"]}),
    Bad("a mapped column absent", "E-COLUMN", None, DOSED, {"columns": {"DV": "CONC"}}),
    Bad("a column of dates absent", "E-COLUMN", None, DOSED, {"date": "DAY"}),
    Bad(
        "one separator only in the header",
        "E-COLUMN",
        None,
        "ID TIME AMT DV|1 0 100 .|1 1 0 5",
        {"columns": {"DV": "ID,X"}},
    ),
    # rows
    Bad("a cell too many", "E-ROW", 3, f"{HEAD}|1,0,100,1,1,.|1,1,0,0,2,5,6"),
    Bad("a cell too few", "E-ROW", 3, f"{HEAD}|1,0,100,1,1,.|1,1,0,0,2|1,2,0,0,2,4"),
    Bad("a decimal comma between commas", "E-ROW", 3, f"{HEAD}|1,0,100,1,1,.|1,1,0,0,2,5,3|1,2,0,0,2,4"),
    Bad("a quote that never ends", "E-ROW", 3, f'{HEAD}|1,0,100,1,1,.|1,1,0,0,"2,5|1,2,0,0,2,4'),
    # cells
    Bad("a decimal comma between semicolons", "E-VALUE", 3, "ID;TIME;AMT;DV|1;0;100;.|1;1;0;5,3"),
    Bad("text in TIME", "E-VALUE", 3, f"{HEAD}|1,0,100,1,1,.|1,one,0,0,2,5|1,2,0,0,2,4"),
    Bad("TIME missing", "E-VALUE", 3, f"{HEAD}|1,0,100,1,1,.|1,.,0,0,2,5|1,2,0,0,2,4"),
    Bad("NaN in TIME", "E-VALUE", 3, f"{HEAD}|1,0,100,1,1,.|1,NaN,0,0,2,5|1,2,0,0,2,4"),
    Bad("infinite DV", "E-VALUE", 3, f"{HEAD}|1,0,100,1,1,.|1,1,0,0,2,inf|1,2,0,0,2,4"),
    Bad("DV beyond any number", "E-VALUE", 3, f"{HEAD}|1,0,100,1,1,.|1,1,0,0,2,1e999|1,2,0,0,2,4"),
    Bad("BLQ as DV", "E-VALUE", 3, f"{HEAD}|1,0,100,1,1,.|1,1,0,0,2,BLQ|1,2,0,0,2,4"),
    Bad("text in AMT", "E-VALUE", 2, f"{HEAD}|1,0,x,1,1,.|1,1,0,0,2,5"),
    Bad("an underscore in a number", "E-VALUE", 2, f"{HEAD}|1,0,1_000,1,1,.|1,1,0,0,2,5"),
    Bad("hexadecimal", "E-VALUE", 2, f"{HEAD}|1,0,0x10,1,1,.|1,1,0,0,2,5"),
    Bad("infinite RATE", "E-VALUE", 2, dose("1,0,100,1,.,inf,0,0,0,0")),
    Bad("text in II", "E-VALUE", 2, dose("1,0,100,1,.,0,0,3,q12h,0")),
    Bad("EVID missing", "E-VALUE", 3, f"{HEAD}|1,0,100,1,1,.|1,1,0,.,2,5|1,2,0,0,2,4"),
    Bad("ID missing", "E-VALUE", 3, f"{HEAD}|1,0,100,1,1,.|.,1,0,0,2,5|1,2,0,0,2,4"),
    Bad("NaN as ID", "E-VALUE", 3, f"{HEAD}|1,0,100,1,1,.|NaN,1,0,0,2,5|1,2,0,0,2,4"),
    Bad("a clock time unannounced", "E-VALUE", 2, "ID,TIME,AMT,DV|1,08:00,100,.|1,09:30,0,5"),
    Bad("MDV 2", "E-VALUE", 3, "ID,TIME,AMT,DV,MDV|1,0,100,.,1|1,1,0,5,2|1,2,0,5,0"),
    Bad("a fractional occasion", "E-VALUE", 3, "ID,TIME,AMT,DV,OCC|1,0,100,.,1|1,1,0,5,1.5"),
    Bad("no occasion", "E-VALUE", 3, "ID,TIME,AMT,DV,OCC|1,0,100,.,1|1,1,0,5,."),
    Bad(
        "a date that is none",
        "E-VALUE",
        3,
        f"{DATED}|1,2024-02-30,8:00,0,5",
        {"date": "DATE"},
    ),
    # order
    Bad("time goes back", "E-ORDER", 4, f"{DOSED}|1,0.5,0,0,2,4"),
    Bad("time starts anew at a reset", "E-ORDER", 4, f"{DOSED}|1,0,100,4,1,.|1,2,0,0,2,4"),
    Bad("an ID comes back", "E-ID", 6, f"{DOSED}|2,0,100,1,1,.|2,1,0,0,2,5|1,2,0,0,2,4"),
    Bad("time beyond minutes", "E-LIMIT", 3, f"{HEAD}|1,0,100,1,1,.|1,1e15,0,0,2,5"),
    # events
    Bad("EVID 5", "E-EVID", 3, f"{HEAD}|1,0,100,1,1,.|1,1,0,5,2,0|1,2,0,0,2,4"),
    Bad("EVID 1.5", "E-EVID", 2, f"{HEAD}|1,0,100,1.5,1,.|1,1,0,0,2,5"),
    Bad("EVID 101 into another compartment", "E-EVID", 2, f"{HEAD}|1,0,100,101,2,.|1,1,0,0,2,5"),
    Bad("a negative CMT", "E-CMT", 2, f"{HEAD}|1,0,100,1,-1,.|1,1,0,0,2,5"),
    Bad("a fractional CMT", "E-CMT", 2, f"{HEAD}|1,0,100,1,1.5,.|1,1,0,0,2,5"),
    Bad("CMT out of range", "E-CMT", 3, DOSED, {"compartments": ["central"]}),
    Bad(
        "a CMT of another name",
        "E-CMT",
        2,
        f"{HEAD}|1,0,9,1,gut,.|1,1,0,0,central,5",
        {"compartments": ["depot", "central"]},
    ),
    Bad("a CMT beyond any model", "E-CMT", 2, f"{HEAD}|1,0,100,1,1e999,.|1,1,0,0,2,5"),
    Bad("no name of a compartment", "E-CMT", 2, f"{HEAD}|1,0,100,1,NaN,.|1,1,0,0,NaN,5"),
    Bad("one name among numbers", "E-CMT", 2, f"{HEAD}|1,0,100,1,depot,.|1,1,0,0,2,5"),
    # doses
    Bad("a negative dose", "E-DOSE", 2, f"{HEAD}|1,0,-100,1,1,.|1,1,0,0,2,5"),
    Bad("an amount on an observation", "E-AMT", 3, f"{HEAD}|1,0,100,1,1,.|1,1,100,0,2,5"),
    Bad("an amount on a reset", "E-AMT", 3, f"{HEAD}|1,0,100,1,1,.|1,1,100,3,2,.|1,2,0,0,2,5"),
    Bad("a dose without amount", "E-AMT", 2, f"{HEAD}|1,0,.,1,1,.|1,1,0,0,2,5"),
    Bad("doses but no AMT", "E-AMT", 2, "ID,TIME,EVID,DV|1,0,1,.|1,1,0,5"),
    Bad("a dose of 1e-300", "E-LIMIT", 2, f"{HEAD}|1,0,1e-300,1,1,.|1,1,0,0,2,5"),
    Bad("RATE -3", "E-DOSE", 2, dose("1,0,100,1,.,-3,0,0,0,0")),
    Bad("RATE -0.5", "E-DOSE", 2, dose("1,0,100,1,.,-0.5,0,0,0,0")),
    Bad("an infusion of nothing", "E-DOSE", 2, dose("1,0,0,1,.,10,0,0,0,0")),
    Bad("RATE and DUR", "E-DOSE", 2, dose("1,0,100,1,.,10,2,0,0,0")),
    Bad("a negative DUR", "E-DOSE", 2, dose("1,0,100,1,.,0,-2,0,0,0")),
    Bad("a negative ADDL", "E-DOSE", 2, dose("1,0,100,1,.,0,0,-1,24,0")),
    Bad("a fractional ADDL", "E-DOSE", 2, dose("1,0,100,1,.,0,0,1.5,24,0")),
    Bad("ADDL without II", "E-DOSE", 2, dose("1,0,100,1,.,0,0,3,0,0")),
    Bad("ADDL with a negative II", "E-DOSE", 2, dose("1,0,100,1,.,0,0,3,-24,0")),
    Bad("a negative II alone", "E-DOSE", 2, dose("1,0,100,1,.,0,0,0,-24,0")),
    Bad("SS without II", "E-DOSE", 2, dose("1,0,100,1,.,0,0,0,0,1")),
    Bad("SS 3", "E-DOSE", 2, dose("1,0,100,1,.,0,0,0,24,3")),
    Bad("SS 0.5", "E-DOSE", 2, dose("1,0,100,1,.,0,0,0,24,0.5")),
    Bad("an endless infusion with II", "E-DOSE", 2, dose("1,0,0,1,.,10,0,0,24,1")),
    Bad("an endless infusion with ADDL", "E-DOSE", 2, dose("1,0,0,1,.,10,0,2,0,1")),
    Bad("SS on an observation", "E-DOSE", 3, f"{FULL}|1,0,100,1,.,0,0,0,0,0|1,1,0,0,5,0,0,0,0,1"),
    Bad("RATE on an observation", "E-DOSE", 3, f"{FULL}|1,0,100,1,.,0,0,0,0,0|1,1,0,0,5,10,0,0,0,0"),
    Bad("ADDL 1e9", "E-LIMIT", 2, dose("1,0,100,1,.,0,0,1000000000,24,0")),
    # observations
    Bad("DV on a dose", "E-DV", 2, f"{HEAD}|1,0,100,1,1,7|1,1,0,0,2,5"),
    Bad("DV on a reset", "E-DV", 3, f"{HEAD}|1,0,100,1,1,.|1,1,0,3,2,7|1,2,0,0,2,5"),
    Bad("zero on the log scale", "E-DV", 4, f"{DOSED}|1,2,0,0,2,0", {"outputs": {"il2": {"scale": "log"}}}),
    Bad("an endpoint nobody declared", "E-DVID", 4, TWO, {"outputs": {"il2": 1}}),
    Bad("no DVID on an observation", "E-DVID", 4, "ID,TIME,AMT,DV,DVID|1,0,9,.,.|1,1,0,5,1|1,2,0,6,."),
    Bad("no CMT where CMT tells endpoints apart", "E-DVID", 4, f"{DOSED}|1,2,0,0,.,4|1,3,0,0,3,4"),
    Bad(
        "one observation with another CMT than all others",
        "E-DVID",
        14,
        "|".join([DOSED, *(f"1,{t},0,0,2,4" for t in range(2, 12)), "1,12,0,0,7,4"]),
        {"outputs": ["il2"]},
    ),
    Bad("an endpoint called TIME", "E-DVID", None, TWO.replace("5,1", "5,Time")),
    Bad(
        "an endpoint called like a covariate",
        "E-DVID",
        None,
        covariate("70", "70"),
        {"outputs": "wt", "covariates": ["WT"]},
    ),
    Bad("NaN as DVID", "E-DVID", 4, TWO.replace("6,2", "6,NaN")),
    Bad("one name for two endpoints", "E-DVID", 3, TWO, {"outputs": "il2"}),
    Bad("two names for one endpoint", "E-DVID", 3, TWO, {"outputs": {"il2": 1, "treg": 2, "nk": 1}}),
    # limits
    Bad("CENS 2", "E-BLQ", 4, f"{BLQ}|1,2,0,5,2,.,."),
    Bad("BLQ without a limit", "E-BLQ", 4, f"{BLQ}|1,2,0,.,1,.,."),
    Bad("BLQ above its limit", "E-BLQ", 4, f"{BLQ}|1,2,0,5,1,.,1"),
    Bad("LIMIT above DV", "E-BLQ", 4, f"{BLQ}|1,2,0,5,1,6,."),
    Bad("LIMIT below an upper DV", "E-BLQ", 4, f"{BLQ}|1,2,0,5,-1,4,."),
    Bad("a negative LLOQ", "E-BLQ", 4, f"{BLQ}|1,2,0,5,0,.,-1"),
    # covariates
    Bad("text in a continuous covariate", "E-VALUE", 3, covariate("70", "heavy"), {"covariates": {"WT": "continuous"}}),
    Bad("text among numbers", "E-VALUE", 3, covariate("70", "heavy"), {"covariates": ["WT"]}),
    Bad("an infinite covariate", "E-VALUE", 3, covariate("70", "inf"), {"covariates": ["WT"]}),
    Bad("no covariate at the start", "E-COV", 2, covariate(".", "70"), {"covariates": {"WT": {"carry": "locf"}}}),
    Bad("no covariate at all", "E-COV", 2, covariate(".", "."), {"covariates": ["WT"]}),
    Bad("a constant that changes", "E-COV", 3, covariate("70", "71"), {"covariates": {"WT": {"constant": True}}}),
    Bad("a stratum that changes", "E-COV", 3, covariate("A", "B"), {"strata": ["WT"]}),
    Bad("a weight in mg", "E-COV", 2, covariate("70000000", "70000000"), RANGE),
    Bad("a weight in tonnes", "E-COV", 3, covariate("70", "0.02"), RANGE),
    Bad(
        "a label nobody declared",
        "E-COV",
        3,
        covariate("1", "3"),
        {"covariates": {"WT": {"kind": "categorical", "labels": {"1": "thin", "2": "fat"}}}},
    ),
    # units
    Bad("time in mg", "E-UNIT", None, DOSED, {"units": {"TIME": "mg"}}),
    Bad("amount in h", "E-UNIT", None, DOSED, {"units": {"AMT": "h"}}),
    Bad("amount per body surface", "E-UNIT", None, DOSED, {"units": {"AMT": "MIU/m2"}}),
    Bad("a unit of time nobody knows", "E-UNIT", None, DOSED, {"units": {"TIME": "fortnight"}}),
    Bad("a unit of nothing", "E-UNIT", None, DOSED, {"units": {"WEIGHT": "kg"}}),
    Bad("units that do not meet", "E-UNIT", None, DOSED, {"units": {"DV": "IU/mL"}, "into": {"DV": "mg"}}),
    Bad("wanted in a unit, given in none", "E-UNIT", None, DOSED, {"into": {"AMT": "IU"}}),
    Bad("a label wanted in a unit", "E-UNIT", None, DOSED, {"units": {"DV": "% of CD4"}, "into": {"DV": "IU/mL"}}),
    Bad(
        "clock times in days",
        "E-UNIT",
        None,
        "ID,TIME,AMT,DV|1,2024-01-01,9,.|1,2024-01-02,0,5",
        {"date_format": "%Y-%m-%d", "units": {"TIME": "d"}},
    ),
)
