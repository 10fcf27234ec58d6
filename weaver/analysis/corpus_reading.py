"""CorpusReading: sources become documents in the store, each text hashed once, and reading goes on after a kill."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_128_digest

from weaver.analysis.corpora import Corpora
from weaver.analysis.corpus_archives import read_warc
from weaver.analysis.corpus_files import read_files
from weaver.analysis.corpus_keys import SMALL, KeyMaker
from weaver.analysis.corpus_rows import DAMAGED, read_csv, read_jsonl
from weaver.analysis.corpus_shingles import ShingleSet, ShingleSets, packed
from weaver.analysis.corpus_sources import (
    CSV,
    JSONL,
    PARQUET,
    WARC,
    Document,
    Fields,
    Item,
    Source,
    Unreadable,
)
from weaver.base.optional import optional_library
from weaver.persistence.corpus_store import CorpusStore, DocumentRow, KeyBlock, SourceRow

BATCH_DOCUMENTS = 1_024
LINE_SHARE = 4
"""What a line may have, as a part of the memory."""
LOOK_SHARE = 32
"""How much of a text is cut into shingles: this part of the memory, as characters."""
_TEXT, _WORDS, _PAYLOAD = b"t", b"w", b"p"

OnShare = Callable[[float], None]


class Batch:
    """What one commit brings."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.documents: list[DocumentRow] = []
        self.troubles: list[Unreadable] = []
        self.digests: dict[bytes, int] = {}
        self.shingles: list[tuple[int, bytes]] = []
        self.banded: list[tuple[int, NDArray[np.uint32]]] = []
        self.text_bytes = 0


class CorpusReading:
    """Reads the sources that are not done into the store of `corpora`."""

    def __init__(
        self,
        corpora: Corpora,
        keys: KeyMaker | None,
        fields: Fields,
        words: int,
        memory_bytes: int,
        *,
        keeps_shingles: bool = True,
    ) -> None:
        self._corpora = corpora
        self._store: CorpusStore = corpora.own
        self._keys = keys
        self._fields = fields
        self._sets = ShingleSets(words)
        self._memory_bytes = memory_bytes
        self._keeps_shingles = keeps_shingles

    def read(self, sources: list[Source], on_share: OnShare) -> None:
        """All that is left of the sources; a source that breaks off is counted and named."""
        total = max(1, sum(source.size_bytes for source in sources))
        passed = 0
        for source, row in zip(sources, self._store.sources(), strict=True):
            if not row.is_done:
                self._read_source(source, row, passed, total, on_share)
            passed += source.size_bytes
            on_share(passed / total)

    def _read_source(self, source: Source, row: SourceRow, passed: int, total: int, on_share: OnShare) -> None:
        items = self._guarded(source, row)
        while True:
            batch, last = self._batch(items)
            if last is None:
                break
            row = row._replace(position=last.position, place=last.place)
            self._commit(batch, row)
            on_share(min(1.0, (passed + last.passed_bytes) / total))
        with self._store.transaction():
            self._store.put_source(row._replace(is_done=True))

    def _batch(self, items: Iterator[Item]) -> tuple[Batch, Item | None]:
        """Up to BATCH_DOCUMENTS items, or as many as have a LOOK_SHARE of the memory in text; and the last of them."""
        batch, last = Batch(self._store.count() + 1), None
        for item in islice(items, BATCH_DOCUMENTS):
            last = item
            if isinstance(item, Unreadable):
                batch.troubles.append(item)
            else:
                self._take(batch, item)
            if batch.text_bytes > self._memory_bytes // LOOK_SHARE:
                break
        return batch, last

    def _guarded(self, source: Source, row: SourceRow) -> Iterator[Item]:
        """The items, and one more that says why where the source breaks off."""
        last: Item | SourceRow = row
        try:
            for item in self._items(source, row):
                last = item
                yield item
        except DAMAGED as error:
            yield Unreadable("damaged", f"{source.path.name}: {error}", last.position + 1, last.place)

    def _items(self, source: Source, row: SourceRow) -> Iterator[Item]:
        most_bytes = self._memory_bytes // LINE_SHARE
        if source.form in (JSONL, CSV):
            read = read_jsonl if source.form == JSONL else read_csv
            return read(source.path, self._fields, row.position, row.place, most_bytes)
        if source.form == WARC:
            return read_warc(source.path, row.position, row.place, most_bytes)
        if source.form == PARQUET:
            # pyarrow takes 0.2 s and 50 MB to import, and not everyone has it.
            module = optional_library("weaver.analysis.corpus_parquet", extra="parquet")
            items: Iterator[Item] = module.read_parquet(source.path, self._fields, row.position, most_bytes)
            return items
        return read_files(source, row.position, most_bytes)

    def _take(self, batch: Batch, document: Document) -> None:
        number = batch.first + len(batch.documents)
        payload = _PAYLOAD + document.payload.encode() if document.payload else b""
        if document.text is None:
            same_as = self._same(batch, payload) if payload else 0
            if same_as:
                batch.documents.append(_row(number, document, 0, 0, same_as, is_same_text=True))
            else:
                batch.troubles.append(Unreadable("revisit", document.id, document.position, document.place))
            return
        batch.documents.append(self._taken(batch, number, document, document.text))
        if payload:
            batch.digests.setdefault(payload, number)

    def _taken(self, batch: Batch, number: int, document: Document, text: str) -> DocumentRow:
        """The document as it is remembered, its digests and keys put into the batch where they are new."""
        encoded = text.encode("utf-8", "surrogatepass")
        batch.text_bytes += len(encoded)
        digest = _TEXT + xxh3_128_digest(encoded)
        same_as = self._same(batch, digest) if encoded else 0
        if same_as or not encoded:
            return _row(number, document, len(encoded), 0, same_as, is_same_text=bool(same_as))
        batch.digests[digest] = number
        same_as, shingles = self._take_shingles(batch, number, document, text)
        return _row(number, document, len(encoded), shingles, same_as, is_same_text=False)

    def _take_shingles(self, batch: Batch, number: int, document: Document, text: str) -> tuple[int, int]:
        """The document with the same shingles, and how many there are."""
        if self._keys is None:
            return 0, 0
        most = self._memory_bytes // LOOK_SHARE
        if len(text) > most:
            batch.troubles.append(Unreadable("text_cut", f"{document.id}: compared up to character {most}", 0, 0))
        shingles = self._sets.of(text[:most])
        if not len(shingles):
            return 0, 0
        digest = _WORDS + xxh3_128_digest(shingles.tobytes())
        same_as = self._same(batch, digest)
        if not same_as:
            batch.digests[digest] = number
            self._keep(batch, number, shingles, self._keys)
        return same_as, len(shingles)

    def _keep(self, batch: Batch, number: int, shingles: ShingleSet, keys: KeyMaker) -> None:
        if self._keeps_shingles or len(shingles) <= SMALL:
            batch.shingles.append((number, packed(shingles)))
        else:
            batch.shingles.append((number, packed(keys.signature(shingles))))
        of_bands = keys.band_keys(shingles)
        if of_bands is not None:
            batch.banded.append((number, of_bands))

    def _same(self, batch: Batch, digest: bytes) -> int:
        """The first document with this digest, of earlier corpora, of this one on disk or of the batch; 0 for none."""
        in_batch = batch.digests.get(digest)
        return self._corpora.own_offset + in_batch if in_batch else self._corpora.number_of(digest)

    def _commit(self, batch: Batch, source: SourceRow) -> None:
        store = self._store
        with store.transaction():
            store.add_documents(document._replace(source_id=source.id) for document in batch.documents)
            store.add_digests(batch.digests.items())
            store.add_shingles(batch.shingles)
            for trouble in batch.troubles:
                store.add_trouble(trouble.reason, trouble.where)
            if batch.banded:
                numbers = np.array([number for number, _ in batch.banded], np.uint32).tobytes()
                by_band = np.ascontiguousarray(np.stack([keys for _, keys in batch.banded]).T)
                for band, keys in enumerate(by_band):
                    store.add_keys(band, batch.first, KeyBlock(numbers, keys.tobytes()))
            store.put_source(source)


def _row(
    number: int, document: Document, text_bytes: int, shingles: int, same_as: int, *, is_same_text: bool
) -> DocumentRow:
    """A row without its source, whose id is written so that any file can hold it."""
    name = document.id.encode("utf-8", "replace").decode()
    return DocumentRow(number, name, 0, document.position, text_bytes, shingles, same_as, is_same_text)
