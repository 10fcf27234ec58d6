-- A fabricated version before the first: it keeps the way from version to version tested.
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE urls (
    id INTEGER PRIMARY KEY,
    key INTEGER NOT NULL,
    url TEXT NOT NULL,
    host_id INTEGER NOT NULL,
    depth INTEGER NOT NULL,
    source_id INTEGER NOT NULL
);
INSERT INTO meta VALUES ('crawl_seed', '17'), ('schema_version', '0');
INSERT INTO urls VALUES (1, 5, 'http://h/1', 1, 0, 0);
