"""Calibrate the Treg prior to published trial summaries, and say how little that leaves to test it with.

Targets: Treg folds of five regimens. Free: kp, ec50 and a delay ke0, at each of three losses kout; then kout as well.
IL-2 is that of the typical subject (`il2_sc`, 1.8 m2). Structure as published priors have it, without a capacity:

    effect' = ke0 (il2 / (ec50 + il2) - effect),   treg' = kout (1 - treg) + kp effect treg
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import least_squares

from pkpd.models.il2_sc import il2_sc
from pkpd.qualify.quantities import BSA, DAY, courses, every

jax.config.update("jax_enable_x64", True)
STEP = 0.5  # hours
HOURS = np.arange(0.0, 60.0 * DAY + STEP / 2, STEP)
KOUTS = (0.0036, 0.00645, 0.0096)
FREE = ("kp", "ec50", "ke0")


@dataclass(frozen=True)
class Target:
    """A published fold of Treg: the peak after `schedule`, or the mean from day `mean_from` to the end."""

    name: str
    observed: float
    weight: float
    status: str
    schedule: list[tuple[float, float]]
    window: tuple[float, float]
    mean: bool = False


TARGETS = (
    Target("one dose of 0.101 MIU/m2, peak (Todd 2016)", 1.10, 1.0, "verified", [(0, 0.101 * BSA)], (0, 7)),
    Target("one dose of 0.497 MIU/m2, peak (Todd 2016)", 1.20, 1.0, "memory", [(0, 0.497 * BSA)], (0, 7)),
    Target(
        "0.26 MIU/m2 q3d, mean (Seelig 2018)", 1.30, 1.0, "verified", list(every(3, 0.26 * BSA, 20)), (45, 60), True
    ),
    Target("1 MIU daily x 5, peak (Hartemann 2013)", 1.80, 1.0, "memory", list(every(1, 1.0, 5)), (0, 14)),
    # Patients with cGVHD are lymphopenic, and 6.5 is the middle of two bounds: it counts for less.
    Target("1 MIU/m2 daily, week 4 (Koreth)", 6.5, 0.3, "derived", list(every(1, BSA, 60)), (28, 28.1), True),
)


def folds(log_values: jax.Array, kout: jax.Array, il2: jax.Array) -> jax.Array:
    """The fold of each target; Treg by Heun's method, the effect exactly over each step."""
    kp, ec50, ke0 = jnp.exp(log_values)
    drive = il2 / (ec50 + il2)

    def step(carry: tuple[jax.Array, jax.Array], now: jax.Array) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        effect, treg = carry
        later = now + (effect - now) * jnp.exp(-ke0 * STEP)
        slope = kout * (1.0 - treg) + kp * effect * treg
        guess = treg + STEP * slope
        treg = treg + 0.5 * STEP * (slope + kout * (1.0 - guess) + kp * later * guess)
        return (later, treg), treg

    start = (jnp.zeros(il2.shape[1]), jnp.ones(il2.shape[1]))
    treg = jax.lax.scan(step, start, drive)[1]
    found = []
    for k, target in enumerate(TARGETS):
        first, last = (round(DAY * day / STEP) for day in target.window)
        part = treg[first : last + 1, k]
        found.append(part.mean() if target.mean else part.max())
    return jnp.stack(found)


def calibrated(kout: float | None, il2: jax.Array) -> tuple[np.ndarray, float, float, np.ndarray]:
    """(kp, ec50, ke0), kout, weighted sum of squares, folds; kout is free where none is given."""
    weights = jnp.array([target.weight for target in TARGETS])
    goal = jnp.log(jnp.array([target.observed for target in TARGETS]))

    @jax.jit
    def misfit(x: jax.Array) -> jax.Array:
        loss = jnp.asarray(kout) if kout is not None else jnp.exp(x[3])
        return weights * (jnp.log(folds(x[:3], loss, il2)) - goal)

    start = np.log([0.010, 0.3, 5.0] + ([] if kout is not None else [0.0075]))
    bounds = (start - np.log(30.0), start + np.log(30.0))
    slopes = jax.jit(jax.jacfwd(misfit))
    # SciPy's stub allows names of finite differences only.
    jac: Any = lambda x: np.asarray(slopes(x))  # noqa: E731
    fit = least_squares(misfit, start, jac=jac, bounds=bounds, xtol=1e-10, ftol=1e-10)
    loss = kout if kout is not None else float(np.exp(fit.x[3]))
    return np.exp(fit.x[:3]), loss, 2.0 * fit.cost, np.asarray(jax.jit(folds)(fit.x[:3], loss, il2))


def main() -> None:
    il2 = jnp.asarray(courses(il2_sc(), [target.schedule for target in TARGETS], HOURS)["il2"])
    fits = [calibrated(kout, il2) for kout in (*KOUTS, None)]
    for (kp, ec50, ke0), kout, cost, _ in fits:
        held = "held" if kout in KOUTS else "free"
        print(
            f"kout {kout:.4f} /h ({held})  kp {kp:.4f} /h  ec50 {ec50:.3f} IU/mL  ke0 {ke0:.3g} /h  misfit {cost:.2g}"
        )
    best = min(fits[: len(KOUTS)], key=lambda fit: fit[2])
    print(f"\nbest held kout, {best[1]:.4f} /h:")
    for target, fold in zip(TARGETS, best[3], strict=True):
        print(f"  {target.name:45} observed {target.observed:.2f} ({target.status})  model {fold:.2f}")
    from_memory = sum(target.status == "memory" for target in TARGETS)
    chosen = len(FREE) + 1
    print(
        f"\n{len(TARGETS)} targets, {from_memory} of them from memory; {len(FREE)} parameters and kout were chosen: "
        f"{len(TARGETS) - chosen} degree of freedom is left.\nThe agreement is therefore no validation."
    )


if __name__ == "__main__":
    main()
