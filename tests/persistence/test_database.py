"""The crawl directory: made whole, opened by those who may, refused where it is not ours or not of our time."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.analysis.made_crawl import EDGES
from tests.persistence.making import SETTINGS, adjacency, made, page_record, page_row
from weaver.base.errors import DirectoryError, DirectoryLocked
from weaver.base.page import EdgeKind
from weaver.base.record import CommitRecord
from weaver.base.settings import PersistenceSettings
from weaver.persistence import CrawlDirectory, graph_digest, read_meta
from weaver.persistence.compacting import compact
from weaver.persistence.database import _readonly_uri
from weaver.persistence.schema import APPLICATION_ID, SCHEMA_VERSION
from weaver.persistence.statements import write_records

GOLDEN = Path(__file__).parent / "golden"


def _schema(connection: sqlite3.Connection) -> str:
    rows = connection.execute(
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type, name"
    ).fetchall()
    return "".join(f"{sql};\n" for (sql,) in rows)


def _make_v0(path: Path, *, user_version: int = 0) -> None:
    path.mkdir()
    connection = sqlite3.connect(path / "crawl.db", isolation_level=None)
    connection.executescript((GOLDEN / "v0.sql").read_text())
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {user_version}")
    connection.close()


def _from_0_to_1(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE urls ADD COLUMN redirects INTEGER NOT NULL DEFAULT 0")
    connection.execute("ALTER TABLE urls ADD COLUMN reason TEXT NOT NULL DEFAULT ''")


def _nothing_new(_: sqlite3.Connection) -> None:
    """A step to the next version that changes no table."""


def test_a_new_crawl_has_all_it_needs(tmp_path: Path) -> None:
    """Creation leaves a database of this version, with a seed of its own, and no lock."""
    directory, connection = made(tmp_path)
    assert connection.execute("PRAGMA user_version").fetchall() == [(SCHEMA_VERSION,)]
    assert read_meta(connection, "schema_version") == str(SCHEMA_VERSION)
    assert connection.execute("PRAGMA page_size").fetchall() == [(4096,)]
    assert connection.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
    other = CrawlDirectory.create(tmp_path / "other")
    assert 0 <= directory.crawl_seed < 2**64
    assert directory.crawl_seed != other.crawl_seed
    assert directory.crawl_seed == CrawlDirectory.open_existing(directory.path).crawl_seed
    assert directory.holder() is None
    assert not (directory.path / "crawl.db.new").exists()
    connection.close()


@pytest.mark.parametrize(("setting", "pragma"), [("normal", 1), ("full", 2)])
def test_the_user_chooses_how_safe_a_commit_is(tmp_path: Path, setting: str, pragma: int) -> None:
    """The setting `synchronous` reaches SQLite."""
    directory = CrawlDirectory.create(tmp_path / "crawl")
    connection = directory.connect(PersistenceSettings(synchronous=setting))  # type: ignore[arg-type]
    assert connection.execute("PRAGMA synchronous").fetchall() == [(pragma,)]
    connection.close()


def test_a_crawl_is_never_overwritten(tmp_path: Path) -> None:
    """Creating a crawl where there is one is refused, and the old one stays as it was."""
    directory = CrawlDirectory.create(tmp_path / "crawl")
    seed = directory.crawl_seed
    with pytest.raises(DirectoryError, match="holds a crawl already"):
        CrawlDirectory.create(directory.path)
    assert CrawlDirectory.open_existing(directory.path).crawl_seed == seed


def test_an_interrupted_creation_leaves_no_crawl(tmp_path: Path) -> None:
    """A kill while the database was being built leaves nothing that is taken for a crawl; creation then works."""
    path = tmp_path / "crawl"
    path.mkdir()
    (path / "crawl.db.new").write_bytes(b"half a database")
    with pytest.raises(DirectoryError, match=r"found no crawl\.db"):
        CrawlDirectory.open_existing(path)
    assert CrawlDirectory.create(path).crawl_seed >= 0


def test_a_folder_that_is_no_crawl_is_named_so(tmp_path: Path) -> None:
    """Opening a missing or a foreign folder says what was expected and what was found."""
    with pytest.raises(DirectoryError, match=r"expected a crawl in .*nowhere"):
        CrawlDirectory.open_existing(tmp_path / "nowhere")
    (tmp_path / "crawl.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(DirectoryError, match="not a database"):
        CrawlDirectory.open_existing(tmp_path)


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    """A SQLite file that is not weaver's is neither read nor written."""
    connection = sqlite3.connect(tmp_path / "crawl.db")
    connection.execute("CREATE TABLE meta (key TEXT, value TEXT)")
    connection.close()
    with pytest.raises(DirectoryError, match="another program's database"):
        CrawlDirectory.open_existing(tmp_path)


def test_a_file_in_the_way_is_a_directory_error(tmp_path: Path) -> None:
    """A path that can't become a folder is told as such, not as an operating system's exception."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DirectoryError, match="can't create"):
        CrawlDirectory.create(tmp_path / "file" / "crawl")


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    """A crawl of a newer weaver is not opened: the message names both versions."""
    directory, connection = made(tmp_path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    for use in (CrawlDirectory.open_existing, lambda path: CrawlDirectory(path).connect_readonly()):
        with pytest.raises(DirectoryError, match=f"version {SCHEMA_VERSION + 1}, this weaver knows {SCHEMA_VERSION}"):
            use(directory.path)


def test_the_schema_is_the_golden_one(tmp_path: Path) -> None:
    """Tables never change without a new version, a migration to it, and a new golden file."""
    _, connection = made(tmp_path)
    assert _schema(connection) == (GOLDEN / f"v{SCHEMA_VERSION}.sql").read_text()
    connection.close()


def test_an_older_crawl_is_brought_up_to_date(tmp_path: Path) -> None:
    """Locking an older crawl runs its migrations, one after the other: rows stay, the version moves."""
    path = tmp_path / "crawl"
    _make_v0(path)
    with CrawlDirectory.open_existing(path, {0: _from_0_to_1, 1: _nothing_new}):
        connection = CrawlDirectory.open_existing(path).connect_readonly()
        assert connection.execute("SELECT url, redirects, reason FROM urls").fetchall() == [("http://h/1", 0, "")]
        assert read_meta(connection, "schema_version") == str(SCHEMA_VERSION)
        connection.close()


def test_a_failed_migration_changes_nothing(tmp_path: Path) -> None:
    """A migration that fails half way is undone, and the lock is given back."""
    path = tmp_path / "crawl"
    _make_v0(path)

    def broken(connection: sqlite3.Connection) -> None:
        _from_0_to_1(connection)
        connection.execute("ALTER TABLE nothing RENAME TO something")

    directory = CrawlDirectory.open_existing(path, {0: broken, 1: _nothing_new})
    with pytest.raises(DirectoryError, match="nothing"):
        directory.lock()
    assert not directory.is_locked
    connection = sqlite3.connect(path / "crawl.db")
    assert connection.execute("PRAGMA user_version").fetchall() == [(0,)]
    assert "redirects" not in _schema(connection)
    connection.close()


def test_a_version_without_a_migration_is_refused(tmp_path: Path) -> None:
    """Where no way leads from an old version, nothing is written; readers are told to resume first."""
    path = tmp_path / "crawl"
    _make_v0(path)
    with pytest.raises(DirectoryError, match="version 0"):
        CrawlDirectory.open_existing(path, {}).lock()
    with pytest.raises(DirectoryError, match="resume the crawl once"):
        CrawlDirectory.open_existing(path).connect_readonly()


def test_one_crawler_at_a_time(tmp_path: Path) -> None:
    """A second lock on the directory is refused while the first holds, and granted after it."""
    first = CrawlDirectory.create(tmp_path / "crawl")
    second = CrawlDirectory.open_existing(first.path)
    with first:
        assert first.is_locked
        with pytest.raises(DirectoryLocked, match="pid"):
            second.lock()
    with second:
        assert second.is_locked
        assert not first.is_locked


def test_readers_need_no_lock_and_cannot_write(tmp_path: Path) -> None:
    """Beside a crawler with open work, a reader sees what is committed, and can change nothing."""
    directory, connection = made(tmp_path)
    with directory:
        connection.execute("BEGIN IMMEDIATE")
        write_records(connection, [page_record(1)])
        reader = CrawlDirectory.open_existing(directory.path).connect_readonly()
        assert reader.execute("SELECT count(*) FROM pages").fetchall() == [(0,)]
        connection.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM pages").fetchall() == [(1,)]
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.execute("DELETE FROM pages")
        reader.close()
    connection.close()


def test_edges_are_read_as_a_table(tmp_path: Path) -> None:
    """The view `edges` unpacks the links on every connection that weaver opens."""
    directory, connection = made(tmp_path)
    edges = adjacency([(2, EdgeKind.HYPERLINK), (3, EdgeKind.HYPERLINK), (2, EdgeKind.CANONICAL)])
    write_records(connection, [CommitRecord(page=page_row(1), adjacency=edges)])
    reader = directory.connect_readonly()
    for each in (connection, reader):
        assert each.execute("SELECT * FROM edges").fetchall() == [(1, 2, 0), (1, 3, 0), (1, 2, 3)]
        each.close()


def test_a_crawl_on_a_read_only_file_system_can_be_read(tmp_path: Path) -> None:
    """SQLite is told that the file can't change exactly where nothing can be written and no log waits."""
    directory = CrawlDirectory.create(tmp_path / "crawl")
    assert _readonly_uri(directory.database_path).endswith("?mode=ro")
    connection = directory.connect(SETTINGS)
    connection.close()
    connection = sqlite3.connect(f"{_readonly_uri(directory.database_path)}&immutable=1", uri=True)
    assert connection.execute("SELECT count(*) FROM pages").fetchall() == [(0,)]
    connection.close()


def _from_golden(path: Path, version: int) -> CrawlDirectory:
    path.mkdir()
    connection = sqlite3.connect(path / "crawl.db", isolation_level=None)
    connection.executescript((GOLDEN / f"v{version}-crawl.sql").read_text())
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    return CrawlDirectory.open_existing(path)


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_a_crawl_of_each_version_can_be_read(tmp_path: Path, version: int) -> None:
    """A crawl that each version left has the same edges after its migration, and can be sealed."""
    directory = _from_golden(tmp_path / "crawl", version)
    expected = sorted((page, target, int(kind)) for page, edges in EDGES.items() for target, kind in edges)
    with directory:
        connection = directory.connect(SETTINGS)
        digests = set()
        for _ in range(2):
            assert sorted(connection.execute("SELECT * FROM edges").fetchall()) == expected
            digests.add(graph_digest(connection))
            compact(connection)
        assert digests == {"af7f05c51622f304e6632a863faf7c9a"}
        assert connection.execute("SELECT count(*) FROM links").fetchall() == [(0,)]
        connection.close()


def test_a_migrated_crawl_has_the_tables_of_a_new_one(tmp_path: Path) -> None:
    """Whether a crawl began with this version or was brought to it, its tables have the same columns and indexes."""
    facts = []
    _, new = made(tmp_path)
    with _from_golden(tmp_path / "old", 1) as directory:
        for connection in (new, directory.connect(SETTINGS)):
            names = "SELECT type, name, tbl_name FROM sqlite_master ORDER BY type, name"
            columns = (
                "SELECT tbl.name, col.* FROM sqlite_master AS tbl, pragma_table_info(tbl.name) AS col ORDER BY 1, 2"
            )
            facts.append([connection.execute(sql).fetchall() for sql in (names, columns)])
            connection.close()
    assert facts[0] == facts[1]
