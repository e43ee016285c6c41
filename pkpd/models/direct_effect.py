"""Effects that follow a concentration at once; or, behind an effect compartment, with a delay."""

from collections.abc import Callable
from functools import cache

from pkpd.models.model import Batch, Derived, Model, Parameter, Response, State, Values
from pkpd.models.saturation import hill

_BASELINE = Parameter("e0", "effect without drug", "effect")
_LARGEST = Parameter("emax", "largest effect of the drug", "effect")
_HALF = Parameter("ec50", "concentration giving half of it", "conc")
_SLOPE = Parameter("slope", "effect per unit of concentration", "effect/conc")


@cache
def effect_linear(driver: str = "conc") -> Model:
    """effect = e0 + slope conc. The names of outputs and inputs may differ: `driver` stands for conc throughout."""
    return _direct(
        "effect_linear",
        "linear effect",
        (_BASELINE, _SLOPE),
        driver,
        lambda c, p: p.e0 + p.slope * c,
        f"e0 + slope {driver}",
    )


@cache
def effect_log(driver: str = "conc") -> Model:
    """effect = e0 + slope log(1 + conc/c1): linear in the logarithm where conc is far above c1, and e0 without drug."""
    return _direct(
        "effect_log",
        "log-linear effect",
        (
            _BASELINE,
            Parameter("slope", "effect per e-fold of concentration", "effect"),
            Parameter("c1", "concentration at which the logarithm sets in", "conc"),
        ),
        driver,
        _log_linear,
        f"e0 + slope log(1 + {driver}/c1)",
    )


@cache
def effect_emax(driver: str = "conc") -> Model:
    """effect = e0 + emax conc/(ec50 + conc)."""
    return _direct(
        "effect_emax",
        "Emax effect",
        (_BASELINE, _LARGEST, _HALF),
        driver,
        lambda c, p: p.e0 + p.emax * c / (p.ec50 + c),
        f"e0 + emax {driver}/(ec50 + {driver})",
    )


@cache
def effect_imax(driver: str = "conc") -> Model:
    """effect = e0 (1 - imax conc/(ic50 + conc))."""
    return _direct(
        "effect_imax",
        "inhibitory Emax effect",
        (
            _BASELINE,
            Parameter("imax", "largest share inhibited", "1", upper=1.0, transform="logit"),
            Parameter("ic50", "concentration giving half of it", "conc"),
        ),
        driver,
        lambda c, p: p.e0 * (1.0 - p.imax * c / (p.ic50 + c)),
        f"e0 (1 - imax {driver}/(ic50 + {driver}))",
    )


@cache
def effect_sigmoid(driver: str = "conc") -> Model:
    """effect = e0 + emax conc^gamma/(ec50^gamma + conc^gamma)."""
    return _direct(
        "effect_sigmoid",
        "sigmoid Emax effect",
        (_BASELINE, _LARGEST, _HALF, Parameter("gamma", "Hill coefficient", "1")),
        driver,
        lambda c, p: p.e0 + p.emax * hill(c, p.ec50, p.gamma),
        f"e0 + emax {driver}^gamma/(ec50^gamma + {driver}^gamma)",
    )


@cache
def effect_compartment(driver: str = "conc") -> Model:
    """ce' = ke0 (conc - ce): the concentration at the site of effect. `>> effect_emax("ce")` makes an effect of it.

    Sheiner et al. 1979, Clin Pharmacol Ther 25:358.
    """
    return Model(
        name="effect_compartment",
        title="effect compartment",
        parameters=(Parameter("ke0", "equilibration with the site of effect", "1/h"),),
        responses=(
            Response(
                states=(State("ce", "conc", "concentration at the site of effect"),),
                inputs=(driver,),
                initial=lambda p: {"ce": 0.0 * p.ke0},
                derivative=lambda y, u, p: {"ce": p.ke0 * (getattr(u, driver) - y.ce)},
                equations=(f"ce' = ke0 ({driver} - ce)",),
            ),
        ),
        references=("Sheiner et al. 1979, Clin Pharmacol Ther 25:358",),
    )


def _log_linear(c: Batch, p: Values) -> Batch:
    import jax.numpy as jnp

    return p.e0 + p.slope * jnp.log1p(c / p.c1)


def _direct(
    name: str,
    title: str,
    parameters: tuple[Parameter, ...],
    driver: str,
    effect: Callable[[Batch, Values], Batch],
    written: str,
) -> Model:
    return Model(
        name=name,
        title=title,
        parameters=parameters,
        derived=(
            Derived(
                "effect",
                "effect",
                f"effect of {driver}",
                inputs=(driver,),
                value=lambda u, p: effect(getattr(u, driver), p),
                equation=f"effect = {written}",
            ),
        ),
    )
