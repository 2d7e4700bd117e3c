import pytest
import torch

from repro.definition.run import Run
from tests.training.tiny import tiny_run


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def tiny() -> Run:
    return tiny_run()
