"""A room may know only the rooms before it: the arrows of docs/architecture.md, read from the imports themselves."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pkpd"

ORDER = (
    "errors",
    "storage",
    "units",
    "literature",
    "events",
    "models",
    "engine",
    "population",
    "dataset",
    "fit",
    "diagnostics",
    "regimens",
    "runs",
    "qualify",
    "cli",
)
"""Files of the package's root and rooms; rooms not built yet have their place already."""

STRANGERS = {"models": {"events"}, "population": {"events"}}
"""Stricter than the order: what the body does knows nothing of doses, nor does how patients differ."""


def room(module: str) -> str:
    """`pkpd.engine.exact` -> `engine`; the package itself (its version) belongs to nobody."""
    return module.split(".")[1] if "." in module else ""


def imports(source: str, module: str) -> set[str]:
    """Modules of pkpd that `source`, the text of `module`, imports anywhere in it, relative imports included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")[: -node.level] if node.level else []
            origin = ".".join([*parts, *([node.module] if node.module else [])])
            found |= {f"{origin}.{alias.name}" for alias in node.names} if origin == "pkpd" else {origin}
    return {name for name in found if name == "pkpd" or name.startswith("pkpd.")}


def trespasses(source: str, module: str) -> list[str]:
    """Imports that lead to a room not before this one, or to a stranger."""
    own = room(module)
    allowed = {own, "", *ORDER[: ORDER.index(own)]} - STRANGERS.get(own, set())
    return sorted(name for name in imports(source, module) if room(name) not in allowed and not is_value(name))


def is_value(name: str) -> bool:
    """`from pkpd import __version__` names no module."""
    return room(name).startswith("__")


def modules() -> dict[str, Path]:
    files = sorted(PACKAGE.rglob("*.py"))
    return {".".join(("pkpd", *file.relative_to(PACKAGE).with_suffix("").parts)): file for file in files}


def test_every_room_has_its_place() -> None:
    rooms = {room(module) for module in modules()} - {"__init__", "__main__"}
    assert rooms <= set(ORDER), "give a new room its place in ORDER"
    assert len(modules()) > 20


@pytest.mark.parametrize("module", [name for name in modules() if room(name) not in ("__init__", "__main__")])
def test_a_room_knows_only_those_before_it(module: str) -> None:
    assert trespasses(modules()[module].read_text(encoding="utf-8"), module) == []


def loaded_by(statement: str) -> set[str]:
    """Modules in memory after `statement` in a fresh process."""
    script = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, cwd=PACKAGE.parent, capture_output=True, text=True
    )
    return set(done.stdout.split())


def test_importing_the_package_loads_no_room() -> None:
    assert {name for name in loaded_by("import pkpd") if name.startswith("pkpd.")} == set()


def test_models_are_listed_without_loading_jax() -> None:
    heavy = {"jax", "numpy", "pandas", "pint", "xarray", "matplotlib", "plotly", "scipy"}
    loaded = loaded_by("from pkpd.models.library import MODELS\nassert [make() for make in MODELS.values()]")
    assert "pkpd.models.library" in loaded
    assert loaded & heavy == set()


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        ("pkpd.models.x", "from pkpd.events.timeline import Doses", ["pkpd.events.timeline"]),
        ("pkpd.models.x", "def f():\n    import pkpd.engine.simulate", ["pkpd.engine.simulate"]),
        ("pkpd.models.x", "from pkpd import engine, errors", ["pkpd.engine"]),
        ("pkpd.models.x", "from ..engine import simulate", ["pkpd.engine"]),
        ("pkpd.models.x", "from .. import cli", ["pkpd.cli"]),
        ("pkpd.events.x", "if TYPE_CHECKING:\n    from pkpd.models.model import Model", ["pkpd.models.model"]),
        ("pkpd.storage", "from pkpd.units import amount", ["pkpd.units"]),
        ("pkpd.engine.x", "from pkpd.models import model\nfrom pkpd import __version__\nfrom . import exact", []),
    ],
)
def test_the_reader_sees_every_kind_of_import(module: str, source: str, found: list[str]) -> None:
    assert trespasses(source, module) == found
