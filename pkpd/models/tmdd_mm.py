"""Target-mediated disposition when the receptor, too, is fast: Michaelis-Menten beside linear elimination."""

from functools import cache

from pkpd.models.absorption import first_order
from pkpd.models.model import Model
from pkpd.models.pk import pk


@cache
def tmdd_mm() -> Model:
    """central' = ka depot - ke central - vmax conc/(km + conc), amounts in nmol, conc = central/v in nmol/L.

    What `tmdd_qss` becomes where the receptor follows at once and binds little of the drug: ke = kel,
    vmax = v ksyn, km = kss kdeg/kint. Gibiansky et al. 2008, doi:10.1007/s10928-008-9102-8.
    """
    return pk(first_order(bioavailability=True), 1, "mixed", "rates", amount="nmol")
