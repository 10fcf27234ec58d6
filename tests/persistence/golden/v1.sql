CREATE INDEX pages_duplicate ON pages (duplicate_of) WHERE state = 'duplicate';
CREATE INDEX urls_key ON urls (key);
CREATE TABLE contents (                 -- the first page that was seen with a digest
    digest BLOB PRIMARY KEY,            -- a body's with 'b' in front, a text's with 't'
    page_id INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE frontier (                 -- what waits to be fetched
    host_id INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    url_id INTEGER NOT NULL,
    PRIMARY KEY (host_id, priority, url_id)
) WITHOUT ROWID;
CREATE TABLE hosts (                    -- one row for each origin (scheme, host, port) ever seen
    id INTEGER PRIMARY KEY,
    origin TEXT NOT NULL UNIQUE,
    ready_at REAL NOT NULL DEFAULT 0,   -- no request before this, seconds since 1970
    crawl_delay_s REAL,
    failures INTEGER NOT NULL DEFAULT 0,
    robots_status TEXT NOT NULL DEFAULT '',
    robots_body BLOB NOT NULL DEFAULT x'',
    robots_fetched_at REAL NOT NULL DEFAULT 0,
    robots_unreachable_since REAL NOT NULL DEFAULT 0
);
CREATE TABLE links (                    -- a page's out-edges, packed; the view `edges` unpacks them
    id INTEGER PRIMARY KEY,
    packed BLOB NOT NULL
);
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE pages (                    -- one row for each URL that was visited or decided; same id
    id INTEGER PRIMARY KEY,
    state TEXT NOT NULL,                -- fetched, duplicate, redirect, failed, blocked_robots, skipped
    http_status INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    body_bytes INTEGER NOT NULL,
    body_digest BLOB NOT NULL,          -- xxh3-128 of the decoded body
    text_digest BLOB NOT NULL,          -- xxh3-128 of the normalised visible text
    duplicate_of INTEGER NOT NULL,
    title TEXT NOT NULL,
    fetched_at REAL NOT NULL,
    reason TEXT NOT NULL
);
CREATE TABLE runs (                     -- one row for each time the crawl was started or resumed
    id INTEGER PRIMARY KEY,
    started_at REAL NOT NULL,           -- seconds since 1970, UTC
    ended_at REAL,
    weaver_version TEXT NOT NULL,
    settings TEXT NOT NULL,             -- JSON
    exit_reason TEXT NOT NULL DEFAULT '',
    cpu_s REAL NOT NULL DEFAULT 0,
    wall_s REAL NOT NULL DEFAULT 0,
    counts TEXT NOT NULL DEFAULT '{}'   -- JSON: the status at the end of the run
);
CREATE TABLE urls (                     -- one row for each known URL; the id is the node of the graph
    id INTEGER PRIMARY KEY,
    key INTEGER NOT NULL,               -- xxh3-64 of the URL with the crawl's seed, signed
    url TEXT NOT NULL,
    host_id INTEGER NOT NULL,
    depth INTEGER NOT NULL,             -- links away from the nearest seed, as discovered
    source_id INTEGER NOT NULL,         -- where it was first found; 0 for a seed
    redirects INTEGER NOT NULL,         -- redirects in a row that led here
    reason TEXT NOT NULL                -- why it was not queued; empty when it was
);
CREATE VIEW edges AS                    -- needs the function links_json(packed), which weaver registers
    SELECT links.id AS source_id,
        json_extract(edge.value, '$[0]') AS target_id,
        json_extract(edge.value, '$[1]') AS kind
    FROM links, json_each(links_json(links.packed)) AS edge;
