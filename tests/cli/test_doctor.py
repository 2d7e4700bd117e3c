"""`repro doctor`: what would fail later, each with its fix."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from repro.bench import roofline
from repro.cli import main
from repro.cluster.preflight import doctor, torch_build
from repro.cluster.preflight.disk import file_system, is_node_local
from repro.cluster.preflight.doctor import examine_environment
from repro.cluster.preflight.precision_timing import judged
from repro.cluster.profile import Profile
from repro.storage.paths import ROOT, Places
from tests.cluster.fake_slurm import laptop

_SCONTROL = "echo MaxArraySize = 501\necho AccountingStorageType = accounting_storage/none\n"
_SINFO = 'case "$*" in *nowhere*) ;; *"%R"*) echo "gpu|1:00:00|4|gpu:v100:4|up" ;; *) echo gpu:v100:4 ;; esac\n'


@pytest.fixture(autouse=True)
def _small_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = laptop(tmp_path / "cluster")
    for name, script in {
        "sbatch": "",
        "squeue": "",
        "scancel": "",
        "scontrol": _SCONTROL,
        "sinfo": _SINFO,
    }.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(roofline, "SECONDS", 0.0)


def found(here: Places, profile: Profile | None = None) -> dict[str, doctor.Check]:
    return {check.name: check for check in examine_environment(here, profile)}


def test_every_check_has_a_line_and_every_trouble_a_fix(here: Places) -> None:
    checks = found(here, Profile("mine", time=30))
    expected = {
        "python",
        "submitit",
        "slurm",
        "scheduler",
        "accounting",
        "partition",
        "results",
        "space",
        "torch",
    }
    assert expected | {"cifar10", "imagenet", "code", "clock"} <= set(checks)
    assert all(check.fix for check in checks.values() if check.verdict != "ok")


def test_accounting_that_is_off_is_no_trouble(here: Places) -> None:
    checks = found(here, Profile("mine", time=30))
    assert checks["accounting"].verdict == "ok"
    assert checks["accounting"].words.startswith("off")
    assert "arrays of up to 501 runs" in checks["scheduler"].words


def test_a_time_limit_above_the_partitions_is_a_failure(here: Places) -> None:
    check = found(here, Profile("mine", time=90))["time"]
    assert (check.verdict, check.words) == ("failure", "01:30:00 is above the partition's limit")
    assert check.fix.startswith(
        'set `time = "01:00:00"`: a run that needs longer saves, queues again'
    )


def test_a_partition_that_is_not_there_is_a_failure(here: Places) -> None:
    check = found(here, Profile("mine", partition="nowhere"))["partition"]
    assert (check.verdict, check.words) == ("failure", "no partition `nowhere`")
    assert check.fix.endswith("names them: set `partition` in `slurm/mine.toml` to one")


def test_a_scheduler_that_does_not_answer_is_a_failure_with_what_to_do(
    here: Places, tmp_path: Path
) -> None:
    program = tmp_path / "cluster" / "scontrol"
    program.write_text(
        "#!/bin/sh\necho 'Unable to contact slurm controller (connect failure)' >&2\nexit 1\n"
    )
    checks = found(here, Profile("mine"))
    assert (
        checks["scheduler"].words
        == "`scontrol` says: Unable to contact slurm controller (connect failure)"
    )
    assert checks["scheduler"].fix.startswith("the controller does not answer: `scontrol ping`")
    assert "partition" not in checks


def test_a_partition_that_is_down_is_a_warning_and_one_without_gpus_a_failure(
    here: Places, tmp_path: Path
) -> None:
    (tmp_path / "cluster" / "sinfo").write_text("#!/bin/sh\necho 'cpu|1:00:00|4|(null)|down'\n")
    checks = [
        check
        for check in examine_environment(here, Profile("mine", time=30))
        if check.name in ("partition", "gpus")
    ]
    assert [check.verdict for check in checks] == ["ok", "warning", "failure"]
    assert checks[2].fix.endswith("set `partition`; or `gpus = 0`, for CPUs")


def test_a_card_that_this_torch_was_not_compiled_for_is_a_failure(
    here: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_80", "sm_90"])
    check = found(here, Profile("mine", time=30))["gpu"]
    assert (check.verdict, check.words) == ("failure", "v100 is sm_70; this torch has 80, 90")
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_70", "sm_80"])
    assert found(here, Profile("mine", time=30))["gpu"].verdict == "ok"


@pytest.mark.parametrize(
    ("version", "verdict", "words"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun", "ok", "driver 580"),
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  535.183.01",
            "failure",
            "driver 535, and CUDA 13",
        ),
        ("NVRM version: unheard of", "warning", "names no version"),
        (None, "ok", "`srun --partition=gpu --gpus-per-node=1 repro doctor --on mine`"),
    ],
)
def test_the_driver_must_be_as_new_as_the_build_of_torch_needs(
    version: str | None, verdict: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "version"
    if version:
        path.write_text(version)
    (check,) = torch_build._driver(13, Profile("mine", partition="gpu"), path)
    assert check.verdict == verdict
    assert words in check.words
    assert bool(check.fix) == (verdict != "ok")


def test_a_torch_for_the_cpu_is_a_failure_where_there_are_gpus(
    here: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.version, "cuda", None)
    assert found(here, Profile("mine", time=30))["gpu"].verdict == "failure"


def test_results_that_other_nodes_do_not_see_are_a_failure_on_a_cluster(here: Places) -> None:
    if not is_node_local(here.results):
        pytest.skip("the tests' own folder looks shared")
    assert found(here, Profile("mine", time=30))["shared"].verdict == "failure"
    assert found(here)["shared"].verdict == "warning"


def test_results_that_cannot_be_written_are_a_failure(
    here: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "NamedTemporaryFile", refuse)
    check = found(here)["results"]
    assert check.verdict == "failure"
    assert check.fix.startswith(
        "set `REPRO_RESULTS`, in your shell's start-up file, to a folder of yours"
    )


def test_a_disk_too_slow_for_the_notice_a_job_gets_is_a_warning(
    here: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "write_speed", lambda folder: 10e6)
    check = found(here, Profile("mine", time=30, grace=90))["saving"]
    assert check.words.startswith(
        "10 MB/s: the largest checkpoint, of resnet-152-b, takes 50 s, more than half of the"
    )
    assert check.fix.startswith("set `grace` to 100 or more, or use a faster folder")
    assert found(here, Profile("mine", time=30, grace=120))["saving"].verdict == "ok"


def test_slurms_own_patience_counts_as_well(
    here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "write_speed", lambda folder: 10e6)
    (tmp_path / "cluster" / "scontrol").write_text("#!/bin/sh\necho KillWait = 30 sec\n")
    check = found(here, Profile("mine", time=30, grace=3600))["saving"]
    assert check.words.endswith("more than half of the 30 s that `KillWait` leaves")
    assert check.fix.endswith("may lose the minute since its last save, and no more")


def test_a_folder_that_people_share_must_be_readable_by_their_group(
    here: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.results.mkdir()
    assert "sharing" not in found(here)
    here.results.chmod(0o2700)
    assert "REPRO_GROUP_READABLE=1" in found(here)["sharing"].fix
    monkeypatch.setenv("REPRO_GROUP_READABLE", "1")
    assert found(here)["sharing"].fix == f"its owner: `chmod g+rx {here.results}`"
    here.results.chmod(0o2770)
    assert found(here)["sharing"].verdict == "ok"


@pytest.mark.skipif(os.geteuid() != 0, reason="left out: only root can give a folder away")
def test_results_of_another_user_are_named_as_theirs(here: Places) -> None:
    here.results.mkdir()
    os.chown(here.results, 4321, 4321)
    check = found(here)["sharing"]
    assert check.words == "results belong to user 4321, and what you write there only you can read"
    assert check.fix.endswith("and `REPRO_TRUST_FOLDER=1` if you trust them")


def test_folders_of_a_shared_place_that_are_closed_to_us_are_a_failure(
    here: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here.results / "runs").mkdir(parents=True)
    here.results.chmod(0o2770)
    monkeypatch.setattr(
        doctor.os, "access", lambda path, mode: Path(path).name != "runs"
    )  # for root, all is open
    failures = [
        check
        for check in examine_environment(here, None)
        if (check.name, check.verdict) == ("sharing", "failure")
    ]
    assert "you cannot write to runs in it" in failures[0].words
    assert failures[0].fix.startswith(f"its owner: `chmod g+rwxs` on runs in {here.results}")


def test_too_little_space_is_a_warning(here: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SPACE", 2**60)
    check = found(here)["space"]
    assert check.verdict == "warning"
    assert check.fix.startswith(
        "a full table needs about 20 GiB and 20,000 files: free some, or set `REPRO_RESULTS`"
    )


def test_data_that_lacks_is_a_warning_with_the_command(here: Places) -> None:
    assert "repro data prepare cifar10" in found(here)["cifar10"].fix


def test_a_clock_that_is_off_is_a_warning(here: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    real = doctor.time.time
    monkeypatch.setattr(doctor.time, "time", lambda: real() + 60)
    assert found(here)["clock"].verdict == "warning"


def test_without_slurm_a_cluster_is_a_failure_and_a_laptop_is_not(
    here: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(laptop(tmp_path / "laptop")))
    assert found(here)["slurm"].verdict == "warning"
    assert found(here, Profile("mine"))["slurm"].verdict == "failure"


def test_the_command_prints_lines_or_json_and_its_exit_code_counts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["doctor"])
    assert ended.value.code == 0
    assert "fix: " in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--on", "example", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert {check["verdict"] for check in document["checks"]} <= {"ok", "warning", "failure"}
    assert ended.value.code == 4  # a day is above this partition's limit


def test_one_convolution_is_timed_in_each_precision(here: Places) -> None:
    words = found(here)["precision"].words
    assert re.match(r"one convolution, one thread: fp32 \d+ GFLOP/s; bf16 \d+\.\d times as ", words)


def test_a_machine_where_bf16_is_slow_is_a_warning_with_what_to_type() -> None:
    slow = judged("precision", {"fp32": 100.0, "bf16": 20.0})
    assert slow.verdict == "warning"
    assert slow.words.endswith("; bf16 5.0 times as slow")
    assert "`--set precision=fp32`" in slow.fix
    fast = judged("precision", {"fp32": 100.0, "tf32": 210.0, "bf16": 300.0})
    assert (fast.verdict, fast.fix) == ("ok", "")
    assert fast.words.endswith("; tf32 2.1 times as fast; bf16 3.0 times as fast")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="left out: only for x86")
def test_on_a_processor_without_bf16_the_command_finds_out() -> None:
    command = [sys.executable, "-m", "repro.cli", "doctor", "--json"]
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["precision"]["verdict"] == "warning"
    assert checks["precision"]["words"].endswith(" times as slow")


def test_file_systems_are_told_apart(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/home {tmp_path}/home nfs4 rw 0 0\n")
    assert file_system(tmp_path / "home" / "me", mounts) == "nfs4"
    assert file_system(tmp_path, mounts) == "ext4"
    assert is_node_local(Path(os.sep, "tmp", "results")) != ""


def test_in_a_deleted_folder_it_says_so_and_dies_in_no_library(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = (
        "import os; os.chdir(os.environ['GONE']); os.rmdir(os.environ['GONE'])\n"
        "from repro.cli import main; main(['doctor'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"GONE": str(gone), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert "Traceback" not in done.stderr
    assert "the working directory is gone" in done.stdout + done.stderr
    assert done.returncode in (1, 4)
