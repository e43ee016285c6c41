"""Files are whole or not there; folders are proved before they are trusted."""

import os
import stat
from pathlib import Path

import pytest

from pkpd.errors import InputError
from pkpd.storage import shipped, writable_folder, write_atomically

not_root = pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")


def test_shipped_data_are_found() -> None:
    assert shipped("literature/il2_sc.toml").is_file()
    assert "title" in shipped("literature/il2_sc.toml").read_text(encoding="utf-8")
    assert not shipped("literature/nothing.toml").is_file()


def test_a_file_is_written_under_its_name_and_readable_by_all(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    assert write_atomically(path, lambda temporary: temporary.write_text("a,b\n")) == path
    assert path.read_text() == "a,b\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


def test_the_temporary_file_lies_beside_and_keeps_the_suffix(tmp_path: Path) -> None:
    seen: list[Path] = []

    def write(temporary: Path) -> None:
        seen.append(temporary)
        temporary.write_bytes(b"1")

    write_atomically(tmp_path / "plot.png", write)
    assert (seen[0].parent, seen[0].suffix) == (tmp_path, ".png")
    assert seen[0] != tmp_path / "plot.png"


def test_a_writer_that_fails_half_way_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")

    def fail(temporary: Path) -> None:
        temporary.write_text("half of the n")
        raise ValueError("no room")

    with pytest.raises(ValueError, match="no room"):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


def test_until_it_is_complete_readers_see_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")

    def write(temporary: Path) -> None:
        temporary.write_text("new")
        assert path.read_text() == "old"

    write_atomically(path, write)
    assert path.read_text() == "new"


def test_a_writer_that_replaces_its_file_is_followed(tmp_path: Path) -> None:
    """Libraries delete a file and make it anew; that is the one that must arrive."""

    def write(temporary: Path) -> None:
        temporary.unlink()
        temporary.write_text("made anew")

    write_atomically(tmp_path / "profiles.nc", write)
    assert (tmp_path / "profiles.nc").read_text() == "made anew"


def test_a_folder_is_made_with_its_parents_and_left_empty(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert writable_folder(folder) == folder
    assert writable_folder(folder) == folder
    assert list(folder.iterdir()) == []


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match="cannot write to folder '.*taken': File exists; give another .*--out"):
        writable_folder(tmp_path / "taken")
    with pytest.raises(InputError, match="cannot write to folder '.*below': Not a directory"):
        writable_folder(tmp_path / "taken" / "below")


@not_root
def test_a_folder_that_may_not_be_written_to(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o500)
    with pytest.raises(InputError, match="cannot write to folder '.*locked': Permission denied"):
        writable_folder(locked)
    with pytest.raises(InputError, match="Permission denied"):
        writable_folder(locked / "below")
