"""The polynomial that stands for predictions has the derivatives an objective asks for, and no more terms."""

from dataclasses import replace
from itertools import combinations_with_replacement

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import plain_table

from pkpd.fit import chunks
from pkpd.fit.expansion import Terms, expanded_about
from pkpd.fit.problem import problem
from pkpd.population.individual import LogNormal
from pkpd.population.population import Population
from pkpd.population.residual import Additive

SUBJECTS = 3
AT = {name: jnp.full(SUBJECTS, value) for name, value in (("a", 0.7), ("b", 1.3), ("c", 0.4))}


def curved(p: dict[str, jax.Array]) -> dict[str, jax.Array]:
    """No derivative of it vanishes."""
    t = jnp.array([0.5, 1.0])[:, None]
    return {"y": jnp.exp(-p["a"][None] * t) * jnp.sin(p["b"][None] + t * p["c"][None]) / (1 + p["c"] ** 2)[None]}


@pytest.mark.parametrize(("degree", "order"), [(2, 1), (3, 1), (3, 2), (2, 2), (1, 1)])
@pytest.mark.parametrize("varying", [("b",), ("a", "c"), ("a", "b", "c"), ()])
@pytest.mark.parametrize("room", [None, 64, 7], ids=["one term at a time", "all terms", "two terms"])
def test_derivatives_by_few_and_by_all(
    degree: int, order: int, varying: tuple[str, ...], room: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    population = Population({"a": 0.7, "b": LogNormal(1.3, sd=0.2), "c": 0.4}, {"y": Additive(0.1)})
    data = problem(population, plain_table(np.ones((2, SUBJECTS)), "y"), curved)
    if room is not None:
        monkeypatch.setattr(chunks, "CHUNK", room)
        data = replace(data, order=np.arange(SUBJECTS))
    near = expanded_about(data, AT, ("a", "b", "c"), varying, degree, order)

    def derivative(predict, names: tuple[str, ...]):  # type: ignore[no-untyped-def]
        def of(p: dict[str, jax.Array]) -> jax.Array:
            return predict(p)["y"]

        for name in names:

            def of(p: dict[str, jax.Array], before=of, name=name) -> jax.Array:  # type: ignore[no-untyped-def]
                return jax.jvp(lambda one: before(p | {name: one}), (p[name],), (jnp.ones(SUBJECTS),))[1]

        return np.asarray(of(AT))

    for k in range(degree + 1):
        for names in combinations_with_replacement("abc", k):
            found, exact = derivative(near.predict, names), derivative(curved, names)
            if sum(name not in varying for name in names) <= order:
                np.testing.assert_allclose(found, exact, rtol=1e-12, err_msg=f"{names}")
            else:
                assert not found.any(), names


@pytest.mark.parametrize("terms", [Terms(12, (0, 3, 5, 7), 3, 1), Terms(3, (1,), 3, 2), Terms(2, (), 3, 1)])
def test_no_term_is_computed_twice_or_in_vain(terms: Terms) -> None:
    for k, factors in enumerate(terms.factors):
        wanted = [
            one
            for one in combinations_with_replacement(range(terms.free), k)
            if sum(i not in terms.few for i in one) <= terms.order
        ]
        assert sorted(tuple(sorted(one)) for one in factors.tolist()) == wanted
    assert terms.lanes == len(terms.factors[-1])
