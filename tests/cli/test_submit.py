"""`repro submit`: what it prints, what it asks, and its exit codes."""

from __future__ import annotations

import json
import re

import pytest

from repro.cli import main
from repro.cluster.submit import submission
from repro.storage.paths import Places
from tests.cluster.fake_slurm import FakeSlurm

TABLE6 = ("submit", "table6", "--on", "example", "--scale", "smoke", "--seeds", "1")


def code(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return int(ended.value.code or 0)


@pytest.mark.usefixtures("no_slurm")
def test_a_dry_run_of_everything_prints_sbatch_text_without_slurm(
    capsys: pytest.CaptureFixture[str], here: Places
) -> None:
    assert code("submit", "all", "--on", "example", "--dry-run") == 0
    said = capsys.readouterr()
    assert said.out.count("#!/bin/bash") >= 3
    assert said.out.count("\nsrun ") == said.out.count("#!/bin/bash")
    assert not here.results.exists()


def test_it_prints_the_arrays_number_and_what_to_type_next(
    slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code(*TABLE6, "--yes") == 0
    said = capsys.readouterr()
    assert said.out == "100\n"
    assert (
        "6 runs in 1 array, under a GPU-minute (all computed from the layers), up to 0.8 GiB of a GPU's m"
        in said.err
    )
    assert said.err.endswith("next: repro status table6\n")


def test_results_on_a_nodes_own_disk_are_warned_of(
    slurm: FakeSlurm, capsys: pytest.CaptureFixture[str], here: Places
) -> None:
    from repro.cluster.preflight.disk import is_node_local

    code(*TABLE6)
    assert ("which other nodes may not see" in capsys.readouterr().err) == bool(
        is_node_local(here.results)
    )


def test_asking_twice_sends_once(slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]) -> None:
    code(*TABLE6)
    capsys.readouterr()
    assert code(*TABLE6) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "left alone: 6 queued\nnothing to send\n")


def test_json_names_what_was_sent_and_what_was_left(
    slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    code(*TABLE6, "--json")
    first = json.loads(capsys.readouterr().out)
    code(*TABLE6, "--json")
    second = json.loads(capsys.readouterr().out)
    assert first["schema"] == 1
    assert (first["sent"][0]["array"], len(first["sent"][0]["runs"]), first["left"]) == (
        "100",
        6,
        [],
    )
    assert (second["sent"], {left["state"] for left in second["left"]}) == ([], {"queued"})


def test_json_is_one_document_of_what_would_be_sent_too(
    slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code(*TABLE6, "--dry-run", "--json") == 0
    (text,) = json.loads(capsys.readouterr().out)["texts"]
    assert text.startswith("#!/bin/bash")
    assert code(*TABLE6, "--test-only", "--json") == 0
    (verdict,) = json.loads(capsys.readouterr().out)["verdicts"]
    assert "to start at" in verdict


def test_above_the_limit_it_asks_and_where_nobody_can_answer_it_refuses(
    slurm: FakeSlurm, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPRO_ASK_ABOVE_JOBS", "3")
    assert code(*TABLE6) == 2
    assert (
        "6 runs, under a GPU-minute, are more than this cluster's profile sends without asking"
        in capsys.readouterr().err
    )
    assert slurm.arrays() == []
    assert code(*TABLE6, "--yes") == 0


def test_options_reach_the_sbatch_text(
    slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "--partition",
        "gpu",
        "--account",
        "mine",
        "--time",
        "1:30:00",
        "--gpus",
        "2",
        "--max-parallel",
        "4",
        "--sbatch",
        "reservation=spring",
    ]
    assert code(*TABLE6, *words, "--dry-run") == 0
    text = capsys.readouterr().out
    for line in (
        "partition=gpu",
        "account=mine",
        "time=90",
        "gpus-per-node=2",
        "array=0-5%4",
        "reservation=spring",
    ):
        assert f"#SBATCH --{line}\n" in text


def test_a_dry_run_says_the_runs_the_cost_and_the_claims_they_decide(
    capsys: pytest.CaptureFixture[str], here: Places
) -> None:
    assert code(*TABLE6, "--dry-run") == 0
    lines = capsys.readouterr().out.splitlines()
    comments = [line for line in lines if line.startswith("# ")]
    assert any(line.startswith("# 6 runs in 1 array") and "GPU" in line for line in comments)
    assert "# computing in fp32 (NCHW in memory)" in comments
    assert any("`--variant bf16` would take" in line for line in comments)
    assert sum(line.startswith("#   resnet-") for line in lines) == 6
    assert code(*TABLE6, "--dry-run", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["runs"]) == document["foresight"]["runs"] == 6
    assert document["foresight"]["gpu_hours"] > 0
    assert document["foresight"]["computing"][0] == "computing in fp32 (NCHW in memory)"
    assert document["foresight"]["claims"] == []  # one seed of each net decides no claim on CIFAR
    figure6 = ("submit", "figure6", "--on", "example", "--scale", "smoke", "--seeds", "2")
    assert code(*figure6, "--dry-run") == 0
    assert "# claims of the paper that they can decide: F6-1" in capsys.readouterr().out
    assert not here.results.exists()


def test_before_sending_it_says_in_sentences_what_the_runs_cannot_decide(
    slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    sentence = (
        "Claims T2-1, T2-2, T2-3, T2-4: these runs can decide them for these trained nets only, "
        "not for the recipe: it has one seed, and `--seeds 2` or more are needed."
    )
    assert code("submit", "table2", "--on", "example", "--dry-run") == 0
    assert f"# {sentence}" in capsys.readouterr().out.splitlines()
    assert code("submit", "table2", "--on", "example", "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["foresight"]["limits"] == [sentence]
    assert code(*TABLE6) == 0
    assert "these runs cannot decide them: it has one seed" in capsys.readouterr().err


def test_a_claim_is_decided_only_if_all_its_other_runs_are_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert code(*TABLE6, "--only", "resnet-20", "--dry-run") == 0
    assert "claims of the paper" not in capsys.readouterr().out


def test_slurms_verdict_is_relayed(slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]) -> None:
    assert code(*TABLE6, "--test-only") == 0
    assert "to start at" in capsys.readouterr().out
    assert code(*TABLE6, "--test-only", "--partition", "nowhere") == 4
    assert "SLURM refuses it: invalid partition specified: nowhere" in capsys.readouterr().err


def test_a_dry_run_and_a_test_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert code(*TABLE6, "--dry-run", "--test-only") == 2
    assert "exclude each other" in capsys.readouterr().err


@pytest.mark.usefixtures("no_slurm")
def test_without_slurm_it_says_what_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    assert code(*TABLE6) == 4
    assert "no `sbatch` here" in capsys.readouterr().err


def test_what_failed_is_named_with_the_way_to_retry(
    slurm: FakeSlurm, here: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    code(*TABLE6)
    slurm.end("100")
    for path in here.runs.iterdir():
        (path / "failed.json").write_text('{"state": "failed", "problem": "no data"}')
    code(*TABLE6)
    assert "left alone: 6 failed\nhint: `--retry`" in capsys.readouterr().err
    code("status", "--failed", "resnet-20.*")
    assert (
        "to retry: repro submit table6 --seeds 1 --scale smoke --on example --retry"
        in capsys.readouterr().out
    )
    assert code(*TABLE6, "--retry") == 0
    assert len(slurm.arrays()[1]) == 6


def test_of_some_runs_only_those_are_sent_and_the_batch_remembers_the_words(
    slurm: FakeSlurm, here: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code(*TABLE6, "--only", "resnet-20", "--only", "resnet-32", "--skip", "32.c") == 0
    (path,) = here.runs.iterdir()
    assert path.name.startswith("resnet-20.")
    slurm.end("100")
    (path / "failed.json").write_text('{"state": "failed", "problem": "no data"}')
    capsys.readouterr()
    code("status", "--failed")
    words = (
        "--seeds 1 --only resnet-20 --only resnet-32 --skip 32.c --scale smoke --on example --retry"
    )
    assert f"to retry: repro submit table6 {words}\n" in capsys.readouterr().out
    assert code("submit", "table6", *words.split()) == 0
    assert len(slurm.arrays()[1]) == 1


def test_an_experiment_of_which_nothing_is_left_is_no_empty_array(slurm: FakeSlurm) -> None:
    assert code("submit", "table6", "figure6", *TABLE6[2:], "--only", "plain-20") == 0
    ((job,),) = slurm.arrays()
    assert job["batch"].startswith("repro-figure6-")


def test_where_nothing_matches_it_is_a_mistake_and_nothing_is_written(
    slurm: FakeSlurm, capsys: pytest.CaptureFixture[str], here: Places
) -> None:
    assert code(*TABLE6, "--only", "resnet-21", "--skip", "s0") == 2
    said = capsys.readouterr().err
    assert said.startswith(
        "Error: no run's id contains `resnet-21` and is without `s0`\n\nhint: `repro show"
    )
    assert not here.results.exists()


def test_too_little_memory_is_warned_of(
    slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    code(*TABLE6, "--memory", "500MB")
    said = capsys.readouterr().err
    found = re.search(
        r"Warning: (\S+) needs about 3.\d GiB of a node's memory, and 500MB are asked for: (.*)",
        said,
    )
    assert found
    assert found.groups() == ("resnet-1202", "`--memory 4GB`")
    code(*TABLE6, "--again", "--memory", "16GB")
    assert "of a node's memory, and" not in capsys.readouterr().err


def test_runs_taken_at_the_same_moment_are_told(
    slurm: FakeSlurm, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "take_claim", lambda folder, ours, old: None)
    assert code(*TABLE6) == 0
    assert "left 6 runs that somebody else sent at this moment" in capsys.readouterr().err


def test_ctrl_c_says_what_was_sent(
    slurm: FakeSlurm, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(submission, "send_array", interrupted)
    assert code(*TABLE6) == 130
    assert "sent: 0 runs; not known to be sent: 6 runs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("submit", "tabel6", "--on", "example"), "no experiment named `tabel6`"),
        (("submit", "table6", "--on", "exampel"), "no cluster named `exampel`"),
        (("submit", "table6"), "`--on` is missing: which cluster?"),
        (("submit", "table6", "--on", "../x"), "is not a name for a cluster"),
        ((*TABLE6, "--time", "soon"), "is not a time"),
        ((*TABLE6, "--partition", "x\ny"), "`partition` is"),
        ((*TABLE6, "--sbatch", "wrap=sh"), "is not free"),
        ((*TABLE6, "--cpus", "0"), "`cpus` is `0`"),
        (("submit", "table7", "--on", "example"), "is not reproduced here"),
    ],
)
def test_mistakes_are_usage_errors_and_write_nothing(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str], here: Places
) -> None:
    assert code(*words) == 2
    assert said in capsys.readouterr().err
    assert not here.results.exists()
