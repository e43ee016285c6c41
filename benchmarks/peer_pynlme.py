"""Population fits by pynlme: first-order conditional estimation in closed form, all subjects in one call."""

import time
from importlib.metadata import version as version_of

import numpy as np
import pandas as pd
import pynlme  # pyright: ignore[reportMissingImports]  (extra: bench)

Found = dict[str, object]


def version() -> str:
    return f"pynlme {version_of('pynlme')}"


def oral(phi: np.ndarray, x: np.ndarray, _: object = None) -> np.ndarray:
    """One compartment, first-order absorption; phi = log of (ka, cl, v), x = (dose, time)."""
    ka, cl, v = np.exp(np.atleast_2d(phi)).T
    k = cl / v
    return x[:, 0] * ka / (v * (ka - k)) * (np.exp(-k * x[:, 1]) - np.exp(-ka * x[:, 1]))


def bolus(phi: np.ndarray, x: np.ndarray, _: object = None) -> np.ndarray:
    """Two compartments; phi = log of (cl, vc, q, vp)."""
    cl, vc, q, vp = np.exp(np.atleast_2d(phi)).T
    k10, k12, k21 = cl / vc, q / vc, q / vp
    total = k10 + k12 + k21
    root = np.sqrt(total**2 - 4 * k10 * k21)
    a, b = (total + root) / 2, (total - root) / 2
    return x[:, 0] / vc * ((a - k21) * np.exp(-a * x[:, 1]) + (k21 - b) * np.exp(-b * x[:, 1])) / (a - b)


def solve(table: pd.DataFrame, model: str, start: tuple[float, ...], error: str) -> Found:
    """Seconds, and -2 log L without n log(2 pi) of the observations; `error`: additive, or lognormal."""
    doses = table[table.AMT > 0].groupby("ID").AMT.first()
    rows = table[table.EVID == 0]
    y = rows.DV.to_numpy(float)
    begun, of_cpu = time.perf_counter(), time.process_time()
    with np.errstate(all="ignore"):  # the peer tries parameters that overflow
        _, _, found, _ = pynlme.fit_nlme(
            np.column_stack([rows.ID.map(doses), rows.TIME]).astype(float),
            y,
            rows.ID.to_numpy(),
            None,
            {"oral": oral, "bolus": bolus}[model],
            np.log(start),
            cov_pattern=np.eye(len(start)),
            approximation_type="FOCE",
            error_model={"additive": "constant", "lognormal": "exponential"}[error],
            vectorization="full",
        )
    seconds, of_cpu = time.perf_counter() - begun, time.process_time() - of_cpu
    assert found.logl is not None
    # With exponential errors the peer's likelihood is that of log y.
    jacobian = 2.0 * np.log(y).sum() if error == "lognormal" else 0.0
    return {
        "peer": version(),
        "peer_seconds": seconds,
        "peer_cpu_seconds": of_cpu,
        "peer_objective": float(-2 * found.logl - len(y) * np.log(2 * np.pi) + jacobian),
    }
