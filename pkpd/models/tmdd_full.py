"""Target-mediated drug disposition in full: free drug, free receptor and their complex, with nothing assumed fast."""

from collections.abc import Mapping
from functools import cache

from pkpd.models.model import Batch, Derived, Model, Parameter, Response, Route, State, Values


def _derivative(y: Values, u: Values, p: Values) -> Mapping[str, Batch]:
    binding = p.kon * y.drug / p.v * y.receptor - p.koff * y.complex
    return {
        "depot": -p.ka * y.depot,
        "drug": p.ka * y.depot - p.kel * y.drug - p.v * binding,
        "receptor": p.ksyn - p.kdeg * y.receptor - binding,
        "complex": binding - p.kint * y.complex,
    }


@cache
def tmdd_full() -> Model:
    """One compartment, a depot and a receptor; amounts in nmol, receptor and complex in nmol/L, time in h.

        depot'    = -ka depot                                         (s.c. dose x f enters here)
        drug'     =  ka depot - kel drug - v binding                  (i.v. dose enters here)
        receptor' =  ksyn - kdeg receptor - binding
        complex'  =  binding - kint complex
        binding   =  kon (drug/v) receptor - koff complex,   receptor(0) = ksyn/kdeg
        conc      =  drug/v

    Stiff wherever binding is fast. Mager and Jusko 2001, doi:10.1023/A:1014414520282.
    """
    return Model(
        name="tmdd_full",
        title="target-mediated disposition, binding written out",
        parameters=(
            Parameter("ka", "absorption rate", "1/h"),
            Parameter("f", "subcutaneous bioavailability", "1", upper=1.0, transform="logit"),
            Parameter("v", "volume", "L"),
            Parameter("kel", "elimination rate of free drug", "1/h"),
            Parameter("kon", "association rate", "L/(nmol h)"),
            Parameter("koff", "dissociation rate", "1/h"),
            Parameter("ksyn", "synthesis of the receptor", "nmol/(L h)"),
            Parameter("kdeg", "degradation of the receptor", "1/h"),
            Parameter("kint", "internalisation of the complex", "1/h"),
        ),
        responses=(
            Response(
                states=(
                    State("depot", "nmol", "amount under the skin"),
                    State("drug", "nmol", "free drug in plasma"),
                    State("receptor", "nmol/L", "free receptor"),
                    State("complex", "nmol/L", "drug bound to its receptor"),
                ),
                inputs=(),
                initial=lambda p: {
                    "depot": 0.0 * p.ka,
                    "drug": 0.0 * p.ka,
                    "receptor": p.ksyn / p.kdeg,
                    "complex": 0.0 * p.ka,
                },
                derivative=_derivative,
                equations=(
                    "depot' = -ka depot",
                    "drug' = ka depot - kel drug - v binding",
                    "receptor' = ksyn - kdeg receptor - binding",
                    "complex' = binding - kint complex",
                    "binding = kon (drug/v) receptor - koff complex",
                ),
            ),
        ),
        derived=(
            Derived(
                "conc",
                "nmol/L",
                "free drug in plasma",
                inputs=("drug",),
                value=lambda u, p: u.drug / p.v,
                equation="conc = drug / v",
            ),
        ),
        routes=(Route("sc", into="depot", bioavailability="f"), Route("iv", into="drug")),
        references=("Mager and Jusko 2001, J Pharmacokinet Pharmacodyn 28:507, doi:10.1023/A:1014414520282",),
    )
