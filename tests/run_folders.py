"""Run folders as the running wing leaves them, written in a line: `finished(run,
test_error=8.7)`."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from repro.analysis.runs.record_checks import OFFICIAL_HASHES
from repro.cost.layers import cost
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
# The words that name another lab to `repro publish`.
KYOTO = (
    "--lab",
    "kyoto",
    "--lab-name",
    "Vision group, Kyoto",
    "--contact",
    "https://a.example.org",
)
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
    """A run's folder with its definition, and its curve if one is given (rows, or test errors one
    by one)."""

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
    """A finished run: metrics by keyword; `curve`, `responses`; `data` and `provenance` change
    where it came from."""

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


def believable_curve(run: Run, test_error: float) -> list[dict[str, Any]]:
    """Return a curve that this recipe could draw, which ends in this test error.

    Equal arguments draw an equal curve. Only for nets on small images.
    """
    recipe, chance = run.recipe, random.Random(f"{run.id} {test_error}")
    points, before = [], 0
    for iteration in [
        *range(recipe.evaluate_every, recipe.iterations, recipe.evaluate_every),
        recipe.iterations,
    ]:
        images = (iteration - before) * recipe.batch
        wrong = chance.randrange(images // 20)
        drops = sum(iteration > drop for drop in recipe.drops)
        points.append(
            {
                "iteration": iteration,
                "rate": round(recipe.learning_rate / 10**drops, 10),
                "train_error": 100 * wrong / images,
                "train_loss": chance.random(),
                "test_error": test_error + chance.randrange(500) / 100,
                "test_loss": chance.random(),
                "gradient_first": chance.random(),
                "gradient_last": chance.random(),
            }
        )
        before = iteration
    points[-1]["test_error"] = test_error
    return points


@pytest.fixture
def believable(finished) -> Callable[..., Folder]:
    """A finished run whose record passes every check: `believable(run, 8.7)`; the rest as `finished`."""

    def write(run: Run, test_error: float, **options: Any) -> Folder:
        curve = believable_curve(run, test_error)
        responses = [1.0 + layer / run.net.depth for layer in range(run.net.depth - 1)]
        counted = cost(run.net)
        copied = ("train_error", "train_loss", "gradient_first", "gradient_last")
        metrics = {name: curve[-1][name] for name in copied} | {
            "parameters": counted.parameters,
            "multiply_adds": counted.multiply_adds,
            "test_error": test_error,
            "best_test_error": min(point["test_error"] for point in curve),
            "train_error_clean": 0.5,
            "response_mean": sum(responses) / len(responses),
        }
        options["data"] = {
            "hash": OFFICIAL_HASHES["cifar10"],
            "origin": "official pixels",
        } | options.get("data", {})
        options["provenance"] = {
            "commit": "ab" * 20,
            "code": "c0de" * 4,
            "precision": run.recipe.precision,
        } | options.get("provenance", {})
        return finished(run, curve, responses, **(metrics | options))

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
