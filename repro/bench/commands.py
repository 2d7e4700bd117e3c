"""How long commands take as whole processes, and how that grows with the runs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec

from repro.definition.experiment import Table
from repro.definition.run import Run, to_definition
from repro.protocol.catalog import load_experiment
from repro.storage import metrics_file
from repro.storage.atomic import to_json
from repro.storage.paths import Places
from repro.storage.run_files import DataFacts, Final, Provenance

POINTS = 64  # of a curve: the paper's
REPRO = "import sys; from repro.cli import main; main(sys.argv[1:])"


def command(words: list[str], results: str, cold: bool = False) -> Callable[[], float]:
    """Seconds of `repro WORDS` on these results; `cold` forgets first what was gathered before."""
    place = Places(Path(results), Path(results) / "figures", Path(results) / "data")
    folders = {
        "REPRO_RESULTS": results,
        "REPRO_FIGURES": str(place.figures),
        "REPRO_DATA": str(place.data),
    }

    def once() -> float:
        if cold:
            place.frame.unlink(missing_ok=True)
        return _seconds([sys.executable, "-c", REPRO, *words], folders)

    return once


def bare(module: str) -> Callable[[], float]:
    """Seconds of a python that imports this and ends."""
    return lambda: _seconds([sys.executable, "-c", f"import {module}"], {})


@contextmanager
def constructed(count: int) -> Iterator[str]:
    """A folder of results with that many finished runs of Table 6, as training leaves them."""
    with tempfile.TemporaryDirectory(prefix="repro-bench-") as folder:
        places = Places(Path(folder), Path(folder), Path(folder))
        for run, error in _runs(count):
            _write(run, error, places)
        yield folder


def _runs(count: int) -> Iterator[tuple[Run, float]]:
    table = load_experiment("table6")
    assert isinstance(table, Table)
    nets = [row.runs.run for row in table.rows if row.runs]
    for number in range(count):
        yield replace(nets[number % len(nets)], seed=number // len(nets)), 6.0 + number % 97 / 100


def _write(run: Run, error: float, places: Places) -> None:
    folder = places.run(run.id)
    folder.path.mkdir(parents=True)
    folder.definition.write_bytes(to_json(to_definition(run)))
    own = error + run.seed / 1e6  # no two seeds have the same curve
    folder.metrics.write_bytes(
        b"".join(metrics_file.encode(_row(point, own)) for point in range(1, POINTS + 1))
    )
    errors = {"test_error": error, "best_test_error": error - 0.1, "train_error": 0.1}
    metrics: dict[str, float | None] = {**errors, "response_mean": 0.4}
    final = Final(run.id, to_definition(run), metrics, _PROVENANCE)
    folder.final.write_bytes(to_json(msgspec.to_builtins(final)))


_PROVENANCE = Provenance(
    started="2026-01-01T00:00:00+00:00",
    ended="2026-01-01T01:00:00+00:00",
    seconds=3600.0,
    host="node",
    device="cpu",
    threads=1,
    python="3.11.7",
    torch="2.11.0",
    precision="fp32",
    code="c0de",
    commit="abc1234",
    dirty=False,
    data=DataFacts("cifar10", "da7a", "official pixels", 50_000, 10_000),
    attempts=1,
)


def _row(point: int, error: float) -> dict[str, float]:
    row = {
        "iteration": 1_000 * point,
        "rate": 0.1,
        "train_error": 90.0 / point,
        "train_loss": error / point,
    }
    return row | {
        "test_error": error + 80 / point,
        "test_loss": 0.3,
        "gradient_first": 0.1,
        "gradient_last": 0.2,
    }


def _seconds(words: list[str], environment: dict[str, str]) -> float:
    began = time.perf_counter()
    done = subprocess.run(words, env=os.environ | environment, capture_output=True, text=True)
    took = time.perf_counter() - began
    if done.returncode not in (0, 1, 3):  # 1 and 3: done, and a verdict or a gap to tell
        raise RuntimeError(
            f"{' '.join(words[3:])} ended with {done.returncode}: {done.stderr[-300:]}"
        )
    return took
