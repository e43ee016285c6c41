"""What a message advises is right wherever a table is described: in a run file, a description beside it, or a call.

TOML's way of writing serves all: a call takes `purpose = "simulate"` as it stands, and a reader knows what a table is.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import pkpd.dataset
from pkpd.dataset.declaration import SAYINGS

FILES = sorted(Path(pkpd.dataset.__file__).parent.glob("*.py"))
KEYS = "|".join(SAYINGS)


def said(tree: ast.Module) -> Iterator[str]:
    """Every text but documentation, 1 where a value is filled in."""
    held = (ast.Module, ast.ClassDef, ast.FunctionDef)
    documents = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, held)}
    filled = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    inside = {id(part) for node in filled for part in node.values}
    for node in (one for one in ast.walk(tree) if id(one) not in inside):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "1" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in documents:
            yield node.value


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_message_asks_for_python(path: Path) -> None:
    assert [text for text in said(ast.parse(path.read_text())) if re.search(rf"\b({KEYS})=", text)] == []


def test_what_is_to_be_written_is_toml() -> None:
    texts = [text for path in FILES for text in said(ast.parse(path.read_text()))]
    value = r'\{[^}]*\}|\[[^\]]*\]|"[^"]*"|[a-z]+'
    advised = [one.group() for text in texts for one in re.finditer(rf"\b({KEYS}) = ({value})", text)]
    assert len(advised) >= 8
    for one in advised:
        # The dots after a comma stand for more of the same.
        assert tomllib.loads(one.replace(", ..", "")), one
