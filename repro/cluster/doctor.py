"""What would fail after hours in a queue, said before: each check is ok, a warning or a failure, with its fix."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from repro.cluster import queue
from repro.cluster.disk import file_system, node_local
from repro.cluster.profile import Profile, show_time
from repro.errors import UserError
from repro.folders import ROOT, Places

SPACE = 20 * 2**30  # a full table of checkpoints
INODES = 20_000
SKEW = 5.0  # seconds

# The compute capability of cards, as clusters name them in their GRES.
CARDS = {"k80": 37, "p100": 60, "v100": 70, "t4": 75, "a100": 80, "a40": 86, "a6000": 86, "l4": 89, "l40": 89}
CARDS |= {"l40s": 89, "h100": 90, "h200": 90, "gh200": 90, "b200": 100, "gb200": 100}

# The oldest driver that runs a build of torch for this major version of CUDA.
DRIVERS = {11: 450, 12: 525, 13: 580}


@dataclass(frozen=True)
class Check:
    """One line of the doctor's report."""

    name: str
    verdict: Literal["ok", "warning", "failure"]
    words: str
    fix: str = ""


Checks = Iterator[Check]


def examine(places: Places, profile: Profile | None) -> Checks:
    """Every check; those of a cluster where one is named."""
    parts: list[Callable[[], Checks]] = [_python, lambda: _commands(profile), lambda: _results(places, profile)]
    parts += [lambda: _torch(profile), lambda: _data(places), _code, lambda: _clock(places)]
    if profile:
        parts[2:2] = [lambda: _accounting(profile), lambda: _partition(profile)]
    for part in parts:
        yield from part()


def _python() -> Checks:
    yield Check("python", "ok", sys.version.split()[0])
    try:
        found = metadata.version("submitit")
    except metadata.PackageNotFoundError:
        yield Check(
            "submitit", "warning", "not installed: runs train here, but cannot be sent", "pip install submitit==1.5.4"
        )
        return
    fix = "" if found == "1.5.4" else "pip install submitit==1.5.4, the version this was tested with"
    yield Check("submitit", "warning" if fix else "ok", found, fix)


def _commands(profile: Profile | None) -> Checks:
    lacking = [name for name in ("sbatch", "squeue", "scancel", "scontrol") if shutil.which(name) is None]
    if not lacking:
        yield Check("slurm", "ok", "sbatch, squeue, scancel, scontrol found")
    elif profile:
        yield Check("slurm", "failure", f"not found: {', '.join(lacking)}", "log in to the cluster, or load its module")
    else:
        yield Check("slurm", "warning", "none here: `repro run` works, `repro submit` does not", "")


def _accounting(profile: Profile) -> Checks:
    try:
        config = queue.ask(["scontrol", "show", "config"], profile.slurm_conf)
    except UserError as error:
        yield Check("scheduler", "failure", error.problem, error.hint)
        return
    yield Check("scheduler", "ok", f"answers; arrays of up to {queue.max_array_size(profile.slurm_conf)} runs")
    kind = re.search(r"^AccountingStorageType\s*=\s*(\S+)", config, re.MULTILINE)
    on = kind is not None and not kind[1].endswith(("none", "(null)"))
    yield Check("accounting", "ok", "on" if on else "off: `sacct` has no answers, and none are needed")


def _partition(profile: Profile) -> Checks:
    flag = ["--partition", profile.partition] if profile.partition else []
    try:
        said = queue.ask(["sinfo", "--noheader", *flag, "--format", "%R|%l|%D|%G|%a"], profile.slurm_conf)
    except UserError:
        return
    rows = [line.strip().split("|") for line in said.splitlines() if line.count("|") == 4]
    if not rows:
        yield Check("partition", "failure", f"no partition `{profile.partition}`", "`sinfo` names them")
        return
    words = sorted({f"{name}: {nodes} nodes, limit {limit}, {gres}" for name, limit, nodes, gres, _ in rows})
    yield Check("partition", "ok", "; ".join(words))
    limits = [_minutes(row[1]) for row in rows]
    if None not in limits and profile.time > max(limit or 0 for limit in limits):
        yield Check("time", "failure", f"{show_time(profile.time)} is above the partition's limit", "set `time` lower")
    if profile.gpus and not any("gpu" in row[3] for row in rows):
        yield Check("gpus", "failure", "the partition has none", "set another `partition`, or `gpus = 0`")


def _minutes(limit: str) -> int | None:
    from repro.cluster.profile import parse_time

    try:
        return parse_time(limit)
    except UserError:
        return None


def _results(places: Places, profile: Profile | None) -> Checks:
    folder = places.results
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            yield Check("results", "ok", f"{places.results} can be written ({file_system(places.results)})")
    except OSError as error:
        yield Check("results", "failure", f"{folder} cannot be written: {error.strerror}", "set `REPRO_RESULTS`")
        return
    local = node_local(places.results)
    if local and profile and not profile.slurm_conf:
        yield Check("shared", "failure", f"results are on {local}: other nodes lose them", "set `REPRO_RESULTS`")
    elif local:
        yield Check("shared", "warning", f"results are on {local}", "fine on one machine; nodes need a shared folder")
    disk = os.statvfs(folder)
    free, inodes = disk.f_bavail * disk.f_frsize, disk.f_favail
    few = bool(disk.f_files) and inodes < INODES
    verdict: Literal["ok", "warning"] = "warning" if free < SPACE or few else "ok"
    fix = "a full table needs about 20 GiB and 20,000 files" if verdict == "warning" else ""
    yield Check("space", verdict, f"{free / 2**30:.0f} GiB and {inodes:,} files free", fix)


def _torch(profile: Profile | None) -> Checks:
    try:
        import torch
    except ImportError:
        yield Check("torch", "failure", "not installed: nothing can be trained", "pip install torch torchvision")
        return
    cuda = torch.version.cuda
    yield Check("torch", "ok", f"{torch.__version__}, " + (f"CUDA {cuda}" if cuda else "for the CPU"))
    cards = _cards_here() or _cards_of(profile)
    if cuda is None:
        if cards:
            yield Check("gpu", "failure", f"{_named(cards)}, and this torch is for the CPU", "install a CUDA build")
        return
    yield from _driver(int(cuda.split(".")[0]))
    compiled = [int(number) for number in re.findall(r"\bsm_(\d+)", " ".join(torch.cuda.get_arch_list()))]
    for card, capability in sorted(cards.items()):
        fits = any(each // 10 == capability // 10 and each <= capability for each in compiled)
        fix = "" if fits else "install a build of torch that has it: older CUDA builds keep older cards"
        words = f"{card} is sm_{capability}; this torch has {', '.join(map(str, compiled))}"
        yield Check("gpu", "ok" if fits else "failure", words, fix)


def _driver(cuda: int) -> Checks:
    version = Path("/proc/driver/nvidia/version")
    if not version.exists():
        yield Check("driver", "ok", "no GPU on this machine; ask again on a node")
        return
    found = re.search(r"Kernel Module\s+(?:for \S+\s+)?(\d+)\.", version.read_text())
    have, need = int(found[1]) if found else 0, DRIVERS.get(cuda, 0)
    fix = "" if have >= need else f"CUDA {cuda} needs driver {need} or newer: install an older CUDA build of torch"
    yield Check("driver", "failure" if fix else "ok", f"driver {have}", fix)


def _cards_here() -> dict[str, int]:
    import torch

    if not torch.cuda.is_available():
        return {}
    capability = {index: torch.cuda.get_device_capability(index) for index in range(torch.cuda.device_count())}
    return {torch.cuda.get_device_name(index): major * 10 + minor for index, (major, minor) in capability.items()}


def _cards_of(profile: Profile | None) -> dict[str, int]:
    """The cards that the partition's GRES names, where it names a kind."""
    if profile is None or not profile.gpus:
        return {}
    flag = ["--partition", profile.partition] if profile.partition else []
    try:
        said = queue.ask(["sinfo", "--noheader", *flag, "--format", "%G"], profile.slurm_conf)
    except UserError:
        return {}
    kinds = {kind.lower() for kind in re.findall(r"gpu:([A-Za-z][A-Za-z0-9_.-]*):", said)}
    wanted = {profile.gpu_type.lower()} if profile.gpu_type else kinds
    return {kind: CARDS[word] for kind in wanted for word in re.split(r"[_.-]", kind) if word in CARDS}


def _named(cards: dict[str, int]) -> str:
    return ", ".join(sorted(cards))


def _data(places: Places) -> Checks:
    from repro.data import sets

    for name in ("cifar10", "imagenet"):
        found = sets.look(name, places.data, whole=name == "cifar10")  # ImageNet takes minutes: `repro data check`
        if found.state == "ready":
            whole = "whole" if name == "cifar10" else "its manifest is whole; `repro data check` reads it all"
            yield Check(name, "ok", f"{found.where}: {found.origin}, {whole}")
        elif found.state == "missing":
            yield Check(name, "warning", f"not in {places.data}", found.hint or "")
        else:
            yield Check(name, "failure", found.problem or found.state, found.hint or "")


def _code() -> Checks:
    from repro.cluster.frozen import commit_of

    commit = commit_of(ROOT)
    if commit["commit"] is None:
        yield Check("code", "warning", "not a git checkout: records will name no commit", "run from a clone")
    elif commit["dirty"]:
        words = f"{str(commit['commit'])[:12]}, with changes that are not committed"
        yield Check("code", "warning", words, "commit them before runs that will be published")
    else:
        yield Check("code", "ok", str(commit["commit"])[:12])


def _clock(places: Places) -> Checks:
    """The clock of the file server, where there is one, against ours: nothing decides by it, but records show it."""
    folder = places.results if places.results.exists() else Path(tempfile.gettempdir())
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            skew = abs(os.fstat(file.fileno()).st_mtime - time.time())
    except OSError:
        return
    fix = "" if skew < SKEW else "dates in records will be off; ask for time synchronisation (chrony)"
    yield Check("clock", "warning" if fix else "ok", f"within {max(skew, 0.1):.1f} s of the file system's", fix)
