"""Everything a user can set: one frozen model a stage, each value with its unit, its bound and what it is for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from weaver.base.units import parse_duration, parse_size
from weaver.base.validators import enough_memory, network, number_not_truth, regular_expression, sendable_headers

Count = Annotated[int, BeforeValidator(number_not_truth)]
Ratio = Annotated[float, BeforeValidator(number_not_truth)]
Pattern = Annotated[str, AfterValidator(regular_expression)]
Network = Annotated[str, AfterValidator(network)]
Headers = Annotated[dict[str, str], AfterValidator(sendable_headers)]
Size = Annotated[int, BeforeValidator(parse_size), Field(ge=0)]
Duration = Annotated[float, BeforeValidator(parse_duration), Field(ge=0)]
RepresentativeRule = Literal["auto", "canonical", "shortest_url", "first_seen", "most_linked"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CrawlSettings(_Section):
    """What to crawl, and when to stop."""

    seeds: tuple[str, ...] = Field(default=(), description="URLs the crawl starts from")
    max_pages: Annotated[Count, Field(ge=1)] | None = Field(
        default=None, description="stop after this many pages were fetched"
    )
    max_depth: Annotated[Count, Field(ge=0)] | None = Field(
        default=None, description="links away from the nearest seed (redirects not counted)"
    )
    max_duration: Duration | None = Field(
        default=None, description="stop after this long; what is under way gets 2 s more"
    )
    concurrency: Count = Field(default=64, ge=1, le=4096, description="requests under way at once, all hosts together")
    workers: Literal["auto"] | Annotated[Count, Field(ge=1, le=64)] = Field(
        default="auto",
        description="processes in all; those beyond the first fetch and parse; auto: one, and more once it is busy",
    )
    nofollow: Literal["respect", "follow"] = Field(
        default="respect", description="whether links marked nofollow (rel, meta robots, X-Robots-Tag) are left alone"
    )
    duplicates: Literal["never", "elsewhere", "always"] = Field(
        default="elsewhere", description="whether the links of a duplicate page are followed"
    )
    duplicates_per_template: Count = Field(
        default=200, ge=0, description="how many duplicates of one URL template on a host have their links followed"
    )
    duplicate_bodies: bool = Field(
        default=True, description="whether the library hands out a duplicate's body and text"
    )
    event_loop: Literal["auto", "asyncio"] = Field(
        default="auto", description="uvloop where it is installed, or asyncio's own"
    )


class ScopeSettings(_Section):
    """Which URLs belong to the crawl."""

    mode: Literal["host", "domain", "prefix", "any"] = Field(
        default="host", description="same host as a seed, same registrable domain, below a seed's folder, or anywhere"
    )
    include: tuple[Pattern, ...] = Field(
        default=(), description="regular expressions; where given, a URL must match one"
    )
    exclude: tuple[Pattern, ...] = Field(
        default=(), description="regular expressions; a URL that matches one is left out"
    )
    max_url_length: Count = Field(default=2048, ge=16, description="characters; longer URLs are left out")
    max_pages_per_host: Annotated[Count, Field(ge=1)] | None = Field(default=None, description="pages of one host")
    ports: tuple[Count, ...] = Field(default=(80, 443), description="ports allowed besides those of the seeds")


class UrlSettings(_Section):
    """The canonical profile: which spellings of a URL count as one."""

    drop_parameters: tuple[str, ...] = Field(
        default=(
            "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "utm_id",
            "gclid", "dclid", "fbclid", "msclkid", "mc_cid", "mc_eid", "igshid", "yclid",
        ),
        description="query parameters that name a campaign, not a page",
    )  # fmt: skip
    sort_query: bool = Field(default=False, description="order query parameters by name")


class PolitenessSettings(_Section):
    """How weaver behaves towards a host."""

    delay: Duration = Field(default=1.0, description="between two requests to one host")
    per_host: Count = Field(default=1, ge=1, le=256, description="requests under way at one host")
    robots: Literal["obey", "ignore"] = Field(default="obey", description="robots.txt, RFC 9309")
    robots_ttl: Duration = Field(
        default=86_400.0, description="how long a robots.txt is believed (at most 24 h by the RFC)"
    )
    max_crawl_delay: Duration = Field(default=60.0, description="a longer Crawl-delay is cut to this")
    max_retry_after: Duration = Field(default=3_600.0, description="a longer Retry-After is cut to this")
    max_backoff: Duration = Field(default=300.0, description="the longest pause after failures in a row")
    max_hosts: Count = Field(default=200_000, ge=1, description="hosts whose state is kept in RAM")
    prune_to: Ratio = Field(default=0.9, ge=0.1, le=1, description="what a full table of hosts is pruned to")
    user_agent: str = Field(default="", description="sent with each request; empty: weaver's own, with the contact")
    contact: str = Field(default="", description="a URL or e-mail address that site owners can write to")
    robots_token: str = Field(default="weaver", description="the product token looked up in robots.txt")
    opt_out: tuple[str, ...] = Field(default=(), description="hosts (and their subdomains) that are never visited")


class FetchSettings(_Section):
    """One request: its limits, and what is refused."""

    timeout: Duration = Field(default=30.0, description="one request in all, from connect to the last byte")
    connect_timeout: Duration = Field(default=10.0, description="name look-up, TCP and TLS")
    max_body: Size = Field(default=8 << 20, description="bytes of a decoded body; the rest is cut off")
    max_header: Size = Field(default=64 << 10, description="bytes of all headers of a response")
    max_ratio: Ratio = Field(default=200.0, ge=1, description="decoded bytes for one received, beyond the first 64 KiB")
    min_rate: Size = Field(default=128, description="bytes per second, judged over 10 s windows")
    max_redirects: Count = Field(default=10, ge=0, description="redirects in a row")
    retries: Count = Field(default=2, ge=0, le=20, description="further tries of a request that failed")
    allow_private: bool = Field(default=False, description="private, loopback and link-local addresses may be visited")
    allow_networks: tuple[Network, ...] = Field(default=(), description="networks that may be visited though private")
    cookies: bool = Field(default=False, description="keep and send cookies, per host, for the run")
    headers: Headers = Field(default={}, description="further request headers, sent to the seeds' hosts only")
    verify_tls: bool = Field(default=True, description="refuse certificates that don't verify")
    dns_ttl: Duration = Field(default=300.0, description="how long an address is believed")
    dns_entries: Count = Field(default=10_000, ge=1, description="names whose addresses are kept")


class ParseSettings(_Section):
    """What is read from a page."""

    max_links: Count = Field(default=20_000, ge=1, description="links taken from one page")
    max_depth: Count = Field(
        default=1_000, ge=16, description="unclosed elements; deeper pages take the slow, safe path"
    )
    max_tree: Size = Field(
        default=1 << 20, description="bytes of markup; longer pages are read without a tree, for their links and text"
    )
    default_charset: str = Field(
        default="windows-1252", description="where nothing names one and the bytes aren't UTF-8"
    )


class DedupeSettings(_Section):
    """What counts as seen before."""

    max_digests: Count = Field(default=2_000_000, ge=1, description="digests kept in RAM")
    prune_to: Ratio = Field(default=0.9, ge=0.1, le=1, description="what a full map of digests is pruned to")
    disk: Literal["lookup", "drop"] = Field(
        default="lookup", description="whether a digest that left RAM is still found"
    )
    text: bool = Field(default=True, description="compare the visible text too, not only the bytes")
    min_text: Count = Field(default=256, ge=0, description="characters; a shorter text says nothing")
    near: bool = Field(default=True, description="find pages whose texts are nearly the same")
    similarity: Ratio = Field(
        default=0.85, ge=0.5, le=1, description="Jaccard index of two texts' runs of five words, from which they are"
    )
    boilerplate: bool = Field(
        default=True, description="leave out of these texts what a host repeats on page after page"
    )
    representative: RepresentativeRule = Field(
        default="auto", description="which page stands for its duplicates; auto: the shortest URL"
    )


class FrontierSettings(_Section):
    """What waits to be fetched."""

    window: Count = Field(default=100_000, ge=16, description="queued URLs kept in RAM, all hosts together")
    window_per_host: Count = Field(default=2_000, ge=1, description="queued URLs kept in RAM for one host")
    active_hosts: Count = Field(
        default=50_000, ge=1, description="hosts with a queue in RAM; further ones wait on disk"
    )


class GraphSettings(_Section):
    """The resident part of the link graph."""

    max_edges: Annotated[Count, Field(ge=1)] | None = Field(
        default=None, description="edges kept in RAM; default: what the account holds"
    )
    max_nodes: Annotated[Count, Field(ge=1)] | None = Field(
        default=None, description="nodes kept in RAM; default: what the account holds"
    )
    retention: Literal["oldest", "least_recently_seen", "least_linked", "host_share", "score"] = Field(
        default="oldest", description="which pages' edges leave RAM first"
    )
    grace: Ratio = Field(default=0.0, ge=0, le=1, description="the part by which a cap may be passed before a prune")
    trim_to: Ratio = Field(default=0.95, ge=0.1, le=1, description="the part of a cap that a prune leaves")
    headroom: Ratio = Field(
        default=0.0, ge=0, le=1, description="by which part a cap that is reached grows, while the account has room"
    )
    grow_to: Ratio = Field(default=4.0, ge=1, description="how many times its setting a cap may grow in all")
    sealed: bool = Field(default=True, description="whether pages that no longer change are kept compressed")
    disk_limit: Size | None = Field(
        default=None, description="bytes of links kept on disk, the oldest leave; default: all of them"
    )
    edge_health: Literal["active_set", "strict_lru"] = Field(
        default="active_set", description="of link targets, keep those that fail or moved, or the last ones checked"
    )
    max_edge_health: Annotated[Count, Field(ge=1)] | None = Field(
        default=None, description="link targets whose health is kept in RAM; default: what the account holds"
    )


class MemorySettings(_Section):
    """The one byte budget."""

    budget: Annotated[Size, AfterValidator(enough_memory)] = Field(
        default=256 << 20, description="for all of weaver's own structures together, at least 1 MiB"
    )
    governor: bool = Field(
        default=True, description="whether memory pressure slows, shrinks and pauses the crawl; it is recorded always"
    )
    sample_min: Annotated[Duration, Field(ge=0.01)] = Field(
        default=5.0, description="between two looks at memory while it is calm and moves"
    )
    sample_max: Annotated[Duration, Field(ge=0.01)] = Field(
        default=60.0, description="between two looks at memory that has been steady for long"
    )
    max_pause: Duration = Field(
        default=600.0, description="a longer wait for memory to come free ends the run, resumable"
    )
    collector: Literal["tuned", "default"] = Field(
        default="tuned", description="Python's garbage collector: set for a crawl while one is open, or left alone"
    )


class PersistenceSettings(_Section):
    """How pages reach the disk."""

    commit_interval: Duration = Field(
        default=0.05, le=0.2, description="the longest a finished page waits for its commit"
    )
    commit_pages: Count = Field(default=512, ge=1, le=512, description="pages of one commit")
    queue_pages: Count = Field(
        default=1_024, ge=1, description="finished pages waiting for the writer, then the crawl waits"
    )
    synchronous: Literal["normal", "full"] = Field(default="normal", description="SQLite's PRAGMA synchronous")
    seal_pages: Count = Field(
        default=16_384, ge=1, description="pages whose links gather before they are sealed into compressed blocks"
    )


class WarcSettings(_Section):
    """The archive of what was fetched, in WARC files."""

    directory: str | None = Field(
        default=None, min_length=1, description="where it is kept, seen from the crawl's directory; default: none is"
    )
    max_file: Size = Field(default=1 << 30, ge=1, description="bytes of a file as it lies on the disk, then the next")
    compress: Count = Field(default=5, ge=0, le=9, description="gzip level of each record; 0 leaves them plain")
    duplicates: Literal["revisit", "response", "none"] = Field(
        default="revisit", description="of a payload that the archive has: a record that names it, it again, or nothing"
    )


class Settings(_Section):
    """All settings of a crawl. `weaver config show` prints them, `weaver config schema` their JSON schema."""

    crawl: CrawlSettings = CrawlSettings()
    scope: ScopeSettings = ScopeSettings()
    url: UrlSettings = UrlSettings()
    politeness: PolitenessSettings = PolitenessSettings()
    fetch: FetchSettings = FetchSettings()
    parse: ParseSettings = ParseSettings()
    dedupe: DedupeSettings = DedupeSettings()
    frontier: FrontierSettings = FrontierSettings()
    graph: GraphSettings = GraphSettings()
    memory: MemorySettings = MemorySettings()
    persistence: PersistenceSettings = PersistenceSettings()
    warc: WarcSettings = WarcSettings()
