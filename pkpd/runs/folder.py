"""The folder of a run: claimed once, never overwritten, with a manifest that always says how far the run is."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pkpd.errors import InputError
from pkpd.storage import write_atomically

SCHEMA = 1


@dataclass(frozen=True)
class Folder:
    """A folder that belongs to one run."""

    path: Path

    def text(self, name: str, content: str) -> Path:
        """Write the file `name`, whole or not at all."""
        return write_atomically(self.path / name, lambda path: path.write_text(content, encoding="utf-8"))

    def json(self, name: str, content: Any) -> Path:
        """Write `content` as JSON."""
        return self.text(name, json.dumps(content, indent=1, allow_nan=False) + "\n")

    def log(self, line: str) -> None:
        """Add a line to run.log, with the time."""
        with (self.path / "run.log").open("a", encoding="utf-8") as stream:
            stream.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {line}\n")

    def folder(self, name: str) -> Path:
        """A folder inside."""
        path = self.path / name
        path.mkdir(exist_ok=True)
        return path

    def manifest(self) -> dict[str, Any]:
        """What the manifest says. Raises `InputError` where there is none."""
        return read_json(self.path, "manifest.json")

    def told(self, **changes: Any) -> None:
        """Change entries of the manifest."""
        self.json("manifest.json", self.manifest() | changes)


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """A JSON file of a run. Raises `InputError` where there is none."""
    try:
        found = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"'{folder}' has no readable {name} ({error}); give a folder made by pkpd fit") from error
    if not isinstance(found, dict) or not found:
        raise InputError(f"'{folder / name}' holds nothing of a run; give a folder made by pkpd fit")
    return found


def claimed(out: Path | None, manifest: Mapping[str, Any]) -> Folder:
    """A new folder: `out`, or the first free fit_dirN. Raises `InputError` where `out` exists or cannot be made."""
    try:
        path = _free() if out is None else _new(out)
    except OSError as error:
        raise InputError(f"cannot make the folder '{out or '.'}': {error.strerror}; give another with --out") from error
    folder = Folder(path)
    folder.json("manifest.json", {"schema_version": SCHEMA, **manifest})
    return folder


def resumed(path: Path, sha256: Mapping[str, str], options: Mapping[str, Any]) -> Folder:
    """The folder of a run that goes on. Raises `InputError` where its files or options differ, naming them."""
    folder = Folder(path)
    known = folder.manifest()
    was = {**known.get("sha256", {}), **known.get("options", {})}
    now = {**sha256, **options}
    if differing := [name for name in {**was, **now} if was.get(name) != now.get(name)]:
        told = [
            one if one in sha256 or one in known.get("sha256", {}) else f"{one} ({was.get(one)}, now {now.get(one)})"
            for one in differing
        ]
        raise InputError(
            f"'{path}' is a run with another {', '.join(told)}; say the same again (its command is in manifest.json), "
            "or start a new one with --out"
        )
    return folder


def sha256(content: bytes) -> str:
    """The hash that names what a run was made from."""
    return hashlib.sha256(content).hexdigest()


def _new(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir()
    except FileExistsError as error:
        raise InputError(
            f"'{path}' exists, and a run never overwrites; give another --out, or --resume to go on"
        ) from error
    return path


def _free() -> Path:
    number = 1
    while True:
        path = Path(f"fit_dir{number}")
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
            continue
        return path
