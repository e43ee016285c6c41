"""A SYNTHETIC comparison to develop and test with: made up from closed forms, no result of the package."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import xarray as xr

from pkpd.regimens.results import Comparison, RegimenSummary

WEEKS = 24
TIMES = np.arange(0.0, WEEKS * 168.0 + 1)
DAY = 24.0
QUANTILES = (0.05, 0.5, 0.95)


def _days(start: int, stop: int, step: int) -> np.ndarray:
    return np.arange(start, stop, step) * DAY


# name, sentence, title, population, MIU a dose, times, on-blocks (days)
COURSES = (
    (
        "pss_nct02464319",
        "1 MIU sc q2d, 14 d on / 14 d off, 3 cycles",
        "Primary Sjögren's syndrome, NCT02464319",
        "primary Sjögren's syndrome",
        1.0,
        np.concatenate([_days(s, s + 14, 2) for s in (0, 28, 56)]),
        ((0, 14), (28, 42), (56, 70)),
    ),
    (
        "0.5 MIU sc qd 14d on / 14d off x 3",
        "0.5 MIU sc daily, 14 d on / 14 d off, 3 cycles",
        "",
        "",
        0.5,
        np.concatenate([_days(s, s + 14, 1) for s in (0, 28, 56)]),
        ((0, 14), (28, 42), (56, 70)),
    ),
    (
        "0.25 MIU sc qd x 84 d",
        "0.25 MIU sc daily for 12 weeks",
        "",
        "",
        0.25,
        _days(0, 84, 1),
        ((0, 84),),
    ),
    *(
        (
            f"sle_dose_finding_{dose:g}",
            f"{dose:g} MIU sc q2d for 12 weeks, then weekly for 12 weeks",
            f"SLE dose finding, {dose:g} MIU arm, NCT04077684",
            "systemic lupus erythematosus",
            dose,
            np.concatenate([_days(0, 84, 2), _days(84, 168, 7)]),
            ((0, 168),),
        )
        for dose in (0.2, 0.5, 1.0)
    ),
    (
        "dilfrequency",
        "0.26 MIU/m² sc q3d for 12 weeks",
        "DILfrequency",
        "type 1 diabetes",
        0.26 * 1.7,
        _days(0, 84, 3),
        ((0, 84),),
    ),
    (
        "cgvhd_koreth2016",
        "1 MIU/m² sc daily for 12 weeks",
        "Chronic GVHD, 1 MIU/m² daily",
        "chronic graft-versus-host disease",
        1.0 * 1.7,
        _days(0, 84, 1),
        ((0, 84),),
    ),
    (
        "lupil2",
        "1.5 MIU sc daily for 5 days, then weekly to week 12",
        "LUPIL-2",
        "systemic lupus erythematosus",
        1.5,
        np.concatenate([_days(0, 5, 1), _days(7, 84, 7)]),
        ((0, 84),),
    ),
    ("placebo", "placebo: no interleukin-2", "Placebo", "any", 0.0, np.zeros(0), ()),
)


def _regimen(course: tuple) -> RegimenSummary:
    name, sentence, title, population, dose, times, blocks = course
    hours = tuple((DAY * start, DAY * end) for start, end in blocks)
    return RegimenSummary(
        name=name,
        sentence=sentence,
        title=title,
        population=population,
        source="synthetic: tests/fake_comparison.py",
        status="unknown" if title else "own text",
        dose_times_h=times,
        on_blocks=hours,
        treatment_end_h=max((end for _, end in hours), default=0.0),
        total_dose=f"{dose * len(times):g} MIU in {len(times)} injections",
    )


def _simulate(course: tuple, rng: np.random.Generator, patients: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hourly il2, treg, nk (time, patient): gamma-shaped doses, Euler steps of 1 h; for looks only."""
    dose, at = course[4], course[5]
    spread = {key: np.exp(rng.normal(0, 0.25, patients)) for key in ("size", "ka", "kp", "kout", "ec50", "knk")}
    after = np.maximum(TIMES[:, None] - at[None, :], 0.0)
    ka = 0.28 * spread["ka"]
    il2 = np.stack(
        [
            (4.6 * dose * size * np.e * k * after * np.exp(-k * after)).sum(axis=1)
            for size, k in zip(spread["size"], ka, strict=True)
        ],
        axis=1,
    )
    treg, nk = np.ones_like(il2), np.ones_like(il2)
    for i in range(len(TIMES) - 1):
        effect = il2[i] / (il2[i] + 0.3 * spread["ec50"])
        growth = 0.010 * spread["kp"] * effect * treg[i] * (1 - treg[i] / 12)
        treg[i + 1] = treg[i] + 0.0075 * spread["kout"] * (1 - treg[i]) + growth
        nk[i + 1] = nk[i] + 0.004 * spread["knk"] * (1 + 6 * il2[i] / (il2[i] + 6) - nk[i])
    return il2, treg, nk


METRICS = {
    "il2_cmax_per_dose": ("IL-2 Cmax per dose", "IU/mL", "IL-2 exposure"),
    "il2_cmax_per_week": ("IL-2 Cmax per week", "IU/mL", "IL-2 exposure"),
    "il2_auc_per_dose": ("IL-2 AUC per dose", "IU·h/mL", "IL-2 exposure"),
    "il2_auc_per_week": ("IL-2 AUC per week", "IU·h/mL", "IL-2 exposure"),
    **{
        f"{cell}_{key}": (f"{name} {label}", unit, name)
        for cell, name in (("treg", "Treg"), ("nk", "NK"))
        for key, label, unit in (
            ("peak", "peak", "fold"),
            ("block_end", "at the end of an on-block", "fold"),
            ("block_end_1", "at the end of on-block 1", "fold"),
            ("block_end_2", "at the end of on-block 2", "fold"),
            ("before_next", "before the next block", "fold"),
            ("before_next_1", "before on-block 2", "fold"),
            ("mean_treatment", "mean over treatment", "fold"),
            ("mean_follow_up", "mean over follow-up", "fold"),
            ("time_above_1.3", "share of time ≥ 1.3-fold", "%"),
        )
    },
    "selectivity": ("selectivity, Treg AUC over NK AUC", "1", "Selectivity and cost"),
    "total_iu": ("total dose", "IU", "Selectivity and cost"),
    "injections": ("injections", "1", "Selectivity and cost"),
}


def _metrics(course: tuple, il2: np.ndarray, treg: np.ndarray, nk: np.ndarray) -> dict[str, np.ndarray]:
    dose, at, blocks = course[4:]
    nothing = np.full(il2.shape[1], np.nan)
    values = dict.fromkeys(METRICS, nothing)
    end = int(max((stop for _, stop in blocks), default=WEEKS * 7) * DAY)
    if dose:
        values["il2_cmax_per_dose"] = il2.max(axis=0)
        values["il2_auc_per_dose"] = il2.sum(axis=0) / len(at)
    values["il2_cmax_per_week"] = il2[: 7 * 24].max(axis=0)
    values["il2_auc_per_week"] = il2[:end].sum(axis=0) / (end / 168)
    for key, cells in (("treg", treg), ("nk", nk)):
        ends = [cells[int(stop * DAY)] for _, stop in blocks]
        nexts = [cells[int(start * DAY)] for start, _ in blocks[1:]]
        values[f"{key}_peak"] = cells.max(axis=0)
        values[f"{key}_block_end"] = np.mean(ends, axis=0) if ends else nothing
        values[f"{key}_block_end_1"] = ends[0] if ends else nothing
        values[f"{key}_block_end_2"] = ends[1] if len(ends) > 1 else nothing
        values[f"{key}_before_next"] = np.mean(nexts, axis=0) if nexts else nothing
        values[f"{key}_before_next_1"] = nexts[0] if nexts else nothing
        values[f"{key}_mean_treatment"] = cells[:end].mean(axis=0)
        values[f"{key}_mean_follow_up"] = cells[end:].mean(axis=0) if end < WEEKS * 168 else nothing
        values[f"{key}_time_above_1.3"] = 100 * (cells >= 1.3).mean(axis=0)
    values["selectivity"] = treg.sum(axis=0) / nk.sum(axis=0)
    values["total_iu"] = np.full(il2.shape[1], 1e6 * dose * len(at))
    values["injections"] = np.full(il2.shape[1], float(len(at)))
    return values


@cache
def fake_comparison(patients: int = 60) -> Comparison:
    """Ten made-up regimens over 24 weeks, hourly; the same patients under each, as in a real comparison."""
    shape = (len(COURSES), len(TIMES), len(QUANTILES))
    profiles = {name: np.empty(shape) for name in ("il2", "treg", "nk")}
    metric_values = np.empty((len(COURSES), patients, len(METRICS)))
    rows = []
    for r, course in enumerate(COURSES):
        simulated = _simulate(course, np.random.default_rng(7), patients)
        for name, values in zip(("il2", "treg", "nk"), simulated, strict=True):
            profiles[name][r] = np.quantile(values, QUANTILES, axis=1).T
        values = _metrics(course, *simulated)
        for m, (metric, (label, unit, group)) in enumerate(METRICS.items()):
            metric_values[r, :, m] = values[metric]
            low, median, high = np.quantile(values[metric], QUANTILES)
            certain = metric in ("total_iu", "injections") or course[0] == "placebo"
            doubt = 1.0 if certain else 1.2
            rows.append((course[0], metric, label, unit, group, median, low, high, median / doubt, median * doubt))
    rng = np.random.default_rng(1)
    names = [course[0] for course in COURSES]
    dataset = xr.Dataset(
        {name: (("regimen", "time", "quantile"), values) for name, values in profiles.items()}
        | {
            "metric_values": (("regimen", "patient", "metric"), metric_values),
            "age": ("patient", rng.uniform(18, 65, patients), {"units": "year"}),
            "weight": ("patient", rng.uniform(45, 80, patients), {"units": "kg"}),
            "height": ("patient", rng.normal(163, 6, patients), {"units": "cm"}),
            "bsa": ("patient", rng.normal(1.65, 0.1, patients), {"units": "m2"}),
            "sex": ("patient", np.repeat("female", patients).astype(object)),
        },
        coords={
            "regimen": np.array(names, dtype=object),
            "time": ("time", TIMES, {"units": "h"}),
            "quantile": list(QUANTILES),
            "metric": np.array(list(METRICS), dtype=object),
        },
        attrs={"seed": 7, "model": "synthetic", "solver": "none", "rtol": 0.0, "steps": 0, "command": "none"},
    )
    assumptions = pd.DataFrame(
        [
            ("Treg", "kp", "largest proliferative drive", 0.010, "1/h", "derived", "C", "synthetic row"),
            ("Treg", "ec50", "IL-2 for half the drive", 0.3, "IU/mL", "derived", "C", "synthetic row"),
            ("NK", "emax_nk", "largest rise of production", 6.0, "1", "unknown", "D", "synthetic row"),
            ("NK", "=cmd|' /C calc'!A0", "-1+1", np.nan, "@unit", "memory", "", "+SUM(A1)"),
        ],
        columns=["used_for", "symbol", "meaning", "value", "unit", "status", "grade", "source"],
    )
    return Comparison(
        profiles=dataset,
        table=pd.DataFrame(
            rows,
            columns=[
                "regimen",
                "metric",
                "label",
                "unit",
                "group",
                "median",
                "low",
                "high",
                "median_low",
                "median_high",
            ],
        ),
        assumptions=assumptions,
        regimens=tuple(_regimen(course) for course in COURSES),
        reference="pss_nct02464319",
        provenance={
            "versions": {"pkpd": "0.1.0", "jax": "0.0 (synthetic)"},
            "seed": 7,
            "command": "pkpd compare pss_nct02464319 '0.25 MIU sc qd x 84 d' --patients 60 --seed 7",
            "python": "3.11",
            "platform": "synthetic",
            "date": "2026-01-01T00:00:00+00:00",
        },
    )


def only(comparison: Comparison, *names: str) -> Comparison:
    """The comparison of these regimens alone, the first of them the reference."""
    return replace(
        comparison,
        profiles=comparison.profiles.sel(regimen=list(names)),
        table=comparison.table[comparison.table["regimen"].isin(names)].reset_index(drop=True),
        regimens=tuple(comparison.regimen(name) for name in names),
        reference=names[0],
    )


def renamed(comparison: Comparison, old: str, new: str) -> Comparison:
    """The comparison with one regimen called otherwise, and described by the same words."""

    def name(text: str) -> str:
        return new if text == old else text

    return replace(
        comparison,
        profiles=comparison.profiles.assign_coords(
            regimen=np.array([name(text) for text in comparison.names], dtype=object)
        ),
        table=comparison.table.assign(regimen=comparison.table["regimen"].map(name)),
        regimens=tuple(
            replace(regimen, name=new, title=new, sentence=new, source=new) if regimen.name == old else regimen
            for regimen in comparison.regimens
        ),
        reference=name(comparison.reference),
    )
