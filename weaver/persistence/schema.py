"""The tables of `crawl.db`, each with its version: plain SQL that people may read with any SQLite tool."""

from __future__ import annotations

SCHEMA_VERSION = 2
APPLICATION_ID = int.from_bytes(b"weav")

LINK_BLOCKS = """
CREATE INDEX links_rewritten ON links (id) WHERE is_rewritten;

CREATE TABLE link_blocks (              -- out-edges of many pages, compressed; a page is in one block at most
    number INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice
    born INTEGER NOT NULL,              -- the lowest number among those of the blocks whose rows it took over
    first_node INTEGER NOT NULL,        -- the lowest id of its pages
    last_node INTEGER NOT NULL,         -- the highest; other blocks may have pages between
    span_bits INTEGER NOT NULL,         -- the bits of last_node - first_node
    rows INTEGER NOT NULL,              -- its pages, those without edges included
    links INTEGER NOT NULL,
    kinds TEXT NOT NULL,                -- JSON: how many links of each kind
    packed_bytes INTEGER NOT NULL,      -- what its rows took in `links`
    block_bytes INTEGER NOT NULL,
    block BLOB NOT NULL                 -- docs/graph.md
);
CREATE INDEX link_blocks_span ON link_blocks (span_bits, first_node, last_node);
CREATE INDEX link_blocks_facts ON link_blocks (first_node, last_node, born, rows, links, packed_bytes, block_bytes);
"""

NEAR_DUPLICATES = """
CREATE TABLE signatures (               -- what the text of each new page is compared by, in the order of commit
    number INTEGER PRIMARY KEY,
    page_id INTEGER NOT NULL,
    row BLOB NOT NULL,                  -- seven words of 64 bits, the page's id in the upper half of the first
    keys BLOB NOT NULL                  -- eight words of 64 bits, by which it is found
);

CREATE TABLE near_bands (               -- the keys of signatures up to the number that `meta` has as near_merged_to
    key INTEGER NOT NULL,               -- the upper 47 bits
    number INTEGER NOT NULL,
    PRIMARY KEY (key, number)
) WITHOUT ROWID;

CREATE TABLE near_duplicates (          -- which earlier page a page is nearly the same as
    page_id INTEGER PRIMARY KEY,
    other_id INTEGER NOT NULL,
    similarity REAL NOT NULL,           -- Jaccard index of the two texts, estimated
    boilerplate REAL NOT NULL           -- share of the page's text that its host repeats, which was left out
);
CREATE INDEX near_duplicates_other ON near_duplicates (other_id);

CREATE TABLE near_clusters (            -- the pages that such pairs join, as of the last run's end
    page_id INTEGER PRIMARY KEY,
    representative_id INTEGER NOT NULL  -- the shortest URL's
);
CREATE INDEX near_clusters_representative ON near_clusters (representative_id);
"""

MAY_BE_PROMOTED = "reason IN ('too_deep', 'nofollow', 'duplicate_links')"
"""Refused URLs that may still be queued, in the words by which SQLite finds their index."""
IS_TROUBLE = "state IN ('failed', 'redirect')"
"""Pages that edge health is told of, in the words by which SQLite finds their index."""

FOR_RESUMING = f"""
CREATE INDEX urls_refused ON urls (id) WHERE {MAY_BE_PROMOTED};
CREATE INDEX pages_trouble ON pages (id) WHERE {IS_TROUBLE};
"""

URL_KEYS = """
CREATE TABLE url_keys (                 -- which URL has a key
    key INTEGER NOT NULL,               -- xxh3-64 of the URL with the crawl's seed, signed
    id INTEGER NOT NULL,
    PRIMARY KEY (key, id)
) WITHOUT ROWID;

CREATE TABLE new_keys (                 -- those of the newest URLs, a row a commit, until they are merged into url_keys
    last_id INTEGER PRIMARY KEY,        -- the highest of its ids
    keys BLOB NOT NULL,                 -- 8 bytes each, unsigned, little-endian
    ids BLOB NOT NULL                   -- 4 bytes each, in the same order
);
"""

EDGES_VIEW = """
CREATE VIEW edges AS                    -- needs links_json(packed) and block_json(block), which weaver registers
    SELECT links.id AS source_id,
        json_extract(edge.value, '$[0]') AS target_id,
        json_extract(edge.value, '$[1]') AS kind
    FROM links, json_each(links_json(links.packed)) AS edge
    UNION ALL
    SELECT json_extract(edge.value, '$[0]'),
        json_extract(edge.value, '$[1]'),
        json_extract(edge.value, '$[2]')
    FROM link_blocks, json_each(block_json(link_blocks.block)) AS edge
    WHERE json_extract(edge.value, '$[0]') NOT IN (SELECT id FROM links WHERE is_rewritten);
"""

TABLES = f"""
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE runs (                     -- one row for each time the crawl was started or resumed
    id INTEGER PRIMARY KEY,
    started_at REAL NOT NULL,           -- seconds since 1970, UTC
    ended_at REAL,
    weaver_version TEXT NOT NULL,
    settings TEXT NOT NULL,             -- JSON
    exit_reason TEXT NOT NULL DEFAULT '',
    cpu_s REAL NOT NULL DEFAULT 0,
    wall_s REAL NOT NULL DEFAULT 0,
    counts TEXT NOT NULL DEFAULT '{{}}'   -- JSON: the status at the end of the run
);

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

CREATE TABLE urls (                     -- one row for each known URL; the id is the node of the graph
    id INTEGER PRIMARY KEY,
    url TEXT NOT NULL,
    host_id INTEGER NOT NULL,
    depth INTEGER NOT NULL,             -- links away from the nearest seed, as discovered
    source_id INTEGER NOT NULL,         -- where it was first found; 0 for a seed
    redirects INTEGER NOT NULL,         -- redirects in a row that led here
    reason TEXT NOT NULL                -- why it was not queued; empty when it was
);
{URL_KEYS}
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
CREATE INDEX pages_duplicate ON pages (duplicate_of) WHERE state = 'duplicate';

CREATE TABLE links (                    -- a page's out-edges, packed, until they are sealed into a block
    id INTEGER PRIMARY KEY,
    packed BLOB NOT NULL,
    is_rewritten INTEGER NOT NULL DEFAULT 0 -- 1: a block may hold an older row of the page; this one counts
);
{LINK_BLOCKS}
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
{FOR_RESUMING}{NEAR_DUPLICATES}
{EDGES_VIEW}"""
