"""The runs of section 4.2, which Table 6 and Figures 1, 6 and 7 share: five seeds of every net."""

from experiments.recipes import CIFAR10, CIFAR10_WARMUP, VARIANTS
from repro.definition.net import plain, resnet
from repro.definition.run import Run

SEEDS = 5  # the paper's count for ResNet-110; it does not say for the others

PLAIN = {depth: Run(plain(depth), CIFAR10).repeated(SEEDS) for depth in (20, 32, 44, 56, 110)}

RESNET = {depth: Run(resnet(depth), CIFAR10).repeated(SEEDS) for depth in (20, 32, 44, 56)} | {
    depth: Run(resnet(depth), CIFAR10_WARMUP).repeated(SEEDS) for depth in (110, 1202)
}

RESNET_110_COLD = VARIANTS["cold"](RESNET[110].run).repeated(
    SEEDS
)  # footnote 5: starting at 0.1 directly
