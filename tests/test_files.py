"""Files: what a disk refuses, and lines that were damaged."""

import errno
from pathlib import Path

import pytest

from reverie.files import append_line, read_lines, refusal


@pytest.mark.parametrize(
    ("number", "full"), [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EACCES, False), (errno.EROFS, False)]
)
def test_more_space_is_the_way_out_only_where_there_is_too_little(number, full):
    message = str(refusal(Path("runs/a"), 12, OSError(number, "the system's words")))
    assert message.startswith("Cannot write runs/a (12 bytes): the system's words. What was saved before is whole")
    assert ("free some space" in message) == full


@pytest.mark.parametrize(
    "damage", [b"\xff\xfe\xe9", b'{"step": 2, "loss": "\xe9"}', b"[1]", b'{"step"', b"[" * 100_000]
)
def test_a_damaged_line_is_left_out(damage, tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1, "word": "\xc3\xa9\xe2\x80\xa8"}\n' + damage + b"\n")
    append_line(path, {"step": 3})
    assert read_lines(path) == [{"step": 1, "word": "\u00e9\u2028"}, {"step": 3}]
