BEGIN TRANSACTION;
CREATE TABLE contents (                 -- the first page that was seen with a digest
    digest BLOB PRIMARY KEY,            -- a body's with 'b' in front, a text's with 't'
    page_id INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "contents" VALUES(X'6231313131313131313131313131313131',1);
INSERT INTO "contents" VALUES(X'6232323232323232323232323232323232',2);
CREATE TABLE frontier (                 -- what waits to be fetched
    host_id INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    url_id INTEGER NOT NULL,
    PRIMARY KEY (host_id, priority, url_id)
) WITHOUT ROWID;
INSERT INTO "frontier" VALUES(1,1,7);
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
INSERT INTO "hosts" VALUES(1,'http://a.test',1700000006.0,2.0,0,'ok',X'28B52FFD205C0502004403557365722D6167656E743A206F746865720A446973616C6C6F773A202F0A0A2A707269766174652F2023206B656570206F75740A03003311F2C9DD05A79C',1700000000.0,0.0);
INSERT INTO "hosts" VALUES(2,'http://b.test:8080',0.0,NULL,0,'',X'',0.0,0.0);
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
INSERT INTO "link_blocks" VALUES(1,1,1,4,2,4,14,'{"0": 10, "1": 1, "2": 1, "3": 1, "4": 1}',111,97,X'774201FF040000000E000000010000000400000004020400000004000000040400000004000000060A0000000A000000080E0000000E00000009020201020000020101010101010101010100000000000000000100030004026E588AB930846C07');
CREATE TABLE links (                    -- a page's out-edges, packed, until they are sealed into a block
    id INTEGER PRIMARY KEY,
    packed BLOB NOT NULL,
    is_rewritten INTEGER NOT NULL DEFAULT 0 -- 1: a block may hold an older row of the page; this one counts
);
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO "meta" VALUES('crawl_seed','4297672300427258233');
INSERT INTO "meta" VALUES('schema_version','2');
INSERT INTO "meta" VALUES('status','{"state": "running"}');
CREATE TABLE near_bands (               -- the keys of signatures up to the number that `meta` has as near_merged_to
    key INTEGER NOT NULL,               -- the upper 47 bits
    number INTEGER NOT NULL,
    PRIMARY KEY (key, number)
) WITHOUT ROWID;
CREATE TABLE near_clusters (            -- the pages that such pairs join, as of the last run's end
    page_id INTEGER PRIMARY KEY,
    representative_id INTEGER NOT NULL  -- the shortest URL's
);
INSERT INTO "near_clusters" VALUES(1,1);
INSERT INTO "near_clusters" VALUES(2,1);
CREATE TABLE near_duplicates (          -- which earlier page a page is nearly the same as
    page_id INTEGER PRIMARY KEY,
    other_id INTEGER NOT NULL,
    similarity REAL NOT NULL,           -- Jaccard index of the two texts, estimated
    boilerplate REAL NOT NULL           -- share of the page's text that its host repeats, which was left out
);
INSERT INTO "near_duplicates" VALUES(2,1,0.91,0.0);
CREATE TABLE new_keys (                 -- those of the newest URLs, a row a commit, until they are merged into url_keys
    last_id INTEGER PRIMARY KEY,        -- the highest of its ids
    keys BLOB NOT NULL,                 -- 8 bytes each, unsigned, little-endian
    ids BLOB NOT NULL                   -- 4 bytes each, in the same order
);
INSERT INTO "new_keys" VALUES(9,X'32C9050FC40F9F3A29A64F4BA2D64A9DDD2C5E7E6D4C57BF',X'070000000800000009000000');
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
INSERT INTO "pages" VALUES(1,'fetched',200,'text/html',900,X'31313131313131313131313131313131',X'',0,'Front',1700000000.0,'');
INSERT INTO "pages" VALUES(2,'fetched',200,'text/html',500,X'32323232323232323232323232323232',X'',0,'=HYPERLINK("x")[2J <b>&"￾‮ end',1700000001.0,'');
INSERT INTO "pages" VALUES(3,'duplicate',200,'text/html',500,X'32323232323232323232323232323232',X'',2,'Two',1700000002.0,'');
INSERT INTO "pages" VALUES(4,'redirect',301,'',0,X'',X'',0,'',1700000003.0,'');
INSERT INTO "pages" VALUES(5,'blocked_robots',0,'',0,X'',X'',0,'',1700000004.0,'robots');
INSERT INTO "pages" VALUES(6,'failed',404,'',0,X'',X'',0,'',1700000005.0,'http_404');
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
INSERT INTO "runs" VALUES(1,1700000000.0,1700000009.0,'0.1.0','{"crawl":{"seeds":["http://a.test/"],"max_pages":null,"max_depth":null,"max_duration":null,"concurrency":64,"nofollow":"respect","duplicates":"elsewhere","duplicates_per_template":200,"event_loop":"auto"},"scope":{"mode":"host","include":[],"exclude":[],"max_url_length":2048,"max_pages_per_host":null,"ports":[80,443]},"url":{"drop_parameters":["utm_source","utm_medium","utm_campaign","utm_term","utm_content","utm_id","gclid","dclid","fbclid","msclkid","mc_cid","mc_eid","igshid","yclid"],"sort_query":false},"politeness":{"delay":1.0,"per_host":1,"robots":"obey","robots_ttl":86400.0,"max_crawl_delay":60.0,"max_retry_after":3600.0,"max_backoff":300.0,"max_hosts":200000,"prune_to":0.9,"user_agent":"","contact":"","robots_token":"weaver","opt_out":[]},"fetch":{"timeout":30.0,"connect_timeout":10.0,"max_body":8388608,"max_header":65536,"max_ratio":200.0,"min_rate":128,"max_redirects":10,"retries":2,"allow_private":false,"allow_networks":[],"cookies":false,"headers":{},"verify_tls":true,"dns_ttl":300.0,"dns_entries":10000},"parse":{"max_links":20000,"max_depth":1000,"default_charset":"windows-1252"},"dedupe":{"max_digests":2000000,"prune_to":0.9,"disk":"lookup","text":true,"min_text":256},"frontier":{"window":100000,"window_per_host":2000,"active_hosts":50000},"graph":{"max_edges":null,"max_nodes":null,"retention":"oldest","grace":0.02,"trim_to":0.95,"headroom":0.0,"grow_to":4.0,"sealed":true,"disk_limit":null,"edge_health":"active_set","max_edge_health":null},"memory":{"budget":268435456,"governor":true,"sample_min":5.0,"sample_max":60.0,"max_pause":600.0,"collector":"tuned"},"persistence":{"commit_interval":0.05,"commit_pages":512,"queue_pages":1024,"synchronous":"normal"}}','finished',1.0,9.0,'{}');
CREATE TABLE signatures (               -- what the text of each new page is compared by, in the order of commit
    number INTEGER PRIMARY KEY,
    page_id INTEGER NOT NULL,
    row BLOB NOT NULL,                  -- seven words of 64 bits, the page's id in the upper half of the first
    keys BLOB NOT NULL                  -- eight words of 64 bits, by which it is found
);
INSERT INTO "signatures" VALUES(1,1,X'0000000001000000111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111',X'22222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222');
INSERT INTO "signatures" VALUES(2,2,X'0000000002000000111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111111',X'22222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222222');
CREATE TABLE url_keys (                 -- which URL has a key
    key INTEGER NOT NULL,               -- xxh3-64 of the URL with the crawl's seed, signed
    id INTEGER NOT NULL,
    PRIMARY KEY (key, id)
) WITHOUT ROWID;
INSERT INTO "url_keys" VALUES(-4664194980944888197,6);
INSERT INTO "url_keys" VALUES(-4596278022070752162,1);
INSERT INTO "url_keys" VALUES(6789186685644202295,2);
INSERT INTO "url_keys" VALUES(7969191214710734677,4);
INSERT INTO "url_keys" VALUES(8360063075257379492,3);
INSERT INTO "url_keys" VALUES(8446388300131568521,5);
CREATE TABLE urls (                     -- one row for each known URL; the id is the node of the graph
    id INTEGER PRIMARY KEY,
    url TEXT NOT NULL,
    host_id INTEGER NOT NULL,
    depth INTEGER NOT NULL,             -- links away from the nearest seed, as discovered
    source_id INTEGER NOT NULL,         -- where it was first found; 0 for a seed
    redirects INTEGER NOT NULL,         -- redirects in a row that led here
    reason TEXT NOT NULL                -- why it was not queued; empty when it was
);
INSERT INTO "urls" VALUES(1,'http://a.test/',1,0,0,0,'');
INSERT INTO "urls" VALUES(2,'http://a.test/two',1,1,1,0,'');
INSERT INTO "urls" VALUES(3,'http://a.test/copy',1,1,1,0,'');
INSERT INTO "urls" VALUES(4,'http://a.test/moved',1,1,1,0,'');
INSERT INTO "urls" VALUES(5,'http://a.test/private/x',1,1,1,0,'');
INSERT INTO "urls" VALUES(6,'http://a.test/gone',1,1,1,0,'');
INSERT INTO "urls" VALUES(7,'http://a.test/next',1,1,1,0,'');
INSERT INTO "urls" VALUES(8,'http://b.test:8080/',2,1,1,0,'out_of_scope');
INSERT INTO "urls" VALUES(9,'http://a.test/ad',1,1,1,0,'nofollow');
CREATE INDEX pages_duplicate ON pages (duplicate_of) WHERE state = 'duplicate';
CREATE INDEX links_rewritten ON links (id) WHERE is_rewritten;
CREATE INDEX link_blocks_span ON link_blocks (span_bits, first_node, last_node);
CREATE INDEX link_blocks_facts ON link_blocks (first_node, last_node, born, rows, links, packed_bytes, block_bytes);
CREATE INDEX urls_refused ON urls (id) WHERE reason IN ('too_deep', 'nofollow', 'duplicate_links');
CREATE INDEX pages_trouble ON pages (id) WHERE state IN ('failed', 'redirect');
CREATE INDEX near_duplicates_other ON near_duplicates (other_id);
CREATE INDEX near_clusters_representative ON near_clusters (representative_id);
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
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('link_blocks',1);
COMMIT;
