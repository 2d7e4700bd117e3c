"""The tests of the GPU path: `make test-gpu`. Without a card they are skipped, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent

# `test_card.py` then skips for all of them.
if not torch.cuda.is_available():
    collect_ignore = ["test_captured.py", "test_numbers.py", "test_runs.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.gpu)


@pytest.fixture(autouse=True)
def _deterministic() -> None:
    torch.backends.cudnn.deterministic = True
