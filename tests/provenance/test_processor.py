"""A processor without bfloat16 is told before anything begins, with what to type instead."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from repro.cli.shared.run_progress import ProgressLines
from repro.local.run import warn_of_slow_bf16
from repro.protocol.selection import select
from repro.provenance import processor
from repro.storage.paths import ROOT
from tests.cluster.fake_slurm import FakeSlurm

AMD = "processor : 0\nmodel name : AMD EPYC 7302\nflags : fpu sse avx avx2\n\nprocessor : 1\n"
XEON = "model name : Intel Xeon\nflags : avx2 avx512f avx512_bf16 amx_bf16 amx_tile\n\n"
OLD_XEON = "model name : Intel Xeon\nflags : avx2 avx512f avx512bw\n\n"
ARM = "processor : 0\nFeatures : fp asimd i8mm bf16\n\n"
OLD_ARM = "processor : 0\nFeatures : fp asimd\n\n"

RUN = ("table6", "--only", "resnet-20", "--seeds", "1", "--variant", "bf16")
SHORT = ("--scale", "smoke", "--set", "iterations=2", "--set", "drops=[1]", "--set", "batch=8")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that computes as one without bfloat16, and has no GPU."""
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    monkeypatch.setenv("REPRO_DEVICE", "cpu")


def repro(*words: str, path: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "repro.cli", *words]
    environment = os.environ | {"PATH": f"{path}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [(AMD, False), (XEON, True), (OLD_XEON, False), (ARM, True), (OLD_ARM, False), ("", None)],
)
def test_the_processor_says_whether_it_computes_bf16(
    cpuinfo: str, expected: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
    processor.CPUINFO.write_text(cpuinfo)
    assert processor.computes_bf16() is expected


def test_a_machine_that_tells_nothing_of_its_processor_is_not_taken_for_a_slow_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "none")
    assert processor.computes_bf16() is None
    assert processor.processor_name()


def test_the_name_is_the_first_processors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
    processor.CPUINFO.write_text(AMD)
    assert processor.processor_name() == "AMD EPYC 7302"


def test_run_says_it_before_it_begins_and_what_it_names_works(slow: None) -> None:
    done = repro("run", *RUN, *SHORT)
    assert done.returncode == 0
    warning, hint, *rest = done.stderr.splitlines()
    assert warning.startswith("Warning: 1 of 1 run in bfloat16: this processor has no instructions")
    assert hint.startswith("hint: `--set precision=fp32`, which makes other runs, with other ids")
    assert rest[1] == "1 run: 0 done, 1 to do"
    again = repro("run", *RUN, *SHORT, "--set", "precision=fp32")
    assert "bfloat16" not in again.stderr
    assert "1 run: 0 done, 1 to do" in again.stderr


def test_run_says_nothing_where_a_gpu_trains(
    slow: None, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = select("table6", scale="quick", seeds=1).runs()
    warn_of_slow_bf16(runs, "cuda", ProgressLines())
    assert capsys.readouterr().err == ""
    warn_of_slow_bf16(runs, None, ProgressLines())
    assert f"{len(runs)} of {len(runs)} runs in bfloat16" in capsys.readouterr().err


def test_runs_in_fp32_have_other_ids() -> None:
    quick = select("table6", scale="quick", seeds=1).runs()
    in_fp32 = select("table6", scale="quick", seeds=1, settings=["precision=fp32"]).runs()
    assert {run.recipe.precision for run in in_fp32} == {"fp32"}
    assert not {run.id for run in quick} & {run.id for run in in_fp32}


def submitted(tmp_path: Path, *words: str) -> str:
    """What `repro submit` says of runs in bfloat16."""
    slurm = FakeSlurm.install(tmp_path / "fake-slurm")
    choice = ("submit", *RUN, *SHORT, "--on", "example", "--yes", *words)
    done = repro(*choice, path=str(slurm.folder))
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_submit_says_it_for_nodes_without_gpus(tmp_path: Path) -> None:
    text = submitted(tmp_path, "--gpus", "0")
    assert "Warning: 1 of 1 runs compute in bfloat16, slowly on nodes without instructions" in text
    assert (
        "(`srun lscpu | grep -c bf16` says 0 where they have none): `--set precision=fp32`" in text
    )


def test_submit_says_nothing_of_runs_that_go_to_gpus(tmp_path: Path, slow: None) -> None:
    assert "bfloat16" not in submitted(tmp_path, "--gpus", "1")


def test_submit_to_a_slurm_on_this_machine_knows_its_processor(
    tmp_path: Path, slow: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPRO_SLURM_CONF", str(tmp_path / "slurm.conf"))
    text = submitted(tmp_path, "--gpus", "0")
    assert "compute in bfloat16, and this processor has no instructions for it" in text


def test_submit_asks_the_processor_without_torch() -> None:
    code = "import sys, repro.provenance.processor, repro.cluster.preflight.warnings; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "False\n"
