"""A metrics file cut, flipped, or rewritten anywhere: no reader crashes, and none takes a wrong row
for a right one.

There are two readers: the running wing goes on from the good prefix, the reading wing shows what is
good and says what is not. Both decode a line with `repro.storage.metrics_file`.
"""

from __future__ import annotations

import hashlib
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as some

from repro.analysis.runs import run_record
from repro.definition.run import to_definition
from repro.storage import metrics_file
from repro.storage.atomic import to_json
from repro.storage.paths import Folder
from tests.reliability.harness.small_run import small_run

ROWS = [
    {
        "iteration": 2,
        "rate": 0.1,
        "train_error": 87.5,
        "train_loss": 2.302585092994046,
        "test_error": 90.0,
    },
    {
        "iteration": 4,
        "rate": 0.1,
        "train_error": 50.0,
        "train_loss": float("nan"),
        "test_error": 88.25,
    },
    {
        "iteration": 6,
        "rate": 0.01,
        "train_error": 12.5,
        "train_loss": 1e-300,
        "test_error": float("inf"),
    },
]
CONTENT = b"".join(map(metrics_file.encode, ROWS))
TRUE = {row["iteration"]: str(row) for row in ROWS}


@pytest.fixture
def folder(tmp_path) -> Folder:
    folder = Folder(tmp_path / "run")
    folder.path.mkdir()
    folder.definition.write_bytes(to_json(to_definition(small_run())))
    return folder


def prefix(content: bytes) -> list[str]:
    """What training goes on from."""
    return [
        str({name: getattr(row, name) for name in ROWS[0]})
        for row in metrics_file.read_valid_prefix(content)[0]
    ]


def shown(folder: Folder, content: bytes) -> tuple[list[str], str | None]:
    """What the reading wing shows, and what it says about it."""
    folder.metrics.write_bytes(content)
    record = run_record.read_run(folder)
    assert record["state"] == "unfinished"
    columns = [record[f"curve.{name}"] for name in ROWS[0]]
    return [
        str(dict(zip(ROWS[0], row, strict=True))) for row in zip(*columns, strict=True)
    ], record["problem"]


def wrong(rows: list[str]) -> list[str]:
    return [row for row in rows if row not in TRUE.values()]


def test_cut_at_every_byte_both_readers_keep_the_good_rows_and_no_other(folder):
    for size in range(len(CONTENT) + 1):
        cut = CONTENT[:size]
        expected = list(TRUE.values())[: cut.count(b"\n")]
        rows, problem = shown(folder, cut)
        assert prefix(cut) == rows == expected
        torn = not cut.endswith(b"\n") and cut != b""
        assert problem == ("a torn tail of 1 line dropped from metrics.jsonl" if torn else None)


def test_with_any_one_bit_flipped_no_reader_believes_a_wrong_row(folder):
    for bit in range(8 * len(CONTENT)):
        place, power = divmod(bit, 8)
        flipped = bytearray(CONTENT)
        flipped[place] ^= 1 << power
        rows = prefix(bytes(flipped))
        assert not wrong(rows)
        assert len(rows) < len(ROWS)
        # Of each byte one bit, and all of the line ends, for the reader that opens the file.
        if power == place % 8 or CONTENT[place] == ord("\n"):
            rows, problem = shown(folder, bytes(flipped))
            assert not wrong(rows)
            assert len(rows) < len(ROWS)
            assert problem


def test_a_tail_of_nul_bytes_or_of_anything_else_is_dropped_and_reported(folder):
    chance = random.Random(0)
    for tail in (
        bytes(1),
        bytes(4096),
        b"\xff\xfe\x00",
        "ä".encode("latin-1"),
        b"null\n",
        b"{}\n",
        chance.randbytes(999),
    ):
        rows, problem = shown(folder, CONTENT + tail)
        assert prefix(CONTENT + tail) == rows == list(TRUE.values())
        assert "torn tail" in problem


def test_windows_line_ends_and_another_encoding_are_seen(folder):
    for content in (
        CONTENT.replace(b"\n", b"\r\n"),
        CONTENT.decode().encode("utf-16"),
        b"\xef\xbb\xbf" + CONTENT,
    ):
        rows, problem = shown(folder, content)
        assert not wrong(rows)
        assert not wrong(prefix(content))
        assert problem


def test_lines_that_change_places_or_come_twice_are_still_the_lines_that_were_written(folder):
    first, second, third = CONTENT.splitlines(keepends=True)
    for content in (second + first + third, first + first + second):
        assert not wrong(shown(folder, content)[0])
        assert not wrong(prefix(content))


NUMBERS = some.none() | some.integers(-(2**53), 2**53) | some.floats()


@given(some.fixed_dictionaries(dict.fromkeys(metrics_file.CURVE[1:], NUMBERS)))
def test_a_row_comes_back_as_it_went(row):
    found = metrics_file.decode(metrics_file.encode({"iteration": 20} | row))
    assert found is not None
    for name, value in row.items():
        expected = None if value is None else float(value)
        assert repr(getattr(found, name)) == repr(expected)


@pytest.mark.parametrize(
    "body",
    [
        b'{"iteration":[NaN,Infinity]}',
        b'{"iteration":"20"}',
        b'{"test_error":9.0}',
        b'{"iteration":20,"test_error":1e999}',
        b'{"iteration":20,"test_error":null,"flags":{"test_error":"large"}}',
    ],
)
def test_a_line_with_its_digest_that_is_no_point_of_a_curve_is_not_believed(body):
    digest = hashlib.sha256(body).hexdigest()[:8].encode()
    line = body[:-1] + b',"digest":"' + digest + b'"}\n'
    assert metrics_file.decode(line) is None


def test_what_is_not_finite_comes_back_as_it_went():
    values = {"train_loss": float("nan"), "test_loss": float("-inf"), "test_error": 1.5}
    line = metrics_file.encode({"iteration": 20} | values)
    row = metrics_file.decode(line)
    assert math.isnan(row.train_loss)
    assert (row.test_loss, row.test_error) == (float("-inf"), 1.5)
    assert b'"train_loss":null' in line
