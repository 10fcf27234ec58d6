"""Seen before? Exact duplicates by body and text, near ones by signatures, and the clusters that they make."""

from weaver.dedupe.clusters import Clusters
from weaver.dedupe.content_index import ColdContents, ContentIndex
from weaver.dedupe.duplicate_links import DuplicateLinks
from weaver.dedupe.large_text import LargeTexts
from weaver.dedupe.main_text import BoilerplateMemory, MainText
from weaver.dedupe.near import ColdBands, ColdDocuments, ColdSignatures, Match, NearIndex
from weaver.dedupe.near_pages import NearPages
from weaver.dedupe.representative import ClusterKind, Member, kind_of, representative
from weaver.dedupe.shingles import jaccard
from weaver.dedupe.signature import SignatureEngine

__all__ = [
    "BoilerplateMemory",
    "ClusterKind",
    "Clusters",
    "ColdBands",
    "ColdContents",
    "ColdDocuments",
    "ColdSignatures",
    "ContentIndex",
    "DuplicateLinks",
    "LargeTexts",
    "MainText",
    "Match",
    "Member",
    "NearIndex",
    "NearPages",
    "SignatureEngine",
    "jaccard",
    "kind_of",
    "representative",
]
