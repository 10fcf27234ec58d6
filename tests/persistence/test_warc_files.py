"""WARC files: names, sizes, and what is left of them after a crash at any moment."""

from __future__ import annotations

import io
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support.warcs import by_fastwarc
from weaver.persistence.warc_files import OPEN, WarcFiles, WarcMark
from weaver.persistence.warc_record import NewRecord, member
from weaver.persistence.warc_tail import record_end, whole_bytes

CRAWL = "0badcafe"
MAX_FILE_BYTES = 1_500
NOW = 1_700_000_000.0


def _record(name: str, size_bytes: int = 10) -> NewRecord:
    return NewRecord("resource", f"<urn:{name}>", "2026-01-02T03:04:05Z", "text/plain", (b"x" * size_bytes,))


def _files(home: Path, level: int = 1, place: str = "warc", crawl: str = CRAWL) -> WarcFiles:
    return WarcFiles(home, place, crawl, MAX_FILE_BYTES, level, lambda name, _wall: _record(name), lambda: NOW)


def _names(folder: Path) -> list[str]:
    return [read.fields["WARC-Record-ID"] for path in sorted(folder.iterdir()) for read in by_fastwarc(path)]


def test_a_file_is_named_by_time_number_and_crawl(tmp_path: Path) -> None:
    """A file tells when it was begun, its place among its crawl's files, and its crawl; `.open` while in work."""
    files = _files(tmp_path)
    files.repair(None)
    files.append([_record("a")])
    assert [path.name for path in (tmp_path / "warc").iterdir()] == [
        "weaver-20231114221320-00001-0badcafe.warc.gz.open"
    ]
    files.close(is_committed=True)
    assert [path.name for path in (tmp_path / "warc").iterdir()] == ["weaver-20231114221320-00001-0badcafe.warc.gz"]
    assert _names(tmp_path / "warc") == ["<urn:weaver-20231114221320-00001-0badcafe.warc.gz>", "<urn:a>"]


def test_uncompressed_files_are_called_so(tmp_path: Path) -> None:
    """Level 0 writes plain records to `.warc`."""
    files = _files(tmp_path, level=0)
    files.repair(None)
    files.append([_record("a")])
    files.close(is_committed=True)
    (path,) = (tmp_path / "warc").iterdir()
    assert path.suffix == ".warc"
    assert path.read_bytes().startswith(b"WARC/1.1")


def test_records_that_belong_together_share_a_file(tmp_path: Path) -> None:
    """A file ends behind the records that filled it, never between those of one response."""
    files = _files(tmp_path, level=0)
    files.repair(None)
    files.append([_record("a", 2_000), _record("b")])
    files.append([_record("c")])
    files.close(is_committed=True)
    first, second = sorted((tmp_path / "warc").iterdir())
    assert [read.fields["WARC-Record-ID"] for read in by_fastwarc(first)][1:] == ["<urn:a>", "<urn:b>"]
    assert [read.fields["WARC-Record-ID"] for read in by_fastwarc(second)][1:] == ["<urn:c>"]


def test_a_file_in_the_way_is_not_overwritten(tmp_path: Path) -> None:
    """Numbers go on behind what is there, though the crawl's database has never heard of it."""
    (tmp_path / "warc").mkdir()
    there = tmp_path / "warc" / f"weaver-20200101000000-00007-{CRAWL}.warc.gz"
    there.write_bytes(b"precious")
    files = _files(tmp_path)
    files.repair(None)
    files.append([_record("a")])
    files.close(is_committed=True)
    assert there.read_bytes() == b"precious"
    assert files.mark.name.startswith("weaver-20231114221320-00008")


def test_crawls_may_share_a_folder(tmp_path: Path) -> None:
    """The repair of one crawl leaves what another has in work alone."""
    other = _files(tmp_path, crawl="00000001")
    other.repair(None)
    other.append([_record("a")])
    _files(tmp_path).repair(None)
    assert len(list((tmp_path / "warc").iterdir())) == 1
    other.close(is_committed=True)


def test_a_crawl_that_moves_its_archive_leaves_the_old_place_whole(tmp_path: Path) -> None:
    """With another folder in the settings, what a crash left in the old one is repaired too."""
    files = _files(tmp_path, place="old")
    files.repair(None)
    files.append([_record("a")])
    mark = files.mark
    files.append([_record("lost")])
    files.close(is_committed=False)
    repair = _files(tmp_path, place="new").repair(mark)
    assert repair.cut_bytes > 0
    assert _names(tmp_path / "old")[1:] == ["<urn:a>"]
    assert [path.suffix for path in (tmp_path / "old").iterdir()] == [".gz"]


@pytest.mark.parametrize("level", [0, 5])
def test_a_file_shorter_than_its_mark_is_cut_to_whole_records(tmp_path: Path, level: int) -> None:
    """After a power failure a part of the file may be missing: what is whole stays, and the loss is told."""
    files = _files(tmp_path, level)
    files.repair(None)
    for name in "abc":
        files.append([_record(name)])
    mark = files.mark
    files.close(is_committed=False)
    (path,) = (tmp_path / "warc").iterdir()
    path.write_bytes(path.read_bytes()[:-7])
    repair = _files(tmp_path, level).repair(mark)
    assert repair.is_short
    assert _files(tmp_path, level).repair(mark).is_short, "until a commit says otherwise"
    assert _names(tmp_path / "warc")[1:] == ["<urn:a>", "<urn:b>"]


def test_a_mark_is_read_as_it_was_written() -> None:
    """The database keeps it as text."""
    mark = WarcMark("warc", "name.warc.gz", 17)
    assert WarcMark.parse(str(mark)) == mark
    assert WarcMark.parse("") is None


@given(st.lists(st.integers(0, 300), min_size=1, max_size=4), st.sampled_from([0, 5]), st.data())
@settings(max_examples=60, deadline=None)
def test_a_tear_at_any_byte_leaves_the_whole_records(sizes: list[int], level: int, data: st.DataObject) -> None:
    """The end of what is whole is the end of the last record before the tear, plain or compressed."""
    ends, torn = [0], b""
    for number, size in enumerate(sizes):
        torn += member(_record(str(number), size).parts(), level)
        ends.append(len(torn))
    cut = data.draw(st.integers(0, len(torn)))
    assert whole_bytes(io.BytesIO(torn[:cut])) == max(end for end in ends if end <= cut)


@given(st.binary(max_size=200))
def test_what_is_no_record_has_no_end(junk: bytes) -> None:
    """Bytes of any kind are looked at without an error."""
    for start in (b"", b"\x1f\x8b", b"WARC/1.1\r\n", b"WARC/1.1\r\nContent-Length: 9\r\n\r\n"):
        end = record_end(io.BytesIO(start + junk), 0)
        assert end is None or 0 < end <= len(start + junk)


class ArchiveMachine(RuleBasedStateMachine):
    """Appends, commits, crashes and resumes, beside a list of what is committed."""

    def __init__(self) -> None:
        super().__init__()
        self._home = TemporaryDirectory(prefix="weaver-")
        self.committed: list[str] = []
        self.pending: list[str] = []
        self.mark: WarcMark | None = None
        self.count = 0

    @initialize(level=st.sampled_from([0, 3]))
    def begin(self, level: int) -> None:
        """The first run."""
        self.level = level
        self._resume()

    @rule(records=st.integers(1, 3), size_bytes=st.integers(0, 900))
    def append(self, records: int, size_bytes: int) -> None:
        """A response's records."""
        names = [f"{self.count + number}" for number in range(records)]
        self.count += records
        self.files.append([_record(name, size_bytes) for name in names])
        self.pending += names

    @rule(is_told=st.booleans())
    def commit(self, is_told: bool) -> None:
        """The database has the mark; a crash may come before the files hear of it."""
        if not self.pending:
            return
        self.mark = self.files.mark
        self.committed += self.pending
        self.pending = []
        if is_told:
            self.files.committed()
        else:
            self._resume()

    @rule()
    def crash(self) -> None:
        """What was not committed is gone."""
        self.pending = []
        self._resume()

    @precondition(lambda self: not self.pending)
    @rule()
    def end(self) -> None:
        """A run's good end leaves no file open."""
        self.files.close(is_committed=True)
        assert not list(self.folder.glob(f"*{OPEN}"))
        self._resume()

    @invariant()
    def all_that_is_committed_is_there_once(self) -> None:
        """Records in the order of their commits, then those that no commit has reached yet."""
        if hasattr(self, "files"):
            names = [name for name in _names(self.folder) if "weaver-" not in name]
            assert names == [f"<urn:{name}>" for name in (*self.committed, *self.pending)]

    def _resume(self) -> None:
        if hasattr(self, "files") and self.files._stream is not None:
            self.files._stream.close()
        self.files = _files(Path(self._home.name), self.level)
        self.files.repair(self.mark)
        self.folder = Path(self._home.name) / "warc"
        if self.mark is None:
            assert not list(self.folder.iterdir())

    def teardown(self) -> None:
        """Close what is open."""
        if hasattr(self, "files"):
            self.files.close(is_committed=False)
        self._home.cleanup()


ArchiveMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestArchive = pytest.mark.slow(ArchiveMachine.TestCase)
