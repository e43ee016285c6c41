"""The devices a batch is spread over: every core of a laptop, or every GPU, by the same code."""

import os

import jax
from jax.sharding import Mesh


def use_every_core() -> None:
    """Show JAX one CPU device for each core, unless the user or an earlier JAX call has settled that."""
    if "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return
    if "JAX_NUM_CPU_DEVICES" in os.environ:
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        jax.config.update("jax_num_cpu_devices", cores)
    except RuntimeError:
        return  # JAX is already running: its devices stay as they are


def subject_mesh() -> Mesh:
    """All devices of the default backend in a row, along which subjects are split."""
    return jax.make_mesh((jax.device_count(),), ("subject",), axis_types=(jax.sharding.AxisType.Auto,))
