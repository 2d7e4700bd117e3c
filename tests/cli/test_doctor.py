"""`repro doctor`: what would fail later, each with its fix."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from repro.cli import main
from repro.cluster import doctor
from repro.cluster.disk import file_system, node_local
from repro.cluster.doctor import examine
from repro.cluster.profile import Profile
from repro.folders import Places
from tests.cluster.fake_slurm import laptop

_SCONTROL = "echo MaxArraySize = 501\necho AccountingStorageType = accounting_storage/none\n"
_SINFO = 'case "$*" in *nowhere*) ;; *"%R"*) echo "gpu|1:00:00|4|gpu:v100:4|up" ;; *) echo gpu:v100:4 ;; esac\n'


@pytest.fixture(autouse=True)
def _small_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = laptop(tmp_path / "cluster")
    for name, script in {"sbatch": "", "squeue": "", "scancel": "", "scontrol": _SCONTROL, "sinfo": _SINFO}.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def found(here: Places, profile: Profile | None = None) -> dict[str, doctor.Check]:
    return {check.name: check for check in examine(here, profile)}


def test_every_check_has_a_line_and_every_trouble_a_fix(here: Places) -> None:
    checks = found(here, Profile("mine", time=30))
    expected = {"python", "submitit", "slurm", "scheduler", "accounting", "partition", "results", "space", "torch"}
    assert expected | {"cifar10", "imagenet", "code", "clock"} <= set(checks)
    assert all(check.fix for check in checks.values() if check.verdict == "failure")


def test_accounting_that_is_off_is_no_trouble(here: Places) -> None:
    checks = found(here, Profile("mine", time=30))
    assert checks["accounting"].verdict == "ok"
    assert checks["accounting"].words.startswith("off")
    assert "arrays of up to 501 runs" in checks["scheduler"].words


def test_a_time_limit_above_the_partitions_is_a_failure(here: Places) -> None:
    check = found(here, Profile("mine", time=90))["time"]
    assert (check.verdict, check.words) == ("failure", "01:30:00 is above the partition's limit")


def test_a_partition_that_is_not_there_is_a_failure(here: Places) -> None:
    assert found(here, Profile("mine", partition="nowhere"))["partition"].verdict == "failure"


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


def test_a_torch_for_the_cpu_is_a_failure_where_there_are_gpus(here: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.version, "cuda", None)
    assert found(here, Profile("mine", time=30))["gpu"].verdict == "failure"


def test_results_that_other_nodes_do_not_see_are_a_failure_on_a_cluster(here: Places) -> None:
    if not node_local(here.results):
        pytest.skip("the tests' own folder looks shared")
    assert found(here, Profile("mine", time=30))["shared"].verdict == "failure"
    assert found(here)["shared"].verdict == "warning"


def test_results_that_cannot_be_written_are_a_failure(here: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "NamedTemporaryFile", refuse)
    check = found(here)["results"]
    assert (check.verdict, check.fix) == ("failure", "set `REPRO_RESULTS`")


def test_too_little_space_is_a_warning(here: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SPACE", 2**60)
    assert found(here)["space"].verdict == "warning"


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


def test_the_command_prints_lines_or_json_and_its_exit_code_counts(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["doctor"])
    assert ended.value.code == 0
    assert "fix: " in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["doctor", "--on", "example", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert {check["verdict"] for check in document["checks"]} <= {"ok", "warning", "failure"}
    assert ended.value.code == 4  # a day is above this partition's limit


def test_file_systems_are_told_apart(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/home {tmp_path}/home nfs4 rw 0 0\n")
    assert file_system(tmp_path / "home" / "me", mounts) == "nfs4"
    assert file_system(tmp_path, mounts) == "ext4"
    assert node_local(Path(os.sep, "tmp", "results")) != ""
