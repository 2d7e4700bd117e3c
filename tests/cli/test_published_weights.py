"""Weights that are published with a record measure to its digit, wherever `repro evaluate` is
typed."""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from experiments.cifar10 import PLAIN, RESNET
from experiments.scales import SCALES
from repro.analysis.runs.publish import releases_weights
from repro.cli import cli
from repro.cli.publish import Published, publish_runs
from repro.definition.net import plain, resnet
from repro.definition.run import Run
from repro.protocol.selection import select
from repro.storage.atomic import read_json, write_atomic
from repro.storage.paths import Folder, Places
from repro.training import train
from repro.training.weights_file import trained_weights

SMOKE = SCALES["smoke"](PLAIN[20].run)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """A results folder with one finished run of scale smoke."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("trained")
    places = Places(folder / "results", folder / "figures", folder / "data")
    train(SMOKE, places)
    return places


@pytest.fixture
def finished_run(trained: Places, here: Places) -> Places:
    """This test's own copy of it."""
    shutil.copytree(trained.results, here.results)
    return here


def publish(here: Places, run: Run = SMOKE, **choices: object) -> Published:
    """Publish as the command does, by the rule of scale `paper` applied to scale `smoke`."""
    choices = {"uncommitted": True, "weights_at": "smoke"} | choices
    return publish_runs([run], here, here.published, **choices)  # type: ignore[arg-type]


SHORT = ("iterations=10", "drops=[5]", "evaluate_every=5")


@pytest.mark.parametrize(
    ("variants", "settings"),
    [(("zeros-both", "std"), SHORT), ((), ("input.mean=channel", *SHORT))],
    ids=["with variants", "with settings"],
)
def test_published_weights_of_variants_measure_to_the_published_digit(
    variants: tuple[str, ...],
    settings: tuple[str, ...],
    here: Places,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.set_num_threads(1)
    run = select(scale="smoke", variants=variants, settings=settings).chosen_scale()(RESNET[20].run)
    train(run, here)
    options = [f"--variant={name}" for name in variants]
    options += [f"--set={setting}" for setting in settings]
    check_digit(here, run, options, tmp_path, monkeypatch)


def test_published_weights_measure_to_the_published_digit(
    finished_run: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_digit(finished_run, SMOKE, [], tmp_path, monkeypatch)


def check_digit(
    here: Places,
    run: Run,
    options: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Publish the run and measure it elsewhere, by the command that its record names."""
    assert publish(here, run, options=options).states == {run.id: "published"}
    public = Folder(here.published / run.id)
    # Nothing but the published folder goes to another machine.
    elsewhere = shutil.copytree(public.path, tmp_path / "elsewhere")
    monkeypatch.chdir(elsewhere)
    about = read_json(elsewhere / "weights.json")
    assert about["sha256"] == hashlib.sha256((elsewhere / about["file"]).read_bytes()).hexdigest()
    program, *words = shlex.split(about["evaluate"])
    measured = CliRunner().invoke(
        cli, [*words, "--device", "cpu", "--json"], catch_exceptions=False
    )
    digit = read_json(public.final)["metrics"]["test_error"]
    assert (program, json.loads(measured.stdout)["top1"], about["test_error"]) == (
        "repro",
        digit,
        digit,
    )


def test_the_file_is_the_nets_state_dict_and_nothing_else(finished_run: Places) -> None:
    publish(finished_run)
    weights = torch.load(finished_run.published / SMOKE.id / "weights.pt", weights_only=True)
    checkpoint = torch.load(finished_run.run(SMOKE.id).checkpoint, weights_only=True)
    assert weights.keys() == checkpoint["net"].keys()
    assert all(torch.equal(value, checkpoint["net"][name]) for name, value in weights.items())
    assert all(value.is_contiguous() for value in weights.values())


def test_the_same_checkpoint_gives_the_same_bytes(finished_run: Places) -> None:
    folder = finished_run.run(SMOKE.id)
    assert trained_weights(SMOKE, folder) == trained_weights(SMOKE, folder)


@pytest.mark.parametrize(
    ("run", "released"),
    [
        (RESNET[20].run, True),
        (PLAIN[56].run, True),
        (RESNET[110].run, True),
        (Run(resnet(1202), RESNET[20].run.recipe), False),
        (Run(plain(18, "imagenet"), RESNET[20].run.recipe), False),
        (SCALES["quick"](RESNET[20].run), False),
        (SMOKE, False),
    ],
    ids=lambda value: getattr(value, "id", str(value)),
)
def test_small_nets_trained_as_the_paper_did_bring_their_weights(run: Run, released: bool) -> None:
    assert releases_weights(run) is released


def test_a_record_published_before_gets_its_weights_later_without_being_replaced(
    finished_run: Places,
) -> None:
    assert publish(finished_run, weights_at="paper").states == {SMOKE.id: "published"}
    folder = finished_run.published / SMOKE.id
    assert not (folder / "weights.pt").exists()
    assert publish(finished_run).states == {SMOKE.id: "published"}
    assert (folder / "weights.pt").exists()
    assert publish(finished_run).states == {SMOKE.id: "as before"}


def test_published_weights_stay_when_the_checkpoint_is_gone(finished_run: Places) -> None:
    publish(finished_run)
    finished_run.run(SMOKE.id).checkpoint.unlink()
    finished_run.run(SMOKE.id).previous_checkpoint.unlink(missing_ok=True)
    result = publish(finished_run)
    assert (result.states, result.code) == ({SMOKE.id: "as before"}, 0)
    assert (finished_run.published / SMOKE.id / "weights.pt").exists()


def test_published_weights_that_are_damaged_are_written_again(finished_run: Places) -> None:
    publish(finished_run)
    file = finished_run.published / SMOKE.id / "weights.pt"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    assert publish(finished_run).states == {SMOKE.id: "published"}
    assert file.read_bytes() == whole


def test_without_a_checkpoint_the_record_is_published_and_what_is_lacking_is_said(
    finished_run: Places,
) -> None:
    for path in finished_run.run(SMOKE.id).path.glob("checkpoint*.pt"):
        path.unlink()
    result = publish(finished_run)
    assert (result.states, result.code) == ({SMOKE.id: "published"}, 3)
    assert "no checkpoint to take weights from" in result.without_weights[SMOKE.id].problem


def test_the_checkpoint_of_another_run_gives_no_weights(finished_run: Places) -> None:
    from repro.training import checkpoint

    folder = finished_run.run(SMOKE.id)
    state = checkpoint.load(folder)
    assert state is not None
    checkpoint.save(folder, state | {"run": "another-run"}, lambda: None)
    result = publish(finished_run)
    assert "is of the run `another-run`" in result.without_weights[SMOKE.id].problem
    assert not (finished_run.published / SMOKE.id / "weights.pt").exists()


def test_an_earlier_checkpoint_gives_no_weights(finished_run: Places) -> None:
    from repro.training import checkpoint

    folder = finished_run.run(SMOKE.id)
    state = checkpoint.load(folder)
    assert state is not None
    checkpoint.save(folder, state | {"iteration": 60}, lambda: None)
    problem = publish(finished_run).without_weights[SMOKE.id].problem
    assert "is of iteration 60 of 120" in problem


def test_where_torch_is_not_installed_the_record_is_published_without_weights(
    finished_run: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if it were not there: None makes Python refuse the import.
    monkeypatch.delitem(sys.modules, "repro.training.weights_file", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    result = publish(finished_run)
    assert (result.states, result.code) == ({SMOKE.id: "published"}, 3)
    assert "needs torch, which is not installed" in result.without_weights[SMOKE.id].problem


def test_a_campaigns_results_are_published_into_another_results_folder(
    finished_run: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """REPRO_RESULTS says where the runs are, `--to` the results folder of the checkout that tracks
    them."""
    campaign = finished_run.results.rename(tmp_path / "campaign")
    monkeypatch.setenv("REPRO_RESULTS", str(campaign))
    checkout = tmp_path / "checkout"
    (checkout / "results").mkdir(parents=True)
    monkeypatch.chdir(checkout)
    words = [
        "publish",
        "figure6",
        "--scale",
        "smoke",
        "--only",
        SMOKE.id,
        "--uncommitted",
        "--to",
        "results",
    ]
    said = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert said.stdout == f"{SMOKE.id}\n"
    assert not (campaign / "published").exists()
    assert sorted(
        path.name for path in (checkout / "results" / "published" / SMOKE.id).iterdir()
    ) == [
        "final.json",
        "metrics.jsonl",
        "published.json",
        "run.json",
    ]


def test_a_folder_to_publish_to_must_be_there(here: Places) -> None:
    said = CliRunner().invoke(
        cli, ["publish", "figure6", "--scale", "smoke", "--to", "no-such-folder"]
    )
    assert said.exit_code == 2
    assert "no-such-folder" in said.stderr


def test_weights_with_another_digest_than_their_record_names_are_written_again(
    finished_run: Places,
) -> None:
    publish(finished_run)
    record = finished_run.published / SMOKE.id / "weights.json"
    about = read_json(record)
    write_atomic(record, json.dumps(about | {"sha256": "0" * 64}).encode())
    assert publish(finished_run).states == {SMOKE.id: "published"}
    assert read_json(record) == about
