"""A metrics file cut, flipped, or rewritten anywhere: no reader crashes, and none takes a wrong row for a right one.

There are two readers: the running wing goes on from the good prefix, the reading wing shows what is good and says what
is not. Both decode a line with `repro.storage.metrics_file`.
"""

from __future__ import annotations

import hashlib
import json
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
        str({name: row[name] for name in ROWS[0]})
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


VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(some.characters()),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=6,
)


@given(some.dictionaries(some.text().filter(lambda key: key != "flags"), VALUES, max_size=5))
def test_a_row_is_what_json_makes_of_its_line(row):
    expected = json.loads(json.dumps(metrics_file.mark_not_finite(row), sort_keys=True))
    expected |= {key: float(sign) for key, sign in expected.pop("flags", {}).items()}
    found = metrics_file.decode(metrics_file.encode(row))
    assert found is not None
    assert {key: repr(value) for key, value in found.items()} == {
        key: repr(value) for key, value in expected.items()
    }


@pytest.mark.parametrize(
    "body", [b'{"a":[NaN,Infinity]}', b'{"a":1,"a":2}', b'{"a":1e999,"b":"\\ud800"}', b'{"a":1\n}']
)
def test_a_line_with_its_digest_is_taken_as_json_takes_it(body):
    digest = hashlib.sha256(body).hexdigest()[:8].encode()
    line = body[:-1] + b',"digest":"' + digest + b'"}\n'
    assert repr(metrics_file.decode(line)) == repr(json.loads(body))


def test_what_is_not_finite_comes_back_as_it_went():
    row = metrics_file.decode(
        metrics_file.encode({"a": float("nan"), "b": float("inf"), "c": float("-inf"), "d": 1.5})
    )
    assert math.isnan(row.pop("a"))
    assert row == {"b": float("inf"), "c": float("-inf"), "d": 1.5}
    assert b'"a":null' in metrics_file.encode({"a": float("nan")})
