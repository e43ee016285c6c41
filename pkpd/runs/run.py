"""A run: a fit from a run file and a table, kept in a folder from its first step on.

The folder holds what went in (model.toml, model.py, data.parquet), how it went (manifest.json, run.log,
iterations.csv, checkpoint/) and what came out (fit.json, parameters.csv, omega.csv, etas.csv, sdtab.csv, cov.csv,
cor.csv, posterior.nc, warnings.json). Estimates are written before the covariance step begins.
"""

import sys
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any

import jax
import numpy as np

from pkpd import __version__
from pkpd.dataset.summary import in_brief
from pkpd.engine.tolerances import Tolerances
from pkpd.errors import InputError
from pkpd.fit.connection import connected
from pkpd.fit.estimator import Progress
from pkpd.fit.fit import estimated, examined
from pkpd.fit.impossible import refuse_impossible
from pkpd.fit.objective import Approximation
from pkpd.runs.build import build
from pkpd.runs.file import read_run_file
from pkpd.runs.folder import Folder, claimed, resumed, sha256
from pkpd.runs.iterations import Iterations
from pkpd.runs.model_source import model_file
from pkpd.runs.results import results, scored
from pkpd.runs.tables import write_estimates, write_uncertainty
from pkpd.storage import write_atomically

Told = Callable[[str], None]
"""Takes a line about where the run is."""


@dataclass(frozen=True)
class Outcome:
    """`status`: finished, suspect (results with reasons not to trust them) or failed (no results)."""

    folder: Path
    status: str
    result: dict[str, Any]


def run(
    run_file: Path,
    table: Path,
    *,
    overrides: dict[str, Any],
    out: Path | None = None,
    resume: Path | None = None,
    told: Told = lambda line: None,
) -> Outcome:
    """Fit `run_file` to `table`. `overrides`: of the file's [method], None where the file counts.

    out: the new folder, the first free fit_dirN where it is None; resume: the folder of a run that was killed, to go
    on with. Raises `InputError` on what is wrong with file, table, folder, or their combination, before the folder is
    made.
    """
    if out is not None and resume is not None:
        raise InputError("--out starts a new run and --resume goes on with one; give one of them")
    if (table.parent / f"{table.stem}.toml").resolve() == run_file.resolve():
        raise InputError(
            f"the run file '{run_file}' has the table's name, and would be read as the table's description; rename it"
        )
    written = read_run_file(run_file)
    chosen = written.said.method.model_dump() | {key: one for key, one in overrides.items() if one is not None}
    chosen["covariance"] = chosen["covariance"].lower()
    if chosen["method"] != written.said.method.method and overrides.get("nodes") is None:
        chosen["nodes"] = written.said.method.nodes if chosen["method"] == "agq" else 1  # the file's are of its method
    approximation = Approximation(chosen["method"], chosen["nodes"])
    built = build(written, table)
    approximation.check(built.population)
    limits = {name: chosen[name] for name in ("rtol", "atol", "max_steps") if chosen[name] is not None}
    joined = connected(
        built.population,
        built.model,
        built.dataset,
        method=chosen["solver"],
        tolerances=Tolerances(**limits) if limits else None,
    )
    refuse_impossible(built.population, approximation, joined.problem, joined.table)
    hashes = {"run_file": sha256(written.content), "data": sha256(table.read_bytes())}
    described = table.with_suffix(".toml")
    if described.is_file():
        hashes["description"] = sha256(described.read_bytes())
    source = model_file(written.said.model, run_file.parent)
    if source is not None:
        hashes["model_file"] = sha256(source.read_bytes())
    if resume is not None:
        folder = resumed(resume, hashes, chosen)
        folder.told(status="running", argv=sys.argv, error=None)
    else:
        said = {"status": "running", "argv": sys.argv, "options": chosen, "sha256": hashes, "versions": _versions()}
        said |= {"parent": written.said.parent, "description": written.said.description}
        said |= {"device": _device(), "started": _now(), "model": written.said.model, "data": str(table)}
        folder = claimed(out, said)
        with _watched(folder):
            folder.text("model.toml", written.content.decode("utf-8"))
            if source is not None:
                folder.text("model.py", source.read_text(encoding="utf-8"))
            frame = built.dataset.table
            write_atomically(folder.path / "data.parquet", lambda path: frame.to_parquet(path, index=False))
            folder.text("data.sha256", f"{hashes['data']}  {table.name}\n")
    beside: dict[str, Any] = {"assumptions": [f"the prior of {one} is an assumption" for one in built.assumptions]}
    beside["assumptions"] += _by_activity(built.dataset.units, joined.dataset.units)
    converted = _converted(built.dataset.units, joined.dataset.units)
    beside["data"] = [*in_brief(built.dataset), *converted, *built.told]
    beside["scored"] = scored(built.population, built.model, joined)
    for line in beside["data"]:
        folder.log(line)
    covariance = None if chosen["covariance"] == "none" else chosen["covariance"]
    with _watched(folder):
        found = estimated(
            built.population,
            joined.problem,
            joined.table,
            **{name: chosen[name] for name in ("method", "nodes", "starts", "seed")},
            covariance=covariance,
            told=_steps(folder, built.population.packing.names, told),
            checkpoints=folder.folder("checkpoint"),
        )
        result = results(found, built.model, joined.problem) | beside
        folder.json("fit.json", result)
        if np.isfinite(found.ofv):
            write_estimates(folder, found, joined, result)
            told("covariance and audit")
            found = examined(found, joined.problem, covariance=covariance, seed=chosen["seed"])
            result = results(found, built.model, joined.problem) | beside
            folder.json("fit.json", result)
            write_uncertainty(folder, found, result)
            if found.uncertainty is not None and np.isfinite(found.uncertainty.covariance).all():
                draws = found.drawn(seed=chosen["seed"])
                write_atomically(
                    folder.path / "posterior.nc",
                    lambda path: draws.to_netcdf(path, group="posterior", engine="h5netcdf"),
                )
        warnings: list[dict[str, Any]] = [
            {"code": "E-FIT", "severity": "suspect", "message": one} for one in result["reasons"]
        ]
        warnings += [one | {"severity": "warning"} for one in result["lights"]]
        doubts = built.dataset.findings.of("warning").breaches
        warnings += [{"code": one.code, "severity": "warning", "message": one.what} for one in doubts]
        warnings += [{"code": "W-ASSUMPTION", "severity": "warning", "message": one} for one in result["assumptions"]]
        folder.json("warnings.json", warnings)
        status = "failed" if result["ofv"] is None else "suspect" if result["reasons"] else "finished"
        for one in warnings:
            folder.log(f"{one['severity']}: {one['message']}")
    folder.told(status=status, seconds=result["seconds"], compiling=result["compiling"], ended=_now())
    folder.log(status)
    return Outcome(folder.path, status, result)


def _converted(given: Mapping[str, str], used: Mapping[str, str]) -> list[str]:
    """What the fit counts in another unit than the table."""
    changed = [f"{name} from {unit} to {used[name]}" for name, unit in given.items() if used.get(name, unit) != unit]
    return [f"converted to the model's units: {', '.join(changed)}"] if changed else []


def _by_activity(given: Mapping[str, str], used: Mapping[str, str]) -> list[str]:
    """Where units of activity became mass, or the other way: right for IL-2 only."""
    return [
        f"{name}: {unit} became {used[name]} by the specific activity of IL-2 (18 MIU = 1.1 mg unless the data say)"
        for name, unit in given.items()
        if ("IU" in unit) != ("IU" in used.get(name, unit))
    ]


@contextmanager
def _watched(folder: Folder) -> Any:
    """Whatever ends the run is in its manifest."""
    try:
        yield
    except KeyboardInterrupt:
        folder.told(status="interrupted", ended=_now())
        raise
    except BaseException as error:
        folder.told(status="failed", error=str(error) or type(error).__name__, ended=_now())
        raise


def _steps(folder: Folder, names: tuple[str, ...], told: Told) -> Callable[[int, Progress], None]:
    iterations = Iterations(folder, names)

    def step(start: int, progress: Progress) -> None:
        line = (
            f"start {start + 1} step {progress.step}: objective {progress.value:.4f}, gradient {progress.gradient:.1e}"
        )
        if iterations.add(start, progress):
            folder.log(line)
        told(line)

    return step


def _versions() -> dict[str, str]:
    return {"pkpd": __version__, "python": python_version(), "jax": version("jax"), "numpy": version("numpy")}


def _device() -> str:
    one = jax.devices()[0]
    return f"{len(jax.devices())} {one.platform} ({one.device_kind})"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
