"""Files: what ships inside the package, and writing that never leaves a torn file behind."""

import os
import tempfile
from collections.abc import Callable
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from pkpd.errors import InputError


def shipped(path: str) -> Traversable:
    """A file or folder of the shipped `data/`, for example `shipped("literature/il2_sc.toml")`.

    In an installed wheel the folder lies inside the package; in a source checkout beside it.
    """
    package = files("pkpd")
    inside = package / "data"
    root = inside if inside.is_dir() else Path(str(package)).parent / "data"
    return root.joinpath(path)


def write_atomically(path: Path, write: Callable[[Path], object]) -> Path:
    """Let `write(temporary)` fill a temporary file beside `path`, then rename it into place.

    A reader sees the old file or the new one, never a part. Returns `path`.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def writable_folder(path: Path) -> Path:
    """Create the folder `path` if needed and prove that it can be written to.

    Raises `InputError` naming the folder and the reason otherwise.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"cannot write to folder '{path}': {reason}; give another folder with --out") from error
    return path
