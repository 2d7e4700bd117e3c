"""Claims: however many ask for a run at the same moment, one gets it, and an old claim gives way
only once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import asdict, replace

from repro.cluster.records.batch import Batch
from repro.cluster.records.ownership import (
    Claim,
    claim_standing,
    newest_claim,
    sender_is_gone,
    take_claim,
    withdraw_claim,
)
from repro.cluster.slurm import Job, Live
from repro.errors import UserError
from repro.storage.atomic import to_json, write_atomic
from repro.storage.paths import Folder, Places

RUN = "resnet-20.cifar10.smoke.s0-0123456789"


def ours(batch: str = "one") -> Claim:
    return Claim.ours(batch, "mine", None)


@pytest.fixture
def folder(here: Places) -> Folder:
    return here.run(RUN)


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    made = Batch(tmp_path / "jobs" / "one")
    made.declare([[RUN]], {})
    return made


def fresh(batch: Batch) -> Batch:
    return Batch(batch.path)


def test_the_first_claim_holds_and_the_second_does_not(folder: Folder) -> None:
    assert take_claim(folder, ours("one"), None) is not None
    assert take_claim(folder, ours("two"), None) is None
    assert newest_claim(folder) == ours("one")


def test_an_old_claim_gives_way_once(folder: Folder) -> None:
    old = take_claim(folder, ours("one"), None)
    assert take_claim(folder, ours("two"), old) == replace(ours("two"), number=2)
    assert take_claim(folder, ours("three"), old) is None
    found = newest_claim(folder)
    assert found is not None
    assert found.batch == "two"


def test_a_claim_cut_short_between_its_two_writes_is_in_force(folder: Folder) -> None:
    old = take_claim(folder, ours("one"), None)
    take_claim(folder, ours("two"), old)
    write_atomic(folder.submitted, to_json(asdict(old)))
    found = newest_claim(folder)
    assert found is not None
    assert found.batch == "two"
    third = take_claim(folder, ours("three"), found)
    assert third is not None
    assert third.number == 3


def test_a_withdrawn_claim_leaves_no_folder(folder: Folder) -> None:
    claim = take_claim(folder, ours(), None)
    assert claim is not None
    withdraw_claim(folder, claim)
    assert not folder.path.exists()


def test_a_withdrawn_claim_leaves_what_others_wrote(folder: Folder) -> None:
    claim = take_claim(folder, ours(), None)
    assert claim is not None
    write_atomic(folder.checkpoint, b"weights")
    withdraw_claim(folder, claim)
    assert [path.name for path in folder.path.iterdir()] == ["checkpoint.pt"]


def test_what_became_of_a_claim(batch: Batch) -> None:
    job = Job("7", 0, "RUNNING", "1:00", "30:00", "gpu1", "one", "")

    def standing(claim: Claim, live: Live | None, run_id: str = RUN) -> str:
        of = Batch(batch.path.with_name(claim.batch))
        return claim_standing(claim, run_id, of, live, sender_is_gone(claim))

    assert standing(ours(), {}) == "sending"
    assert standing(replace(ours(), born="0"), {}) == "void"
    assert standing(replace(ours(), host="elsewhere", born="0"), {}) == "sending"
    batch.sent("7")
    assert standing(ours(), {("one", 0): job}) == "live"
    assert standing(ours(), {}) == "ended"
    assert standing(ours(), None) == "unknown"
    assert standing(ours(), {}, "another.run") == "void"
    assert standing(ours("gone"), {}) == "void"


def test_a_claim_of_another_version_is_named(folder: Folder) -> None:
    write_atomic(folder.submitted, to_json({"from": "the future"}))
    with pytest.raises(UserError, match=r"submitted\.json is damaged"):
        newest_claim(folder)


def test_of_many_real_processes_one_takes_an_old_claim(folder: Folder) -> None:
    old = take_claim(folder, ours("old"), None)
    script = f"""
import sys
from pathlib import Path
from repro.cluster.records.ownership import Claim, newest_claim, take_claim
from repro.storage.paths import Folder
folder = Folder(Path({str(folder.path)!r}))
old = newest_claim(folder)
print("ready", flush=True)
sys.stdin.readline()
sys.exit(0 if take_claim(folder, Claim.ours(sys.argv[1], "mine", None), old) else 1)
"""
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", script, f"racer-{number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
        )
        for number in range(8)
    ]
    for racer in racers:
        assert racer.stdout is not None
        racer.stdout.readline()
    for racer in racers:
        racer.communicate("go\n", timeout=60)
    winners = [number for number, racer in enumerate(racers) if racer.returncode == 0]
    found = newest_claim(folder)
    assert old is not None
    assert found is not None
    assert [f"racer-{number}" for number in winners] == [found.batch]
