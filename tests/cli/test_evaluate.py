"""`repro evaluate` measures any weights, of ImageNet's nets and of CIFAR's."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from repro.cli import cli
from repro.definition.net import resnet
from repro.errors import RunFailed, UserError
from repro.evaluation.photo_measurer import PhotoMeasurer
from repro.nets import build

SMOKE = ("--scale", "smoke", "--device", "cpu")


def evaluate(*words: str | Path) -> str:
    result = CliRunner().invoke(
        cli, ["evaluate", *(str(word) for word in words)], catch_exceptions=False
    )
    return result.stdout


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.set_num_threads(1)
    torch.save(build(resnet(18, "B", "imagenet", classes=10)).state_dict(), tmp_path / "weights.pt")
    return tmp_path / "weights.pt"


@pytest.mark.parametrize("crops", ["center", "ten", "multi"])
def test_weights_are_measured_each_way(weights: Path, crops: str) -> None:
    found = json.loads(
        evaluate("--net", "resnet-18-b", "--weights", weights, "--crops", crops, *SMOKE, "--json")
    )
    assert (found["schema"], found["net"], found["crops"], found["data"]["test_images"]) == (
        1,
        "resnet-18-b",
        crops,
        40,
    )
    assert 0 <= found["top5"] <= found["top1"] <= 100


def test_kept_predictions_make_an_ensemble(weights: Path, tmp_path: Path) -> None:
    said = evaluate(
        "--net", "resnet-18-b", "--weights", weights, *SMOKE, "--save", tmp_path / "p.npz"
    )
    together = evaluate("--ensemble", tmp_path / "p.npz", "--ensemble", tmp_path / "p.npz")
    assert said.startswith("resnet-18-b, ten, generated-photos, 40 images: top-1 error ")
    assert together == said.replace(
        "resnet-18-b, ten, generated-photos, 40 images", "ensemble of 2"
    )


def test_torchvisions_weights_are_recognised_with_their_stride_and_their_input(
    tmp_path: Path,
) -> None:
    from torchvision.models import resnet50

    torch.manual_seed(0)
    torch.save(resnet50(num_classes=10).state_dict(), tmp_path / "weights.pth")
    words = (
        "--net",
        "resnet50",
        "--weights",
        str(tmp_path / "weights.pth"),
        "--crops",
        "center",
        *SMOKE,
    )
    result = CliRunner().invoke(cli, ["evaluate", *words], catch_exceptions=False)
    assert "these weights are of the variant with stride in the 3x3" in result.stderr
    assert "resnet-50-b, center" in result.stdout


def test_torchvisions_nets_get_the_scores_that_torchvision_gives(tmp_path: Path) -> None:
    """The same weights on the same crops, less ImageNet's means, divided by its deviations."""
    from torchvision.models import resnet18

    from experiments.recipes import IMAGENET
    from repro.data.photos.source import open_photos
    from repro.definition.run import Run
    from repro.protocol import catalog
    from repro.storage.paths import places
    from repro.storage.predictions import load

    torch.manual_seed(0)
    network = resnet18(num_classes=10).eval()
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    words = (
        "--net",
        "resnet-18-b",
        "--weights",
        tmp_path / "weights.pth",
        "--crops",
        "center",
        *SMOKE,
    )
    found = json.loads(evaluate(*words, "--json", "--save", tmp_path / "p.npz"))
    assert found["preprocessing"]["mean"] == [0.485, 0.456, 0.406]
    run = catalog.load_scale("smoke")(Run(resnet(18, "B", "imagenet"), IMAGENET))
    source = open_photos(run.recipe, places().data)
    recipe = replace(source.recipe, input=replace(source.recipe.input, std="channel"))
    source = replace(source, recipe=recipe, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    with torch.no_grad():
        expected = torch.cat([network(images).softmax(1) for images, _ in source.test()])
    assert (
        np.abs(load(tmp_path / "p.npz").scores - expected.numpy()).max() < 1e-3
    )  # kept in half precision
    assert np.array_equal(load(tmp_path / "p.npz").best["center"][:, 0], expected.argmax(1).numpy())


def test_small_images_are_measured_by_their_single_view(tmp_path: Path) -> None:
    torch.save(build(resnet(20)).state_dict(), tmp_path / "weights.pt")
    words = ("--net", "resnet-20", "--weights", tmp_path / "weights.pt", *SMOKE)
    found = json.loads(evaluate(*words, "--json", "--save", tmp_path / "p.npz"))
    assert (found["net"], found["crops"], found["data"]["name"]) == (
        "resnet-20",
        "center",
        "generated",
    )
    assert evaluate("--ensemble", tmp_path / "p.npz").startswith(
        f"ensemble of 1: top-1 error {found['top1']:.2f} %"
    )
    with pytest.raises(
        UserError, match="`generated` holds small images, which have no `ten` views"
    ):
        evaluate(*words, "--crops", "ten")


def test_the_single_view_gives_the_error_that_training_would_report(tmp_path: Path) -> None:
    from repro.data import open_source
    from repro.definition.experiment import at_scale, runs_of
    from repro.evaluation.error import measure_error
    from repro.protocol import catalog
    from repro.protocol.catalog import load_experiment
    from repro.storage.paths import places

    run = runs_of(at_scale(load_experiment("table6"), catalog.load_scale("smoke"), 1))[0]
    module = build(run.net)
    torch.save(module.state_dict(), tmp_path / "weights.pt")
    found = json.loads(
        evaluate("--net", "resnet-20", "--weights", tmp_path / "weights.pt", *SMOKE, "--json")
    )
    expected = measure_error(module, open_source(run.recipe, places().data).test(), "test")
    assert found["top1"] == expected["test_error"]


def test_akamasters_weights_are_recognised_with_their_shortcut_and_their_input(
    tmp_path: Path,
) -> None:
    """Zero channels at both sides, and images less ImageNet's means over ImageNet's deviations, as
    its trainer has."""
    from repro.data import open_source
    from repro.definition.experiment import at_scale, runs_of
    from repro.protocol import catalog
    from repro.protocol.catalog import load_experiment
    from repro.storage.paths import places
    from repro.storage.predictions import load as predictions_of

    run = runs_of(at_scale(load_experiment("table6"), catalog.load_scale("smoke"), 1))[0]
    module = build(replace(run.net, zeros="both"), seed=3).eval()
    state = {f"module.{theirs(name)}": value for name, value in module.state_dict().items()}
    torch.save({"state_dict": state, "best_prec1": 91.7}, tmp_path / "resnet20.th")
    words = ["--weights", str(tmp_path / "resnet20.th"), "--save", str(tmp_path / "p.npz"), *SMOKE]
    result = CliRunner().invoke(cli, ["evaluate", *words], catch_exceptions=False)
    assert "these weights are of resnet-20" in result.stderr
    assert "preprocessing: akamaster, which these weights were trained for" in result.stderr
    pixels = open_source(run.recipe, places().data).test_pixels.numpy() / 255
    seen = (pixels - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    with torch.inference_mode():
        expected = (
            module(torch.tensor(seen, dtype=torch.float32).permute(0, 3, 1, 2)).softmax(1).numpy()
        )
    assert np.abs(predictions_of(tmp_path / "p.npz").scores - expected).max() < 1e-3


def theirs(name: str) -> str:
    """Our name of a weight as akamaster's nets have it."""
    name = re.sub(
        r"stage(\d)\.block(\d)", lambda found: f"layer{found[1]}.{int(found[2]) - 1}", name
    )
    name = (
        name.replace("stem.conv", "conv1")
        .replace("stem.norm", "bn1")
        .replace("classifier", "linear")
    )
    return re.sub(r"norm(\d)", r"bn\1", name)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--net", "resnet-50"),
        ("--list", "--ensemble", "x"),
        ("--net", "resnet-50", "--ensemble", "x"),
    ],
)
def test_half_a_question_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match="nothing to evaluate"):
        evaluate(*words)


def test_weights_of_another_number_of_classes_are_refused(weights: Path) -> None:
    with pytest.raises(UserError, match="these weights are not of `resnet-18-b`"):
        evaluate(
            "--net",
            "resnet-18-b",
            "--weights",
            weights,
            "--scale",
            "quick",
            "--data",
            "generated-photos",
        )


def test_out_of_memory_is_one_message_and_no_traceback(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(PhotoMeasurer, "block", refuse)
    with pytest.raises(RunFailed, match=r"^out of memory: the run needs about"):
        evaluate("--net", "resnet-18-b", "--weights", weights, "--crops", "center", *SMOKE)
