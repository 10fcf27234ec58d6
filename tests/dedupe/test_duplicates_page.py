"""The examples of docs/duplicates.md, run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "duplicates.md"
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_examples_print_what_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    """Each block runs after the one before it, and finds what its comments promise."""
    names: dict[str, object] = {}
    for block in _BLOCK.findall(PAGE.read_text("utf-8")):
        exec(block, names)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "None"
    assert lines[1].startswith("Match(doc_id=1, similarity=0.99")
    assert lines[2] == "[]"
    assert lines[4:7] == ["new", "same_text as page 1", "2 digests, 0 forgotten"]
    assert lines[7:10] == ["1 [1, 2, 9]", "[(1, 1), (2, 1), (9, 1)]", "http://a.test/story content"]
    assert lines[10] == "This is story 9 and no other"
