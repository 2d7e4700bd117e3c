"""Nothing that is declared is idle: training reads each field, and each variant moves a number."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.recipes import CIFAR10, CIFAR10_WARMUP, IMAGENET, MEASURED_WARMUP, VARIANTS
from experiments.scales import SCALES
from repro.definition.net import Net, resnet
from repro.definition.recipe import Input, Plateau, Recipe, Warmup
from repro.definition.run import Run
from repro.definition.scales_and_variants import Variant, with_variants
from repro.errors import EnvironmentProblem
from repro.storage.paths import ROOT, Places
from repro.training import Stopped, train
from tests.training.test_resume import StopAt

SMOKE = SCALES["smoke"]
RUNNING = tuple(str(ROOT / "repro" / name) for name in ("nets", "data", "training", "evaluation"))
COUNTED = tuple(
    str(ROOT / "repro" / name) for name in ("net.py", "architecture.py")
)  # for the nets
NOT_TRAINED_BY = {
    (Recipe, "name"): "a label, which is in the run's id",
    (
        Net,
        "kind",
    ): "a plain net is one without a shortcut, and nothing else: the definition's own checks say so",
}

CIFAR = Run(resnet(8), CIFAR10)
WARMED = Run(resnet(8), CIFAR10_WARMUP)
PHOTOS = Run(resnet(50, "B", "imagenet"), IMAGENET)


def short(run: Run, iterations: int, **changes: Any) -> Run:
    """The run cut to so few iterations, with two points of its curve, and of photos the cheapest
    tests."""
    drops = tuple(drop for drop in run.recipe.drops if drop < iterations)
    cut = {"iterations": iterations, "drops": drops, "evaluate_every": max(1, iterations // 2)}
    if run.net.family == "imagenet":
        cut |= {
            "input": replace(run.recipe.input, test_sides=(36,)),
            "batch_norm_average": "running",
        }
    return replace(run, recipe=replace(run.recipe, **cut | changes), scale="smoke")


def every_way() -> Iterator[Run]:
    """Short runs that between them have every optional field set."""
    cifar, photos = SMOKE(CIFAR), SMOKE(PHOTOS)
    fixed = Warmup(rate=0.01, iterations=2)
    yield short(cifar, 4, warmup=replace(MEASURED_WARMUP, window=2), batch_norm_group=16)
    yield short(cifar, 4, warmup=fixed, plateau=Plateau(patience=1), drops=(), evaluate_every=1)
    yield short(photos, 1)


def reads(monkeypatch: pytest.MonkeyPatch, kinds: tuple[type, ...]) -> set[tuple[type, str]]:
    """A set that fills with the fields that the running wing reads from now on."""
    seen: set[tuple[type, str]] = set()
    for kind in kinds:
        names = {field.name for field in fields(kind)}
        monkeypatch.setattr(kind, "__getattribute__", recorder(kind, names, seen))
    return seen


def recorder(kind: type, names: set[str], seen: set[tuple[type, str]]) -> Callable[[Any, str], Any]:
    def read(self: Any, name: str) -> Any:
        if name in names and asked_by_the_running_wing(sys._getframe(1)):
            seen.add((kind, name))
        return object.__getattribute__(self, name)

    return read


def asked_by_the_running_wing(frame: Any) -> bool:
    """Whether this line is in the running wing, or in what counts a net's layers for it; checks do
    not count."""
    code = frame.f_code
    while frame and code.co_filename.startswith(COUNTED) and code.co_name != "__post_init__":
        frame = frame.f_back
        code = frame.f_code
    return code.co_filename.startswith(RUNNING)


def test_training_reads_every_field_of_a_net_and_a_recipe(monkeypatch, here):
    runs = list(every_way())
    kinds = (Recipe, Input, Warmup, Plateau, Net)
    seen = reads(monkeypatch, kinds)
    for run in runs:
        train(run, here)
    declared = {(kind, field.name) for kind in kinds for field in fields(kind)}
    assert declared - seen == set(NOT_TRAINED_BY)


@pytest.fixture(scope="module")
def curve(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Run], bytes]:
    """The bytes of a run's `metrics.jsonl`; what two variants have in common is trained once."""
    folder: Path = tmp_path_factory.mktemp("variants")
    places = Places(folder / "results", folder / "figures", folder / "data")

    @cache
    def bytes_of(run: Run) -> bytes:
        torch.set_num_threads(1)
        with contextlib.suppress(
            Stopped
        ):  # at its end, so that the finished net is not measured for nothing
            train(run, places, StopAt(run.recipe.iterations - 1))
        return places.run(run.id).metrics.read_bytes()

    return bytes_of


def changes(variant: Variant, run: Run, curve: Callable[[Run], bytes]) -> bool:
    """Whether the variant moves a number of this net's smoke run: of its beginning, else of the
    whole."""
    usual, other = with_variants(run, [], SMOKE), with_variants(run, [variant], SMOKE)
    pairs = ((short(usual, 2), short(other, 2)), (usual, other))
    return any(
        curve(replace(one, scale="smoke")) != curve(replace(two, scale="smoke"))
        for one, two in pairs
    )


def suited(variant: Variant) -> Run:
    """The first of three nets whose run the variant changes."""
    return next(
        run
        for run in (CIFAR, WARMED, PHOTOS)
        if with_variants(run, [variant], SMOKE) != with_variants(run, [], SMOKE)
    )


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_every_variant_moves_a_number_or_says_why_it_cannot(variant, curve):
    excused = bool(variant.no_change_because)
    if variant.name == "decode-on-gpu":
        with pytest.raises(EnvironmentProblem, match="and this run is on `cpu`"):
            changes(variant, suited(variant), curve)
        return
    assert changes(variant, suited(variant), curve) != excused


def test_a_run_with_caffes_momentum_is_finished_and_says_that_its_step_was_eager(here):
    run = short(SMOKE(CIFAR), 4, momentum_form="caffe")
    assert train(run, here)["provenance"]["captured"] is False
