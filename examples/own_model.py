"""An own model in ten lines: a biomarker that a concentration suppresses, driven by a pharmacokinetic model.

python examples/own_model.py
"""

import numpy as np

from pkpd.engine.simulate import simulate
from pkpd.events.doses import Doses
from pkpd.models.absorption import first_order
from pkpd.models.model import Model, Parameter, Response, State
from pkpd.models.pk import pk

biomarker = Model(
    name="biomarker",
    title="a biomarker whose production the drug suppresses",
    parameters=(Parameter("k", "turnover", "1/h"), Parameter("ic50", "concentration that halves production", "mg/L")),
    responses=(
        Response(
            states=(State("marker", "fold of baseline", "biomarker in blood"),),
            inputs=("conc",),
            initial=lambda p: {"marker": 1.0 + 0.0 * p.k},
            derivative=lambda y, u, p: {"marker": p.k * (p.ic50 / (p.ic50 + u.conc) - y.marker)},
            equations=("marker' = k (ic50/(ic50 + conc) - marker)",),
        ),
    ),
)


def main() -> None:
    model = pk(first_order()) >> biomarker
    weight = np.array([50.0, 70.0, 90.0])  # three subjects
    parameters = {
        "ka": np.full(3, 0.8),
        "cl": 3.0 * (weight / 70.0) ** 0.75,
        "v": 40.0 * weight / 70.0,
        "k": np.full(3, 0.05),
        "ic50": np.full(3, 0.5),
    }
    days = np.zeros((5, 3)) + 24.0 * np.arange(5)[:, None]  # 100 mg into the depot on each of five days
    doses = Doses(
        time=days,
        amount=np.full_like(days, 100.0),
        duration=np.zeros_like(days),
        lag=np.zeros_like(days),
        bioavailability=np.ones_like(days),
        into=np.zeros(5, dtype=int),
    )
    found = simulate(model, parameters, doses, np.arange(0.0, 241.0, 24.0))
    print(f"{model.name}, {found.solver}: biomarker of subjects of {', '.join(f'{w:g} kg' for w in weight)}")
    for hour, row in zip(found.times, found.values["marker"], strict=True):
        print(f"{hour:5g} h  " + "  ".join(f"{value:.3f}" for value in row))


if __name__ == "__main__":
    main()
