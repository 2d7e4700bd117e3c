"""The nets of Table 1: 7×7 at stride 2, max pooling, four stages on maps of 56, 28, 14 and 7."""

from __future__ import annotations

from repro.definition.net import Net
from repro.nets.blocks import Norm, Stem, max_pool
from repro.nets.conv_net import ConvNet, assemble


def imagenet(net: Net, norm: Norm, recompute: bool) -> ConvNet:
    stem = Stem(7, 64, stride=2, norm=norm, pool=max_pool(padded=net.pool is None))
    return assemble(net, stem, width=64, norm=norm, recompute=recompute)
