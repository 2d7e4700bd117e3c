"""Figure 7. Standard deviations (std) of layer responses on CIFAR-10.

The responses are the outputs of each 3×3 layer, after BN and before nonlinearity. Top: the layers
are shown in their original order. Bottom: the responses are ranked in descending order.

"Generally smaller" is judged rank by rank, as smaller at most ranks: the lower panel is how the
paper itself makes nets comparable, and by position even its own ResNet-56 exceeds plain-56 around
layers 33 to 50, and ResNet-20 zigzags. This was declared before any run of scale `paper`;
results/LOG.md has the rules before it, and how the verdict moved.
"""

from experiments.cifar10 import PLAIN, RESNET
from repro.definition.experiment import (
    Bound,
    Claim,
    Figure,
    InMostLayers,
    Ordering,
    Panel,
    Row,
    Unchecked,
    digitised,
)

# The tenth largest response of each net, read off the lower panel: the highest rank at which every
# curve can be read (the two plain ones between two readings).
TENTH = ("response_rank_10",)
ROWS = (
    Row("plain-20", PLAIN[20], (digitised(1.86, 0.03),), metrics=TENTH),
    Row("plain-56", PLAIN[56], (digitised(2.00, 0.03),), metrics=TENTH),
    Row("ResNet-20", RESNET[20], (digitised(1.55, 0.03),), metrics=TENTH),
    Row("ResNet-56", RESNET[56], (digitised(1.30, 0.03),), metrics=TENTH),
    Row("ResNet-110", RESNET[110], (digitised(1.26, 0.03),), metrics=TENTH),
)

experiment = Figure(
    title="Standard deviations (std) of layer responses on CIFAR-10",
    page=8,
    digitised="figure7.csv",
    panels=(
        Panel("original order", ROWS, x=(0, 110), y=(0.5, 3.5), shows="responses"),
        Panel(
            "ranked",
            ROWS,
            x=(0, 110),
            y=(0.5, 3.5),
            digitised="bottom",
            shows="sorted responses",
            margins=(0.2,),
            spreads=(0.1,),  # not published; a guess, to be replaced by five seeds of scale paper
        ),
    ),
    claims=(
        Claim(
            "F7-1",
            "ResNets have generally smaller responses than their plain counterparts.",
            "section 4.2; Figure 7",
            (
                InMostLayers(PLAIN[20], RESNET[20], by="rank"),
                InMostLayers(PLAIN[56], RESNET[56], by="rank"),
            ),
        ),
        Claim(
            "F7-2",
            "The deeper the ResNet, the smaller the magnitude of its responses.",
            "section 4.2; Figure 7",
            (Ordering("response_mean", (RESNET[20], RESNET[56], RESNET[110])),),
        ),
        Claim(
            "F7-3",
            "Figure 7 plots 19, 55 and 109 layers: every 3×3 layer, the first included.",
            "Figure 7",
            (Unchecked("read off the figure, and made the measurement: 6n+1 responses a net"),),
        ),
        Claim(
            "S41-1",
            "Plain nets with BN have forward signals of non-zero variance and backward gradients "
            "of healthy norm. "
            "(No number is given; here, on plain-56: a mean response above 0.1, first-layer "
            "gradients above 10⁻⁴.)",
            "section 4.1",
            (
                Bound("response_mean", PLAIN[56], above=0.1),
                Bound("gradient_first", PLAIN[56], above=1e-4),
            ),
        ),
    ),
)
