"""The pages of the models are those the models give, each with its figure."""

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "docs" / "make_pages.py"


def test_the_pages_are_what_the_script_writes() -> None:
    spec = importlib.util.spec_from_file_location("make_pages", SCRIPT)
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    folder = SCRIPT.parent / "models"
    written = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    assert written == script.pages(), "run python docs/make_pages.py --figures"
    assert {path.stem for path in folder.glob("*.png")} == {name[:-3] for name in written if name != "README.md"}
