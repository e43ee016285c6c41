"""Regulatory T cells in blood: IL-2 stimulates their production, as in the model of an IL-2 mutein in monkeys."""

from functools import cache

from pkpd.models.model import Batch, Model, Parameter, Response, State, Values


def _drive(il2: Batch, p: Values) -> Batch:
    """1 / (1 + (ec50/il2)^hill), written so that its derivatives stay finite where there is no IL-2."""
    import jax.numpy as jnp

    ratio = jnp.where(il2 > 0.0, il2, 1.0) / p.ec50
    power = ratio**p.hill
    return jnp.where(il2 > 0.0, power / (1.0 + power), 0.0)


@cache
def treg_production() -> Model:
    """Treg as fold of the subject's own baseline, driven by the IL-2 concentration `il2` [IU/mL].

        treg' = kout (1 + emax il2^hill / (ec50^hill + il2^hill) - treg),   treg(0) = 1

    An indirect response with stimulated production: at constant IL-2 it ends at 1 + emax E, and no sooner than kout
    allows. The published Emax and Hill coefficient are those of monkeys given mRNA-6231.
    """
    return Model(
        name="treg_production",
        title="Treg, stimulated production",
        parameters=(
            Parameter("kout", "loss from the blood pool", "1/h"),
            Parameter("emax", "largest stimulation of production", "1"),
            Parameter("ec50", "IL-2 giving half of it", "IU/mL"),
            Parameter("hill", "Hill coefficient", "1"),
        ),
        responses=(
            Response(
                states=(State("treg", "fold of baseline", "regulatory T cells in blood"),),
                inputs=("il2",),
                initial=lambda p: {"treg": 1.0 + 0.0 * p.kout},
                derivative=lambda y, u, p: {"treg": p.kout * (1.0 + p.emax * _drive(u.il2, p) - y.treg)},
                equations=("treg' = kout (1 + emax il2^hill/(ec50^hill + il2^hill) - treg)",),
            ),
        ),
        references=("mRNA-6231 translational K-PD model, PumasAI-Labs/Manuscript-TranslationalKPD-mRNA6231-CPTPSP",),
        literature=("treg_production",),
    )
