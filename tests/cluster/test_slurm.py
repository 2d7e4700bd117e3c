"""What SLURM says when it does not answer, and what we then tell people to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro.cluster import slurm
from repro.errors import UserError


def scontrol(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    (folder / "scontrol").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        (
            "slurm_load_ctl_conf error: Unable to contact slurm controller (connect failure)",
            "`scontrol ping` says",
        ),
        (
            "fatal: Could not establish a configuration source",
            "log in to a node of the cluster, or set `slurm_conf`",
        ),
        ("error: Munge encode failed: Failed to access socket", "try another login node"),
        ("error: Unable to authenticate: authentication failure", "try another login node"),
        (
            "slurm_load_partitions error: Invalid partition specified",
            "`sinfo --format '%R %a %l %G'` names",
        ),
        ("error: Access/permission denied", "it is another user's, or closed to you"),
        ("error: Invalid job id specified", "it has ended in the meantime"),
        (
            "error: the moon is full",
            "try `scontrol show config` by hand; if that fails too, show its words to your",
        ),
    ],
)
def test_slurms_words_are_relayed_with_what_to_do(
    said: str, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scontrol(tmp_path, monkeypatch, f"echo 'scontrol: {said}' >&2; exit 1")
    with pytest.raises(UserError) as error:
        slurm.slurm_config()
    assert (
        error.value.problem
        == f"`scontrol` says: {said.removeprefix('error: ').removeprefix('fatal: ')}"
    )
    assert advice in error.value.hint


def test_a_scheduler_that_hangs_is_given_up_with_what_it_said_so_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm, "PATIENCE", 0.5)
    scontrol(
        tmp_path,
        monkeypatch,
        "echo 'unable to status file /etc/slurm/slurm.conf: retrying' >&2; exec sleep 60",
    )
    with pytest.raises(
        UserError, match=r"has not answered for 0.5 s, and says: unable to status file"
    ) as error:
        slurm.slurm_config()
    assert "SLURM's configuration is not found here" in error.value.hint
    scontrol(tmp_path, monkeypatch, "exec sleep 60")
    with pytest.raises(UserError, match=r"has not answered for 0.5 s$") as error:
        slurm.slurm_config()
    assert "try again in some minutes" in error.value.hint


def test_settings_are_read_by_name_and_the_array_size_has_a_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scontrol(
        tmp_path, monkeypatch, "echo 'KillWait                = 30 sec'; echo 'MaxArraySize = 501'"
    )
    assert slurm.slurm_config()["KillWait"] == "30 sec"
    assert slurm.max_array_size() == 501
    scontrol(tmp_path, monkeypatch, "exit 1")
    assert slurm.max_array_size() == 1001


def test_what_changes_slurms_answers_is_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    names = (
        "SQUEUE_STATES",
        "SQUEUE_USERS",
        "SCANCEL_STATE",
        "SCONTROL_ALL",
        "SINFO_FORMAT",
        "SLURM_JOB_ID",
    )
    for name in (*names, "SLURM_CONF"):
        monkeypatch.setenv(name, "x")
    assert slurm.environment(None).keys() & {*names, "SLURM_CONF"} == {"SLURM_CONF"}
