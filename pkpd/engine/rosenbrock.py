"""Rodas5P: a Rosenbrock method of order 5 for stiff systems, one factorisation and eight solves a step.

With J the Jacobian at the start of a step of length h, the increments U_i follow from

    (I/(gamma h) - J) U_i = f(y + sum_j a_ij U_j) + sum_j (c_ij/h) U_j,    y1 = y + sum_i b_i U_i.

It is L-stable, and there is no iteration that could fail to converge. Steinebach 2023,
doi:10.1007/s10543-023-00967-x.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from pkpd.engine.elimination import Factors, elimination_order, factorise, solve
from pkpd.engine.jacobian import jacobian, structure
from pkpd.engine.method import Column, Columns, Increments, Method, Once, weigh

_GAMMA = 0.21193756319429014
_A = (
    (),
    (3.0,),
    (2.849394379747939, 0.45842242204463923),
    (-6.954028509809101, 2.489845061869568, -10.358996098473584),
    (2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641),
    (-7.502846399306121, 2.561846144803919, -11.627539656261098, -0.18268767659942256, 0.030198172008377946),
)
"""Each of the last two stages begins where the one before has come to: a_7j = a_6j, a_76 = 1, and so on."""
_C = (
    (),
    (-14.155112264123755,),
    (-17.97296035885952, -2.859693295451294),
    (147.12150275711716, -1.41221402718213, 71.68940251302358),
    (165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306),
    (24.854864614690072, -3.0009227002832186, 47.4931110020768, 5.5814197821558125, -0.6610691825249471),
    (
        *(30.91273214028599, -3.1208243349937974, 77.79954646070892, 34.28646028294783),
        *(-19.097331116725623, -28.087943162872662),
    ),
    (
        *(37.80277123390563, -3.2571969029072276, 112.26918849496327, 66.9347231244047),
        *(-40.06618937091002, -54.66780262877968, -9.48861652309627),
    ),
)
_H2 = (
    *(25.948786856663858, -2.5579724845846235, 10.433815404888879, -2.3679251022685204),
    *(0.524948541321073, 1.1241088310450404, 0.4272876194431874, -0.17202221070155493),
)
_H3 = (
    *(-9.91568850695171, -0.9689944594115154, 3.0438037242978453, -24.495224566215796),
    *(20.176138334709044, 15.98066361424651, -6.789040303419874, -6.710236069923372),
)
_H4 = (
    *(11.419903575922262, 2.8879645146136994, 72.92137995996029, 80.12511834632643),
    *(-52.072871366152654, -59.78993625266729, -0.15582684282751913, 4.883087185713722),
)
_STAGES = 8
MANY = 8
"""From so many states on the stages share their code: a third of the wait, and as fast; gradients a third slower."""
_Stacked = tuple[Float[Array, "state batch"], ...]
_NO_STEP = 1e-15
"""Hours: no state can change in that time by what would be seen."""


@dataclass(frozen=True)
class Rosenbrock(Method):
    """The method's numbers as the loop wants them: increments U_i, see `pkpd.engine.method.Method`."""

    name: str
    order: int
    a: Float[np.ndarray, "stages stages"]
    c: Float[np.ndarray, "stages stages"]
    b: Float[np.ndarray, " stages"]
    e: Float[np.ndarray, " stages"]
    dense: Float[np.ndarray, "stages degree"]

    @property
    def fractions(self) -> tuple[float, ...]:
        return ()

    def begin(self, slope_at: Callable[[Columns], Columns], y: Columns) -> Columns:
        return ()

    def increments(
        self,
        slope_at: Callable[[Columns, dict[str, Column]], Columns],
        y: Columns,
        slope: Columns,
        h: Column,
        u: list[dict[str, Column]],
        once: Once,
    ) -> Increments:
        """The eight increments; below rounding for a subject whose step has no length."""
        size, states = len(y), range(len(y))
        over = 1.0 / jnp.where(h > 0, h, h + _NO_STEP)  # the derivative by a length that is 0 is one, too

        def field(y: Columns) -> Columns:
            return slope_at(y, {})

        order = elimination_order(structure(field, y), size)
        rank = {k: n for n, k in enumerate(order)}
        places: list[tuple[int, int]] = []
        shape: list[tuple[tuple[int, int], ...]] = []

        def differentiated() -> tuple[Columns, Columns]:
            value, entries = jacobian(field, y)
            places[:] = entries
            return value, tuple(entries.values())

        def prepared() -> tuple[tuple[Columns, Columns], Columns]:
            matrix = {(rank[i], rank[j]): -entry for (i, j), entry in zip(places, columns, strict=True)}
            for i in states:
                matrix[i, i] = matrix.get((i, i), 0.0) + over / _GAMMA
            factors = factorise(matrix, size)
            shape[:] = (tuple(factors.lower), tuple(factors.upper))
            return (tuple(factors.lower.values()), tuple(factors.upper.values())), tuple(factors.pivots)

        def solved(known: Columns) -> Columns:
            below, above = (dict(zip(keys, entries, strict=True)) for keys, entries in zip(shape, left, strict=True))
            found = solve(Factors(below, above, list(pivots)), tuple(known[k] for k in order))
            return tuple(found[rank[v]] for v in states)

        # Parts, each by itself: within one, XLA computes anew for every unknown what leads to it.
        value, columns = once(differentiated)
        left, pivots = once(prepared)
        if size >= MANY:
            return Increments(self._in_turn(field, solved, y, over, once), ())
        stages: list[Columns] = []
        for i in range(_STAGES):

            def right(i: int = i) -> Columns:
                at = tuple(y[v] + weigh(self.a[i, :i], [k[v] for k in stages]) for v in states)
                pulled = (weigh(self.c[i, :i], [k[v] for k in stages]) * over for v in states)
                return tuple(k + more for k, more in zip(field(at), pulled, strict=True))

            stages.append(once(partial(solved, once(right) if i else value)))
        return Increments(stages, ())

    def _in_turn(
        self,
        field: Callable[[Columns], Columns],
        solved: Callable[[Columns], Columns],
        y: Columns,
        over: Column,
        once: Once,
    ) -> list[Columns]:
        """The increments by one piece of code run eight times; those to come have weight 0, and are 0."""
        states = range(len(y))
        a, c = jnp.asarray(self.a), jnp.asarray(self.c)

        def stage(i: Int[Array, ""], k: _Stacked) -> _Stacked:
            from_a, from_c = (lax.dynamic_index_in_dim(weights, i, keepdims=False) for weights in (a, c))

            def weighed() -> tuple[Float[Array, "state batch"], Float[Array, "state batch"]]:
                found = (sum((w[j] * k[j] for j in range(1, _STAGES)), w[0] * k[0]) for w in (from_a, from_c))
                return jnp.stack(y) + next(found), next(found) * over[None]

            at, pulled = once(weighed)
            known = once(
                lambda: tuple(slope + pulled[v] for v, slope in enumerate(field(tuple(at[v] for v in states))))
            )
            found = once(lambda: solved(known))
            new = once(lambda: jnp.stack(found))  # by itself it is copied, not chosen from number by number
            return tuple(jnp.where(i == j, new, k[j]) for j in range(_STAGES))

        k = lax.fori_loop(0, _STAGES, stage, (jnp.zeros((len(y), *over.shape)),) * _STAGES)
        return [tuple(k[i][v] for v in states) for i in range(_STAGES)]


@cache
def rodas5p() -> Rosenbrock:
    """Rodas5P, its last stages written out and its interpolant as polynomials in s."""
    a, c = np.zeros((_STAGES, _STAGES)), np.zeros((_STAGES, _STAGES))
    for i, row in enumerate((*_A, (*_A[5], 1.0), (*_A[5], 1.0, 1.0))):
        a[i, : len(row)] = row
    for i, row in enumerate(_C):
        c[i, : len(row)] = row
    b = np.array([*_A[5], 1.0, 1.0, 1.0])
    e = np.eye(_STAGES)[-1]
    # y(s) = (1 - s) y + s (y1 + (1 - s)(k1 + s (k2 + s k3))), k_d the sums of U_i with the weights above.
    h2, h3, h4 = (np.array(h) for h in (_H2, _H3, _H4))
    dense = np.stack([b + h2, h3 - h2, h4 - h3, -h4], axis=1)
    return Rosenbrock("rodas5p", 5, a, c, b, e, dense)
