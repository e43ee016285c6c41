"""Effects that fade though the drug stays: a moderator builds up, or a precursor is used up."""

from functools import cache

from pkpd.models.model import Batch, Derived, Model, Parameter, Response, State, Values


@cache
def tolerance_moderator(driver: str = "conc") -> Model:
    """moderator' = ktol (conc - moderator);   effect = e0 + emax conc/(ec50 + conc) / (1 + moderator/m50).

    Porchet, Benowitz and Sheiner 1988, J Pharmacol Exp Ther 244:231.
    """

    def effect(u: Values, p: Values) -> Batch:
        conc = getattr(u, driver)
        return p.e0 + p.emax * conc / (p.ec50 + conc) / (1.0 + u.moderator / p.m50)

    return Model(
        name="tolerance_moderator",
        title="Emax effect that a moderator weakens",
        parameters=(
            Parameter("e0", "effect without drug", "effect"),
            Parameter("emax", "largest effect without tolerance", "effect"),
            Parameter("ec50", "concentration giving half of it", "conc"),
            Parameter("ktol", "rate at which tolerance comes and goes", "1/h"),
            Parameter("m50", "moderator that halves the effect", "conc"),
        ),
        responses=(
            Response(
                states=(State("moderator", "conc", "what weakens the effect"),),
                inputs=(driver,),
                initial=lambda p: {"moderator": 0.0 * p.ktol},
                derivative=lambda y, u, p: {"moderator": p.ktol * (getattr(u, driver) - y.moderator)},
                equations=(f"moderator' = ktol ({driver} - moderator)",),
            ),
        ),
        derived=(
            Derived(
                "effect",
                "effect",
                "effect left by tolerance",
                inputs=(driver, "moderator"),
                value=effect,
                equation=f"effect = e0 + emax {driver}/(ec50 + {driver}) / (1 + moderator/m50)",
            ),
        ),
        references=("Porchet, Benowitz and Sheiner 1988, J Pharmacol Exp Ther 244:231",),
    )


@cache
def tolerance_precursor(driver: str = "conc") -> Model:
    """The drug speeds up what turns a precursor into the response; when that is used up the response falls back.

        precursor' = kin - kp (1 + emax E) precursor,               precursor(0) = kin/kp,   E = conc/(ec50 + conc)
        response'  = kp (1 + emax E) precursor - kout response,     response(0) = kin/kout

    Sharma, Ebling and Jusko 1998, J Pharm Sci 87:1577.
    """

    def derivative(y: Values, u: Values, p: Values) -> dict[str, Batch]:
        conc = getattr(u, driver)
        # Written as differences from rest, it is at rest to the last digit.
        more = p.kp * p.emax * conc / (p.ec50 + conc) * y.precursor - p.kp * (p.kin / p.kp - y.precursor)
        return {"precursor": -more, "response": more + p.kout * (p.kin / p.kout - y.response)}

    turned = f"kp (1 + emax {driver}/(ec50 + {driver})) precursor"
    return Model(
        name="tolerance_precursor",
        title="indirect response with a precursor",
        parameters=(
            Parameter("kin", "production of the precursor", "response/h"),
            Parameter("kp", "turning of precursor into response", "1/h"),
            Parameter("kout", "loss of the response", "1/h"),
            Parameter("emax", "largest stimulation", "1"),
            Parameter("ec50", "concentration giving half of it", "conc"),
        ),
        responses=(
            Response(
                states=(State("precursor", "response", "precursor"), State("response", "response", "what is measured")),
                inputs=(driver,),
                initial=lambda p: {"precursor": p.kin / p.kp, "response": p.kin / p.kout},
                derivative=derivative,
                equations=(f"precursor' = kin - {turned}", f"response' = {turned} - kout response"),
            ),
        ),
        references=("Sharma, Ebling and Jusko 1998, J Pharm Sci 87:1577",),
    )
