"""A dataset as a table NONMEM can read: a CSV of numbers, and a TOML beside it that says what they mean."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from pkpd.dataset.dataset import Dataset
from pkpd.dataset.declaration import Covariate
from pkpd.storage import write_atomically

# Columns that say nothing where they only hold this, and mean it where they are absent.
DEFAULT = {"CMT": 0, "RATE": 0, "DUR": 0, "ADDL": 0, "II": 0, "SS": 0, "CENS": 0, "OCC": 0}
OPTIONAL = ("LIMIT", "LLOQ")
SUBJECT = "SUBJECT"


def write_nonmem(dataset: Dataset, path: Path) -> Path:
    """Write `path` (CSV) and its description (the same name with .toml); `read_dataset(path)` gives the
    same records.

    All cells are numbers or '.': text IDs become 1, 2, ... in ID and stand as they are in a last
    column, which NONMEM must drop; the levels of categorical covariates become 1, 2, ... Columns that
    say nothing are left out. Times are hours, units those of the dataset. Returns `path`.
    """
    table = dataset.table
    observed = (table["evid"] == 0).to_numpy()
    numbers = np.array([*(endpoint.number for endpoint in dataset.endpoints), 0])
    dvid = numbers[table["endpoint"].cat.codes.to_numpy()]
    text_ids = not pd.api.types.is_integer_dtype(table["id"].dtype)
    columns: dict[str, object] = {
        "ID": pd.factorize(table["id"].to_numpy())[0] + 1 if text_ids else table["id"],
        **{name: table[name.lower()] for name in ("TIME", "EVID", "AMT", *DEFAULT)},
        "DVID": dvid,
        "DV": table["dv"],
        "MDV": table["mdv"],
        **{name: table[name.lower()] for name in OPTIONAL},
    }
    for name in OPTIONAL:
        if np.isnan(np.asarray(columns[name], dtype=float)).all():
            del columns[name]
    for name, default in DEFAULT.items():
        # Beside an LLOQ, a CENS of zeros says that what lies below was measured all the same.
        said = name == "CENS" and "LLOQ" in columns
        if not said and (np.asarray(columns[name]) == default).all():
            del columns[name]
    if not (dvid[observed] > 0).any():
        del columns["DVID"]
    for covariate in dataset.covariates:
        held = table[covariate.name]
        columns[covariate.name] = held if covariate.kind == "continuous" else held.cat.codes + 1
    subject = SUBJECT
    while subject.lower() in {name.lower() for name in (*columns, *table.columns)}:
        subject += "_"
    if text_ids:
        columns[subject] = table["id"]
    frame = pd.DataFrame({name: np.asarray(values) for name, values in columns.items()})
    description = _description(dataset, subject if text_ids else None)
    write_atomically(path, lambda target: frame.to_csv(target, index=False, na_rep=".", lineterminator="\n"))
    write_atomically(path.with_suffix(".toml"), lambda target: target.write_text(description, encoding="utf-8"))
    return path


def _description(dataset: Dataset, subject: str | None) -> str:
    """The TOML by which `read_dataset` reads the table back as it was."""
    said: list[str] = []
    all_scored = len(np.unique(dataset.observations["id"])) == len(dataset.subjects)
    said.append(f"purpose = {_toml('fit' if all_scored else 'simulate')}")
    if dataset.compartments:
        said.append(f"compartments = [{', '.join(map(_toml, dataset.compartments))}]")
    if subject is not None:
        said += _section("columns", {"ID": subject})
    said += _section("units", dataset.units)
    # What the file holds is what is wanted: no unit is to be converted once more.
    said += _section("into", dataset.units)
    for endpoint in dataset.endpoints:
        fields = {"value": endpoint.number, "column": "DVID", "scale": endpoint.scale}
        said += _section(f"outputs.{_toml(endpoint.name)}", fields)
    for covariate in dataset.covariates:
        said += _covariate(dataset, covariate)
    return "\n".join(said) + "\n"


def _covariate(dataset: Dataset, covariate: Covariate) -> list[str]:
    fields = {
        "kind": covariate.kind,
        "role": covariate.role,
        "constant": covariate.constant,
        "carry": covariate.carry,
        "low": covariate.low,
        "high": covariate.high,
    }
    said = _section(f"covariates.{_toml(covariate.name)}", fields)
    if covariate.kind == "categorical":
        levels = {
            str(code): str(level) for code, level in enumerate(dataset.table[covariate.name].cat.categories, start=1)
        }
        said += _section(f"covariates.{_toml(covariate.name)}.labels", levels)
    return said


def _section(name: str, fields: Mapping[str, object]) -> list[str]:
    present = [f"{_toml(key)} = {_toml(value)}" for key, value in fields.items() if value is not None]
    return ["", f"[{name}]", *present] if present else []


def _toml(value: object) -> str:
    """A text, number or truth in TOML, whose texts are those of JSON but for one letter."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)
