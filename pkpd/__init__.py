"""Pharmacometrics of low-dose interleukin-2 and regulatory T cells. Research use, not for treating patients."""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from pkpd.dataset import read_dataset as read_dataset
    from pkpd.regimens.compare import compare as compare

# Name -> module that holds it: imported when first asked for, so that `import pkpd` stays fast.
_LAZY = {"compare": "pkpd.regimens.compare", "read_dataset": "pkpd.dataset"}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module 'pkpd' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
