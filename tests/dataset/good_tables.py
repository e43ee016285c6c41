"""Tables that must be accepted: doses and observations they hold, what must be told, and what records must say.

A bar stands for the end of a line. `told`: codes that must be among the findings. `holds`: columns of the records.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Good:
    name: str
    table: str
    doses: int
    observations: int
    said: Mapping[str, object] = field(default_factory=dict)
    told: frozenset[str] = frozenset()
    holds: Mapping[str, list] = field(default_factory=dict)


def codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


HEAD = "ID,TIME,AMT,EVID,CMT,DV"
DOSED = f"{HEAD}|1,0,100,1,1,.|1,1,0,0,2,5"
PLAIN = "ID,TIME,AMT,DV|1,0,100,.|1,1,0,5"
FULL = "ID,TIME,AMT,EVID,DV,RATE,DUR,ADDL,II,SS"
SEEN = "1,99,0,0,5,0,0,0,0,0"
BLQ = "ID,TIME,AMT,DV,CENS,LIMIT,LLOQ|1,0,100,.,0,.,."
TWO = "ID,TIME,AMT,DV,DVID|1,0,100,.,.|1,1,0,5,1|1,2,0,6,2"
WT = "ID,TIME,AMT,DV,WT|1,0,100,.,70|1,1,0,5,"
SEX = "ID,TIME,AMT,DV,SEX|1,0,100,.,F|1,1,0,5,F|2,0,100,.,M|2,1,0,5,M"
SIM = {"purpose": "simulate"}


def dose(text: str) -> str:
    return f"{FULL}|{text}|{SEEN}"


GOOD = (
    # how the file is written
    Good("plain", DOSED, 1, 1, holds={"row": [2, 3], "time": [0, 1], "evid": [1, 0], "cmt": [1, 2]}),
    Good("semicolons", DOSED.replace(",", ";"), 1, 1),
    Good("tabs", DOSED.replace(",", "\t"), 1, 1),
    Good("blanks", DOSED.replace(",", "   "), 1, 1),
    Good("blanks before and after", DOSED.replace(",", " ").replace("|", " |   "), 1, 1),
    Good("commas and blanks", DOSED.replace(",", " , "), 1, 1, holds={"dv": [None, 5]}),
    Good("lower case", DOSED.lower(), 1, 1),
    Good("mixed case", DOSED.replace("TIME", "Time").replace("DV", "Dv"), 1, 1),
    Good("a byte order mark", "\ufeff" + DOSED, 1, 1),
    Good("lines of Windows", DOSED.replace("|", "\r|"), 1, 1),
    Good("quoted names", DOSED.replace(HEAD, '"ID","TIME","AMT","EVID","CMT","DV"'), 1, 1),
    Good("everything quoted", '"ID","TIME","AMT","DV"|"1","0","100","."|"1","1","0","5"', 1, 1),
    Good("a comma in quotes", 'ID,TIME,AMT,DV,NOTE|1,0,100,.,"a, b"|1,1,0,5,c', 1, 1, told=codes("I-UNUSED")),
    Good("no end of the last line", DOSED + "|1,2,0,0,2,4", 1, 2),
    Good("blank lines", DOSED.replace("|", "||") + "||", 1, 1, told=codes("I-BLANK"), holds={"row": [3, 5]}),
    Good("lines of commas", DOSED + "|,,,,,|,,,,,", 1, 1, told=codes("I-BLANK")),
    Good("columns of nothing", "ID,TIME,AMT,DV,,|1,0,100,.,,|1,1,0,5,,", 1, 1, told=codes("I-BLANK")),
    Good("comments", "# made by hand|" + DOSED + "|# the end", 1, 1, told=codes("I-COMMENT"), holds={"row": [3, 4]}),
    Good("a comment instead of a row", f"{HEAD}|1,0,9,1,1,.|#1,1,0,0,2,5|1,2,0,0,2,4", 1, 1, told=codes("I-COMMENT")),
    Good("IGNORE=C", DOSED + "|C,2,0,0,2,4", 1, 1, {"ignore": ["C"]}, codes("I-COMMENT")),
    Good("IGNORE=@", DOSED + "|note,2,0,0,2,4", 1, 1, {"ignore": ["@"]}, codes("I-COMMENT")),
    Good("a condition and comments", "#|" + DOSED + "|1,2,0,0,2,0", 1, 1, {"ignore": ["DV == 0"]}, codes("I-COMMENT")),
    Good("a column C", "C,ID,TIME,AMT,DV|.,1,0,100,.|.,1,1,0,5|C,1,2,0,99", 1, 1, told=codes("I-IGNORE")),
    Good("a condition", DOSED + "|1,2,0,0,2,0", 1, 1, {"ignore": ["DV == 0 and EVID.EQ.0"]}, codes("I-IGNORE")),
    Good("a subject left out", DOSED + "|2,0,9,1,1,.", 1, 1, {"ignore": ["ID==2"]}, codes("I-IGNORE")),
    # missing marks and ways of writing numbers
    Good("NA", DOSED.replace(".", "NA"), 1, 1),
    Good("nothing between commas", DOSED.replace(".", ""), 1, 1),
    Good("a mark of one's own", DOSED + "|1,2,0,0,2,-99", 1, 1, {"missing": ["", ".", "-99"]}, codes("I-PREDICTION")),
    Good("2.0 is 2", f"{HEAD}|1.0,0,100,1.0,1.0,.|1,1,0,0,2.0,5", 1, 1, holds={"cmt": [1, 2], "id": [1, 1]}),
    Good("exponents", f"{HEAD}|1,0,1E2,1,1,.|1,1e0,0,0,2,.5e1", 1, 1, holds={"amt": [100, 0], "dv": [None, 5]}),
    Good("signs", f"{HEAD}|1,-1,+100,1,1,.|1,0,0,0,2,-5", 1, 1, told=codes("W-DVZERO"), holds={"time": [-1, 0]}),
    # what may be left out
    Good("no EVID", PLAIN, 1, 1, told=codes("I-EVID I-CMT"), holds={"evid": [1, 0], "cmt": [0, 0], "mdv": [1, 0]}),
    Good("no dose at all", "ID,TIME,DV|1,0,5|1,1,4", 0, 2, told=codes("I-NODOSE I-EVID")),
    Good("a placebo subject", DOSED + "|2,1,0,0,2,5", 1, 2, told=codes("I-NODOSE")),
    Good("a dose of nothing", f"{HEAD}|1,0,0,1,1,.|1,1,0,0,2,5", 1, 1, told=codes("W-ZERODOSE")),
    Good(
        "DV 0 on a dose", f"{HEAD}|1,0,100,1,1,0|1,1,0,0,2,5", 1, 1, told=codes("W-DVONDOSE"), holds={"dv": [None, 5]}
    ),
    Good("no DV on a dose", DOSED, 1, 1, told=codes("I-DVONDOSE")),
    Good("a row to predict", DOSED + "|1,2,0,0,2,.", 1, 1, told=codes("I-PREDICTION"), holds={"mdv": [1, 0, 1]}),
    Good("MDV hides a value", "ID,TIME,AMT,DV,MDV|1,0,9,.,1|1,1,0,5,0|1,2,0,6,1", 1, 1, told=codes("I-MDV")),
    Good("MDV 0 on a dose", "ID,TIME,AMT,DV,MDV|1,0,9,.,0|1,1,0,5,0", 1, 1, told=codes("W-MDV"), holds={"mdv": [1, 0]}),
    Good("only predictions", f"{HEAD}|1,0,100,1,1,.|1,1,0,0,2,.", 1, 0, SIM),
    Good("no DV column", "ID,TIME,AMT,EVID|1,0,100,1|1,1,0,0", 1, 0, SIM),
    Good("doses only", f"{HEAD}|1,0,100,1,1,.", 1, 0, SIM, codes("W-DOSEONLY")),
    # events
    Good("EVID 101", f"{HEAD}|1,0,100,101,1,.|1,1,0,0,2,5", 1, 1, told=codes("I-EVID"), holds={"evid": [1, 0]}),
    Good("EVID 101 without CMT", "ID,TIME,AMT,EVID,DV|1,0,9,101,.|1,1,0,0,5", 1, 1, holds={"cmt": [1, 0]}),
    Good(
        "all kinds",
        f"{DOSED}|1,2,0,2,1,.|1,3,0,3,1,.|1,4,100,4,1,.|1,5,0,0,2,3",
        2,
        2,
        holds={"evid": [1, 0, 2, 3, 4, 0]},
    ),
    Good("times not from 0", f"{HEAD}|1,500,100,1,1,.|1,501,0,0,2,5|2,-3,100,1,1,.|2,1e9,0,0,2,5", 2, 2),
    Good(
        "equal times",
        f"{HEAD}|1,0,0,0,2,0.1|1,0,9,1,1,.|1,0,0,0,2,5",
        1,
        2,
        told=codes("I-SAMETIME"),
        holds={"evid": [0, 1, 0]},
    ),
    Good("the same dose twice", f"{HEAD}|1,0,9,1,1,.|1,0,9,1,1,.|1,1,0,0,2,5", 2, 1, told=codes("W-TWICE")),
    Good(
        "unsorted, on request",
        f"{HEAD}|2,1,0,0,2,5|1,1,0,0,2,4|2,0,9,1,1,.|1,0,9,1,1,.",
        2,
        2,
        {"allow_unsorted": True},
        codes("I-SORTED"),
        {"id": [2, 2, 1, 1], "row": [4, 2, 5, 3]},
    ),
    Good("text IDs", DOSED.replace("|1,", "|P-01,"), 1, 1, holds={"id": ["P-01", "P-01"]}),
    Good(
        "IDs in any order",
        f"{DOSED}|9,0,9,1,1,.|9,1,0,0,2,5|3,0,9,1,1,.|3,1,0,0,2,5",
        3,
        3,
        holds={"id": [1, 1, 9, 9, 3, 3]},
    ),
    Good(
        "compartments by name",
        f"{HEAD}|1,0,9,1,depot,.|1,1,0,0,central,5",
        1,
        1,
        {"compartments": ["depot", "central"]},
        holds={"cmt": [1, 2]},
    ),
    Good(
        "compartments as they come",
        f"{HEAD}|1,0,9,1,gut,.|1,1,0,0,blood,5",
        1,
        1,
        told=codes("I-CMT"),
        holds={"cmt": [1, 2]},
    ),
    Good("no CMT in a row", f"{HEAD}|1,0,9,1,.,.|1,1,0,0,2,5", 1, 1, told=codes("I-CMT"), holds={"cmt": [0, 2]}),
    Good("a CMT in one observation only", f"{HEAD}|1,0,9,1,1,.|1,1,0,0,2,5|1,2,0,0,.,4", 1, 2, told=codes("I-CMT")),
    # doses
    Good("an infusion by rate", dose("1,0,100,1,.,10,0,0,0,0"), 1, 1, holds={"rate": [10, 0]}),
    Good("an infusion by duration", dose("1,0,100,1,.,0,2,0,0,0"), 1, 1, holds={"dur": [2, 0]}),
    Good("a rate from the model", dose("1,0,100,1,.,-1,0,0,0,0"), 1, 1, holds={"rate": [-1, 0]}),
    Good("a duration from the model", dose("1,0,100,1,.,-2,0,0,0,0"), 1, 1, holds={"rate": [-2, 0]}),
    Good("additional doses", dose("1,0,100,1,.,0,0,6,24,0"), 1, 1, holds={"addl": [6, 0], "ii": [24, 0]}),
    Good("steady state", dose("1,0,100,1,.,0,0,0,24,1"), 1, 1, holds={"ss": [1, 0]}),
    Good("steady state added", dose("1,0,100,1,.,0,0,0,24,2"), 1, 1, holds={"ss": [2, 0]}),
    Good("an infusion longer than II", dose("1,0,100,1,.,2,0,0,24,1"), 1, 1),
    Good("an infusion for ever", dose("1,0,0,1,.,10,0,0,0,1"), 1, 1, holds={"amt": [0, 0], "rate": [10, 0]}),
    Good("an infusion for ever without AMT", dose("1,0,.,1,.,10,0,0,0,1"), 1, 1, holds={"amt": [0, 0]}),
    Good("an II alone", dose("1,0,100,1,.,0,0,0,24,0"), 1, 1, told=codes("W-II")),
    Good("an II on an observation", f"{FULL}|1,0,9,1,.,0,0,1,24,0|1,9,0,0,5,0,0,0,24,0", 1, 1, told=codes("W-II")),
    Good(
        "missing marks in dose columns", f"{FULL}|1,0,9,1,.,.,.,.,.,.|1,9,.,0,5,.,.,.,.,.", 1, 1, holds={"addl": [0, 0]}
    ),
    # endpoints
    Good(
        "endpoints by number", TWO, 1, 2, {"outputs": {"il2": 1, "treg": 2}}, holds={"endpoint": [None, "il2", "treg"]}
    ),
    Good(
        "endpoints by name",
        TWO.replace("5,1", "5,IL2").replace("6,2", "6,Treg"),
        1,
        2,
        {"outputs": ["il2", "treg"]},
        holds={"endpoint": [None, "il2", "treg"]},
    ),
    Good("endpoints undeclared", TWO, 1, 2, told=codes("I-DVID"), holds={"endpoint": [None, "dvid1", "dvid2"]}),
    Good(
        "endpoints by CMT",
        f"{DOSED}|1,2,0,0,3,6",
        1,
        2,
        {"outputs": {"il2": 2, "treg": 3}},
        holds={"endpoint": [None, "il2", "treg"]},
    ),
    Good(
        "CMT although there is DVID",
        "ID,TIME,AMT,DV,DVID,CMT|1,0,9,.,.,1|1,1,0,5,7,2",
        1,
        1,
        {"outputs": {"il2": {"value": 2, "column": "CMT"}}},
    ),
    Good("one endpoint, named", DOSED, 1, 1, {"outputs": "il2"}, holds={"endpoint": [None, "il2"]}),
    Good("an output never observed", DOSED, 1, 1, {"outputs": {"il2": 2, "treg": 3}}, codes("W-OUTPUT")),
    # limits
    Good("below the limit", f"{BLQ}|1,1,0,0.5,1,.,.", 1, 1, holds={"cens": [0, 1], "dv": [None, 0.5]}),
    Good("in an interval", f"{BLQ}|1,1,0,0.5,1,0,.", 1, 1, holds={"limit": [None, 0]}),
    Good("above the limit", f"{BLQ}|1,1,0,9,-1,.,.", 1, 1, holds={"cens": [0, -1]}),
    Good(
        "the limit from LLOQ",
        f"{BLQ}|1,1,0,.,1,.,0.5",
        1,
        1,
        told=codes("I-CENS"),
        holds={"dv": [None, 0.5], "mdv": [1, 0]},
    ),
    Good("zero for BLQ with LLOQ", f"{BLQ}|1,1,0,0,1,.,0.5", 1, 1, told=codes("I-CENS"), holds={"dv": [None, 0.5]}),
    Good("below LLOQ, yet measured", f"{BLQ}|1,1,0,0.1,0,.,0.5", 1, 1, told=codes("W-BLQ"), holds={"cens": [0, 0]}),
    Good(
        "censored by LLOQ",
        "ID,TIME,AMT,DV,LLOQ|1,0,9,.,.|1,1,0,0.1,0.5|1,2,0,7,0.5",
        1,
        2,
        told=codes("I-CENS"),
        holds={"cens": [0, 1, 0], "dv": [None, 0.5, 7]},
    ),
    Good(
        "censored by the output",
        f"{DOSED}|1,2,0,0,2,0.1",
        1,
        2,
        {"outputs": {"il2": {"lloq": 0.5}}},
        codes("I-CENS"),
        {"cens": [0, 0, 1]},
    ),
    Good("CENS on a dose", "ID,TIME,AMT,DV,CENS|1,0,9,.,1|1,1,0,5,0", 1, 1, told=codes("W-CENS")),
    # covariates
    Good("a covariate", WT + "70", 1, 1, {"covariates": ["WT"]}, holds={"WT": [70, 70]}),
    Good(
        "a covariate carried forward",
        WT,
        1,
        1,
        {"covariates": {"WT": {"carry": "locf"}}},
        codes("I-COV"),
        {"WT": [70, 70]},
    ),
    Good(
        "a covariate carried back",
        WT.replace(",70|", ",|") + "71",
        1,
        1,
        {"covariates": ["WT"]},
        codes("I-COV"),
        {"WT": [71, 71]},
    ),
    Good("a covariate that changes", WT + "71", 1, 1, {"covariates": ["WT"]}, codes("I-COV"), {"WT": [70, 71]}),
    Good("a category in words", SEX, 2, 2, {"covariates": ["SEX"]}, codes("I-COV"), {"SEX": ["F", "F", "M", "M"]}),
    Good(
        "a category in codes",
        SEX.replace(",F", ",1").replace(",M", ",2"),
        2,
        2,
        {"covariates": {"SEX": {"kind": "categorical", "labels": {"1": "F", "2": "M"}}}},
        holds={"SEX": ["F", "F", "M", "M"]},
    ),
    Good("a stratum", SEX, 2, 2, {"strata": "sex"}, holds={"sex": ["F", "F", "M", "M"]}),
    Good(
        "a covariate of another name",
        WT + "70",
        1,
        1,
        {"covariates": ["weight"], "columns": {"weight": "WT"}},
        holds={"weight": [70, 70]},
    ),
    Good("a little out of range", WT + "70", 1, 1, {"covariates": {"WT": {"low": 80, "high": 90}}}, codes("W-COV")),
    Good("columns nobody declared", WT + "70", 1, 1, told=codes("I-UNUSED")),
    Good("another name for DV", "ID,TIME,AMT,CONC|1,0,9,.|1,1,0,5", 1, 1, {"columns": {"dv": "CONC"}}),
    Good("occasions", "ID,TIME,AMT,DV,OCC|1,0,9,.,1|1,1,0,5,2", 1, 1, holds={"occ": [1, 2]}),
    # units
    Good("days", PLAIN, 1, 1, {"units": {"TIME": "d"}}, codes("I-UNIT"), {"time": [0, 24]}),
    Good("MIU", PLAIN, 1, 1, {"units": {"AMT": "MIU"}}, codes("I-UNIT"), {"amt": [1e8, 0]}),
    Good(
        "micrograms as IU",
        PLAIN.replace("100", "1100"),
        1,
        1,
        {"units": {"AMT": "ug"}, "into": {"AMT": "IU"}},
        holds={"amt": [18e6, 0]},
    ),
    Good("IU/L", PLAIN, 1, 1, {"units": {"DV": "IU/L"}}, holds={"dv": [None, 0.005]}),
    Good("a label as unit", PLAIN, 1, 1, {"units": {"DV": "% of CD4"}}, codes("I-UNIT"), {"dv": [None, 5]}),
    Good(
        "rates follow",
        dose("1,0,100,1,.,24,0,1,2,0"),
        1,
        1,
        {"units": {"TIME": "d", "AMT": "kIU"}},
        holds={"rate": [1000, 0], "ii": [48, 0]},
    ),
    Good(
        "a rate from the model has no unit",
        dose("1,0,100,1,.,-2,0,0,0,0"),
        1,
        1,
        {"units": {"TIME": "d", "AMT": "kIU"}},
        holds={"rate": [-2, 0]},
    ),
    # clocks
    Good(
        "dates and clock times",
        "ID,DATE,TIME,AMT,DV|1,2024-02-28,22:00,9,.|1,2024-02-29,08:30,0,5",
        1,
        1,
        {"date": "DATE"},
        holds={"time": [0, 10.5]},
    ),
    Good(
        "seconds",
        "ID,DATE,TIME,AMT,DV|1,2024-02-28,22:00:30,9,.|1,2024-02-28,22:01,0,5",
        1,
        1,
        {"date": "DATE"},
        holds={"time": [0, 30 / 3600]},
    ),
    Good(
        "dates of another order",
        "ID,DAY,TIME,AMT,DV|1,3.1.24,0,9,.|1,4.1.24,12,0,5",
        1,
        1,
        {"date": "DAY", "date_format": "%d.%m.%y"},
        holds={"time": [0, 36]},
    ),
    Good(
        "moments in TIME",
        "ID,TIME,AMT,DV|1,2024-01-01 08:00,9,.|1,2024-01-01 09:00,0,5",
        1,
        1,
        {"date_format": "%Y-%m-%d %H:%M"},
        holds={"time": [0, 1]},
    ),
)
