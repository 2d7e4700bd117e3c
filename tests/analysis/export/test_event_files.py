"""Event files, read back by a reader that shares no code with the writer and checks every
checksum."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from experiments.cifar10 import PLAIN
from repro.analysis.export.event_files import crc32c, render_events
from repro.analysis.export.export_folder import write_event_files
from repro.analysis.export.run_series import Series, read_series
from repro.analysis.runs.run_frames import collect
from repro.errors import UserError
from repro.protocol import catalog
from repro.storage.paths import Places

RUN = catalog.load_scale("smoke")(PLAIN[20].run)
ENDED = datetime.fromisoformat("2026-01-01T01:00:00+00:00").timestamp()


def slow_crc(content: bytes) -> int:
    """CRC-32C by polynomial division, bit by bit, without a table."""
    remainder = 0xFFFFFFFF
    for byte in content:
        for bit in range(8):
            top = (remainder ^ (byte >> bit)) & 1
            remainder >>= 1
            remainder ^= 0x82F63B78 * top
    return remainder ^ 0xFFFFFFFF


def masked(content: bytes) -> int:
    crc = slow_crc(content)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32


def records(file: bytes) -> Iterator[bytes]:
    """Each record of a TFRecord file; both of its checksums must hold."""
    at = 0
    while at < len(file):
        length, length_crc = struct.unpack_from("<QI", file, at)
        assert masked(file[at : at + 8]) == length_crc
        content = file[at + 12 : at + 12 + length]
        assert len(content) == length
        (crc,) = struct.unpack_from("<I", file, at + 12 + length)
        assert masked(content) == crc
        yield content
        at += 16 + length


def fields(message: bytes) -> list[tuple[int, Any]]:
    """The fields of a message of protocol buffers by their numbers."""
    found: list[tuple[int, Any]] = []
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(message):
        key = varint()
        number, kind = key >> 3, key & 7
        if kind == 0:
            found.append((number, varint()))
        elif kind == 1:
            found.append((number, struct.unpack_from("<d", message, at)[0]))
            at += 8
        elif kind == 5:
            found.append((number, struct.unpack_from("<f", message, at)[0]))
            at += 4
        else:
            assert kind == 2
            length = varint()
            found.append((number, message[at : at + length]))
            at += length
    return found


def scalars(file: bytes) -> list[tuple[float, int, str, float]]:
    """Each number of an event file: time, step, tag, value."""
    first, *others = records(file)
    assert dict(fields(first))[3] == b"brain.Event:2"
    found = []
    for event in others:
        facts = dict(fields(event))
        for number, value in fields(facts[5]):
            assert number == 1
            about = dict(fields(value))
            found.append((facts[1], facts.get(2, 0), about[1].decode(), about[2]))
    return found


@pytest.fixture
def series(finished: Callable[..., Any], places: Places) -> Callable[..., Series]:
    def read(curve: list[Any], **metrics: float) -> Series:
        finished(RUN, curve, **metrics)
        [one] = read_series([RUN], collect(places))
        return one

    return read


@pytest.mark.parametrize(
    ("content", "crc"),
    [  # the examples of RFC 3720, and the one that every implementation is tested with
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (b"", 0),
    ],
)
def test_the_checksum_is_crc_32c(content: bytes, crc: int) -> None:
    assert crc32c(content) == slow_crc(content) == crc


def test_every_number_is_read_back_at_its_iteration(series: Callable[..., Series]) -> None:
    rows = [{"test_error": 50.0, "train_loss": 2.5}, {"test_error": 12.25, "train_loss": 0.5}]
    every = RUN.recipe.evaluate_every
    found = scalars(render_events(series(rows, test_error=12.25, parameters=269722)))
    assert found == [
        (ENDED, every, "train_loss", 2.5),
        (ENDED, every, "test_error", 50.0),
        (ENDED, 2 * every, "train_loss", 0.5),
        (ENDED, 2 * every, "test_error", 12.25),
        (ENDED, RUN.recipe.iterations, "final/test_error", 12.25),
        (ENDED, RUN.recipe.iterations, "final/parameters", 269722.0),
    ]


def test_what_is_not_finite_or_beyond_single_precision_is_read_back_as_such(
    series: Callable[..., Series],
) -> None:
    rows = [{"train_loss": math.nan, "test_loss": math.inf, "gradient_first": 3.45e38}]
    found = {tag: value for _, _, tag, value in scalars(render_events(series(rows)))}
    assert math.isnan(found["train_loss"])
    assert found["test_loss"] == found["gradient_first"] == math.inf


def test_large_steps_and_long_files_are_framed_right(series: Callable[..., Series]) -> None:
    rows = [{"iteration": 1000 * count, "test_error": count / 10} for count in range(1, 301)]
    found = scalars(render_events(series(rows)))
    assert [step for _, step, _, _ in found] == [1000 * count for count in range(1, 301)]


def test_a_run_that_has_not_ended_has_no_time(
    write_run: Callable[..., Any], places: Places
) -> None:
    write_run(RUN, [50.0])
    [one] = read_series([RUN], collect(places))
    assert scalars(render_events(one)) == [(0.0, RUN.recipe.evaluate_every, "test_error", 50.0)]


def test_a_folder_of_events_has_a_folder_for_each_run_and_is_the_same_when_written_again(
    series: Callable[..., Series], places: Places
) -> None:
    folder = places.results.parent / "events"
    [path] = write_event_files([series([50.0])], folder)
    assert path.parent == folder / RUN.id
    assert "tfevents" in path.name
    before = path.read_bytes()
    (folder / "mine.txt").write_text("mine")
    assert write_event_files([*read_series([RUN], collect(places))], folder) == [path]
    assert path.read_bytes() == before
    assert (folder / "mine.txt").read_text() == "mine"


def test_a_file_where_the_folder_should_be_is_refused(places: Places) -> None:
    places.results.mkdir()
    (places.results / "events").write_text("")
    with pytest.raises(UserError, match="is a file"):
        write_event_files([], places.results / "events")
