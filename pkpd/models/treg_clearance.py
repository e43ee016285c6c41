"""Clearance of IL-2 by its receptors on Tregs: the more there are of these, the faster IL-2 leaves."""

from functools import cache

from pkpd.models.model import Model, Parameter, Response


@cache
def treg_clearance() -> Model:
    """Saturable clearance proportional to the Treg pool, added to the linear one; IL-2 in IU/mL, amounts in IU.

        central' = .. - 1000 clt treg il2 / (1 + il2 / kt)

    Feedback: IL-2 expands Tregs, and Tregs clear IL-2. With it the compartments are no longer linear.
    """
    return Model(
        name="treg_clearance",
        title="receptor-mediated clearance that grows with the Treg pool",
        parameters=(
            Parameter("clt", "clearance by Tregs at baseline, far below saturation", "L/h"),
            Parameter("kt", "IL-2 that halves it", "IU/mL"),
        ),
        responses=(
            Response(
                states=(),
                inputs=("il2", "treg"),
                initial=lambda p: {},
                derivative=lambda y, u, p: {},
                flows=lambda y, u, p: {"central": -1000.0 * p.clt * u.treg * u.il2 / (1.0 + u.il2 / p.kt)},
                equations=("central' = .. - 1000 clt treg il2/(1 + il2/kt)",),
            ),
        ),
        references=("Fallon and Lauffenburger 2000, BIOMD0000000665 (rates of binding and trafficking)",),
        literature=("treg_clearance",),
    )
