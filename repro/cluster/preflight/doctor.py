"""What would fail after hours in a queue, said before.

Each check is ok, a warning or a failure, with its fix.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from repro.cluster import slurm
from repro.cluster.preflight.disk import file_system, is_node_local, write_speed
from repro.cluster.preflight.doctor_line import Check, Checks
from repro.cluster.preflight.folder_sharing import ELSEWHERE, sharing
from repro.cluster.preflight.precision_timing import precisions
from repro.cluster.preflight.torch_build import torch_and_gpus
from repro.cluster.preflight.warnings import seconds_to_save
from repro.cluster.profile import Profile
from repro.cluster.slurm_time import format_time, parse_time
from repro.definition.net import resnet
from repro.errors import UserError
from repro.provenance.checkout import commit_of, uncommitted
from repro.storage.access import nearest
from repro.storage.paths import ROOT, Places

SPACE = 20 * 2**30  # a full table of checkpoints
INODES = 20_000
SKEW = 5.0  # seconds


def examine_environment(places: Places, profile: Profile | None) -> Checks:
    """Yield every check; those of a cluster where one is named."""
    try:
        os.getcwd()  # noqa: PTH109 – asks, and does nothing with the answer
    except FileNotFoundError:
        # Libraries die of it when they are imported, so nothing else can be asked.
        yield Check(
            "folder", "failure", "the working directory is gone", "`cd` to one that is there"
        )
        return
    parts: list[Callable[[], Checks]] = [_python, lambda: _commands(profile)]
    if profile:
        parts.append(lambda: _scheduler(profile))
    parts += [
        lambda: _results(places, profile),
        lambda: sharing(places.results),
        lambda: torch_and_gpus(profile),
        precisions,
        lambda: _data(places),
        _code,
        lambda: _clock(places),
    ]
    for part in parts:
        yield from part()


def _python() -> Checks:
    yield Check("python", "ok", sys.version.split()[0])
    try:
        found = metadata.version("submitit")
    except metadata.PackageNotFoundError:
        fix = "`pip install submitit` where you submit; to train here it is not needed"
        yield Check(
            "submitit", "warning", "not installed: runs train here, but cannot be sent", fix
        )
        return
    yield Check("submitit", "ok", found)


def _commands(profile: Profile | None) -> Checks:
    lacking = [
        name for name in ("sbatch", "squeue", "scancel", "scontrol") if shutil.which(name) is None
    ]
    if not lacking:
        yield Check("slurm", "ok", "sbatch, squeue, scancel, scontrol found")
    elif profile:
        fix = "log in to the cluster; or `module load slurm`, or what your site calls it"
        yield Check("slurm", "failure", f"not found: {', '.join(lacking)}", fix)
    else:
        fix = "nothing, to train here with `repro run`; to submit, log in to a cluster"
        yield Check(
            "slurm", "warning", "none here: `repro run` works, `repro submit` does not", fix
        )


def _scheduler(profile: Profile) -> Checks:
    try:
        config = slurm.slurm_config(profile.slurm_conf)
    except UserError as error:
        yield Check("scheduler", "failure", error.problem, error.hint)
        return
    yield Check(
        "scheduler",
        "ok",
        f"answers; arrays of up to {config.get('MaxArraySize', slurm.MAX_ARRAY_SIZE)} runs",
    )
    on = not config.get("AccountingStorageType", "none").endswith(("none", "(null)"))
    yield Check(
        "accounting", "ok", "on" if on else "off: `sacct` has no answers, and none are needed"
    )
    yield from _partition(profile)


def _partition(profile: Profile) -> Checks:
    flag = ["--partition", profile.partition] if profile.partition else []
    try:
        said = slurm.run_slurm_command(
            ["sinfo", "--noheader", *flag, "--format", "%R|%l|%D|%G|%a"], profile.slurm_conf
        )
    except UserError as error:
        yield Check("partition", "failure", error.problem, error.hint)
        return
    rows = [line.strip().split("|") for line in said.splitlines() if line.count("|") == 4]
    if not rows:
        fix = "`sinfo --format '%R %a %l %G'` names them: "
        fix += f"set `partition` in `slurm/{profile.name}.toml` to one"
        yield Check("partition", "failure", f"no partition `{profile.partition or 'at all'}`", fix)
        return
    words = sorted(
        {f"{name}: {nodes} nodes, limit {limit}, {gres}" for name, limit, nodes, gres, _ in rows}
    )
    yield Check("partition", "ok", "; ".join(words))
    if all(row[4] != "up" for row in rows):
        yield Check(
            "partition",
            "warning",
            "it is down: jobs would wait",
            "set another, or ask your site until when",
        )
    yield from _within(rows, profile)


def _within(rows: list[list[str]], profile: Profile) -> Checks:
    """Whether the partition, in these rows of `sinfo`, gives what the profile asks for."""
    limits = [_minutes(row[1]) for row in rows]
    longest = max((limit for limit in limits if limit is not None), default=0)
    if None not in limits and profile.time > longest:
        fix = f'set `time = "{format_time(longest)}"`: '
        fix += "a run that needs longer saves, queues again and carries on"
        yield Check(
            "time", "failure", f"{format_time(profile.time)} is above the partition's limit", fix
        )
    if profile.gpus and not any("gpu" in row[3] for row in rows):
        fix = "`sinfo --format '%R %G'` shows which partitions have some: set `partition`; "
        fix += "or `gpus = 0`, for CPUs"
        yield Check("gpus", "failure", "the partition has none", fix)


def _minutes(limit: str) -> int | None:
    try:
        return parse_time(limit)
    except UserError:
        return None


def _results(places: Places, profile: Profile | None) -> Checks:
    folder = nearest(places.results)
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            yield Check(
                "results", "ok", f"{places.results} can be written ({file_system(places.results)})"
            )
    except OSError as error:
        yield Check(
            "results", "failure", f"{folder} cannot be written: {error.strerror}", ELSEWHERE
        )
        return
    local = is_node_local(places.results)
    if local and profile and not profile.slurm_conf:
        yield Check(
            "shared", "failure", f"results are on {local}: other nodes lose them", ELSEWHERE
        )
    elif local:
        yield Check(
            "shared",
            "warning",
            f"results are on {local}",
            f"nothing, on one machine; else {ELSEWHERE}",
        )
    disk = os.statvfs(folder)
    free, inodes = disk.f_bavail * disk.f_frsize, disk.f_favail
    little = free < SPACE or (bool(disk.f_files) and inodes < INODES)
    words = f"{free / 2**30:.0f} GiB and {inodes:,} files free"
    if little:
        fix = f"a full table needs about 20 GiB and 20,000 files: free some, or {ELSEWHERE}"
        yield Check("space", "warning", words, fix)
    else:
        yield Check("space", "ok", words)
    if profile:
        yield from _saving(folder, profile)


def _saving(folder: Path, profile: Profile) -> Checks:
    """Whether the largest checkpoint is saved within half of the notice that a job gets."""
    speed = write_speed(folder)
    if speed is None:
        return
    largest = resnet(152, "B", "imagenet")
    seconds, (notice, whose) = seconds_to_save(largest, speed), _notice(profile)
    words = (
        f"{speed / 1e6:.0f} MB/s: the largest checkpoint, of {largest.name}, takes {seconds:.0f} s"
    )
    if seconds <= notice / 2:
        yield Check("saving", "ok", words)
        return
    fix = f"a faster folder: {ELSEWHERE}"
    if whose == "grace":
        fix = f"set `grace` to {10 * math.ceil(seconds / 5)} or more, or use {fix}"
    else:
        fix = f"use {fix}; else a run that is preempted may lose the minute since its last save, "
        fix += "and no more"
    yield Check(
        "saving", "warning", f"{words}, more than half of the {notice} s that `{whose}` leaves", fix
    )


def _notice(profile: Profile) -> tuple[int, str]:
    """The seconds from a job's last warning to its end, and which setting gives them."""
    try:
        wait = re.match(r"\d+", slurm.slurm_config(profile.slurm_conf).get("KillWait", ""))
    except UserError:
        wait = None
    notices = [(profile.grace, "grace")] + ([(int(wait[0]), "KillWait")] if wait else [])
    return min(notices)


def _data(places: Places) -> Checks:
    from repro.data import registry

    for name in ("cifar10", "imagenet"):
        # All of ImageNet would take minutes.
        found = registry.dataset_info(name, places.data, whole=name == "cifar10")
        if found.state == "ready":
            whole = "whole"
            if name == "imagenet":
                whole = "its manifest is whole; `repro data check` reads it all"
            yield Check(name, "ok", f"{found.where}: {found.origin}, {whole}")
        elif found.state == "missing":
            yield Check(name, "warning", f"not in {places.data}", found.hint or "")
        else:
            yield Check(name, "failure", found.problem or found.state, found.hint or "")


def _code() -> Checks:
    commit, files = commit_of(ROOT), uncommitted(ROOT)
    if commit is None:
        fix = "to publish, run from a `git clone`; to try things out, nothing"
        yield Check("code", "warning", "not a git checkout: records will name no commit", fix)
    elif files:
        others = f" and {len(files) - 1} more" if len(files) > 1 else ""
        words = f"{commit[:12]}, without {files[0]}{others} as it is here"
        yield Check(
            "code",
            "warning",
            words,
            "`git add` and `git commit` before runs that will be published",
        )
    else:
        yield Check("code", "ok", commit[:12])


def _clock(places: Places) -> Checks:
    """Compare the file server's clock, where there is one, with ours: records show it."""
    folder = places.results if places.results.exists() else Path(tempfile.gettempdir())
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            skew = abs(os.fstat(file.fileno()).st_mtime - time.time())
    except OSError:
        return
    words = f"within {max(skew, 0.1):.1f} s of the file system's"
    if skew < SKEW:
        yield Check("clock", "ok", words)
    else:
        fix = "only dates in records will be off; your site's support can synchronise it (chrony)"
        yield Check("clock", "warning", words, fix)
