"""The byte format of sealed blocks: rows of edges at a third of a byte a link, for RAM and disk alike."""

from weaver.codec.block_codec import BLOCK_BYTES, BlockCodec, sort_rows, split_rows
from weaver.codec.columns import Degrees, Kinds, Nodes, Offsets, Row, Targets
from weaver.codec.container import BlockHeader, read_header, verify
from weaver.codec.decoded_block import DecodedBlock

__all__ = [
    "BLOCK_BYTES",
    "BlockCodec",
    "BlockHeader",
    "DecodedBlock",
    "Degrees",
    "Kinds",
    "Nodes",
    "Offsets",
    "Row",
    "Targets",
    "read_header",
    "sort_rows",
    "split_rows",
    "verify",
]
