"""The curve of Hill, written so that its derivatives are finite where there is nothing."""

from pkpd.models.model import Batch


def hill(conc: Batch, ec50: Batch, gamma: Batch) -> Batch:
    """conc^gamma / (ec50^gamma + conc^gamma), and 0 where `conc` is not above 0."""
    import jax.numpy as jnp

    ratio = jnp.where(conc > 0.0, conc, 1.0) / jnp.where(conc > 0.0, ec50, 1.0)
    power = ratio**gamma
    return jnp.where(conc > 0.0, power / (1.0 + power), 0.0)
