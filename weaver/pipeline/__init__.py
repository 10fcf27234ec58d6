"""The one place that knows every stage: it constructs them and carries each page through them."""

from weaver.pipeline.assemble import canonical_seeds, open_crawl
from weaver.pipeline.crawl import Crawl
from weaver.pipeline.crawl_graph import CrawlGraph
from weaver.pipeline.engine import ExitReason
from weaver.pipeline.page_run import PageResult

__all__ = ["Crawl", "CrawlGraph", "ExitReason", "PageResult", "canonical_seeds", "open_crawl"]
