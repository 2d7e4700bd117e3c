"""Table 6. Classification error on the CIFAR-10 test set.

The paper runs ResNet-110 five times and prints best (mean ± std); we compare
with its mean. Every other row of the paper is a single run.
"""

from experiments.cifar10 import RESNET
from repro.experiment import Bound, Claim, Ordering, Row, Table, exact, mean, quoted

ROWS = (  # depth, parameters in millions, error: what the paper prints
    (20, exact(0.27, 2), 8.75),
    (32, exact(0.46, 2), 7.51),
    (44, exact(0.66, 2), 7.17),
    (56, exact(0.85, 2), 6.97),
    (110, exact(1.7, 1), mean(6.61, std=0.16, n=5, best=6.43)),
    (1202, exact(19.4, 1), 7.93),
)
