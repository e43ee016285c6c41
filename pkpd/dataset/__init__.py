"""Tables in and out: NONMEM-style data, checked before anything is computed from it."""

from pkpd.dataset.dataset import Dataset, Endpoint
from pkpd.dataset.declaration import Covariate, Output
from pkpd.dataset.findings import DataError, Finding, Findings
from pkpd.dataset.read import Check, check_dataset, read_dataset

__all__ = [
    "Check",
    "Covariate",
    "DataError",
    "Dataset",
    "Endpoint",
    "Finding",
    "Findings",
    "Output",
    "check_dataset",
    "read_dataset",
]
