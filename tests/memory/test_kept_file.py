"""KeptFile: opened once, read again and again, and never an error."""

from __future__ import annotations

import re
from pathlib import Path

from weaver.memory.kept_file import Figure, KeptFile

NUMBER = re.compile(rb"used (\d+)")


def test_each_read_sees_what_the_file_holds_now(tmp_path: Path) -> None:
    """A kept file is read from its start each time, through one descriptor."""
    path = tmp_path / "file"
    path.write_bytes(b"used 1")
    file = KeptFile(path)
    assert file.read() == b"used 1"
    path.write_bytes(b"used 22")
    assert file.read() == b"used 22"
    file.close()


def test_a_missing_file_is_empty_until_it_appears(tmp_path: Path) -> None:
    """A file that is not there is empty, and is opened by the first read after it came."""
    file = KeptFile(tmp_path / "late")
    assert file.read() == b""
    (tmp_path / "late").write_bytes(b"here")
    assert file.read() == b"here"
    file.close()


def test_a_file_that_answers_with_an_error_is_opened_anew(tmp_path: Path) -> None:
    """An error of a read, as of a group that was removed, is empty; the next read opens what is there then."""
    path = tmp_path / "file"
    path.mkdir()
    file = KeptFile(path)
    assert file.read() == b""
    assert "closed" in repr(file)
    path.rmdir()
    path.write_bytes(b"again")
    assert file.read() == b"again"
    file.close()


def test_a_closed_file_may_be_read_and_closed_again(tmp_path: Path) -> None:
    """To close a file twice, or to read it after, is no error."""
    path = tmp_path / "file"
    path.write_bytes(b"used 3")
    figure = Figure(KeptFile(path), NUMBER)
    figure.close()
    figure.close()
    assert figure.read() == 3
    figure.close()


def test_a_figure_that_is_not_there_is_none(tmp_path: Path) -> None:
    """A file without the number, and no file at all, have no figure."""
    path = tmp_path / "file"
    path.write_bytes(b"used \xff much")
    unreadable = Figure(KeptFile(path), NUMBER)
    assert unreadable.read() is None
    assert Figure(KeptFile(tmp_path / "absent"), NUMBER).read() is None
    unreadable.close()
