"""Nothing in the package runs text as code or reads it back as objects (rule G1), and no private note is published."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN_MODULES = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_ATTRIBUTES = {
    ("yaml", "load"),
    ("yaml", "unsafe_load"),
    ("torch", "load"),
    ("os", "system"),
    ("os", "popen"),
    ("pandas", "eval"),
    ("pd", "eval"),
    ("pd", "read_pickle"),
    ("pandas", "read_pickle"),
}
FORBIDDEN_METHODS = {"to_pickle", "read_pickle"}
FORBIDDEN_KEYWORDS = {"allow_pickle", "shell"}

# In two parts, so that this file does not contain what it looks for.
NOTES = ("FACTS" + ".md", "TRUST" + ".md", "/wo" + "rk/", "../sha" + "red")
SPOKEN_OF = re.compile(r"\bses" + r"sions?\b", re.IGNORECASE)
TEXT = {".py", ".md", ".toml", ".csv", ".html", ".txt", ".yaml", ".yml", ".cfg", ".j2", ".css", ".js", ""}
FOLDERS = ("pkpd", "docs", "examples", "benchmarks", "data", "tests")


def dangers(source: str) -> list[str]:
    """Line and name of everything forbidden in `source`."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, a.name) for a in node.names if a.name.split(".")[0] in FORBIDDEN_MODULES]
        elif isinstance(node, ast.ImportFrom):
            if (node.module or "").split(".")[0] in FORBIDDEN_MODULES:
                found.append((node.lineno, f"from {node.module}"))
            found += [
                (node.lineno, f"{node.module}.{a.name}")
                for a in node.names
                if (node.module, a.name) in FORBIDDEN_ATTRIBUTES
            ]
        elif isinstance(node, ast.Name) and node.id in FORBIDDEN_CALLS:
            found.append((node.lineno, node.id))
        elif isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            built_in = owner == "builtins" and node.attr in FORBIDDEN_CALLS
            if built_in or (owner, node.attr) in FORBIDDEN_ATTRIBUTES or node.attr in FORBIDDEN_METHODS:
                found.append((node.lineno, f"{owner}.{node.attr}"))
        elif isinstance(node, ast.keyword) and node.arg in FORBIDDEN_KEYWORDS:
            switched_off = isinstance(node.value, ast.Constant) and node.value.value is False
            if not switched_off:
                found.append((node.value.lineno, f"{node.arg}="))
    return [f"{line}: {name}" for line, name in sorted(found)]


def sources() -> list[Path]:
    return sorted((ROOT / "pkpd").rglob("*.py"))


def texts() -> list[Path]:
    """Everything of the repository that people read."""
    found = [path for path in ROOT.iterdir() if path.is_file()]
    found += [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    return [p for p in found if p.suffix in TEXT and "__pycache__" not in p.parts]


def test_the_package_is_free_of_dangers() -> None:
    assert len(sources()) > 20
    found = {str(path.relative_to(ROOT)): dangers(path.read_text(encoding="utf-8")) for path in sources()}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "source",
    [
        "eval('1')",
        "exec('1')",
        "compile('1', '', 'exec')",
        "f = eval",
        "import builtins\nbuiltins.exec('1')",
        "__import__('os')",
        "import pickle",
        "import os, pickle as p",
        "from pickle import loads",
        "import cloudpickle",
        "import joblib",
        "def f():\n    import marshal",
        "import shelve",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=wish)",
        "yaml.load(text)",
        "from yaml import load",
        "yaml.unsafe_load(text)",
        "torch.load(path)",
        "subprocess.run('ls', shell=True)",
        "subprocess.run('ls', shell=1)",
        "os.system('ls')",
        "os.popen('ls')",
        "frame.to_pickle(path)",
        "pd.read_pickle(path)",
        "pd.eval('a + b')",
    ],
)
def test_each_danger_is_seen(source: str) -> None:
    assert dangers(source) != []


@pytest.mark.parametrize(
    "source",
    [
        "np.load(path, allow_pickle=False)",
        "yaml.safe_load(text)",
        "subprocess.run(['ls'])",
        "re.compile('a')",
        "evaluate(x)",
    ],
)
def test_what_is_harmless_is_let_through(source: str) -> None:
    assert dangers(source) == []


def test_no_private_note_is_named() -> None:
    assert len(texts()) > 50
    found = []
    for path in texts():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if any(note in line for note in NOTES) or SPOKEN_OF.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert found == []
