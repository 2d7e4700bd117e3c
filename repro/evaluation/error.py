"""The error of a net on some images, each counted once however many processes share them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from repro import distributed


@torch.inference_mode()
def measure_error(
    net: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], name: str
) -> dict[str, float]:
    """Return the error in percent and the mean loss, in fp32 with batch norm's running statistics.

    The net trains on afterwards.
    """
    distributed.copy_statistics(net)
    training = net.training
    net.eval()
    sums = torch.zeros(3, dtype=torch.float64, device=next(net.parameters()).device)
    for images, labels in batches:
        scores = net(images).float()
        loss = functional.cross_entropy(scores, labels, reduction="sum")
        sums[0] += (scores.argmax(1) != labels).sum()
        sums[1] += loss
        sums[2] += len(labels)
    net.train(training)
    wrong, loss, count = distributed.total(sums).tolist()
    return {f"{name}_error": 100 * wrong / count, f"{name}_loss": loss / count}
