"""What every test shares: one thread, its own folders, and no word of the machine it runs on."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from repro.storage import paths
from repro.storage.paths import Places
from tests.run_folders import believable, diverged, finished, places, write_run

# Run folders, written in a line: `finished(run, test_error=8.7)`.
__all__ = ["believable", "diverged", "finished", "places", "write_run"]

# Before torch is imported, here and in every process that a test starts.
os.environ["OMP_NUM_THREADS"] = "1"
# Only `make test-gpu` lets tests see a GPU, and only those in tests/gpu use it.
if os.environ.get("REPRO_TEST_GPU") != "1":
    os.environ["CUDA_VISIBLE_DEVICES"] = ""


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("results", "figures", "data"):
        monkeypatch.setenv(f"REPRO_{name.upper()}", str(tmp_path / name))
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("REPRO_DEVICE", "REPRO_SAVE_EVERY", "REPRO_THREADS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _same_numbers_each_time() -> None:
    """What a test draws at random it draws again: a tolerance holds or does not, but never
    sometimes."""
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


@pytest.fixture
def here() -> Places:
    """This test's own folders."""
    return paths.places()
