"""`evaluate --save` keeps records, goes on after a kill, and records are ensembled and compared by
name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from repro.cli import cli
from repro.cli.shared.images_counter import Counter
from repro.definition.net import resnet
from repro.errors import UserError
from repro.evaluation import photo_measurer, weights_measurer
from repro.nets import build
from repro.storage.evaluations import EvaluationFolder, read
from repro.storage.paths import Places
from tests.nets.caffe_files import authors_net, write_mean, write_net
from tests.nets.safetensors_files import safetensors_bytes

SMOKE = ("--scale", "smoke", "--device", "cpu")


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.set_num_threads(1)
    net = resnet(18, "B", "imagenet", classes=10)
    torch.save(build(net, seed=4).state_dict(), tmp_path / "weights.pt")
    return tmp_path / "weights.pt"


def records(here: Places) -> list[EvaluationFolder]:
    return [EvaluationFolder(path) for path in sorted((here.results / "evaluations").iterdir())]


def test_a_record_says_what_was_measured_on_what_and_how(weights: Path, here: Places) -> None:
    result = run("evaluate", "--weights", weights, "--crops", "ten", "--save", *SMOKE)
    (folder,) = records(here)
    assert f"kept as {folder.path.name}" in result.stderr
    record = read(folder)
    assert record.weights.sha256 == weights_measurer.sha256_of(weights)
    assert (record.net.name, record.weights.layout, record.data.name) == (
        "resnet-18-b",
        "ours",
        "generated-photos",
    )
    assert record.reading["preprocessing"]["name"] == "paper"
    assert set(record.metrics) == {"ten_crop_top1", "ten_crop_top5"}
    assert sorted(path.name for path in folder.path.iterdir()) == [
        "evaluation.json",
        "predictions.npz",
    ]


def test_records_are_listed_ensembled_and_compared_by_the_beginning_of_their_names(
    weights: Path, here: Places
) -> None:
    for crops in ("center", "ten"):
        run("evaluate", "--weights", weights, "--crops", crops, "--save", *SMOKE)
    listed = json.loads(run("evaluate", "--list", "--json").stdout)["evaluations"]
    assert len(listed) == 2
    alone = json.loads(run("evaluate", "--ensemble", "resnet-18-b.ours.ten", "--json").stdout)
    assert (
        alone["top1"]
        == next(one for one in listed if "ten" in one["id"])["metrics"]["ten_crop_top1"]
    )
    names = ("resnet-18-b.ours.center", "resnet-18-b.ours.ten")
    compared = json.loads(run("evaluate", "--mcnemar", *names, "--json").stdout)["mcnemar"]
    assert set(compared) == {"top1", "top5"}
    with pytest.raises(UserError, match="`resnet-18-b` begins several"):
        run("evaluate", "--ensemble", "resnet-18-b")
    with pytest.raises(UserError, match="no evaluation is called `resnet-50`"):
        run("evaluate", "--ensemble", "resnet-50")


def test_a_killed_evaluation_goes_on_where_it_was_with_the_same_numbers(
    weights: Path, here: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("evaluate", "--weights", weights, "--crops", "center", "--save", *SMOKE)
    monkeypatch.setattr(weights_measurer, "BLOCK", 10)
    run(*words)
    (folder,) = records(here)
    unbroken, whole = read(folder).metrics, np.load(folder.predictions)["scores"]
    shutil.rmtree(folder.path)

    original = weights_measurer._arrays
    monkeypatch.setattr(weights_measurer, "_arrays", stop_after(2, original))
    CliRunner().invoke(cli, [str(word) for word in words])
    assert len(list(folder.path.glob("block-*.npz"))) == 2
    measured: list[None] = []
    monkeypatch.setattr(
        weights_measurer, "_arrays", lambda *given: measured.append(None) or original(*given)
    )
    run(*words)
    assert len(measured) == 2  # of four blocks, two were kept before the kill
    assert read(folder).metrics == unbroken
    assert np.array_equal(np.load(folder.predictions)["scores"], whole)
    assert not list(folder.path.glob("block-*.npz"))


def test_progress_is_told_within_a_block_and_only_of_what_is_measured_now(
    weights: Path, here: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(Counter, "at", lambda _, done, total: told.append((done, total)))
    monkeypatch.setattr(weights_measurer, "BLOCK", 20)
    monkeypatch.setattr(photo_measurer, "IMAGES", 8)
    words = ("evaluate", "--weights", weights, "--crops", "center", "--save", *SMOKE)
    run(*words)
    assert told == [(8, 40), (16, 40), (20, 40), (28, 40), (36, 40), (40, 40)]
    (folder,) = records(here)
    shutil.rmtree(folder.path)
    original = weights_measurer._arrays
    monkeypatch.setattr(weights_measurer, "_arrays", stop_after(1, original))
    CliRunner().invoke(cli, [str(word) for word in words])
    monkeypatch.setattr(weights_measurer, "_arrays", original)
    told.clear()
    run(*words)
    assert told == [(28, 40), (36, 40), (40, 40)]


def stop_after(blocks: int, original):  # type: ignore[no-untyped-def]
    """What keeps so many blocks, and is then interrupted."""
    kept: list[object] = []

    def counting(*given):  # type: ignore[no-untyped-def]
        if len(kept) == blocks:
            raise KeyboardInterrupt
        kept.append(None)
        return original(*given)

    return counting


def test_a_damaged_block_is_measured_again(weights: Path, here: Places) -> None:
    words = ("evaluate", "--weights", weights, "--crops", "center", "--save", *SMOKE)
    run(*words)
    (folder,) = records(here)
    expected = read(folder).metrics
    folder.block(0).write_bytes(b"PK\x03\x04 torn")
    run(*words)
    assert read(folder).metrics == expected


def test_the_authors_net_is_measured_with_its_own_preprocessing(
    tmp_path: Path, here: Places
) -> None:
    path = write_net(tmp_path / "authors.caffemodel", authors_net(50, classes=10))
    mean = write_mean(tmp_path / "mean.binaryproto", np.full((3, 32, 32), 120, np.float32))
    result = run(
        "evaluate", "--weights", path, "--mean", mean, "--crops", "center", "--save", *SMOKE
    )
    assert result.stdout.endswith("(published for these weights: 24.7 / 7.8)\n")
    assert "preprocessing: authors" in result.stderr
    assert "of resnet-50-b, the variant with pooling without padding" in result.stderr
    (folder,) = records(here)
    record = read(folder)
    assert record.net.pool == "unpadded"
    assert (record.reading["pool"], record.reading["preprocessing"]["colours"]) == (
        "unpadded",
        "bgr",
    )


def test_torchvisions_safetensors_tell_their_stride_and_propose_their_preprocessing(
    tmp_path: Path, here: Places
) -> None:
    from torchvision.models import resnet50

    path = tmp_path / "resnet50.safetensors"
    path.write_bytes(safetensors_bytes(resnet50(num_classes=10).state_dict()))
    result = run("evaluate", "--weights", path, "--crops", "center", "--save", *SMOKE)
    assert "these weights are of resnet-50-b, the variant with stride in the 3x3" in result.stderr
    assert "preprocessing: torchvision-v1, which these weights were trained for" in result.stderr
    (folder,) = records(here)
    record = read(folder)
    assert (record.net.stride_in, record.weights.layout) == ("3x3", "torchvision")
    assert record.reading["preprocessing"]["name"] == "torchvision-v1"


def test_weights_trained_less_a_mean_image_have_a_record_of_their_own(
    weights: Path, here: Places
) -> None:
    words = ("evaluate", "--weights", weights, "--crops", "center", "--save", *SMOKE)
    run(*words)
    run(*words, "--variant", "mean-image")
    means = {read(folder).reading["preprocessing"]["mean"] for folder in records(here)}
    assert means == {"data", "data image"}


def test_another_preprocessing_than_the_weights_own_is_said_and_kept(
    tmp_path: Path, here: Places
) -> None:
    from torchvision.models import resnet18

    torch.save(resnet18(num_classes=10).state_dict(), tmp_path / "weights.pth")
    words = (
        "evaluate",
        "--weights",
        tmp_path / "weights.pth",
        "--preprocess",
        "paper",
        "--save",
        *SMOKE,
    )
    result = run(*words)
    said = "weights of torchvision were trained for preprocessing torchvision-v1, not paper"
    assert said in result.stderr
    (folder,) = records(here)
    assert said in read(folder).warnings


def test_an_unknown_preprocessing_names_the_near_one(weights: Path) -> None:
    with pytest.raises(
        UserError, match="no preprocessing of photos is called `torchvision`"
    ) as error:
        run("evaluate", "--weights", weights, "--preprocess", "torchvision", *SMOKE)
    assert error.value.hint.startswith("did you mean `torchvision-v")


def test_guessing_is_said(tmp_path: Path) -> None:
    labels = np.arange(250) % 1000
    assert weights_measurer.guessing(99.6, labels, 1000)
    assert not weights_measurer.guessing(60.0, labels, 1000)
    assert not weights_measurer.guessing(100.0, labels[:40], 1000)


def test_forensics_prints_the_grid_keeps_it_with_a_picture_and_says_what_is_likely(
    weights: Path, here: Places
) -> None:
    words = (
        "forensics",
        "--weights",
        weights,
        "--crops",
        "ten",
        "--vary",
        "filter,average,flip",
        *SMOKE,
    )
    result = run(*words, "--published", "90.0/50.0")
    assert "15 readings of resnet-18-b, weights of ours on generated-photos" in result.stdout
    assert "Published for ten views: 90.0/50.0." in result.stdout
    assert "Nothing is published for center views of these weights." in result.stdout
    (folder,) = records(here)
    assert {path.name for path in folder.path.iterdir()} == {"forensics.json", "forensics.svg"}
    document = json.loads(folder.grid.read_text())
    likely = [row["share"] for row in document["readings"] if row["views"] == "ten"]
    assert sum(likely) == pytest.approx(1)
    assert likely == sorted(likely, reverse=True)
    assert all(row["share"] is None for row in document["readings"] if row["views"] == "center")
    again = json.loads(run(*words, "--json").stdout)
    assert len(again["readings"]) == 15


@pytest.mark.parametrize("text", ["24,7", "24.7/7.8/1", "-1", "100000"])
def test_published_errors_are_numbers(weights: Path, text: str) -> None:
    with pytest.raises(UserError, match="`--published` cannot be"):
        run("forensics", "--weights", weights, f"--published={text}", *SMOKE)


def test_the_authors_files_are_asked_for_by_name() -> None:
    with pytest.raises(UserError, match=r"no weights at `.*ResNet-101-model\.caffemodel`") as error:
        run("forensics", "--weights", "authors-101", *SMOKE)
    assert "docs/measuring-weights.md says where they are" in error.value.hint
