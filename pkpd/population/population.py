"""A population as a person writes it down: individual parameters, Omega, residual error, priors.

Population(
    parameters={"cl": LogNormal(10, cv=0.3) * (Covariate("weight") / 70) ** 0.75, "v": LogNormal(50, cv=0.2)},
    residual={"conc": Proportional(0.3) & BelowLimit("M3")},
    omega=(Block(("cl", "v"), correlation=0.3),),
    priors=literature_prior(model("il2_sc")),
)
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from pkpd.errors import InputError
from pkpd.population.error_effects import check_effects
from pkpd.population.expression import Covariate, Expression, Given, Level, Theta
from pkpd.population.individual import BoxCox, Random, initial_estimate
from pkpd.population.omega import Block, Omega, Same, resolved
from pkpd.population.packing import Coordinate, Packing
from pkpd.population.priors import Distribution, checked, identity, penalty
from pkpd.population.residual import Residual, Scale, UserDensity

Values = Mapping[str, Array]
Occasions = Float[Array, "occasion record subject"]


@dataclass(frozen=True, eq=False)
class Population:
    """How patients and their observations differ.

    `parameters`: of the model, by symbol; a number is an initial estimate without variability. `residual`: the
    error model of each endpoint. `omega`, `occasion_omega`, `site_omega`: blocks of correlated effects between
    subjects, occasions and sites; effects not named there vary on their own. `site`: the column that says which
    subjects belong together, where anything varies between sites. `priors`: by name of what is estimated: `cl`,
    `omega.cl`, `omega_corr.cl.v`, `conc.proportional`.

    Two that say the same are equal, so that what was compiled for one serves the other; a function of one's own, as in
    `UserDensity`, is the same only where it is the same object.

    Raises `InputError` on every name that is unknown, unused or given twice.
    """

    parameters: Mapping[str, Any]
    residual: Mapping[str, Any]
    omega: tuple[Block | Same, ...] = ()
    occasion_omega: tuple[Block | Same, ...] = ()
    site_omega: tuple[Block | Same, ...] = ()
    site: str = "SITE"
    priors: Mapping[str, Distribution] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.parameters or not self.residual:
            raise InputError("a population has parameters, and the residual error of one endpoint or more")
        free = {one.name for one in self.packing.free}
        known = {name: name in free for name in self.thetas}
        for omega in self.levels:
            held = {part.effects[0] for part in omega.parts if part.names[0][0] not in free}
            for part in omega.parts:
                named = {f"{omega.label}.{one}" for one in part.effects}
                named |= {f"{omega.label}_corr.{a}.{b}" for b in part.effects for a in part.effects if a != b}
                known |= dict.fromkeys(named & set(self.summary_names), part.effects[0] not in held)
        checked(self.priors, known)
        for endpoint, labels in self.residual_expressions.items():
            check_effects(endpoint, self.residuals[endpoint], labels)
        if self.site != Population.site and self.shared is None:
            raise InputError(
                f"site '{self.site}': nothing varies between sites; give a parameter site_sd, or leave it out"
            )
        if not free:
            raise InputError("everything is fixed: there is nothing to estimate")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Population) and self._said == other._said

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _said(self) -> tuple[Any, ...]:
        """All that was written down, in its order."""
        blocks = (self.omega, self.occasion_omega, self.site_omega)
        priors = tuple((name, identity(prior)) for name, prior in self.priors.items())
        return tuple(self.expressions.items()), tuple(self.residuals.items()), blocks, self.site, priors

    @cached_property
    def _hash(self) -> int:
        try:
            return hash(self._said)
        except TypeError:  # a UserDensity holds what has no hash, and is compared all the same
            return hash(tuple(self.expressions.items()))

    @cached_property
    def expressions(self) -> dict[str, Expression]:
        """The individual parameters, everything in them named."""
        return {name: _written(name, value) for name, value in self.parameters.items()}

    @cached_property
    def residuals(self) -> dict[str, Residual]:
        """The complete error model of each endpoint."""
        found = {}
        for endpoint, given in self.residual.items():
            model = Residual(given) if isinstance(given, Scale | UserDensity) else given
            if not isinstance(model, Residual):
                raise InputError(f"residual of '{endpoint}': {given!r} is no error model, such as Proportional(0.3)")
            found[endpoint] = model
        return found

    @cached_property
    def residual_expressions(self) -> dict[str, dict[str, Expression]]:
        """The parameters of each endpoint's error model by label, named `endpoint.label`."""
        return {
            endpoint: {label: _written(f"{endpoint}.{label}", one) for label, one in model.parameters.items()}
            for endpoint, model in self.residuals.items()
        }

    @cached_property
    def interacting(self) -> frozenset[str]:
        """The endpoints whose SD of the error moves with random effects, through the prediction or of itself."""
        return frozenset(
            endpoint
            for endpoint, model in self.residuals.items()
            if (isinstance(model.scale, Scale) and model.scale.follows)
            or any(
                isinstance(part, Random) for one in self.residual_expressions[endpoint].values() for part in one.walk()
            )
        )

    @cached_property
    def thetas(self) -> dict[str, Theta]:
        """Every fixed effect, those of the residual error included, by name."""
        found: dict[str, Theta] = {}
        for part in self._walk():
            if isinstance(part, Theta) and found.setdefault(part.name, part) != part:
                raise InputError(f"two thetas are called '{part.name}' and differ; give one of them another name=")
        return found

    @cached_property
    def between(self) -> Omega:
        """Omega between subjects."""
        return resolved("omega", self._spreads("spread"), self.omega)

    @cached_property
    def within(self) -> Omega | None:
        """Omega between the occasions of a subject, where anything varies so."""
        found = resolved("omega_iov", self._spreads("occasion_spread"), self.occasion_omega)
        return found if found.effects else None

    @cached_property
    def shared(self) -> Omega | None:
        """Omega between sites, where anything varies so."""
        found = resolved("omega_site", self._spreads("site_spread"), self.site_omega)
        return found if found.effects else None

    @property
    def levels(self) -> tuple[Omega, ...]:
        """All there are: between subjects, occasions, sites."""
        return tuple(one for one in (self.between, self.within, self.shared) if one is not None)

    @cached_property
    def packing(self) -> Packing:
        """What is estimated, as a vector: thetas, then Omega."""
        coordinates = [
            Coordinate(name, float(theta.initial), theta.scale(), theta.fixed) for name, theta in self.thetas.items()
        ]
        coordinates += [one for omega in self.levels for one in omega.coordinates]
        names = [one.name for one in coordinates]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise InputError(f"{', '.join(twice)} names two things; rename one")
        return Packing(tuple(coordinates))

    @property
    def covariates(self) -> tuple[Covariate | Level, ...]:
        """The covariates, and levels of categorical ones, that anything depends on."""
        return tuple(dict.fromkeys(part for part in self._walk() if isinstance(part, Covariate | Level)))

    @property
    def moving(self) -> tuple[str, ...]:
        """The parameters that anything estimated, or any random effect, acts on."""
        return tuple(
            name
            for name, one in self.expressions.items()
            if any(isinstance(part, Random) or (isinstance(part, Theta) and not part.fixed) for part in one.walk())
        )

    @property
    def varying(self) -> tuple[str, ...]:
        """The parameters that a random effect acts on."""
        return tuple(
            name for name, one in self.expressions.items() if any(isinstance(part, Random) for part in one.walk())
        )

    def effects(self, occasions: int) -> tuple[str, ...]:
        """Names of the random effects in the order of z: `cl`, then `cl occasion 1`, .., then `cl SITE`."""
        names = list(self.between.effects)
        if self.within is not None:
            names += [f"{effect} occasion {k + 1}" for k in range(occasions) for effect in self.within.effects]
        return (*names, *(f"{effect} {self.site}" for effect in self.site_effects))

    @property
    def site_effects(self) -> tuple[str, ...]:
        """The effects that vary between sites: the last of z."""
        return () if self.shared is None else self.shared.effects

    def etas(self, values: Values, z: Float[Array, "effect subject"], occasions: Occasions | None) -> dict[str, Array]:
        """Random effects `[subject]`; `[record, subject]` where they vary between occasions."""
        found = self.between.etas(values, z[: len(self.between.effects)])
        if self.shared is not None:
            for name, eta in self.shared.etas(values, z[z.shape[0] - len(self.shared.effects) :]).items():
                found[name] = found[name] + eta if name in found else eta
        if occasions is None or self.within is None:
            return found
        start, count = len(self.between.effects), len(self.within.effects)
        for k in range(occasions.shape[0]):
            here = self.within.etas(values, z[start + k * count :])
            for name, eta in here.items():
                known = found.get(name, jnp.zeros_like(eta))
                known = known[None] if known.ndim == 1 else known
                found[name] = known + occasions[k] * eta[None]
        return found

    def individual(
        self, values: Values, etas: Values, covariates: Values
    ) -> tuple[dict[str, Array], dict[str, dict[str, Array]]]:
        """The parameters of each subject, `[subject]` or `[record, subject]`; and those of the error models,
        by endpoint and label, `[1, subject]`."""
        given = Given(values, etas, covariates)
        subjects = next(iter(values.values())).shape

        def spread(value: Array | float) -> Array:
            return jnp.broadcast_to(value, subjects) if jnp.ndim(value) == 0 else jnp.asarray(value)

        parameters = {name: spread(one.value(given)) for name, one in self.expressions.items()}
        errors = {
            endpoint: {label: spread(one.value(given))[None] for label, one in ones.items()}
            for endpoint, ones in self.residual_expressions.items()
        }
        return parameters, errors

    def summary(self, values: Values) -> dict[str, Array]:
        """What a person reads: thetas as they are, SDs and correlations of Omega."""
        found = {
            name: jnp.abs(values[name]) if theta.scale().kind == "signed" else values[name]
            for name, theta in self.thetas.items()
        }
        for omega in self.levels:
            found |= omega.summary(values)
        return found

    @cached_property
    def summary_names(self) -> tuple[str, ...]:
        """Names in `summary`."""
        names: list[str] = []
        # Asked for its shapes only: nothing has to be compiled to know the names.
        jax.eval_shape(lambda x: names.extend(self.summary(self.packing.values(x))), self.packing.start())
        return tuple(names)

    def penalty(self, x: Float[Array, " parameter"]) -> Float[Array, ""]:
        """-2 log density of the priors."""
        return penalty(self.priors, self.summary(self.packing.values(x)))

    def _walk(self) -> Iterator[Expression]:
        for one in self.expressions.values():
            yield from one.walk()
        for ones in self.residual_expressions.values():
            for one in ones.values():
                yield from one.walk()

    def _spreads(self, which: str) -> dict[str, Theta]:
        found: dict[str, Theta] = {}
        for part in (one for one in self._walk() if isinstance(one, Random)):
            spread = getattr(part, which)
            if spread is not None and found.setdefault(part.name, spread) != spread:
                raise InputError(f"two random effects are called '{part.name}' and differ; give one a name=")
        return found


def _written(name: str, value: Any) -> Expression:
    """A parameter's expression with its names. Raises `InputError` where two parts would share a name."""
    expression = value if isinstance(value, Expression) else initial_estimate(value)
    shapes = [id(part.shape) for part in expression.walk() if isinstance(part, BoxCox)]
    bare = [part for part in expression.walk() if isinstance(part, Theta) and not part.name and id(part) not in shapes]
    random = [part for part in expression.walk() if isinstance(part, Random) and not part.name]
    for found, kind in ((bare, "thetas"), (random, "random effects")):
        if len(found) > 1:
            raise InputError(f"'{name}' has {len(found)} {kind} without a name; give all but one of them a name=")
    return expression.named(name)
