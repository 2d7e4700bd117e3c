"""The training step as one CUDA graph: the variant of `repro.training.loop.EagerStep`.

A small net is bound by the launches of its thousand kernels; a graph is one launch. Where the
capture fails, the eager step is taken, which has the same bits.
"""

from __future__ import annotations

import contextlib
import gc
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
from torch import Tensor, nn

Answer = tuple[Tensor, Tensor]


class Eager(Protocol):
    """The step that is captured: whole, and without what is done before each one."""

    def __call__(self, images: Tensor, labels: Tensor, rate: float) -> Answer: ...

    def learn(self, images: Tensor, labels: Tensor) -> Answer: ...


class CapturedStep:
    """The step as a graph that is replayed, with the same bits as the eager step.

    Every step is a replay, the first one too: what the rehearsals before the capture changed is
    put back. Images, labels and learning rate are copied to where the graph reads them.
    """

    REHEARSALS = 3  # torch asks for some before a capture, on a stream of their own

    def __init__(
        self,
        net: nn.Module,
        optimizer: torch.optim.SGD,
        eager: Eager,
        log: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.captured = True  # until a capture fails
        self._net = net
        self._optimizer = optimizer
        self._eager = eager
        self._log = log
        self._device = next(net.parameters()).device
        self._rate = torch.zeros((), device=self._device)
        self._inputs: tuple[Tensor, Tensor] | None = None
        self._aside: torch.cuda.Stream
        self._replay: Callable[[], None]
        self._answer: Answer
        for group in optimizer.param_groups:
            group["lr"] = self._rate
            for parameter in group["params"]:
                # v starts at 0, so that the first step is an ordinary one.
                momentum = torch.zeros_like(parameter)
                optimizer.state[parameter].setdefault("momentum_buffer", momentum)

    def __call__(self, images: Tensor, labels: Tensor, rate: float) -> Answer:
        """Take a step; the answer is valid until the next one, when its sums have been taken."""
        if self._inputs is None:
            self._inputs = images.clone(), labels.clone()
            self._prepare(*self._inputs)
        if not self.captured:
            return self._eager(images, labels, rate)
        own_images, own_labels = self._inputs
        own_images.copy_(images)
        own_labels.copy_(labels)
        self._rate.fill_(rate)
        self._replay()
        return self._answer

    def _prepare(self, images: Tensor, labels: Tensor) -> None:
        # What an earlier run left behind is freed now, and not in the middle of the capture.
        gc.collect()
        before = [tensor.clone() for tensor in self._state()]
        self._rehearse(images, labels)
        # Gradients are to lie in the graph's own memory.
        self._optimizer.zero_grad(set_to_none=True)
        try:
            self._capture(images, labels)
        except (RuntimeError, UserWarning) as error:
            # What is wrong with the card itself, the eager step will meet again.
            self.captured = False
            reason = str(error).partition("\n")[0]
            self._log(f"the step could not be captured, and is taken kernel by kernel: {reason}")
        with torch.no_grad():
            for tensor, value in zip(self._state(), before, strict=True):
                tensor.copy_(value)

    def _state(self) -> list[Tensor]:
        momentum = [state["momentum_buffer"] for state in self._optimizer.state.values()]
        return [*self._net.parameters(), *self._net.buffers(), *momentum]

    def _rehearse(self, images: Tensor, labels: Tensor) -> None:
        aside = self._aside = torch.cuda.Stream(self._device)
        aside.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(aside):
            for _ in range(self.REHEARSALS):
                self._optimizer.zero_grad(set_to_none=True)
                self._eager.learn(images, labels)
        torch.cuda.current_stream(self._device).wait_stream(aside)

    def _capture(self, images: Tensor, labels: Tensor) -> None:
        graph = torch.cuda.CUDAGraph()
        # On the stream of the rehearsals: torch's own would be of whichever card is current, and
        # a weight that autograd met on another stream would draw that one into the graph.
        pool = torch.cuda.graph_pool_handle()
        on_the_side = torch.cuda.graph(graph, pool=pool, stream=self._aside)
        with _ended(pool, self._device), _stream_kept(self._device), _empty_graph_refused():
            self._record(on_the_side, images, labels)
        self._replay = graph.replay

    def _record(self, graph: torch.cuda.graph, images: Tensor, labels: Tensor) -> None:
        with graph:
            self._answer = self._eager.learn(images, labels)


@contextlib.contextmanager
def _ended(pool: Any, device: torch.device) -> Iterator[None]:
    """Tell the allocator that a capture which fails is over; torch 2.11 forgets to.

    It would else take the capture to go on for ever, and fail wherever it gives memory back.
    """
    try:
        yield
    except Exception:
        # Newer ones have told it themselves, and this refuses to be told twice.
        with contextlib.suppress(RuntimeError, AttributeError):
            torch._C._cuda_endAllocateToPool(device.index, pool)
        raise


@contextlib.contextmanager
def _stream_kept(device: torch.device) -> Iterator[None]:
    """Make the stream current again that was before: a capture that fails leaves its own."""
    stream = torch.cuda.current_stream(device)
    try:
        yield
    finally:
        torch.cuda.set_stream(stream)


@contextlib.contextmanager
def _empty_graph_refused() -> Iterator[None]:
    """Raise where torch only warns: a graph without kernels would train nothing."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The CUDA Graph is empty")
        yield
