"""The training of one run, top to bottom: restore, iterate, record, save, measure.

The learning rate is a function of the iteration and a batch is a function of (seed, iteration). So
resuming needs neither the state of a scheduler nor that of a random generator: an interrupted run
ends bit for bit like an unbroken one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from repro import distributed
from repro.data import open_source
from repro.data.source import Source
from repro.definition.recipe import Recipe
from repro.definition.run import Run
from repro.evaluation import measure
from repro.evaluation.error import measure_error
from repro.stop_request import Stopped, StopRequest
from repro.storage.atomic import disk_errors_explained, read_json
from repro.storage.paths import Folder, Places
from repro.storage.run_files import read_final
from repro.training.attempt import Attempt
from repro.training.caffe_momentum import CaffeMomentum, Step
from repro.training.captured_step import CapturedStep
from repro.training.device import make_current, prepare
from repro.training.device_errors import device_errors_explained
from repro.training.failures import failures_recorded
from repro.training.interruptible import Interruptible
from repro.training.optimizer import gradient_norms
from repro.training.pace import Pace
from repro.training.provenance import commit, provenance_of_training
from repro.training.read_only_attempt import ReadOnlyAttempt
from repro.training.schedule import learning_rate, readable
from repro.training.state import State


def train(
    run: Run,
    places: Places,
    stop: StopRequest | None = None,
    device: torch.device | None = None,
    measure_again: bool = False,
) -> dict[str, Any]:
    """Train the run to its end and measure it, from wherever an earlier attempt got to.

    Return its final record. A run that is done is left alone, or measured again from its last
    checkpoint.
    """
    folder = places.run(run.id)
    if not measure_again and (final := _final_record(folder, run)):
        return final
    attempt = _claim(folder, run)
    try:
        with failures_recorded(run, attempt), disk_errors_explained(folder.path):
            device = prepare(run.recipe, device)
            # Between the look above and the claim an older attempt may have ended the run.
            if not measure_again and (final := _final_record(folder, run)):
                return final
            with device_errors_explained(run, device):
                return _train(run, places, attempt, stop or StopRequest(), device)
    finally:
        attempt.close()


def _final_record(folder: Folder, run: Run) -> dict[str, Any] | None:
    """Return the record of a run that is done; refuse one that cannot be believed."""
    if read_final(folder, run) is None:
        return None
    final: dict[str, Any] = read_json(folder.final)
    return final


def _train(
    run: Run, places: Places, attempt: Attempt, stop: StopRequest, device: torch.device
) -> dict[str, Any]:
    make_current(device)
    commit()  # now and not at the end: the files may be edited while the run trains
    recipe = run.recipe
    source = open_source(recipe, places.data).to(device)
    state = State(run, source, device)
    state.restore(attempt.load())
    attempt.open_metrics(state.metrics_size)
    pace = Pace(state.iteration, recipe.iterations, state.seconds, state.usage)
    attempt.progress("running", state.iteration)

    step = make_step(state.net, state.optimizer, recipe, attempt.say)
    share = distributed.share()
    for images, labels in source.batches(run.seed, state.iteration, recipe.iterations, share):
        rate = learning_rate(recipe, state.iteration, state.warm_up.warming, state.plateau.drops)
        loss, wrong = step(images, labels, rate)
        state.saw(loss, wrong, len(labels))

        at_end = state.iteration == recipe.iterations
        if at_end or state.iteration % recipe.evaluate_every == 0:
            state.latest = _point_of_the_curve(state, source, rate)
            state.metrics_size = attempt.record(state.latest)

        stopping = distributed.any_process(stop.reason is not None, state.iteration, device)
        due = at_end or stopping
        if due or distributed.any_process(pace.should_save(), state.iteration, device):
            with pace.saving():
                attempt.save(state.snapshot(pace.seconds))
        if stopping:
            raise _stopped(stop, state, attempt)
        attempt.progress("running", state.iteration, **state.facts(), **pace.facts(state.iteration))

    return _measure(run, source, state, pace, attempt, stop, step.captured)


def _measure(
    run: Run,
    source: Source,
    state: State,
    pace: Pace,
    attempt: Attempt,
    stop: StopRequest,
    captured: bool,
) -> dict[str, Any]:
    """Measure what the run trained, and write its final record."""

    def may_go_on() -> None:
        """End at any batch: all that training made is saved. Several processes end together."""
        if stop.reason and distributed.share().alone:
            raise _stopped(stop, state, attempt)

    attempt.progress("measuring", state.iteration, **state.facts())
    batches = Interruptible(source, may_go_on)
    measured = measure(run, state.net, batches, attempt.folder, attempt.check)
    if run.recipe.batch_norm_average == "re-estimated":
        attempt.save(state.snapshot(pace.seconds))  # with the averages that were measured with
    measured["metrics"] |= state.events()
    measured["provenance"] = provenance_of_training(run, source, state, pace, attempt, captured)
    return attempt.finish(measured)


class EagerStep:
    """One step of SGD, operation by operation.

    It returns this process's summed loss and its count of wrong answers, both on the device.
    """

    captured = False

    def __init__(self, net: nn.Module, optimizer: torch.optim.SGD, recipe: Recipe) -> None:
        self._net = distributed.averaging_gradients(net)
        self._optimizer = optimizer
        self._bf16 = recipe.precision == "bf16"
        # The gradient is of the mean over the whole batch, however unequal the processes' parts.
        self._batch = recipe.batch / distributed.share().processes

    def __call__(self, images: Tensor, labels: Tensor, rate: float) -> tuple[Tensor, Tensor]:
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad(set_to_none=True)
        return self.learn(images, labels)

    def learn(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Go forward and backward, and move the weights at the optimizer's learning rate."""
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self._bf16):
            scores = self._net(images)
        loss = functional.cross_entropy(scores.float(), labels, reduction="sum")
        (loss / self._batch).backward()
        self._optimizer.step()
        return loss.detach(), (scores.argmax(1) != labels).sum()


def make_step(
    net: nn.Module,
    optimizer: torch.optim.SGD,
    recipe: Recipe,
    log: Callable[[str], None] = lambda line: None,
) -> Step:
    """Return the step: on one GPU a captured one, unless `REPRO_CAPTURE` is 0; else the eager."""
    last_rate = float(optimizer.param_groups[0]["lr"])  # of the checkpoint, if there was one
    step = _eager_or_captured(net, optimizer, recipe, log)
    if recipe.momentum_form == "caffe":
        return CaffeMomentum(step, optimizer, last_rate)
    return step


def _eager_or_captured(
    net: nn.Module, optimizer: torch.optim.SGD, recipe: Recipe, log: Callable[[str], None]
) -> Step:
    eager = EagerStep(net, optimizer, recipe)
    on_gpu = next(net.parameters()).device.type == "cuda"
    wanted = os.environ.get("REPRO_CAPTURE") != "0"
    if on_gpu and wanted and distributed.share().alone:
        return CapturedStep(net, optimizer, eager, log)
    return eager


def _claim(folder: Folder, run: Run) -> Attempt:
    """Return the right to publish in the folder; only the first process has it."""
    if distributed.share().first:
        return Attempt.claim(folder, run)
    return ReadOnlyAttempt(folder, run)


def _point_of_the_curve(state: State, source: Source, rate: float) -> dict[str, float]:
    """Return the row of `metrics.jsonl` for the iterations since the last one."""
    point = {"iteration": state.iteration, "rate": readable(rate)}
    point |= state.close_window() | gradient_norms(state.net)
    return point | measure_error(state.net, source.test(share=distributed.share()), "test")


def _stopped(stop: StopRequest, state: State, attempt: Attempt) -> Stopped:
    """Say where it was stopped, with everything saved."""
    attempt.progress("stopped", state.iteration, reason=stop.reason, **state.facts())
    return Stopped(stop.reason or "another process", state.iteration)
