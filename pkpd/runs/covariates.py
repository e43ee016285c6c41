"""Effects of covariates in a run file beside the data they are of."""

from collections import Counter
from collections.abc import Mapping

from pkpd.dataset.dataset import Dataset
from pkpd.errors import InputError
from pkpd.population.expression import Expression, Theta, level_name
from pkpd.runs.mistakes import Mistakes
from pkpd.runs.written import ModelParameter


def refuse_namesakes(typical: Expression) -> None:
    """Raise `InputError` where two estimated effects would have one name, as two of one covariate on one parameter."""
    # Two that look alike are two all the same: what is one number is one object.
    every = {id(one): one for one in typical.walk() if isinstance(one, Theta) and one.name}
    names = Counter(one.name for one in every.values())
    for name, count in names.items():
        if count > 1:
            raise InputError(
                f"{count} estimated numbers are called '{name}'; give one a name of its own, as in "
                f'{{ initial = .., name = "{name}_2" }}'
            )


def doubts(parameters: Mapping[str, ModelParameter], dataset: Dataset, mistakes: Mistakes) -> tuple[str, ...]:
    """What is wrong with the effects for these data goes to `mistakes`; what a person should see is returned."""
    told = []
    for name, parameter in parameters.items():
        for i, one in enumerate(parameter.covariates):
            unit = dataset.units.get(one.covariate)
            if one.effect == "allometric" and one.reference is None and unit not in (None, "", "kg"):
                mistakes.add(
                    f"parameters.{name}.covariates.{i}",
                    f"{one.covariate} is in {unit}, and the reference of an allometric effect is 70 kg; give a "
                    f"reference in {unit}",
                )
            if one.changes is None or one.covariate not in dataset.table:
                continue
            levels = sorted(set(map(level_name, dataset.table[one.covariate])) - set(map(level_name, one.changes)))
            if len(levels) > 1:
                told.append(f"{name}: {', '.join(levels)} of {one.covariate} are one level, the one without a change")
    return tuple(told)
