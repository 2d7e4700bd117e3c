"""Layer responses: the standard deviation of each 3×3 layer's output (section 4.2, Figure 7).

It is taken after batch norm and before ReLU or addition. The paper does not say over what; here it
is every image of the test set, every position and every channel of a layer.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from repro.nets import responding_layers


@torch.inference_mode()
def responses(net: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> list[float]:
    """Return one standard deviation a layer, in the net's order; the net is left as it was."""
    layers = responding_layers(net)
    device = next(net.parameters()).device
    sums = torch.zeros(len(layers), 2, dtype=torch.float64, device=device)
    counts = [0] * len(layers)

    def watch(index: int) -> torch.utils.hooks.RemovableHandle:
        def add_output(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
            sums[index, 0] += output.sum(dtype=torch.float64)
            sums[index, 1] += output.double().square().sum()
            counts[index] += output.numel()

        return layers[index].register_forward_hook(add_output)

    training = net.training
    net.eval()
    handles = [watch(index) for index in range(len(layers))]
    try:
        for images, _ in batches:
            net(images)
    finally:
        for handle in handles:
            handle.remove()
        net.train(training)
    mean, square = (sums / torch.tensor(counts, device=device)[:, None]).unbind(1)
    deviations: list[float] = (square - mean.square()).clamp(min=0).sqrt().tolist()
    return deviations
