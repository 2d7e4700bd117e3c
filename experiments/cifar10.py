"""The runs of section 4.2, which Table 6 and Figures 1, 6 and 7 share: five seeds of every net."""

from experiments.recipes import CIFAR10, CIFAR10_WARMUP, VARIANTS
from repro.definition.net import plain, resnet
from repro.definition.run import Run

SEEDS = 5  # the paper's count for ResNet-110; it does not say for the others

# Standard deviation between seeds, in points. Test error: Table 6 has 0.16, of five ResNet-110. No
# spread of plain nets is published; two public trainings of four of them differ by 0.1 to 0.5.
# Training error: how far the last five points of Figure 6's curves scatter.
SPREAD = 0.16
SPREADS, PLAIN_SPREADS = (SPREAD, 0.05), (0.25, 0.30)  # test, training

PLAIN = {depth: Run(plain(depth), CIFAR10).repeated(SEEDS) for depth in (20, 32, 44, 56, 110)}

RESNET = {depth: Run(resnet(depth), CIFAR10).repeated(SEEDS) for depth in (20, 32, 44, 56)} | {
    depth: Run(resnet(depth), CIFAR10_WARMUP).repeated(SEEDS) for depth in (110, 1202)
}

RESNET_110_COLD = VARIANTS["cold"](RESNET[110].run).repeated(
    SEEDS
)  # footnote 5: starting at 0.1 directly
