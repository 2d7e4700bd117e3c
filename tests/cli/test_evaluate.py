"""`repro evaluate` measures any weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from repro.cli.evaluate import command, named
from repro.errors import UserError
from repro.nets import build
from repro.spec import plain, resnet

SMOKE = ("--scale", "smoke", "--device", "cpu")


def evaluate(*words: str | Path) -> str:
    result = CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=False)
    return result.stdout


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.set_num_threads(1)
    torch.save(build(resnet(18, "B", "imagenet", classes=10)).state_dict(), tmp_path / "weights.pt")
    return tmp_path / "weights.pt"


@pytest.mark.parametrize("crops", ["center", "ten", "multi"])
def test_weights_are_measured_each_way(weights: Path, crops: str) -> None:
    found = json.loads(evaluate("--net", "resnet-18-b", "--weights", weights, "--crops", crops, *SMOKE, "--json"))
    assert (found["schema"], found["net"], found["crops"], found["data"]["test_images"]) == (
        1,
        "resnet-18-b",
        crops,
        40,
    )
    assert 0 <= found["top5"] <= found["top1"] <= 100


def test_kept_predictions_make_an_ensemble(weights: Path, tmp_path: Path) -> None:
    said = evaluate("--net", "resnet-18-b", "--weights", weights, *SMOKE, "--save", tmp_path / "p.npz")
    together = evaluate("--ensemble", tmp_path / "p.npz", "--ensemble", tmp_path / "p.npz")
    assert said.startswith("resnet-18-b, ten, generated-photos, 40 images: top-1 error ")
    assert together == said.replace("resnet-18-b, ten, generated-photos, 40 images", "ensemble of 2")


def test_torchvisions_weights_are_recognised_with_their_stride_and_their_input(tmp_path: Path) -> None:
    from torchvision.models import resnet50

    torch.manual_seed(0)
    torch.save(resnet50(num_classes=10).state_dict(), tmp_path / "weights.pth")
    words = ("--net", "resnet50", "--weights", str(tmp_path / "weights.pth"), "--crops", "center", *SMOKE)
    result = CliRunner().invoke(command, words, catch_exceptions=False)
    assert "these weights are of the variant with stride in the 3x3" in result.stderr
    assert "resnet-50-b, center" in result.stdout


def test_torchvisions_nets_get_the_scores_that_torchvision_gives(tmp_path: Path) -> None:
    """The same weights on the same crops, divided by ImageNet's deviations."""
    from torchvision.models import resnet18

    from experiments.recipes import IMAGENET
    from repro import catalog
    from repro.cli.evaluate import _opened
    from repro.evaluation.crops import center
    from repro.spec import Run

    torch.manual_seed(0)
    theirs = resnet18(num_classes=10).eval()
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    run = catalog.scale("smoke")(Run(resnet(18, "B", "imagenet"), IMAGENET))
    module, source = _opened(run, tmp_path / "weights.pth")
    with torch.no_grad():
        expected = torch.cat([theirs(images).softmax(1) for images, _ in source.test()])
    assert np.abs(center(module, source).scores - expected.numpy()).max() < 1e-5
    assert (source.mean, source.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_names_of_nets() -> None:
    assert named("resnet-34-b") == named("ResNet34B") == resnet(34, "B", "imagenet")
    assert named("resnet50") == named("resnet-50-b") == resnet(50, "B", "imagenet")
    assert named("resnet-50-v1.5") == resnet(50, "B", "imagenet", stride_in="3x3")
    assert named("plain-18") == plain(18, "imagenet")


@pytest.mark.parametrize(
    ("name", "problem", "hint"),
    [
        ("vgg-16", "`vgg-16` is not the name of a net", "resnet-34-b"),
        ("resnet-51", "no ImageNet net has depth `51`", "18, 34, 50, 101, 152"),
        ("resnet-34", "`resnet-34` does not say its shortcut", "torchvision's weights are of resnet-34-b"),
        ("plain-18-a", "cannot have shortcut `A`", "a plain net has none"),
        ("resnet-18-b-v1.5", "`stride_in`", ""),
    ],
)
def test_other_names_are_refused(name: str, problem: str, hint: str) -> None:
    with pytest.raises(UserError) as raised:
        named(name)
    assert problem in raised.value.problem
    assert hint in raised.value.hint


@pytest.mark.parametrize(
    "words", [(), ("--net", "resnet-50"), ("--weights", "x"), ("--net", "resnet-50", "--ensemble", "x")]
)
def test_half_a_question_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="nothing to evaluate"):
        evaluate(*words)


def test_weights_of_another_number_of_classes_are_refused(weights: Path) -> None:
    with pytest.raises(UserError, match="these weights are not of `resnet-18-b`"):
        evaluate("--net", "resnet-18-b", "--weights", weights, "--scale", "quick", "--data", "generated-photos")
