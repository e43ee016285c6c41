"""mRNA-6231 in monkeys: an mRNA, never measured, that has an IL-2 mutein made; the mutein is what is measured."""

from functools import cache

from pkpd.models.model import OUT, Derived, LinearBlock, Model, Parameter, Readout, Response, Route, State

SOURCE = "mRNA-6231 translational K-PD model, PumasAI-Labs/Manuscript-TranslationalKPD-mRNA6231-CPTPSP"


@cache
def mrna6231_kpd() -> Model:
    """Amounts in ug, time in h; v serves the mRNA and the mutein alike.

        depot'   = -ka depot                                (the dose enters here)
        central' =  ka depot - cl cp,                       cp   = central/v   [ug/L]
        il2'     =  slope cp/(cp + c50) - clc cil2,         cil2 = il2/v       [ng/mL]

    In the published fit clc grows with the dose group: (dose group / 0.0045)^0.3075, dose group in mg/kg.
    """
    return Model(
        name="mrna6231_kpd",
        title="mRNA-6231: mRNA that has an IL-2 mutein made, monkeys",
        parameters=(
            Parameter("v", "volume", "L"),
            Parameter("cl", "clearance of the mRNA", "L/h"),
            Parameter("ka", "absorption rate of the mRNA", "1/h"),
            Parameter("slope", "largest production of the mutein", "ug/h"),
            Parameter("c50", "mRNA concentration giving half of it", "ug/L"),
            Parameter("clc", "clearance of the mutein", "L/h"),
        ),
        linear=LinearBlock(
            states=(State("depot", "ug", "mRNA under the skin"), State("central", "ug", "mRNA, virtual compartment")),
            rates=lambda p: {("depot", "central"): p.ka, ("central", OUT): p.cl / p.v},
            readouts=(
                Readout(
                    "cp",
                    "ug/L",
                    "virtual concentration of the mRNA",
                    weights=lambda p: {"central": 1.0 / p.v},
                    equation="cp = central / v",
                ),
            ),
            equations=("depot' = -ka depot", "central' = ka depot - (cl/v) central"),
        ),
        responses=(
            Response(
                states=(State("il2", "ug", "amount of the mutein"),),
                inputs=("cp",),
                initial=lambda p: {"il2": 0.0 * p.v},
                derivative=lambda y, u, p: {"il2": p.slope * u.cp / (u.cp + p.c50) - p.clc * y.il2 / p.v},
                equations=("il2' = slope cp/(cp + c50) - clc il2/v",),
            ),
        ),
        derived=(
            Derived(
                "cil2",
                "ng/mL",
                "concentration of the mutein",
                inputs=("il2",),
                value=lambda u, p: u.il2 / p.v,
                equation="cil2 = il2 / v",
            ),
        ),
        routes=(Route("sc", into="depot"),),
        references=(SOURCE,),
        literature=("mrna6231_kpd",),
    )
