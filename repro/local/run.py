"""Training on this machine: what `repro run` and `repro.run` do, without the command line."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata, util
from types import FrameType

from repro.definition.run import Run
from repro.errors import FAILED, FINE, EnvironmentProblem, UserError, quote
from repro.local.workers import RunEnd, WorkerPool, runs_to_train
from repro.storage.paths import Places

OLDEST_TORCH = (2, 11)  # that is known to work
_DEVICE = re.compile(r"cpu|cuda(:[0-9]{1,3})?")


@dataclass(frozen=True)
class LocalOptions:
    """How runs are trained on this machine."""

    jobs: int | None = None  # runs at once; None: one for each core, or one on a GPU
    device: str | None = None  # cpu, cuda, cuda:1 …; None: a GPU where there is one
    again: bool = False  # train from nothing what is done already; the old folder is kept aside
    measure_again: bool = False  # measure finished runs again from their checkpoints


class Watcher:
    """Whoever shows how training goes; this one shows nothing."""

    def begin(self, runs: Sequence[Run], to_do: Sequence[Run]) -> None:
        """Training begins; `to_do` are the runs that are not done yet."""

    def say(self, text: str) -> None:
        """Something takes a while before training begins."""

    def warn(self, warning: str, hint: str) -> None:
        """Something will be slow or odd."""

    def look(self, at_work: list[str]) -> None:
        """Called about twice a second with the ids of the runs at work."""

    def ended(self, event: RunEnd) -> None:
        """A run ended."""


@dataclass(frozen=True)
class LocalResult:
    """How runs on this machine ended."""

    before: int  # runs that were done before
    ended: tuple[RunEnd, ...]

    @property
    def done(self) -> int:
        """How many runs are done now."""
        return self.before + sum(event["state"] == "done" for event in self.ended)

    @property
    def code(self) -> int:
        """The exit code: 0 if every run is done, else 1."""
        complete = all(event["state"] == "done" for event in self.ended)
        return FINE if complete else FAILED

    @property
    def hints(self) -> tuple[str, ...]:
        """What to do about the runs that are not done, each hint once."""
        hints = (event.get("hint", "") for event in self.ended)
        return tuple(dict.fromkeys(hint for hint in hints if hint))


def train_runs(
    runs: Sequence[Run],
    places: Places,
    options: LocalOptions = LocalOptions(),
    watcher: Watcher | None = None,
) -> LocalResult:
    """Train the runs in worker processes. What is done is skipped, what is half done carries on.

    SIGTERM and SIGHUP do what Ctrl-C does: every worker saves and ends, then KeyboardInterrupt.
    """
    from repro.cluster.status.at_work import refuse_if_at_work

    watcher = watcher or Watcher()
    device = checked_device(options.device)
    _check_save_interval()
    to_do = list(runs)
    if not (options.again or options.measure_again):
        to_do = runs_to_train(runs, places)
    if to_do:
        check_torch()
        check_data(to_do, places)
        # Two processes at one run would take turns in stopping each other.
        refuse_if_at_work([run.id for run in to_do], places, watcher.say)
    # Only now: what would stop the new runs must not move the old ones.
    if options.again:
        for run in to_do:
            places.run(run.id).set_aside()
    warn_of_slow_bf16(to_do, device, watcher)
    watcher.begin(runs, to_do)
    with end_like_ctrl_c():
        ended = _train(to_do, places, options, device, watcher)
    return LocalResult(len(runs) - len(to_do), tuple(ended))


def _train(
    to_do: Sequence[Run],
    places: Places,
    options: LocalOptions,
    device: str | None,
    watcher: Watcher,
) -> list[RunEnd]:
    cores = len(os.sched_getaffinity(0))
    at_once = options.jobs or _runs_at_once(device, cores, len(to_do))
    pool = WorkerPool(
        places,
        at_once,
        threads=max(1, cores // at_once),
        device=device,
        measure_again=options.again or options.measure_again,
    )
    with _shared_gpu(min(at_once, len(to_do)), device, watcher):
        return _ended(pool, to_do, watcher)


@contextmanager
def _shared_gpu(at_once: int, device: str | None, watcher: Watcher) -> Iterator[None]:
    """Let several runs share a GPU by an MPS daemon of our own, where one can start."""
    from repro.provenance.processor import trains_on_cpu

    if at_once < 2 or trains_on_cpu(device):
        yield
        return
    from repro.cluster.job.mps import in_environment, mps_daemon

    with mps_daemon() as (sharing, environment), in_environment(environment):
        watcher.say(f"{at_once} runs share the GPU {sharing}")
        yield


def _ended(pool: WorkerPool, to_do: Sequence[Run], watcher: Watcher) -> list[RunEnd]:
    """Train the runs; return how each ended."""
    ended = []
    for event in pool.train(to_do, watcher.look):
        ended.append(event)
        watcher.ended(event)
        if event.get("code") == EnvironmentProblem.code:
            raise EnvironmentProblem(event["problem"], event["hint"])
    return ended


def _runs_at_once(device: str | None, cores: int, to_do: int) -> int:
    """Return one on a GPU, which is taken where there is one; else a run for each core.

    Without MPS runs on one GPU take turns, and each would take a context's memory from the others.
    """
    from repro.provenance.processor import trains_on_cpu

    if not trains_on_cpu(device):
        return 1
    return min(cores, max(1, to_do))


@contextmanager
def end_like_ctrl_c() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise KeyboardInterrupt, once, while the block runs."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set signal handlers
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        # A second signal must not cut short the saving that the first one began.
        for other in before:
            signal.signal(other, signal.SIG_IGN)
        raise KeyboardInterrupt(signal.Signals(number).name)

    before = {}
    for number in (signal.SIGTERM, signal.SIGHUP):
        # `nohup` ignores SIGHUP on purpose; that stays.
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def checked_device(asked: str | None) -> str | None:
    """Return the device, if it is one: each worker would otherwise find a typing error late."""
    name, device = "--device", asked
    if asked is None:
        name, device = "REPRO_DEVICE", os.environ.get("REPRO_DEVICE") or None
    if device is not None and not _DEVICE.fullmatch(device):
        raise UserError(f"`{name}` cannot be {quote(device)}", "it is cpu, cuda, cuda:1 …")
    return asked


def _check_save_interval() -> None:
    """Raise an error if `REPRO_SAVE_EVERY` is no number: each run would fail by it, one by one."""
    text = os.environ.get("REPRO_SAVE_EVERY", "0")
    with suppress(ValueError):
        if 0 <= float(text) < float("inf"):
            return
    hint = "it is a number of seconds, 0 or more; leave it unset to save every minute"
    raise UserError(f"`REPRO_SAVE_EVERY` cannot be {quote(text)}", hint)


def check_torch() -> None:
    """Raise an error unless PyTorch is there and new enough; it is not imported for that."""
    if util.find_spec("torch") is None:
        raise ModuleNotFoundError(name="torch")
    try:
        version = metadata.version("torch")
    except metadata.PackageNotFoundError:  # not installed by a package manager
        return
    numbers = tuple(int(part) for part in re.findall(r"[0-9]+", version)[:2])
    if numbers < OLDEST_TORCH:
        oldest = ".".join(map(str, OLDEST_TORCH))
        raise EnvironmentProblem(
            f"PyTorch {version} is too old: it must be {oldest} or newer",
            f"`pip install 'torch>={oldest}'`",
        )


def check_data(runs: Sequence[Run], places: Places) -> None:
    """Raise an error unless every data set is there and as large as a batch."""
    from repro.data import registry

    largest_batch: dict[str, int] = {}
    for run in runs:
        name = run.recipe.dataset
        largest_batch[name] = max(run.recipe.batch, largest_batch.get(name, 0))
    for name, batch in largest_batch.items():
        info = registry.dataset_info(name, places.data)
        if info.state == "missing":
            problem = f"no data set {quote(name)} in {quote(places.data, 300)}"
            hint = info.hint or ""
            raise EnvironmentProblem(problem, f"{hint}; `--scale smoke` needs no data set")
        if info.state == "damaged":
            raise EnvironmentProblem(f"data set {quote(name)}: {info.problem}", info.hint or "")
        if info.train_images is not None and batch > info.train_images:
            few = f"the {info.train_images:,} training images of {quote(name)}"
            problem = f"`recipe.batch` {quote(batch)} is more than {few}"
            raise UserError(problem, "choose a smaller batch")


def warn_of_slow_bf16(runs: Sequence[Run], device: str | None, watcher: Watcher) -> None:
    """Say before anything begins that the processor computes bfloat16 slowly, and what to type."""
    from repro.provenance.processor import IN_FP32, computes_bf16, in_bf16, trains_on_cpu

    slow = in_bf16(runs)
    if slow and trains_on_cpu(device) and computes_bf16() is False:
        runs_in_words = f"{len(runs)} run{'s' if len(runs) > 1 else ''}"
        why = "this processor has no instructions for it, and fp32 is 4 to 14 times as fast"
        warning = f"{len(slow)} of {runs_in_words} in bfloat16: {why}"
        watcher.warn(f"{warning} (`repro doctor` measures it)", IN_FP32)
