"""docs/semantics.md names a test for each statement; the names must be those of tests."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "semantics.md").read_text(encoding="utf-8")


def names_of_tests_in(folder: Path) -> set[str]:
    sources = [file.read_text(encoding="utf-8") for file in folder.rglob("test_*.py")]
    return {name for source in sources for name in re.findall(r"def (test_\w+)\(", source)}


def test_every_test_named_on_the_page_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 50
    assert named - names_of_tests_in(ROOT / "tests") == set()


def test_every_rule_about_records_is_on_the_page() -> None:
    source = (Path(__file__).parent / "test_expm_records.py").read_text(encoding="utf-8")
    assert [name for name in re.findall(r"def (test_\w+)\(", source) if f"`{name}`" not in PAGE] == []
