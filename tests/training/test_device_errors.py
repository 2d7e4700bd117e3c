"""Out of memory, a broken card, a busy one: a failure that says what to change, never a
traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from repro.cli import main
from repro.cluster.job import several_runs
from repro.definition.run import Run
from repro.errors import FAILED
from repro.stop_request import StopRequest
from repro.storage.atomic import read_json
from repro.storage.paths import ROOT, Places
from repro.training import train
from repro.training.device_errors import DeviceFailure, device_errors_explained
from repro.training.loop import EagerStep
from tests.training.tiny import tiny_run

GPU = torch.device("cuda", 0)
ECC = torch.AcceleratorError("CUDA error: uncorrectable ECC error encountered\nmore words")
BUSY = torch.AcceleratorError("CUDA error: CUDA-capable device(s) is/are busy or unavailable")
ALLOCATOR = RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried …")


def failing_at(iteration: int, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the step of this iteration raise the error."""
    learn = EagerStep.learn
    calls = []

    def fails(step: EagerStep, *batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        calls.append(1)
        if len(calls) > iteration:
            raise error
        return learn(step, *batch)

    monkeypatch.setattr(EagerStep, "learn", fails)


@pytest.mark.parametrize("error", [MemoryError(), ALLOCATOR], ids=["python's", "torch's"])
def test_out_of_memory_on_a_cpu_is_a_failure_with_the_estimate_and_what_there_is(
    error: Exception, tiny: Run, here: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_at(12, error, monkeypatch)
    with pytest.raises(DeviceFailure, match=r"^out of memory: the run needs about \d+\.\d GiB"):
        train(tiny, here)
    failed = read_json(here.run(tiny.id).failed)
    assert failed["cause"] == "memory"
    assert "this machine has " in failed["problem"]
    assert "`--jobs`" in failed["hint"]


def test_out_of_memory_on_a_gpu_names_the_estimate_the_card_and_what_to_change(
    tiny: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**30, 80 * 2**30))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "H100")
    failure = explained(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), tiny)
    assert failure.problem.startswith("CUDA out of memory: the run needs about 0.")
    assert failure.problem.endswith("`cuda: H100` has 80.0 GiB, of which 1.0 GiB are free")
    assert "a larger GPU" in failure.hint
    assert "`--variant bf16`" in failure.hint
    assert failure.code == FAILED


def test_a_card_that_no_longer_answers_is_named_all_the_same(tiny: Run) -> None:
    failure = explained(torch.OutOfMemoryError("CUDA out of memory"), tiny)
    assert "`cuda:0` has an unknown amount" in failure.problem


@pytest.mark.parametrize(
    ("error", "hint"), [(ECC, "broken memory"), (BUSY, "admits one only: use `--pack 1`")]
)
def test_a_card_that_is_broken_or_busy_is_a_failure_of_the_device(
    error: Exception, hint: str, tiny: Run
) -> None:
    failure = explained(error, tiny)
    assert failure.cause == "device"
    assert str(error).partition("\n")[0] in failure.problem
    assert "\n" not in failure.problem
    assert hint in failure.hint


def test_an_error_of_the_program_is_not_hidden(tiny: Run) -> None:
    with (
        pytest.raises(RuntimeError, match="shapes cannot be multiplied"),
        device_errors_explained(tiny, GPU),
    ):
        raise RuntimeError("shapes cannot be multiplied")


def explained(error: Exception, run: Run) -> DeviceFailure:
    with pytest.raises(DeviceFailure) as failure, device_errors_explained(run, GPU):
        raise error
    return failure.value


def test_a_run_that_failed_for_memory_goes_on_when_it_is_asked_again(
    tiny: Run, here: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPRO_SAVE_EVERY", "0")
    with monkeypatch.context() as patch:
        failing_at(25, MemoryError(), patch)
        with pytest.raises(DeviceFailure):
            train(tiny, here)
    assert train(tiny, here)["provenance"]["attempts"] == 2
    assert not here.run(tiny.id).failed.exists()


INJECTED = """
import sys
if "repro.training.worker" in sys.orig_argv:
    import torch
    from repro.training import loop
    from repro.storage.paths import places

    learn, calls = loop.EagerStep.learn, []

    def fails(step, images, labels):
        calls.append(1)
        if len(calls) == 3 and VICTIM in here():
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return learn(step, images, labels)

    def here():
        return [path.name for path in places().results.glob("runs/*") if owned(path)]

    def owned(path):
        import json, os
        at = path / "progress.json"
        return at.exists() and json.loads(at.read_text())["pid"] == os.getpid()

    loop.EagerStep.learn = fails
"""


@pytest.fixture
def injected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on Python's path, of which each new process runs `sitecustomize.py` first."""
    folder = tmp_path / "injected"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{ROOT}")
    return folder / "sitecustomize.py"


def test_out_of_memory_under_run_exits_1_and_status_and_logs_say_why(
    injected: Path, here: Places, capsys: pytest.CaptureFixture[str]
) -> None:
    injected.write_text(f"VICTIM = ''\n{INJECTED}".replace("VICTIM in here()", "True"))
    words = ["run", "table6", "--scale", "smoke", "--only", "resnet-20", "--seeds", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "repro.cli", *words], capture_output=True, text=True, cwd=ROOT
    )
    printed = done.stdout + done.stderr
    assert done.returncode == FAILED, printed
    assert "CUDA out of memory: the run needs about" in printed
    assert "Traceback" not in printed
    (folder,) = here.results.glob("runs/*")
    failed = json.loads((folder / "failed.json").read_text())
    assert failed["problem"].startswith("CUDA out of memory: the run needs about")
    assert failed["cause"] == "memory"
    shown = printed_by(capsys, "status", "--failed")
    assert folder.name in shown
    assert "CUDA out of memory" in shown
    assert "ask for a larger GPU" in shown
    assert "CUDA out of memory" in printed_by(capsys, "logs", folder.name)


def printed_by(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit):
        main(list(words))
    printed = capsys.readouterr()
    return printed.out + printed.err


@dataclass
class Log:
    """What a job said."""

    lines: list[str] = field(default_factory=list)


def test_of_runs_that_share_a_card_only_the_one_without_memory_fails(
    injected: Path, here: Places
) -> None:
    runs = [tiny_run(seed) for seed in range(3)]
    injected.write_text(f"VICTIM = {runs[1].id!r}\n{INJECTED}")
    log = Log()
    over, code = several_runs.train_all(runs, here, StopRequest(), log.lines.append)
    assert (over, code) == (True, FAILED)
    assert [here.run(run.id).final.exists() for run in runs] == [True, False, True]
    assert [here.run(run.id).failed.exists() for run in runs] == [False, True, False]
    assert sum("CUDA out of memory" in line for line in log.lines) == 1


def test_the_run_after_one_without_memory_gets_a_new_process(injected: Path, here: Places) -> None:
    from repro.local.workers import WorkerPool

    runs = [tiny_run(seed) for seed in range(2)]
    injected.write_text(f"VICTIM = {runs[0].id!r}\n{INJECTED}")
    events = list(WorkerPool(here, 1, 1).train(runs, lambda at_work: None))
    assert [event["state"] for event in events] == ["failed", "done"]
