"""Eosinophils in blood rise with IL-2."""

from functools import cache

from pkpd.models.model import Model, Parameter, Response, State


@cache
def eosinophils() -> Model:
    """Eosinophils in blood as fold of baseline, driven by `il2` [IU/mL].

        eos' = keos (1 + emax_eos il2 / (ec50_eos + il2) - eos),   eos(0) = 1

    Only the direction is known: up, and for weeks (PMID 8011237). Every number is a placeholder.
    """
    return Model(
        name="eosinophils",
        title="eosinophils, stimulated production",
        parameters=(
            Parameter("keos", "turnover of eosinophils in blood", "1/h"),
            Parameter("emax_eos", "largest stimulation", "1"),
            Parameter("ec50_eos", "IL-2 giving half of it", "IU/mL"),
        ),
        responses=(
            Response(
                states=(State("eos", "fold of baseline", "eosinophils in blood"),),
                inputs=("il2",),
                initial=lambda p: {"eos": 1.0 + 0.0 * p.keos},
                derivative=lambda y, u, p: {
                    "eos": p.keos * (1.0 + p.emax_eos * (u.il2 / (p.ec50_eos + u.il2)) - y.eos)
                },
                equations=("eos' = keos (1 + emax_eos il2/(ec50_eos + il2) - eos)",),
            ),
        ),
        references=(
            "Advanced HIV, five days of s.c. IL-2, 1994, PMID 8011237 (eosinophils raised for up to ten weeks)",
        ),
        literature=("eosinophils",),
    )
