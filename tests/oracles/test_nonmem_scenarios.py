"""The exact engine reproduces what NONMEM printed for 29 dosing scenarios, digit for digit."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from oracles import nonmem_scenarios as scenarios
from oracles.expm_events import Record, amounts_at_records, observed

PRINTED_DIGITS = 1 + 1e-6  # half units of the fifth digit; the excess is for ties in binary arithmetic


@pytest.mark.parametrize("scenario", scenarios.NUMBERS)
def test_every_printed_digit_of_a_scenario(scenario: int) -> None:
    records = scenarios.records(scenario)
    amounts = observed(records, amounts_at_records(scenarios.RATES, records))
    values = scenarios.concentration(amounts[:, scenarios.CENTRAL - 1])
    shown = scenarios.printed(scenario)
    assert len(values) == len(shown) == 131
    worst = max(map(scenarios.halves_of_the_last_digit, values, shown))
    assert worst <= PRINTED_DIGITS, scenarios.description(scenario)


def test_the_comparison_tells_a_wrong_fifth_digit() -> None:
    assert scenarios.halves_of_the_last_digit(3754.449, "3754.4") <= PRINTED_DIGITS
    assert scenarios.halves_of_the_last_digit(3754.46, "3754.4") > PRINTED_DIGITS
    assert scenarios.halves_of_the_last_digit(15152.6, "15152") > PRINTED_DIGITS
    assert scenarios.halves_of_the_last_digit(1e-9, "0") > PRINTED_DIGITS


def test_the_lag_of_central_does_not_delay_depot_doses() -> None:
    assert scenarios.printed(26) == scenarios.printed(27)  # NONMEM's own two runs, with and without


@pytest.mark.reference
def test_the_tables_say_what_the_published_ones_say() -> None:
    folder = os.environ.get("PKPD_REFERENCE")
    if folder is None:
        pytest.skip("PKPD_REFERENCE does not name the folder of the published tables")
    with (Path(folder) / "dosing_nonmem" / "records.csv").open(newline="") as file:
        published = list(csv.DictReader(file))
    with (Path(folder) / "dosing_nonmem" / "nonmem.csv").open(newline="") as file:
        results = [row["CP"] for row in csv.DictReader(file)]

    for scenario in scenarios.NUMBERS:
        rows = [row for row in published if int(row["ID"]) == scenario]
        shown = [cp for row, cp in zip(published, results, strict=True) if int(row["ID"]) == scenario]
        assert scenarios.records(scenario) == [_published_record(row) for row in rows]
        records = scenarios.records(scenario)
        amounts = amounts_at_records(scenarios.RATES, records)[:, scenarios.CENTRAL - 1]
        values = scenarios.concentration(amounts)
        assert max(map(scenarios.halves_of_the_last_digit, values, shown)) <= PRINTED_DIGITS
        samples = [cp for row, cp in zip(rows, shown, strict=True) if row["evid"] == "0"]
        assert samples == scenarios.printed(scenario)


def _published_record(row: dict[str, str]) -> Record:
    time, evid, cmt = float(row["time"]), int(row["evid"]), int(row["cmt"])
    if evid in (0, 3):
        return Record(time, evid)
    modelled = row["rate"] == "-2"
    return Record(
        time,
        evid,
        float(row["amt"]),
        cmt,
        rate=0.0 if modelled else float(row["rate"]),
        dur=float(row["DUR2"]) if modelled else 0.0,
        addl=int(row["addl"]),
        ii=float(row["ii"]),
        ss=int(row["ss"]),
        lag=float(row["LAGT"]) if cmt == scenarios.CENTRAL else 0.0,
        bioavailability=float(row["BIOAV"]) if cmt == scenarios.CENTRAL else 1.0,
    )


def test_the_tables_hold_29_scenarios_and_nothing_else() -> None:
    assert len(scenarios._table("scenarios.csv")) == 29
    assert set(map(int, [row["scenario"] for row in scenarios._table("doses.csv")])) == set(scenarios.NUMBERS)
    columns = scenarios._table("concentrations.csv")[0]
    assert list(columns) == ["hour", *(f"scenario_{n}" for n in scenarios.NUMBERS)]
    hours = [float(row["hour"]) for row in scenarios._table("concentrations.csv")]
    np.testing.assert_array_equal(hours, np.arange(131.0))
