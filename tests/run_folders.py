"""Run folders as the running wing leaves them, written in a line: `finished(run, test_error=8.7)`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from repro.definition.run import Run, to_definition
from repro.storage import metrics_file
from repro.storage.atomic import to_json
from repro.storage.labs import Lab, write_lab
from repro.storage.paths import Folder, Places
from repro.storage.run_files import write_definition

PROVENANCE = {
    "started": "2026-01-01T00:00:00+00:00",
    "ended": "2026-01-01T01:00:00+00:00",
    "seconds": 3600.0,
    "host": "node1",
    "device": "cpu",
    "threads": 1,
    "python": "3.11.7",
    "torch": "2.11.0",
    "precision": "fp32",
    "commit": "abc1234",
    "dirty": False,
    "code": "c0de",
    "attempts": 1,
    "job": None,
}
DATA = {
    "cifar": {"name": "cifar10", "hash": "da7a", "train_images": 50_000, "test_images": 10_000},
    "imagenet": {
        "name": "imagenet",
        "hash": "1a9e",
        "train_images": 1_281_167,
        "test_images": 50_000,
    },
}


def write_final(folder: Folder, run: Run, **metrics: float) -> None:
    """Write a final record that can be believed, with the definition it needs."""
    write_definition(folder, run)
    final = {"id": run.id, "run": to_definition(run), "metrics": metrics}
    folder.final.write_bytes(to_json(final))


@pytest.fixture
def places(tmp_path) -> Places:
    """Empty folders of results, figures and data."""
    return Places(tmp_path / "results", tmp_path / "figures", tmp_path / "data")


@pytest.fixture
def write_run(places) -> Callable[..., Folder]:
    """A run's folder with its definition, and its curve if one is given (rows, or test errors one by one)."""

    def write(
        run: Run,
        curve: Iterable[Any] = (),
        published: bool = False,
        name: str | None = None,
        lab: str | None = None,
    ) -> Folder:
        parent = places.published if published else places.runs
        if lab:
            parent = places.labs / lab
            write_lab(parent, Lab(lab, f"The lab {lab}", f"https://{lab}.example.org"))
        folder = Folder(parent / (name or run.id))
        folder.path.mkdir(parents=True)
        folder.definition.write_bytes(to_json(to_definition(run)))
        rows = [row if isinstance(row, dict) else {"test_error": row} for row in curve]
        if rows:
            every = run.recipe.evaluate_every
            rows = [{"iteration": every * count} | row for count, row in enumerate(rows, start=1)]
            folder.metrics.write_bytes(b"".join(map(metrics_file.encode, rows)))
        return folder

    return write


@pytest.fixture
def finished(write_run) -> Callable[..., Folder]:
    """A finished run: metrics by keyword; `curve`, `responses`; `data` and `provenance` change where it came from."""

    def write(
        run: Run,
        curve: Iterable[Any] = (),
        responses: list[float] | None = None,
        data: dict[str, Any] | None = None,
        provenance: dict[str, Any] | None = None,
        published: bool = False,
        name: str | None = None,
        lab: str | None = None,
        **metrics: float | None,
    ) -> Folder:
        folder = write_run(run, curve, published, name, lab)
        origin = (
            "official archive" if run.recipe.dataset in ("cifar10", "imagenet") else "generated"
        )
        about = DATA[run.net.family] | {"origin": origin} | (data or {})
        where = PROVENANCE | {"data": about} | (provenance or {})
        final = {
            "schema": 1,
            "id": run.id,
            "run": to_definition(run),
            "metrics": metrics,
            "provenance": where,
        }
        folder.final.write_bytes(to_json(final | ({"responses": responses} if responses else {})))
        return folder

    return write


@pytest.fixture
def diverged(write_run) -> Callable[..., Folder]:
    """A run that stopped on a loss that is no number."""

    def write(run: Run, iteration: int = 100, curve: Iterable[Any] = ()) -> Folder:
        folder = write_run(run, curve)
        problem = f"the loss became NaN at iteration {iteration}"
        failed = {
            "schema": 1,
            "state": "diverged",
            "iteration": iteration,
            "problem": problem,
            "hint": "",
            "cause": "NaN",
        }
        folder.failed.write_bytes(to_json(failed))
        return folder

    return write
