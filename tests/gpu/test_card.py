"""There is a card, and it computes."""

import pytest
import torch


@pytest.mark.skipif(
    not torch.cuda.is_available(),
    reason="no GPU here, so no test of tests/gpu: `make test-gpu` is for a machine that has one",
)
def test_the_card_computes() -> None:
    ones = torch.ones(64, 64, device="cuda")
    assert float((ones @ ones).sum()) == 64**3
