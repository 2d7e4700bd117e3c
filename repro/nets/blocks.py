"""What the nets are made of. A plain block with a shortcut is a residual one; no more differs.

Section 3.4: "We adopt batch normalization (BN) right after each convolution and before activation":
so no convolution has a bias. Section 3.2: the second nonlinearity comes after the addition.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

Norm = Callable[[int], nn.Module]  # channels → the batch norm after a convolution


def conv(kernel: int, inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """Return a convolution that keeps the map's size, or halves it (rounding up) at stride 2."""
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)


def max_pool(padded: bool) -> nn.MaxPool2d:
    """Return the pooling behind ImageNet's first layer.

    It is padded, or as in the authors' nets, where the last window is cut.
    """
    if padded:
        return nn.MaxPool2d(3, stride=2, padding=1)
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


class Stem(nn.Module):
    """The first layer; on ImageNet a max pooling follows."""

    def __init__(
        self, kernel: int, width: int, stride: int, norm: Norm, pool: nn.Module | None
    ) -> None:
        super().__init__()
        self.conv = conv(kernel, 3, width, stride)
        self.norm = norm(width)
        self.pool = pool

    def forward(self, images: Tensor) -> Tensor:
        x = F.relu(self.norm(self.conv(images)), inplace=True)
        if self.pool is not None:
            x = self.pool(x)
        return x


class Basic(nn.Module):
    """Figure 5, left: two 3×3 layers."""

    expansion = 1

    def __init__(
        self, inputs: int, width: int, stride: int, shortcut: nn.Module | None, norm: Norm
    ) -> None:
        super().__init__()
        self.conv1 = conv(3, inputs, width, stride)
        self.norm1 = norm(width)
        self.conv2 = conv(3, width, width)
        self.norm2 = norm(width)
        self.shortcut = shortcut

    # N × inputs × H × W → N × width × H/stride × W/stride
    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        y = self.norm2(self.conv2(y))
        if self.shortcut is not None:
            y += self.shortcut(x)
        return F.relu(y, inplace=True)


class Bottleneck(nn.Module):
    """Figure 5, right: 1×1 reduces, 3×3, 1×1 restores to four times the width.

    The paper's stride is in the first 1×1; `stride_in="3x3"` is what torchvision's nets do.
    """

    expansion = 4

    def __init__(
        self,
        inputs: int,
        width: int,
        stride: int,
        shortcut: nn.Module | None,
        norm: Norm,
        stride_in: Literal["1x1", "3x3"] = "1x1",
    ) -> None:
        super().__init__()
        first, second = stride, 1
        if stride_in == "3x3":
            first, second = 1, stride
        self.conv1 = conv(1, inputs, width, first)
        self.norm1 = norm(width)
        self.conv2 = conv(3, width, width, second)
        self.norm2 = norm(width)
        self.conv3 = conv(1, width, 4 * width)
        self.norm3 = norm(4 * width)
        self.shortcut = shortcut

    # N × inputs × H × W → N × 4·width × H/stride × W/stride
    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        y = F.relu(self.norm2(self.conv2(y)), inplace=True)
        y = self.norm3(self.conv3(y))
        if self.shortcut is not None:
            y += self.shortcut(x)
        return F.relu(y, inplace=True)


class ZeroPadded(nn.Module):
    """Option A where dimensions change: every stride-th pixel, and zero channels. No parameters.

    The paper does not say where the zeros go: `end` appends them, `both` puts half on each side.
    """

    def __init__(
        self, inputs: int, outputs: int, stride: int, zeros: Literal["end", "both"] = "end"
    ) -> None:
        super().__init__()
        self.stride = stride
        before = 0
        if zeros == "both":
            before = (outputs - inputs) // 2
        self.channels = (before, outputs - inputs - before)  # zeros before and after

    def forward(self, x: Tensor) -> Tensor:
        # x[:, :, ::stride, ::stride] to the bit; its gradient is faster.
        pixels = F.avg_pool2d(x, 1, self.stride)
        return F.pad(pixels, (0, 0, 0, 0, *self.channels))


class Projection(nn.Module):
    """Options B and C: a 1×1 convolution with batch norm matches dimensions."""

    def __init__(self, inputs: int, outputs: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.conv = conv(1, inputs, outputs, stride)
        self.norm = norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(self.conv(x))
        return y
