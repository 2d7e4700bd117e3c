"""The nets of section 4.2: a 3×3 layer, 6n on maps of 32, 16 and 8, then a fully connected one."""

from __future__ import annotations

from repro.definition.net import Net
from repro.nets.blocks import Norm, Stem
from repro.nets.conv_net import ConvNet, assemble


def cifar(net: Net, norm: Norm, recompute: bool) -> ConvNet:
    stem = Stem(3, 16, stride=1, norm=norm, pool=None)
    return assemble(net, stem, width=16, norm=norm, recompute=recompute)
