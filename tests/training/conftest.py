import pytest
import torch
from tiny import tiny_run

from repro.spec import Run


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def tiny() -> Run:
    return tiny_run()
