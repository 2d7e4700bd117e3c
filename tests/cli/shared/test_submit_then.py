"""`repro submit --then report`: a job of its own that waits for the runs and writes the report."""

from __future__ import annotations

import json
import re
import shlex
import subprocess

import pytest

import repro
from repro.cli import main
from repro.storage.paths import ROOT, Places
from tests.cluster.fake_slurm import FakeSlurm

BOTH = ("submit", "table6", "figure6", "--on", "example", "--scale", "smoke", "--seeds", "1")
BOTH = (*BOTH, "--yes", "--then", "report")


def code(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    return int(ended.value.code or 0)


def text_of(here: Places) -> str:
    [folder] = (here.results / "jobs").glob("repro-then-report-*")
    return (folder / "submission.sh").read_text()


def test_a_job_waits_for_every_array_however_it_ends(
    slurm: FakeSlurm, here: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code(*BOTH) == 0
    said = capsys.readouterr()
    assert said.out == "100\n101\n"
    assert re.search(
        r"then: job 102 \(repro-then-report-[0-9a-f]{8}\) runs `repro report --scale smoke` "
        r"when 100, 101 have ended\n",
        said.err,
    )
    *_, [job] = slurm.arrays()
    assert job["options"] == ["--dependency=afterany:100:101"]
    assert job["batch"].startswith("repro-then-report-")


def test_the_job_asks_for_no_gpu_and_little_time_and_runs_the_frozen_code(
    slurm: FakeSlurm, here: Places
) -> None:
    assert code(*BOTH, "--gpus", "2", "--partition", "long", "--account", "mine") == 0
    text = text_of(here)
    assert not re.search("--(gpus|gres)", text)
    for line in ("time=60", "cpus-per-task=2", "nodes=1", "partition=long", "account=mine"):
        assert f"#SBATCH --{line}\n" in text
    assert re.search(rf"#SBATCH --chdir={here.results}/code/[0-9a-f]{{16}}\n", text)
    assert f"export REPRO_RESULTS={here.results}\n" in text
    assert text.rstrip().endswith("-u -m repro.cli report --scale smoke")


def test_the_command_of_the_job_gathers_the_runs_and_writes_the_report(
    slurm: FakeSlurm, here: Places
) -> None:
    assert code(*BOTH) == 0
    lines = text_of(here).splitlines()
    exports = [line for line in lines if line.startswith("export REPRO")]
    [start] = [line for line in lines if line.startswith("srun ")]
    words = shlex.split(start)
    command = shlex.join(words[words.index("-u") - 1 :])
    script = "\n".join([*exports, command])
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert here.report.exists()
    assert here.frame.exists()  # what `repro collect` writes


@pytest.mark.usefixtures("no_slurm")
def test_a_dry_run_shows_the_text_and_what_it_waits_for(
    here: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code(*BOTH, "--dry-run") == 0
    out = capsys.readouterr().out
    assert out.count("#!/bin/bash") == 3
    assert "-m repro.cli report --scale smoke" in out
    assert (
        "# when they have ended, however they end: "
        "sbatch --dependency=afterany:<array 1>:<array 2>\n" in out
    )
    assert code(*BOTH, "--dry-run", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["texts"]) == 2
    then = document["then"]
    assert then["command"] == "repro report --scale smoke"
    assert then["dependency"] == "afterany:<array 1>:<array 2>"
    assert then["text"].startswith("#!/bin/bash")
    assert not here.results.exists()


def test_json_names_the_job_and_what_it_waits_for(
    slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    assert code(*BOTH, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["then"]["array"] == "102"
    assert document["then"]["after"] == ["100", "101"]
    assert code(*BOTH[:-2], "--json") == 0
    assert "then" not in json.loads(capsys.readouterr().out)


def test_asking_twice_sends_one_job(slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]) -> None:
    code(*BOTH)
    capsys.readouterr()
    assert code(*BOTH) == 0
    assert re.search(r"then: job 102 \(\S+\) waits already to run", capsys.readouterr().err)
    assert len(slurm.arrays()) == 3


def test_a_job_that_waits_for_earlier_arrays_only_is_not_taken_for_one_that_waits_for_all(
    slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = (("submit", name, *BOTH[3:-2]) for name in ("table6", "figure6"))
    assert code(*one, "--then", "report") == 0  # arrays 100, and 101 for the report
    assert code(*two) == 0  # array 102
    capsys.readouterr()
    assert code(*two, "--then", "report") == 0
    assert "waits already" not in capsys.readouterr().err
    *_, [job] = slurm.arrays()
    assert "102" in job["options"][0]


def test_runs_that_were_sent_before_are_waited_for_as_well(
    slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    code(*BOTH[:-2])
    assert code(*BOTH, "--dry-run") == 0
    assert "sbatch --dependency=afterany:100:101\n" in capsys.readouterr().out
    assert code(*BOTH) == 0
    *_, [job] = slurm.arrays()
    assert job["options"] == ["--dependency=afterany:100:101"]


def test_where_nothing_runs_no_job_is_sent(
    slurm: FakeSlurm, here: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    code(*BOTH[:-2])
    slurm.end("100")
    slurm.end("101")
    for path in here.runs.iterdir():
        (path / "failed.json").write_text('{"state": "failed", "problem": "no data"}')
    capsys.readouterr()
    assert code(*BOTH) == 0
    said = capsys.readouterr().err
    assert "no job for the report: nothing waits or runs; `repro report --scale smoke`" in said
    assert len(slurm.arrays()) == 2


def test_where_slurm_refuses_that_job_the_runs_stay_sent_and_it_says_what_to_do(
    slurm: FakeSlurm, here: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    program = slurm.folder / "sbatch"
    refusal = 'if "afterany" in str(words): sys.exit("sbatch: error: Job dependency problem")\n'
    before = 'if name == "sbatch":\n'
    program.write_text(program.read_text().replace(before, f"{refusal}{before}", 1))
    assert code(*BOTH) == 4
    said = capsys.readouterr()
    assert said.out == "100\n101\n"
    assert "the runs are in the queue, and the job that writes the report is not: " in said.err
    assert "Job dependency problem\n\nhint: `repro report --scale smoke` writes it" in said.err
    assert len(slurm.arrays()) == 2
    assert not list((here.results / "jobs").glob("repro-then-*"))


def test_status_and_cancel_do_not_take_the_job_for_a_run(
    slurm: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    code(*BOTH)
    capsys.readouterr()
    assert code("status", "--json") == 0
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert {run["job"].partition("_")[0] for run in runs} == {"100", "101"}


def test_from_python_the_same_job_waits_for_the_runs(slurm: FakeSlurm, here: Places) -> None:
    chosen = repro.Selection(("table6", "figure6"), scale="smoke", seeds=1)
    sent = repro.submit(chosen, on="example", then="report")
    assert [array.array for array in sent] == ["100", "101"]
    *_, [job] = slurm.arrays()
    assert job["options"] == ["--dependency=afterany:100:101"]
    assert text_of(here).rstrip().endswith("-u -m repro.cli report --scale smoke")


def test_from_python_another_word_is_refused_before_anything_is_sent(slurm: FakeSlurm) -> None:
    with pytest.raises(repro.UserError) as caught:
        repro.submit("table6", on="example", scale="smoke", then="lunch")  # type: ignore[arg-type]
    assert caught.value.problem == "`then` cannot be `lunch`"
    assert slurm.arrays() == []


def test_another_word_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert code(*BOTH[:-1], "lunch") == 2
    assert "`--then` cannot be `lunch`\n\nhint: it is one of report" in capsys.readouterr().err
