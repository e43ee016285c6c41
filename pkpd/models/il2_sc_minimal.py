"""Subcutaneous interleukin-2 in one compartment, absorbed more slowly than it is eliminated."""

from functools import cache

from pkpd.models.model import OUT, LinearBlock, Model, Parameter, Readout, Route, State


@cache
def il2_sc_minimal() -> Model:
    """IL-2 after s.c. dosing, amounts in IU, time in h; clearance and volume are apparent, that is over F.

        depot'   = -ka depot                      (the dose enters here after tlag)
        central' =  ka depot - (cl/v) central
        il2      =  central / (1000 v)            [IU/mL], v in L

    ka < cl/v: the terminal slope is that of absorption. Set so that the peak comes at 4.4 h and the half-life is 3.3 h.
    """
    return Model(
        name="il2_sc_minimal",
        title="s.c. IL-2: lag, depot, one compartment, absorption slower than elimination",
        parameters=(
            Parameter("cl", "apparent clearance, CL/F", "L/h"),
            Parameter("v", "apparent volume, V/F", "L"),
            Parameter("ka", "absorption rate", "1/h"),
            Parameter("tlag", "absorption lag", "h"),
        ),
        linear=LinearBlock(
            states=(State("depot", "IU", "amount under the skin"), State("central", "IU", "amount in plasma, over F")),
            rates=lambda p: {("depot", "central"): p.ka, ("central", OUT): p.cl / p.v},
            readouts=(
                Readout(
                    "il2",
                    "IU/mL",
                    "plasma concentration of IL-2",
                    weights=lambda p: {"central": 1e-3 / p.v},
                    equation="il2 = central / (1000 v)",
                ),
            ),
            equations=("depot' = -ka depot", "central' = ka depot - (cl/v) central"),
        ),
        routes=(Route("sc", into="depot", lag="tlag"),),
        references=(
            "Piscitelli et al. 1996, Pharmacotherapy (s.c. peak time, lag, half-life; journal and year from memory)",
        ),
        literature=("il2_sc_minimal",),
    )
