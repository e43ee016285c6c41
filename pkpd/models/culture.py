"""Cells in a dish: IL-2 is added once and stays, as an in-vitro stimulation is read."""

from functools import cache

from pkpd.models.model import LinearBlock, Model, Parameter, Readout, Route, State


@cache
def culture() -> Model:
    """A medium that keeps the IL-2 put into it [IU]; what cells take up is too little to matter.

    medium' = 0,   il2 = medium / v_medium   [IU/mL]

    Stands on the left of a cell model, `culture() >> il2_receptor("treg")`; with v_medium = 1 mL a dose in IU is a
    concentration in IU/mL.
    """
    return Model(
        name="culture",
        title="IL-2 held constant, as in a culture",
        parameters=(Parameter("v_medium", "volume of the medium", "mL"),),
        linear=LinearBlock(
            states=(State("medium", "IU", "IL-2 in the medium"),),
            rates=lambda p: {},
            readouts=(
                Readout(
                    "il2",
                    "IU/mL",
                    "concentration of IL-2 in the medium",
                    weights=lambda p: {"medium": 1.0 / p.v_medium},
                    equation="il2 = medium / v_medium",
                ),
            ),
            equations=("medium' = 0",),
        ),
        routes=(Route("medium", into="medium"),),
        literature=("culture",),
    )
