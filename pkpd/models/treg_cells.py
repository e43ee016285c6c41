"""Treg as cells are counted: in a volume of blood, and as a share of CD4 T cells."""

from functools import cache

from pkpd.models.model import Derived, Model, Parameter


@cache
def treg_cells() -> Model:
    """Count and share of Treg from their fold of baseline `treg`, beside conventional CD4 T cells that stay.

        treg_count   = treg0 treg                                             [cells/uL]
        treg_percent = 100 treg0 treg / (treg0 treg + tcon0)                  [% of CD4]

    Conventional T cells did not change with dose or frequency (Seelig 2018), nor over 12 weeks daily (Koreth 2016).
    """
    return Model(
        name="treg_cells",
        title="Treg as a count and as a share of CD4, conventional T cells constant",
        parameters=(
            Parameter("treg0", "Treg at baseline", "cells/uL"),
            Parameter("tcon0", "conventional CD4 T cells", "cells/uL"),
        ),
        derived=(
            Derived(
                "treg_count",
                "cells/uL",
                "Treg in blood",
                inputs=("treg",),
                value=lambda u, p: p.treg0 * u.treg,
                equation="treg_count = treg0 treg",
            ),
            Derived(
                "treg_percent",
                "%",
                "Treg as a share of CD4 T cells",
                inputs=("treg",),
                value=lambda u, p: 100.0 * p.treg0 * u.treg / (p.treg0 * u.treg + p.tcon0),
                equation="treg_percent = 100 treg0 treg/(treg0 treg + tcon0)",
            ),
        ),
        references=(
            "Wong et al. 2013, Clin Vaccine Immunol 20:602 (CD4 count of healthy adults)",
            "Seelig et al. 2018, JCI Insight, NCT02265809 (conventional T cells do not respond)",
        ),
        literature=("treg_cells",),
    )
