"""Figure 1. Training error and test error on CIFAR-10 with 20-layer and 56-layer plain networks.

The deeper network has higher training error, and thus test error. The runs are those of Figure 6,
left; so are the levels beside them: the last points of its curves, read off the figure, test first.
"""

from dataclasses import replace

from experiments.cifar10 import PLAIN, PLAIN_SPREADS
from repro.definition.experiment import Claim, Figure, Ordering, Panel, Row, Unchecked, digitised

ROWS = (
    Row("plain-20", PLAIN[20], (digitised(9.69, 0.05), digitised(1.38, 0.3))),
    Row("plain-56", PLAIN[56], (digitised(13.25, 0.05), digitised(5.58, 0.3))),
)

PANEL = Panel(
    "",
    ROWS,
    x=(0, 6.4),
    y=(0, 20),
    digitised="left",
    margins=(0.5, 0.5),
    spreads=PLAIN_SPREADS,
)

experiment = Figure(
    title="Training error and test error on CIFAR-10 with 20-layer and 56-layer plain networks",
    page=1,
    digitised="figure6.csv",
    panels=(
        replace(PANEL, title="training error", splits=("train",)),
        replace(PANEL, title="test error", splits=("test",)),
    ),
    claims=(
        Claim(
            "F1-1",
            "The 56-layer plain net has higher training error than the 20-layer one, and higher "
            "test error.",
            "section 1; Figure 1",
            (
                Ordering("train_error", (PLAIN[56], PLAIN[20])),
                Ordering("test_error", (PLAIN[56], PLAIN[20])),
            ),
        ),
        Claim(
            "F1-2",
            "The curves of Figure 1 end at the levels given beside its rows.",
            "Figure 1",
            (
                Unchecked(
                    "read off the figure, not a sentence of the paper: judged as numbers, row by "
                    "row"
                ),
            ),
        ),
        Claim(
            "S1-1",
            "The degradation is not overfitting: it is the training error that rises with depth, "
            "on ImageNet too.",
            "sections 1, 4.1 and 4.2",
            (Unchecked("checked as F1-1 and F6-1 on CIFAR-10, and as F4-1 on ImageNet"),),
        ),
    ),
)
