"""Subcutaneous and intravenous interleukin-2: depot and one transit into two compartments, linear clearance.

First-order absorption alone puts the peak at 1.5 h when joined to the intravenous disposition, against 4.4 h
observed; one transit step with the same rate puts it at 4 to 5 h with the observed half-life.
"""

from functools import cache

from pkpd.models.model import OUT, LinearBlock, Model, Parameter, Readout, Route, State


@cache
def il2_sc() -> Model:
    """IL-2 after s.c. or i.v. dosing, amounts in IU, time in h.

        depot'      = -ka depot                                (s.c. dose x f enters here after tlag)
        transit'    =  ka depot - ka transit
        central'    =  ka transit - (cl/vc + q/vc) central + (q/vp) peripheral     (i.v. dose enters here)
        peripheral' =  (q/vc) central - (q/vp) peripheral
        il2         =  central / (1000 vc)                     [IU/mL], volumes in L

    Disposition: Konrad 1990 (PMID 2317789); absorption: Piscitelli 1996 and the UK product information.
    """
    return Model(
        name="il2_sc",
        title="s.c. IL-2: lag, depot, one transit, two compartments, linear clearance",
        parameters=(
            Parameter("cl", "clearance", "L/h"),
            Parameter("vc", "central volume", "L"),
            Parameter("q", "intercompartmental clearance", "L/h"),
            Parameter("vp", "peripheral volume", "L"),
            Parameter("ka", "absorption rate, depot and transit alike", "1/h"),
            Parameter("tlag", "absorption lag", "h"),
            Parameter("f", "subcutaneous bioavailability", "1", upper=1.0, transform="logit"),
        ),
        linear=LinearBlock(
            states=(
                State("depot", "IU", "amount under the skin"),
                State("transit", "IU", "amount on the way to blood"),
                State("central", "IU", "amount in plasma"),
                State("peripheral", "IU", "amount in tissue"),
            ),
            rates=lambda p: {
                ("depot", "transit"): p.ka,
                ("transit", "central"): p.ka,
                ("central", OUT): p.cl / p.vc,
                ("central", "peripheral"): p.q / p.vc,
                ("peripheral", "central"): p.q / p.vp,
            },
            readouts=(
                Readout(
                    "il2",
                    "IU/mL",
                    "plasma concentration of IL-2",
                    weights=lambda p: {"central": 1e-3 / p.vc},
                    equation="il2 = central / (1000 vc)",
                ),
            ),
            equations=(
                "depot' = -ka depot",
                "transit' = ka depot - ka transit",
                "central' = ka transit - (cl/vc + q/vc) central + (q/vp) peripheral",
                "peripheral' = (q/vc) central - (q/vp) peripheral",
            ),
        ),
        routes=(
            Route("sc", into="depot", bioavailability="f", lag="tlag"),
            Route("iv", into="central"),
        ),
        references=(
            "Konrad et al. 1990, Cancer Res 50:2009, PMID 2317789 (intravenous disposition)",
            "Piscitelli et al. 1996, Pharmacotherapy (s.c. peak time, lag, half-life; journal and year from memory)",
            "Aldesleukin, UK product information (s.c. bioavailability 31-47 %)",
        ),
        literature=("il2_sc",),
    )
