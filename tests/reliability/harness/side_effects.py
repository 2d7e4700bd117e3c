"""What else a run must not do: cost much, tell secrets, believe a clock."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from experiments.recipes import CIFAR10
from experiments.scales import SCALES
from repro.data import open_source
from repro.definition.net import resnet
from repro.definition.run import Run
from repro.storage.paths import Places
from repro.training import pace, train
from repro.training.attempt import Attempt
from repro.training.state import State
from tests.reliability.harness.forks import attempt
from tests.reliability.harness.small_run import differing_bytes, places, small_run
from tests.reliability.harness.trial import Figures, expect, untouched

SECRETS = (
    "WANDB_API_KEY",
    "GITHUB_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "REPRO_PASSWORD",
    "SSH_AUTH_SOCK",
    "https_proxy",
)
SHARE = pace.SAVE_SHARE  # as the product has it; `prepared` lifts it


def cost(folder: Path, iterations: int = 1500) -> Figures:
    """The share of a training that goes into saving, recording and saying where it is, when saving
    all it may."""
    recipe = SCALES["smoke"](Run(resnet(20), CIFAR10)).recipe
    run = Run(
        resnet(20),
        replace(recipe, iterations=iterations, evaluate_every=100, drops=()),
        scale="smoke",
    )
    spent, out = [0.0], folder / "spent"

    def timed(do: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            began = time.monotonic()
            try:
                return do(*arguments, **more)
            finally:
                spent[0] += time.monotonic() - began

        return call

    def trained(here: Places) -> None:
        for name in ("claim", "load", "open_metrics", "record", "save", "progress", "finish"):
            setattr(Attempt, name, timed(getattr(Attempt, name)))
        pace.SAVE_SHARE, began = SHARE, time.monotonic()
        train(run, here)
        out.write_text(json.dumps([spent[0], time.monotonic() - began]))

    expect(attempt(places(folder, "cost"), do=trained).ended(), 0)
    spent_there, total = json.loads(out.read_text())
    return {"seconds": round(total, 1), "percent": round(100 * spent_there / total, 2)}


def deep(folder: Path, saves: int = 3) -> Figures:
    """Save the deepest net as training does, a few times: how large it is, how long it takes, and
    what is kept."""
    here, run = places(folder, "deep"), Run(resnet(1202), small_run().recipe, scale="smoke")
    found = here.run(run.id)
    state = State(run, open_source(run.recipe, here.data), torch.device("cpu"))
    for parameter in state.net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    state.optimizer.step()  # so that there is momentum to save
    saving, took = Attempt.claim(found, run), []
    saving.open_metrics(0)
    for state.iteration in range(saves):
        began = time.monotonic()
        saving.save(state.snapshot(0.0))
        took.append(time.monotonic() - began)
    saving.close()
    kept = sorted(path.name for path in found.path.glob("*checkpoint*"))
    assert kept == ["checkpoint.previous.pt", "checkpoint.pt"]
    mebibytes = round(found.checkpoint.stat().st_size / 2**20)
    return {
        "saves": saves,
        "mebibytes": mebibytes,
        "seconds": round(sorted(took)[saves // 2], 1),
        "checkpoints": len(kept),
    }


def secrets(folder: Path) -> Figures:
    """Plant secrets in the environment, train, and look for them in every file."""
    planted = {name: f"planted-secret-{number}" for number, name in enumerate(SECRETS)}

    @contextmanager
    def planting() -> Iterator[None]:
        os.environ.update(planted)
        yield

    here = places(folder, "secrets")
    expect(attempt(here, around=planting).ended(), 0)
    files = [path.read_bytes() for path in here.results.rglob("*") if path.is_file()]
    found = sum(secret.encode() in content for secret in planted.values() for content in files)
    return {"planted": len(planted), "files": len(files), "found": found}


def clock_jumps(folder: Path, seed: int = 0) -> Figures:
    """Train while the time of day jumps by up to ten years at each look, either way."""
    chance, here, true = random.Random(seed), places(folder, "jumps"), time.time

    @contextmanager
    def jumping() -> Iterator[None]:
        time.time = lambda: true() + chance.uniform(-3e8, 3e8)
        yield

    expect(attempt(here, around=jumping).ended(), 0)
    return {"differing_bytes": differing_bytes(here, untouched(folder))}
