"""Buffers of batches: written by threads, and again only when the last copy has ended."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from repro.data.photos.batch_ring import BatchRing

CPU = torch.device("cpu")
MEAN = np.zeros(3, np.float32)


class Copy:
    """Stands for the event at the end of a copy to a GPU."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.waiting: list[str] = []

    def synchronize(self) -> None:
        self.waiting.append(threading.current_thread().name)
        assert self.ended.wait(10)


def image(colour: int) -> np.ndarray:
    return np.full((4, 4, 3), colour, np.uint8)


def test_a_buffer_is_written_again_only_when_its_copy_has_ended_and_a_decoding_thread_waits() -> (
    None
):
    ring = BatchRing(2, images=1, size=4, device=CPU)
    buffer = ring.of_batch(0)
    buffer.write(0, image(1), MEAN, np.int64(5))
    copy = Copy()
    buffer.copied = copy  # type: ignore[assignment]
    with ThreadPoolExecutor(1, thread_name_prefix="photos") as pool:
        writing = pool.submit(ring.of_batch(2).write, 0, image(2), MEAN, np.int64(6))
        while not copy.waiting:
            pass
        assert int(buffer.pixels.max()) == 1
        copy.ended.set()
        writing.result(10)
    assert int(buffer.pixels.min()) == 2
    assert copy.waiting[0].startswith("photos")


def test_a_thread_that_waits_for_a_copy_sleeps_and_leaves_its_core_to_those_that_decode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Event:
        def __init__(self, blocking: bool = False) -> None:
            self.blocking = blocking

        def record(self, stream: object) -> None: ...

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: None)
    with FakeTensorMode(allow_non_fake_inputs=True):
        buffer = BatchRing(1, images=2, size=4, device=CPU).of_batch(0)
        assert buffer.to(torch.device("cuda", 0), 2).pixels.device.type == "cuda"
    assert isinstance(buffer.copied, Event)
    assert buffer.copied.blocking


def test_the_labels_of_a_batch_stay_when_its_buffer_is_written_again() -> None:
    buffer = BatchRing(1, images=2, size=4, device=CPU).of_batch(0)
    buffer.write(0, image(1), MEAN, np.int64(5))
    batch = buffer.to(CPU, 1)
    buffer.write(0, image(1), MEAN, np.int64(6))
    assert batch.labels.tolist() == [5]


def test_a_short_batch_has_only_its_own_images() -> None:
    buffer = BatchRing(1, images=3, size=4, device=CPU).of_batch(0)
    for place in range(3):
        buffer.write(place, image(place), MEAN, np.int64(place))
    batch = buffer.to(CPU, 2)
    assert (len(batch.pixels), len(batch.means), batch.labels.tolist()) == (2, 2, [0, 1])
