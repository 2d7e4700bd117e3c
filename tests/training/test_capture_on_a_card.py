"""What a capture asks of CUDA, which is played: the card, the stream, and a graph that is no
graph."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed, nn

from experiments.recipes import CIFAR10
from experiments.scales import SCALES
from repro.data import open_source
from repro.definition.net import resnet
from repro.definition.run import Run
from repro.distributed import averaging_gradients
from repro.training.captured_step import CapturedStep
from repro.training.device import make_current
from repro.training.loop import EagerStep
from repro.training.state import State
from tests.training.fake_gpu import fake_gpu

SECOND = torch.device("cuda", 1)
RUN = SCALES["smoke"](Run(resnet(8), CIFAR10))


class Stream:
    """A stream of a card."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def wait_stream(self, other: Stream) -> None: ...


@dataclass
class Cuda:
    """What was asked of CUDA, in order."""

    warning: str = ""  # what torch says at the end of the capture
    streams: dict[str, Stream] = field(default_factory=dict)
    replays: int = 0
    pools_ended: list[tuple[int, str]] = field(default_factory=list)

    @contextlib.contextmanager
    def stream(self, stream: Stream) -> Iterator[None]:
        self.streams["rehearsals"] = stream
        yield

    @contextlib.contextmanager
    def graph(self, graph: Any, pool: str, stream: Stream) -> Iterator[None]:
        self.streams["capture"] = stream
        yield
        if self.warning:
            warnings.warn(self.warning, UserWarning, stacklevel=1)

    def replay(self) -> None:
        self.replays += 1


def two_steps(cuda: Cuda, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[bool, list[str]]:
    """Take two steps on the second card; return whether they were captured, and the log."""
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "set_stream", lambda stream: None)
    monkeypatch.setattr(torch.cuda, "stream", cuda.stream)
    monkeypatch.setattr(torch.cuda, "graph", cuda.graph)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: "pool")
    monkeypatch.setattr(
        torch._C,
        "_cuda_endAllocateToPool",
        lambda card, pool: cuda.pools_ended.append((card, pool)),
        raising=False,
    )
    lines: list[str] = []
    with fake_gpu(monkeypatch):
        source = open_source(RUN.recipe, folder).to(SECOND)
        state = State(RUN, source, SECOND)
        eager = EagerStep(state.net, state.optimizer, RUN.recipe)
        step = CapturedStep(state.net, state.optimizer, eager, lines.append)
        for images, labels in source.batches(0, 0, 2):
            step(images, labels, 0.1)
    return step.captured, lines


def test_the_capture_is_on_the_nets_own_card_and_on_the_stream_of_its_rehearsals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuda = Cuda()
    assert two_steps(cuda, tmp_path, monkeypatch) == (True, [])
    assert cuda.streams["capture"] is cuda.streams["rehearsals"]
    assert cuda.streams["capture"].device == SECOND
    assert cuda.pools_ended == []
    assert cuda.replays == 2


def test_a_graph_without_kernels_is_not_replayed_as_if_it_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuda = Cuda(warning="The CUDA Graph is empty. This usually means that the graph was attempted")
    captured, lines = two_steps(cuda, tmp_path, monkeypatch)
    assert not captured
    assert cuda.replays == 0
    assert "could not be captured" in lines[0]
    assert "The CUDA Graph is empty" in lines[0]
    # Torch 2.11 would believe that the capture goes on.
    assert cuda.pools_ended == [(1, "pool")]


def test_the_card_that_trains_is_the_one_that_torch_means_where_none_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cards: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "set_device", cards.append)
    for name in ("cpu", "cuda", "cuda:1"):
        make_current(torch.device(name))
    assert cards == [SECOND]


def test_a_group_of_one_process_has_nothing_to_average_so_its_step_can_be_captured(
    tmp_path: Path,
) -> None:
    net = nn.Linear(2, 2)
    meeting = f"file://{tmp_path}/meeting"
    distributed.init_process_group("gloo", meeting, rank=0, world_size=1)
    try:
        assert averaging_gradients(net) is net
    finally:
        distributed.destroy_process_group()
