"""Submission: what sbatch is given, that asking twice sends once, and that a refusal leaves nothing
behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.recipes import CIFAR10
from experiments.scales import SCALES
from repro.cluster.profile import Profile
from repro.cluster.slurm import run_slurm_command
from repro.cluster.status.matched_folders import select_folders
from repro.cluster.submit import sending, submission
from repro.cluster.submit.submission import Plan, Sent, SubmitOptions, make_plan, sbatch_texts, send
from repro.definition.net import resnet
from repro.definition.run import Run
from repro.errors import UserError
from repro.local.workers import KEEPING_MEMORY
from repro.storage.atomic import read_json, to_json, write_atomic
from repro.storage.paths import Folder, Places
from tests.cluster.fake_slurm import FakeSlurm
from tests.run_folders import write_final

GOLDEN = Path(__file__).parent / "sbatch.golden"
RUNS = tuple(SCALES["smoke"](run) for run in Run(resnet(20), CIFAR10).repeated(3))
EVERYTHING = Profile(
    "everything",
    partition="gpu,gpu-long",
    account="my-project",
    qos="normal",
    constraint="a100|h100",
    exclude="node[17-19]",
    time=1440,
    memory="32GB",
    cpus=8,
    gpus=2,
    gpu_type="a100",
    gpu_flag="gres",
    nodes=2,
    processes=2,
    max_parallel=2,
    setup=("module load cuda/12.8",),
    environment={"NCCL_DEBUG": "it's $HOME"},
    container=("apptainer", "exec", "my image.sif"),
    python="python",
    scratch="$SLURM_TMPDIR",
    sbatch={"reservation": "spring", "exclusive": True, "nice": False},
)
PLACES = Places(Path("/shared/results"), Path("/shared/figures"), Path("/shared/data"))


AS_USUAL = SubmitOptions()
MINE = Profile("mine")


def planned(
    here: Places, wanted: SubmitOptions = AS_USUAL, size: int = 1001, runs: tuple[Run, ...] = RUNS
) -> Plan:
    return make_plan({"table6": runs}, here, Profile("mine"), wanted, size)


def sent(here: Places, wanted: SubmitOptions = AS_USUAL, profile: Profile = MINE) -> list[Sent]:
    return list(send(planned(here, wanted), here, profile, wanted))


@pytest.mark.usefixtures("no_slurm")
def test_the_sbatch_text_is_the_golden_one_and_needs_no_slurm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        submission, "frozen_folder", lambda places: places.results / "code" / "0123456789abcdef"
    )
    small = replace(Profile("small"), python="python", gpus=0)
    found = [
        text
        for profile in (EVERYTHING, small)
        for text in sbatch_texts(planned(PLACES), PLACES, profile)
    ]
    text = re.sub(
        "repro-table6-[0-9a-f]{8}", "repro-table6-01234567", "\n\n".join(found)
    )  # the runs' own ids
    assert text + "\n" == GOLDEN.read_text()


@pytest.mark.parametrize(
    ("in_the_job", "in_scontrol", "code", "calls"),
    [
        ('touch "$REPRO_REQUEUE_MARK"; exit 75', "exit 0", 0, "requeue 12_1\n"),
        ('touch "$REPRO_REQUEUE_MARK"; exit 75', "exit 1", 75, "requeue 12_1\n"),
        ("exit 0", "exit 0", 0, ""),
        ("exit 4", "exit 0", 4, ""),
    ],
)
def test_the_script_of_a_container_requeues_the_element_whose_job_asks_for_it(
    in_the_job: str, in_scontrol: str, code: int, calls: str, here: Places, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    said = tmp_path / "said"
    said.touch()
    for name, script in (("srun", in_the_job), ("scontrol", f'echo "$@" >> {said}; {in_scontrol}')):
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    (text,) = sbatch_texts(planned(here), here, Profile("mine", container=("apptainer", "exec")))
    name = re.search(r"--job-name=(\S+)", text)
    assert name
    folder = here.results / "jobs" / name[1]
    folder.mkdir(parents=True)
    (folder / "1.requeue").touch()  # of an earlier start
    environment = {"SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "1"}
    environment["PATH"] = f"{programs}:/usr/bin:/bin"
    done = subprocess.run(["bash", "-c", text], env=environment, check=False)
    assert (done.returncode, said.read_text()) == (code, calls)
    assert not list(folder.iterdir())


def test_what_is_not_given_is_not_asked_for(here: Places) -> None:
    (text,) = sbatch_texts(planned(here), here, Profile("bare"))
    for flag in ("partition", "account", "qos", "wckey", "mem", "constraint", "exclude", "gres"):
        assert f"--{flag}" not in text


def test_a_job_shares_with_the_group_what_its_submitter_shares(
    here: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "REPRO_GROUP_READABLE" not in next(sbatch_texts(planned(here), here, Profile("mine")))
    monkeypatch.setenv("REPRO_GROUP_READABLE", "1")
    assert "export REPRO_GROUP_READABLE=1\n" in next(
        sbatch_texts(planned(here), here, Profile("mine"))
    )


def test_a_profiles_own_environment_goes_before_what_every_job_gets(here: Places) -> None:
    keeping = dict.fromkeys(KEEPING_MEMORY, "0")
    (usual,) = sbatch_texts(planned(here), here, Profile("mine"))
    (own,) = sbatch_texts(planned(here), here, Profile("mine", environment=keeping))
    for name, value in KEEPING_MEMORY.items():
        assert f"export {name}={value}\n" in usual
        assert [line for line in own.splitlines() if name in line] == [f"export {name}=0"]


@pytest.mark.usefixtures("slurm")
def test_nothing_is_written_by_a_dry_run(here: Places) -> None:
    assert list(sbatch_texts(planned(here), here, Profile("mine")))
    assert not here.results.exists()


def test_a_submission_is_one_sbatch_for_all_runs(here: Places, slurm: FakeSlurm) -> None:
    (array,) = sent(here)
    assert array.runs == tuple(run.id for run in RUNS)
    assert slurm.calls().count("sbatch") == 1
    assert [len(jobs) for jobs in slurm.arrays()] == [3]
    assert all(read_json(here.run(run.id).definition)["seed"] == run.seed for run in RUNS)


def test_asking_twice_sends_once(here: Places, slurm: FakeSlurm) -> None:
    sent(here)
    again = planned(here)
    assert again.arrays == ()
    assert {state.word for state in again.left} == {"queued"}
    assert slurm.calls().count("squeue") == 1


def test_the_same_runs_sent_from_another_folder_are_other_jobs(
    here: Places, slurm: FakeSlurm, tmp_path: Path
) -> None:
    elsewhere = replace(here, results=tmp_path / "elsewhere")
    ours, theirs = (sent(places)[0] for places in (here, elsewhere))
    assert ours.batch != theirs.batch
    for places, array in ((here, ours), (elsewhere, theirs)):
        assert [state.job for state in planned(places).left] == [
            f"{array.array}_{index}" for index in range(3)
        ]
    assert len(slurm.arrays()) == 2


def test_a_job_of_the_same_name_is_not_taken_for_ours(here: Places, slurm: FakeSlurm) -> None:
    (array,) = sent(here)
    another = (
        (slurm.folder / f"array-{array.array}.json")
        .read_text()
        .replace(f'"{array.array}"', '"999"')
    )
    (slurm.folder / "array-999.json").write_text(another)
    assert {state.job for state in planned(here).left} == {
        f"{array.array}_{index}" for index in range(3)
    }


def test_running_runs_are_left_alone_and_done_ones_skipped(here: Places, slurm: FakeSlurm) -> None:
    (array,) = sent(here)
    slurm.set(array.array, 0, state="RUNNING")
    write_final(here.run(RUNS[1].id), RUNS[1])
    assert [state.word for state in planned(here).left] == ["running", "done", "queued"]


def test_a_published_run_is_not_sent(here: Places) -> None:
    write_final(Folder(here.published / RUNS[0].id), RUNS[0])
    found = planned(here)
    assert found.runs == RUNS[1:]
    assert [(state.word, state.reason) for state in found.left] == [("done", "published")]
    assert planned(here, SubmitOptions(again=True)).runs == RUNS


def test_a_run_of_two_experiments_goes_with_the_first(here: Places) -> None:
    found = make_plan(
        {"table6": RUNS[:2], "figure6": RUNS}, here, Profile("mine"), SubmitOptions(), 1001
    )
    assert found.arrays == (("table6", RUNS[:2]), ("figure6", RUNS[2:]))


def test_runs_that_differ_in_their_seed_alone_can_share_a_job(
    here: Places, slurm: FakeSlurm
) -> None:
    (array,) = sent(here, profile=Profile("mine", pack=2))
    assert (len(array.runs), array.jobs) == (3, 2)
    assert [len(jobs) for jobs in slurm.arrays()] == [2]
    assert [state.job for state in planned(here).left] == ["100_0", "100_0", "100_1"]
    assert {folder.path.name for folder in select_folders(["100_0"], here)} == {
        run.id for run in RUNS[:2]
    }


def test_an_array_is_cut_at_the_schedulers_limit(here: Places) -> None:
    assert [len(runs) for _, runs in planned(here, size=2).arrays] == [2, 1]


def test_a_failed_run_needs_retry(here: Places, slurm: FakeSlurm) -> None:
    (array,) = sent(here)
    slurm.end(array.array)
    write_atomic(
        here.run(RUNS[0].id).failed, to_json({"state": "failed", "problem": "the loss is NaN"})
    )
    assert RUNS[0] not in planned(here).runs
    assert RUNS[0] in planned(here, SubmitOptions(retry=True)).runs


def test_what_was_cancelled_in_the_queue_is_sent_again(here: Places, slurm: FakeSlurm) -> None:
    (array,) = sent(here)
    slurm.end(array.array)
    (second,) = sent(here)
    assert (second.runs, second.batch) == (array.runs, f"{array.batch}-2")


def test_again_puts_the_old_record_aside(here: Places, slurm: FakeSlurm) -> None:
    (array,) = sent(here)
    slurm.end(array.array)
    for run in RUNS:
        write_final(here.run(run.id), run)
    assert planned(here).runs == ()
    (second,) = sent(here, SubmitOptions(again=True))
    assert len(second.runs) == 3
    assert not here.run(RUNS[0].id).final.exists()
    assert (here.runs / f".{RUNS[0].id}.replaced-1" / "final.json").exists()


def test_a_run_whose_record_is_damaged_is_sent_with_again_alone(here: Places) -> None:
    write_final(here.run(RUNS[0].id), RUNS[0])
    write_atomic(here.run(RUNS[0].id).final, b"[]")
    assert planned(here).runs == RUNS[1:]
    assert planned(here, SubmitOptions(retry=True)).runs == RUNS[1:]
    assert planned(here, SubmitOptions(again=True)).runs == RUNS


def test_slurms_refusal_is_told_in_its_own_words_and_leaves_nothing(
    here: Places, slurm: FakeSlurm
) -> None:
    with pytest.raises(
        UserError, match="SLURM refuses it: invalid partition specified: nowhere"
    ) as error:
        sent(here, profile=Profile("mine", partition="nowhere"))
    assert error.value.code == 4
    assert list(here.runs.iterdir()) == list((here.results / "jobs").iterdir()) == []


@pytest.mark.usefixtures("no_slurm")
def test_without_slurm_nothing_can_be_sent(here: Places) -> None:
    with pytest.raises(UserError, match="no `sbatch` here") as error:
        sent(here)
    assert error.value.code == 4


def test_a_results_folder_that_slurm_would_expand_is_refused(here: Places) -> None:
    odd = replace(here, results=here.results / "a%j")
    with pytest.raises(UserError, match="cannot be written into an sbatch file"):
        list(sbatch_texts(planned(odd), odd, Profile("mine")))


def test_a_job_inherits_nothing_of_the_job_it_is_sent_from(
    here: Places, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SBATCH_PARTITION", "elsewhere")
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    program = slurm.folder / "sbatch"
    keep = f"import os; open('{slurm.folder}/env', 'w').write(' '.join(os.environ))\nimport json"
    program.write_text(program.read_text().replace("import json", keep, 1))
    sent(here)
    assert not {"SBATCH_PARTITION", "SLURM_JOB_ID"} & set(
        (slurm.folder / "env").read_text().split()
    )
    assert os.environ["SLURM_JOB_ID"] == "1"


def test_of_many_submitters_at_once_each_run_is_sent_by_one(here: Places, slurm: FakeSlurm) -> None:
    script = textwrap.dedent("""
        import sys
        from repro.storage.paths import places
        from tests.cluster.submit.test_submission import planned, sent
        sys.stdin.readline()
        sent(places())
    """)
    submitters = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        for _ in range(8)
    ]
    for submitter in submitters:
        submitter.communicate("go\n", timeout=120)
    assert [submitter.returncode for submitter in submitters] == [0] * 8
    jobs = [job for jobs in slurm.arrays() for job in jobs]
    names = [
        read_json(here.results / "jobs" / job["batch"] / "runs.json")["elements"][job["index"]][0]
        for job in jobs
    ]
    assert sorted(names) == sorted(run.id for run in RUNS)


def test_a_submitter_killed_before_sbatch_leaves_runs_that_can_be_sent(
    here: Places, slurm: FakeSlurm
) -> None:
    _killed_in("send_array", here)
    assert slurm.arrays() == []
    (array,) = sent(here)
    assert len(array.runs) == 3


def test_a_submitter_killed_after_sbatch_leaves_jobs_that_are_found(
    here: Places, slurm: FakeSlurm
) -> None:
    _killed_in("Batch.sent", here)
    assert [len(jobs) for jobs in slurm.arrays()] == [3]
    assert planned(here).runs == ()
    assert {(state.word, state.job) for state in planned(here).left} == {
        ("queued", f"100_{n}") for n in range(3)
    }


def _killed_in(function: str, here: Places) -> None:
    """A submitter that is killed with SIGKILL at the moment it would call this."""
    script = f"""
import os, signal
from repro.cluster.submit import submission
from repro.storage.paths import places
from tests.cluster.submit.test_submission import sent
submission.{function} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
sent(places())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=Path(__file__).parents[3], check=False
    )
    assert done.returncode == -9


def _interrupted(*_: object) -> str:
    raise KeyboardInterrupt


def test_ctrl_c_takes_back_what_was_not_sent(
    here: Places, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "array_for", _interrupted)
    with pytest.raises(KeyboardInterrupt):
        sent(here)
    assert list(here.runs.iterdir()) == []


def test_ctrl_c_while_slurm_is_told_leaves_what_it_may_have_to_be_found(
    here: Places, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "send_array", _interrupted)
    with pytest.raises(KeyboardInterrupt):
        sent(here)
    assert len(list(here.runs.iterdir())) == 3
    assert {state.word for state in planned(here).left} == {"queued"}


TIMED_OUT = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"


def test_an_array_that_slurm_has_but_does_not_confirm_is_found_in_the_queue(
    here: Places, slurm: FakeSlurm
) -> None:
    slurm.fails("sbatch", TIMED_OUT)
    (array,) = sent(here)
    assert (array.array, len(slurm.arrays())) == ("100", 1)
    assert {state.job for state in planned(here).left} == {"100_0", "100_1", "100_2"}


def test_an_array_of_which_nobody_knows_whether_slurm_has_it_is_known_when_it_answers_again(
    here: Places, slurm: FakeSlurm
) -> None:
    slurm.fails("sbatch", TIMED_OUT)
    slurm.fails("squeue", "squeue: error: Unable to contact slurm controller")
    with pytest.raises(
        UserError, match=r"SLURM does not say whether it has the jobs: .*timed out"
    ) as caught:
        sent(here)
    assert "`squeue --name repro-table6-" in caught.value.hint
    slurm.works()
    assert {state.word for state in planned(here).left} == {"queued"}
    assert sent(here) == []
    assert len(slurm.arrays()) == 1


def test_what_was_put_aside_to_be_done_again_is_put_back_when_slurm_refuses(
    here: Places, slurm: FakeSlurm
) -> None:
    for run in RUNS:
        write_final(here.run(run.id), run, test_error=8.75)
    with pytest.raises(UserError, match="SLURM refuses it"):
        sent(here, SubmitOptions(again=True), Profile("mine", partition="nowhere"))
    assert {state.word for state in planned(here).left} == {"done"}
    assert sorted(path.name for path in here.runs.iterdir()) == sorted(run.id for run in RUNS)
    (array,) = sent(here, SubmitOptions(again=True))
    assert len(array.runs) == 3
    assert len([path for path in here.runs.iterdir() if ".replaced-1" in path.name]) == 3


def test_what_waits_to_go_on_is_not_sent_again_because_the_queue_does_not_answer(
    here: Places, slurm: FakeSlurm
) -> None:
    sent(here)
    for number, run in enumerate(RUNS):
        said = {
            "state": "stopped",
            "attempt": 1,
            "iteration": 40,
            "job": f"100_{number}",
            "host": "gpu1",
        }
        write_atomic(here.run(run.id).progress, to_json(said))
    slurm.fails("squeue", "squeue: error: Socket timed out on send/recv operation")
    left = planned(here, SubmitOptions(retry=True)).left
    assert {(state.word, state.reason) for state in left} == {
        ("queued", "saved at iteration 40; scheduler unknown")
    }


def test_a_damaged_record_of_failure_is_not_sent_again_before_it_is_put_right(
    here: Places, slurm: FakeSlurm
) -> None:
    write_atomic(here.run(RUNS[0].id).failed, b"{")
    found = planned(here, SubmitOptions(retry=True))
    assert found.runs == RUNS[1:]
    assert "failed.json" in found.left[0].reason


def test_a_verdict_that_does_not_come_is_not_waited_for(
    here: Places, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "PATIENCE_S", 0.5)
    (slurm.folder / "sbatch").write_text("#!/bin/sh\nexec sleep 60\n")
    with pytest.raises(UserError, match=r"`sbatch` has not answered for 0.5 s"):
        list(submission.slurm_verdicts(planned(here), here, Profile("mine")))


def test_a_group_can_read_what_is_sent_if_it_may_and_nobody_else_ever(
    here: Places, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPRO_GROUP_READABLE", "1")
    here.results.mkdir()
    here.results.chmod(0o2750)  # hands on its group
    old = os.umask(0o027)
    try:
        sent(here)
    finally:
        os.umask(old)
    for path in here.results.rglob("*"):
        mode = path.stat().st_mode & 0o7777
        assert mode in ((0o2750,) if path.is_dir() else (0o640, 0o700)), f"{path} is {mode:o}"


def test_the_records_are_json_and_name_no_secret(
    here: Places, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "swordfish")
    sent(here)
    written = [
        path for path in here.results.rglob("*") if path.is_file() and "code" not in path.parts
    ]
    assert not any(b"swordfish" in path.read_bytes() for path in written)
    assert all(json.loads(path.read_bytes()) for path in written if path.suffix == ".json")


@pytest.mark.parametrize(
    "words",
    [
        "sbatch: error: Batch job submission failed: Unable to contact slurm controller "
        "(connect failure)",
        "sbatch: error: Batch job submission failed: Connection refused",
    ],
)
def test_a_controller_that_is_down_is_told_as_status_tells_it(
    here: Places, slurm: FakeSlurm, words: str
) -> None:
    """The profile is not to blame, so its correction is not proposed."""
    (slurm.folder / "sbatch").write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")
    slurm.fails("squeue", words.replace("sbatch", "squeue"))
    with pytest.raises(UserError, match="`sbatch` says: ") as refused:
        sent(here)
    with pytest.raises(UserError) as asked:
        run_slurm_command(["squeue"])
    assert asked.value.hint in refused.value.hint
    assert "slurm/<cluster>.toml" not in refused.value.hint
    assert refused.value.code == asked.value.code == 4
    assert list(here.runs.iterdir()) == []


def test_the_text_comes_from_submitit_and_a_version_without_it_is_named(
    here: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    import submitit

    monkeypatch.delattr(submitit.SlurmExecutor, "_make_submission_file_text")
    with pytest.raises(UserError, match=r"submitit .* makes no sbatch text") as error:
        list(sbatch_texts(planned(here), here, Profile("mine")))
    assert "pip install submitit==" in error.value.hint


def test_what_was_sent_stays_in_the_batch_s_folder(here: Places, slurm: FakeSlurm) -> None:
    (array,) = sent(here)
    text = (here.results / "jobs" / array.batch / "submission.sh").read_text()
    assert f"#SBATCH --job-name={array.batch}" in text
