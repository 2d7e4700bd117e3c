"""Contenders in processes of their own, taking turns: medians, and medians of ratios."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median, quantiles
from typing import IO, Any

from repro.errors import RunFailed
from repro.local.workers import KEEPING_MEMORY
from repro.storage.paths import ROOT

Say = Callable[[str], None]


@dataclass(frozen=True)
class Contender:
    """One way of doing a job: the function that prepares it, and how many do it side by side."""

    name: str
    function: str  # "module:function"; called once, it answers the function that does the job once
    given: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 1
    at_once: int = 1
    ours: bool = True  # with the memory settings of our workers, and not with a stranger's defaults
    environment: Mapping[str, str] = field(default_factory=dict)  # of its processes, beside ours


@dataclass(frozen=True)
class ContestLine:
    """What a way did: a number a round, and its ratio to the first way's number in that round."""

    way: str
    median: float
    ratio: float
    low: float  # quartiles of the ratio
    high: float
    rounds: int
    facts: dict[str, float]  # what else its process said, in the last round


@dataclass(frozen=True)
class Table:
    """One contest, measured. `better` says whether more or less is better."""

    title: str
    unit: str
    better: str
    lines: tuple[ContestLine, ...]
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def run_contest(
    title: str,
    unit: str,
    ways: Sequence[Contender],
    rounds: int,
    say: Say,
    better: str = "more",
    note: str = "",
) -> Table:
    """Measure the ways, interleaved. The first is what the others are compared with."""
    say(f"{title}: {len(ways)} ways, {rounds} rounds")
    numbers: dict[str, list[float]] = {way.name: [] for way in ways}
    facts: dict[str, dict[str, float]] = {}
    with contextlib.ExitStack() as stack:
        contenders = {}
        for way in ways:
            copies = [stack.enter_context(_contender(way)) for _ in range(way.at_once)]
            contenders[way.name] = copies
        for _ in range(rounds):
            for name, together in contenders.items():
                number, facts[name] = _go(together)
                numbers[name].append(number)
    return Table(title, unit, better, compare(numbers, facts), note)


def compare(
    numbers: Mapping[str, Sequence[float]], facts: Mapping[str, dict[str, float]] | None = None
) -> tuple[ContestLine, ...]:
    """A line a way. Each ratio is taken within its round: what slows a whole round cancels."""
    base = next(iter(numbers.values()))
    lines = []
    for way, mine in numbers.items():
        ratios = [one / other for one, other in zip(mine, base, strict=True)]
        low, _, high = quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
        lines.append(
            ContestLine(
                way,
                median(mine),
                median(ratios),
                low,
                high,
                len(mine),
                dict((facts or {}).get(way, {})),
            )
        )
    return tuple(lines)


@contextlib.contextmanager
def _contender(way: Contender) -> Iterator[subprocess.Popen[str]]:
    """Start a process that prepares the job and waits; its output is shown if it dies."""
    command = [
        sys.executable,
        "-m",
        "repro.bench.worker",
        way.function,
        json.dumps(dict(way.given)),
    ]
    own = {
        "OMP_NUM_THREADS": str(way.threads),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            env=os.environ | own | (KEEPING_MEMORY if way.ours else {}) | dict(way.environment),
        )
        process.said = said  # type: ignore[attr-defined]
        try:
            yield process
        finally:
            _ended(process)


def _ended(process: subprocess.Popen[str]) -> None:
    """A contender whose input ends, ends; one that does not is killed."""
    assert process.stdin is not None
    assert process.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def _go(together: Sequence[subprocess.Popen[str]]) -> tuple[float, dict[str, float]]:
    """One job of each at the same time: the sum of their numbers."""
    for process in together:  # wait until all are prepared and have rested
        _heard(process)
    for process in together:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [_heard(process) for process in together]
    return sum(answer.pop("number") for answer in answers), answers[0]


def _heard(process: subprocess.Popen[str]) -> dict[str, float]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        said: IO[str] = process.said  # type: ignore[attr-defined]
        said.seek(0)
        last = said.read().strip().splitlines()[-1:] or ["it said nothing"]
        raise RunFailed(
            f"a contender of the benchmark died: {last[0]}",
            "run it again with fewer jobs beside it",
        )
    answer: dict[str, float] = json.loads(line)
    return answer
