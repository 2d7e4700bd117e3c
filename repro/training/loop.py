"""The training of one run, top to bottom: restore, iterate, record, save, measure.

The rate is a function of the iteration and a batch is a function of (seed, iteration), so resuming needs neither the
state of a scheduler nor that of a random generator: an interrupted run ends bit for bit like an unbroken one.
"""

from __future__ import annotations

import contextlib
from typing import Any

import torch

from repro import distributed
from repro.data import open_source
from repro.definition.run import Run
from repro.errors import RunFailed, UserError
from repro.evaluation import measure
from repro.evaluation.error import measure_error
from repro.stop_request import Stopped, StopRequest
from repro.storage.atomic import disk_errors_explained, read_json
from repro.storage.paths import Places
from repro.training.attempt import Attempt, ReadOnlyAttempt
from repro.training.interruptible import Interruptible
from repro.training.machine import Pace, prepare, provenance
from repro.training.schedule import learning_rate, readable
from repro.training.state import State
from repro.training.step import Diverged, gradient_norms, make_step


def train(
    run: Run,
    places: Places,
    stop: StopRequest | None = None,
    device: torch.device | None = None,
    measure_again: bool = False,
) -> dict[str, Any]:
    """Train the run to its end and measure it, from wherever an earlier attempt got to; answer its final record.

    A run that is done is left alone, or measured again from its last checkpoint.
    """
    folder = places.run(run.id)

    def done() -> dict[str, Any] | None:
        return None if measure_again else read_json(folder.final)

    if final := done():
        return final
    attempt = (
        Attempt.claim(folder, run) if distributed.rank() == 0 else ReadOnlyAttempt(folder, run)
    )
    try:
        with disk_errors_explained(folder.path):
            stop, device = stop or StopRequest(), prepare(run.recipe, device)
            return done() or _train(
                run, places, attempt, stop, device
            )  # an older attempt may just have ended it
    except Diverged as problem:
        attempt.fail("diverged", problem.iteration, str(problem), cause="nan")
        raise RunFailed(
            f"{run.id}: {problem}", "its record is kept; `repro status` shows it"
        ) from None
    except UserError as problem:
        with contextlib.suppress(UserError):  # a disk that is full has no room for this either
            attempt.fail("failed", attempt.iteration, problem.problem, problem.hint)
        raise
    finally:
        attempt.close()


def _train(
    run: Run, places: Places, attempt: Attempt, stop: StopRequest, device: torch.device
) -> dict[str, Any]:
    recipe = run.recipe
    source = open_source(recipe, places.data).to(device)
    state = State(run, source, device)
    state.restore(attempt.load())
    attempt.open_metrics(state.metrics_size)
    pace = Pace(state.iteration, recipe.iterations, state.seconds, device)
    attempt.progress("running", state.iteration)

    step = make_step(state.net, state.optimizer, recipe)
    batches = source.batches(
        run.seed, state.iteration, recipe.iterations, distributed.rank(), distributed.count()
    )
    for images, labels in batches:
        now = learning_rate(recipe, state.iteration, state.warm_up.warming, state.plateau.drops)
        loss, wrong = step(images, labels, now)
        state.saw(loss, wrong, len(labels))

        at_end = state.iteration == recipe.iterations
        if state.iteration % recipe.evaluate_every == 0 or at_end:
            row = {"iteration": state.iteration, "rate": readable(now)}
            row |= state.close_window() | gradient_norms(state.net)
            row |= measure_error(
                state.net,
                source.test(rank=distributed.rank(), processes=distributed.count()),
                "test",
            )
            state.metrics_size = attempt.record(row)
            state.latest = row
        stopping = distributed.agreed(stop.reason is not None, state.iteration, device)
        if at_end or stopping or distributed.agreed(pace.should_save(), state.iteration, device):
            with pace.saving():
                attempt.save(state.snapshot(pace.seconds))
        if stopping:
            raise _stopped(stop, state, attempt)
        attempt.progress("running", state.iteration, **state.facts(), **pace.facts(state.iteration))

    def may_go_on() -> None:
        """All that training made is saved, so measuring may end at any batch; several processes only end together."""
        if stop.reason and distributed.count() == 1:
            raise _stopped(stop, state, attempt)

    attempt.progress("measuring", state.iteration, **state.facts())
    measured = measure(
        run, state.net, Interruptible(source, may_go_on), attempt.folder, attempt.check
    )
    if recipe.batch_norm_average == "re-estimated":
        attempt.save(state.snapshot(pace.seconds))  # with the averages that were measured with
    measured["metrics"] |= state.events()
    measured["provenance"] = provenance(
        run, source, device, pace.seconds, attempt.number, attempt.began
    )
    measured["provenance"] |= {"save_seconds": round(pace.slowest_save, 3)}
    measured["provenance"] |= {"machines": state.machines} if len(state.machines) > 1 else {}
    return attempt.finish(measured)


def _stopped(stop: StopRequest, state: State, attempt: Attempt) -> Stopped:
    """Say where it was stopped, everything saved."""
    attempt.progress("stopped", state.iteration, reason=stop.reason, **state.facts())
    return Stopped(stop.reason or "another process", state.iteration)
