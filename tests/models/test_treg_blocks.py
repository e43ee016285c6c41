"""Blocks of the cell models: steady states against closed forms, the early fall, and what is labelled an assumption."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from pkpd.errors import InputError
from pkpd.models.adverse_events import any_adverse_event, injection_site_reaction, systemic_adverse_event
from pkpd.models.essdai import essdai, responder_probability
from pkpd.models.library import model
from pkpd.models.model import Model
from pkpd.population.virtual import literature_of, typical_values
from pkpd.qualify.potency import stimulated

LEVEL = 0.6  # IU/mL


def settled(block: Model, hours: float = 20_000.0) -> tuple[dict[str, float], dict[str, float]]:
    p = typical_values(literature_of(block))
    found = stimulated(block, {k: np.array([v]) for k, v in p.items()}, np.array([LEVEL]), (0.0, hours))
    return {name: float(values[-1, 0]) for name, values in found.items()}, p


def test_steady_states_are_the_closed_forms() -> None:
    found, p = settled(model("treg_production"))
    power = (LEVEL / p["ec50"]) ** p["hill"]
    assert found["treg"] == pytest.approx(1 + p["emax"] * power / (1 + power), rel=1e-6)
    found, p = settled(model("treg_cd122"))
    drive = LEVEL / (p["ec50_122"] + LEVEL)
    assert found["cd122"] == pytest.approx(p["k122"] / (p["k122"] + p["kdown"] * drive), rel=1e-6)
    found, p = settled(model("treg_tachyphylaxis"))
    drive = LEVEL / (p["ec50"] + LEVEL)
    left = p["krest"] / (p["krest"] + p["kdes"] * drive)
    assert found["sensitivity"] == pytest.approx(left, rel=1e-6)
    # kout (1 - T) + g T (1 - T / tmax) = 0, the positive root.
    g = p["kp"] * drive * left
    root = max(np.roots([-g / p["tmax"], g - p["kout"], p["kout"]]).real)
    assert found["treg"] == pytest.approx(root, rel=1e-6)


def test_blood_loses_treg_for_a_day_after_a_dose_and_has_them_back_on_the_second() -> None:
    """1 MIU s.c., by SciPy from the block's own derivative and the closed flip-flop form of IL-2."""
    block = model("treg_trafficking")
    p = SimpleNamespace(**typical_values(literature_of(block)))

    def field(t: float, y: np.ndarray) -> list[float]:
        il2 = 3.65 * np.exp(1.0 - max(t, 1e-9) / 4.5) * t / 4.5
        values = block.responses[0].derivative(SimpleNamespace(circulating=y[0]), SimpleNamespace(il2=il2), p)
        return [values["circulating"]]

    found = solve_ivp(field, (0, 48), [1.0], t_eval=[0.0, 1.5, 6.0, 48.0], rtol=1e-8, atol=1e-10, max_step=0.5).y[0]
    assert found[1] < 0.96
    assert 0.85 < found[2] < 0.92
    assert found[3] > 0.995


def test_without_endogenous_il2_it_is_plain_proliferation() -> None:
    plain, above = model("treg_proliferation"), model("treg_endogenous")
    p = typical_values(literature_of(above)) | {"c0": 0.0}
    y, u = SimpleNamespace(treg=1.7), SimpleNamespace(il2=LEVEL)
    one, two = (block.responses[0].derivative(y, u, SimpleNamespace(**p))["treg"] for block in (plain, above))
    assert two == pytest.approx(one, rel=1e-14)


def test_the_clinic_says_that_it_is_assumed() -> None:
    found = responder_probability([1.0, 1.32])
    assert found.values == pytest.approx([8 / 30, 20 / 30], abs=0.01)
    assert found.label.endswith("ASSUMPTION")
    assert "ASSUMPTION" in essdai().title
    assert "ASSUMPTION" in essdai().outputs["essdai_gain"]
    assert not any("essdai" in name for name in model("il2_treg_nk").symbols)


def test_adverse_events_follow_the_trial_they_come_from() -> None:
    assert any_adverse_event([0.0, 0.33, 1.0, 3.0]) == pytest.approx(np.array([1, 3, 5, 6]) / 6, abs=0.02)
    local, systemic = injection_site_reaction(1.0), systemic_adverse_event(1.0)
    assert 1 - (1 - local.values) * (1 - systemic.values) == pytest.approx(float(any_adverse_event(1.0)))
    assert local.label.endswith("ASSUMPTION")
    with pytest.raises(InputError, match="0 or more"):
        any_adverse_event(-1.0)
