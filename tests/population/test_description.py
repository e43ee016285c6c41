"""A population as a person writes it: what it means, and what is refused."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import distributions
from numpyro.distributions.transforms import ExpTransform

import pkpd.engine  # noqa: F401  64 bits
from pkpd.errors import InputError
from pkpd.literature import priors as literature
from pkpd.models.library import model
from pkpd.population.covariate_effects import allometric, categorical, exponential, linear, power
from pkpd.population.expression import Covariate, Expression, Given, Theta, exp, fixed
from pkpd.population.individual import BoxCox, LogitNormal, LogNormal, Normal
from pkpd.population.omega import Block, Same
from pkpd.population.population import Population
from pkpd.population.priors import AssumptionWarning, literature_prior, prior_of
from pkpd.population.residual import (
    Additive,
    BelowLimit,
    Combined,
    Proportional,
    StudentT,
    TransformBothSides,
    UserDensity,
)

WEIGHT = np.array([55.0, 70.0, 91.0])
FEMALE = np.array([1.0, 0.0, 1.0])


def value(expression: Expression, eta: float = 0.0, **values: float) -> np.ndarray:
    """The expression for three subjects, its thetas at their initial values unless given."""
    named = expression.named("p")
    thetas = {part.name: part.initial for part in named.walk() if isinstance(part, Theta)}
    given = Given(
        values={name: jnp.full(3, one) for name, one in (thetas | values).items()},
        etas={"p": jnp.full(3, eta)},
        covariates={"weight": jnp.asarray(WEIGHT), "sex=F": jnp.asarray(FEMALE)},
    )
    return np.broadcast_to(np.asarray(named.value(given)), 3)


SIZE = Covariate("weight")
SPELLINGS: dict[str, tuple[Expression, np.ndarray]] = {
    "log-normal": (LogNormal(10, cv=0.3) * (SIZE / 70) ** 0.75, 10 * np.exp(0.2) * (WEIGHT / 70) ** 0.75),
    "normal": (Normal(3, sd=1) + Theta(0.1, name="slope") * SIZE, 3.2 + 0.1 * WEIGHT),
    "logit-normal": (LogitNormal(0.4, sd=0.5), np.full(3, 1 / (1 + 1.5 * np.exp(-0.2)))),
    "box-cox": (BoxCox(10, sd=0.3, shape=0.5), np.full(3, 10 * np.exp((np.exp(0.1) - 1) / 0.5))),
    "box-cox at 0": (BoxCox(10, sd=0.3, shape=fixed(0.0)), np.full(3, 10 * np.exp(0.2))),
    "power": (Theta(2) * power(SIZE, 80, Theta(0.5, name="e")), 2 * (WEIGHT / 80) ** 0.5),
    "allometric": (Theta(2) * allometric(SIZE, 0.75), 2 * (WEIGHT / 70) ** 0.75),
    "exponential": (Theta(2) * exponential(SIZE, 70, Theta(0.01, name="e")), 2 * np.exp(0.01 * (WEIGHT - 70))),
    "linear": (Theta(2) * linear(SIZE, 70, Theta(0.01, name="e")), 2 * (1 + 0.01 * (WEIGHT - 70))),
    "categorical": (Theta(2) * categorical(Covariate("sex"), {"F": Theta(0.3, name="e")}), 2 + 0.6 * FEMALE),
    "steps": (Theta(2) * (1 + Theta(0.3, name="e") * (SIZE >= 70)), 2 + 0.6 * (WEIGHT >= 70)),
    "arithmetic": (1 / (-exp(Theta(0.5)) + 3 - SIZE / 70), 1 / (3 - np.exp(0.5) - WEIGHT / 70)),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_spelling_means_its_formula(spelling: str) -> None:
    expression, expected = SPELLINGS[spelling]
    np.testing.assert_allclose(value(expression, eta=0.2), expected, rtol=1e-14)


def test_box_cox_is_smooth_where_its_formula_is_0_over_0() -> None:
    near = [float(value(BoxCox(1, sd=0.3, shape=fixed(s)), eta=0.7)[0]) for s in (-1.1e-5, -9e-6, 9e-6, 1.1e-5)]
    # The slope in the shape is eta^2/2: what lies between neighbours is no jump of the branch.
    np.testing.assert_allclose(np.diff(np.log(near)), 0.7**2 / 2 * np.array([2e-6, 1.8e-5, 2e-6]), rtol=1e-4)


def test_a_covariate_that_changes_with_time_gives_a_parameter_that_does() -> None:
    population = simple(cl=LogNormal(10, cv=0.3) * (Covariate("weight") / 70))
    values = population.packing.values(jnp.broadcast_to(jnp.asarray(population.packing.start())[:, None], (4, 3)))
    changing = jnp.asarray(np.stack([WEIGHT, 2 * WEIGHT]))
    etas = population.etas(values, jnp.zeros((1, 3)), None)
    found = population.individual(values, etas, {"weight": changing})[0]
    np.testing.assert_allclose(np.asarray(found["cl"]), 10 * np.asarray(changing) / 70, rtol=1e-14)
    assert found["v"].shape == (3,)


def test_occasions_have_their_own_effect_beside_the_subjects() -> None:
    population = Population(
        parameters={"cl": LogNormal(10, cv=0.3, occasion_cv=0.1), "v": LogNormal(20, occasion_sd=0.2)},
        residual={"conc": Additive(1)},
    )
    assert population.effects(2) == (*("cl", "cl occasion 1", "v occasion 1", "cl occasion 2", "v occasion 2"),)
    x = population.packing.start()
    values = population.packing.values(jnp.broadcast_to(jnp.asarray(x)[:, None], (len(x), 1)))
    occasions = jnp.asarray(np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])[:, :, None])
    z = jnp.asarray(np.array([1.0, 2.0, 3.0, 4.0, 5.0])[:, None])
    etas = population.etas(values, z, occasions)
    between, within = np.sqrt(np.log(1.09)), np.sqrt(np.log(1.01))
    np.testing.assert_allclose(np.asarray(etas["cl"])[:, 0], between + within * np.array([2.0, 2.0, 4.0]), rtol=1e-12)
    np.testing.assert_allclose(np.asarray(etas["v"])[:, 0], 0.2 * np.array([3.0, 3.0, 5.0]), rtol=1e-12)


def test_the_literature_s_priors_of_a_model_announce_assumptions() -> None:
    found = literature_prior(model("il2_sc"))
    assert set(found) == set(model("il2_sc").symbols)
    assert float(jnp.exp(found["cl"].loc)) == pytest.approx(literature("il2_sc")["cl"].typical)
    with pytest.warns(AssumptionWarning, match=r"'treg_clearance'.*clt \(grade C, derived\)") as told:
        assert set(literature_prior(model("treg_clearance"))) == {"clt", "kt"}
    assert "kt (" not in str(told[0].message)
    with pytest.raises(InputError, match="no value for a parameter of 'pk_1cmt_iv'"):
        literature_prior(model("pk_1cmt_iv"))


def test_a_literature_prior_is_log_normal_with_its_uncertainty() -> None:
    known = literature("il2_sc")["cl"]
    prior = prior_of(known)
    spread = np.sqrt(np.log1p(known.uncertainty_cv**2))
    x = 1.3 * known.typical
    exact = -np.log(x * spread * np.sqrt(2 * np.pi)) - 0.5 * (np.log(1.3) / spread) ** 2
    assert float(prior.log_prob(x)) == pytest.approx(exact, rel=1e-12)
    population = simple(priors={"cl": prior, "omega.cl": prior})
    start = jnp.asarray(population.packing.start())
    both = prior.log_prob(10.0) + prior.log_prob(jnp.sqrt(jnp.log(1.09)))
    assert float(population.penalty(start)) == pytest.approx(float(-2 * both), rel=1e-12)


def simple(*, residual: Any = None, omega: tuple = (), priors: Any = None, **changed: Any) -> Population:
    """Two parameters and one endpoint, with whatever is `changed`."""
    return Population(
        parameters={"cl": LogNormal(10, cv=0.3), "v": Theta(20), **changed},
        residual=residual or {"conc": Additive(1)},
        omega=omega,
        priors=priors or {},
    )


def any_prior() -> Any:
    from numpyro.distributions import Normal as Gauss

    return Gauss(0.0, 1.0)


MISTAKES: dict[str, tuple[Any, str]] = {
    "two thetas of one name": (lambda: simple(v=Theta(20, name="cl")), "'cl'"),
    "two thetas without a name": (lambda: simple(v=Theta(20) + Theta(1) * Covariate("weight")), "'v' has 2 thetas"),
    "two effects of one name": (lambda: simple(v=LogNormal(20, cv=0.1, name="cl")), "'cl'"),
    "no spread": (lambda: LogNormal(10), "no spread"),
    "sd and cv": (lambda: LogNormal(10, cv=0.3, sd=0.3), "both sd and cv"),
    "a spread of 0": (lambda: simple(v=LogNormal(20, sd=0.0)), "spread of 0"),
    "a named spread": (lambda: simple(v=LogNormal(20, sd=Theta(0.2, name="w"))), "'w'"),
    "an effect inside an effect": (lambda: LogNormal(Normal(1, sd=1), cv=0.3), "one is enough"),
    "a step of a theta": (lambda: Theta(1) < 5, "jump"),
    "no number": (lambda: LogNormal("10", cv=0.3), "'10'"),
    "text in arithmetic": (lambda: Covariate("sex") * "F", "'F'"),
    "outside its bounds": (lambda: Theta(3, name="f", lower=0, upper=1), "'f'"),
    "on a bound": (lambda: Theta(0, name="k", lower=0), "on a bound"),
    "log with two bounds": (lambda: Theta(0.5, lower=0, upper=1, transform="log"), "logit"),
    "block of a stranger": (lambda: simple(omega=(Block(("cl", "v")),)), "'v' has no random effect"),
    "block of one": (lambda: Block(("cl",)), "two effects"),
    "in two blocks": (
        lambda: simple(
            v=LogNormal(20, cv=0.2), ka=LogNormal(1, cv=0.2), omega=(Block(("cl", "v")), Block(("cl", "ka")))
        ),
        "cl stands in two blocks",
    ),
    "no covariance": (
        lambda: simple(
            v=LogNormal(20, cv=0.2), ka=LogNormal(1, cv=0.2), omega=(Block(("cl", "v", "ka"), correlation=-0.9),)
        ),
        "no covariance",
    ),
    "same as no block": (
        lambda: simple(v=LogNormal(20, cv=0.2), omega=(Same(("v",), like=("v",)),)),
        "no block",
    ),
    "fixed in a free block": (
        lambda: simple(v=LogNormal(20, sd=fixed(0.2)), omega=(Block(("cl", "v")),)),
        "the SD of v is fixed",
    ),
    "prior of a stranger": (lambda: simple(priors={"kA": any_prior()}), "'kA'"),
    "prior of something fixed": (lambda: simple(v=fixed(20), priors={"v": any_prior()}), "it is fixed"),
    "prior that is none": (lambda: simple(priors={"v": 3.0}), "no distribution"),
    "everything fixed": (
        lambda: Population({"k": fixed(1)}, {"conc": Additive(fixed(1.0))}),
        "nothing to estimate",
    ),
    "no error model": (lambda: simple(residual={"conc": 0.3}), "'conc'"),
    "a modifier twice": (lambda: Additive(1) & StudentT(4) & StudentT(5), "twice"),
    "no modifier": (lambda: Additive(1) & 4, "nothing an error model can have"),
    "a method of BLQ": (lambda: Additive(1) & BelowLimit("M5"), "M5"),  # type: ignore[arg-type]
    "adding": (lambda: Combined(1, 1, "squares"), "squares"),  # type: ignore[arg-type]
    "a shape without box-cox": (lambda: TransformBothSides("log", shape=1.0), "shape"),
    "nothing": (lambda: Population({}, {"conc": Additive(1)}), "has parameters"),
}


@pytest.mark.C8
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_by_name(mistake: str) -> None:
    make, words = MISTAKES[mistake]
    with pytest.raises(InputError, match=words):
        make()


def test_shared_thetas_and_effects_are_one() -> None:
    shared = LogNormal(10, cv=0.3, name="both")
    population = Population({"a": shared, "b": shared * 2}, {"conc": Proportional(0.1)})
    # The typical value has the name of the first parameter it was written for, so two must say it alike.
    assert population.packing.names == ("a", "b", "conc.sd", "omega.both")


PARAMETERS = {"cl": LogNormal(10, cv=0.3) * (Covariate("weight") / 70) ** 0.75, "v": LogNormal(50, cv=0.2), "ka": 1.0}


def written(**changed: Any) -> Population:
    given: dict[str, Any] = {
        "parameters": PARAMETERS,
        "residual": {"conc": Proportional(0.3) & BelowLimit("M3")},
        "omega": (Block(("cl", "v"), correlation=0.3),),
        "priors": {"cl": distributions.LogNormal(2.3, 0.2)},
    }
    return Population(**(given | changed))


def bounded(y: Any, f: Any, p: Any) -> Any:
    return -((y - f) ** 2) * p["weight"]


def test_populations_that_say_the_same_are_equal() -> None:
    """Those of a second run of a script: what was compiled for the first serves them."""
    assert written() == written()
    assert hash(written()) == hash(written())
    shares = distributions.Categorical(jnp.array([0.4, 0.6]))
    mixed = distributions.MixtureSameFamily(shares, distributions.Normal(jnp.array([9.0, 11.0]), 1.0))
    assert written(priors={"cl": mixed}) == written(priors={"cl": mixed})
    own = {"residual": {"conc": UserDensity(bounded, {"weight": 1.0})}}
    assert written(**own) == written(**own)
    assert hash(written(**own)) == hash(written(**own))


class Narrow(distributions.Normal):
    """A distribution whose `width` no list of its parameters has."""

    def __init__(self, width: float) -> None:
        self.width = width
        super().__init__(10.0, 1.0)


@pytest.mark.parametrize(
    "changed",
    [
        {"parameters": PARAMETERS | {"cl": LogNormal(10, cv=0.3)}},
        {"parameters": PARAMETERS | {"v": LogNormal(50, cv=0.21)}},
        {"parameters": PARAMETERS | {"ka": fixed(1.0)}},
        {"parameters": dict(reversed(PARAMETERS.items()))},
        {"residual": {"conc": Proportional(0.3) & BelowLimit("M4")}},
        {"residual": {"conc": UserDensity(lambda y, f, p: -((y - f) ** 2))}},
        {"omega": ()},
        {"omega": (Block(("cl", "v"), correlation=0.2),)},
        {"priors": {}},
        {"priors": {"cl": distributions.LogNormal(2.3, 0.3)}},
        {"priors": {"cl": distributions.Normal(2.3, 0.2)}},
        {"priors": {"v": distributions.LogNormal(2.3, 0.2)}},
        {"priors": {"cl": Narrow(1.0)}},
    ],
)
def test_populations_that_differ_in_anything_are_not(changed: dict[str, Any]) -> None:
    assert written(**changed) != written()
    assert written(**changed) == written(**changed)


def test_distributions_of_ones_own_and_other_functions_are_not_looked_into() -> None:
    one, other = Narrow(1.0), Narrow(2.0)
    assert written(priors={"cl": one}) != written(priors={"cl": other})
    inside = [distributions.TransformedDistribution(each, ExpTransform()) for each in (one, other)]
    assert written(priors={"cl": inside[0]}) != written(priors={"cl": inside[1]})
    densities = [{"conc": UserDensity(lambda y, f, p: -((y - f) ** 2))} for _ in range(2)]
    assert written(residual=densities[0]) != written(residual=densities[1])
