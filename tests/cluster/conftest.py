"""A fake SLURM on the PATH, or none at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cluster.fake_slurm import FakeSlurm, laptop


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    fake = FakeSlurm.install(tmp_path / "fake-slurm")
    monkeypatch.setenv("PATH", f"{fake.folder}{os.pathsep}{os.environ['PATH']}")
    return fake


@pytest.fixture
def no_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(laptop(tmp_path / "laptop")))
