"""Figure 4. Training on ImageNet.

Thin curves denote training error, and bold curves denote validation error of the center crops.
Left: plain networks of 18 and 34 layers. Right: ResNets of 18 and 34 layers, which have no extra
parameter compared to their plain counterparts. The numbers beside the runs are read off the
plateaus of the figure from 50×10⁴ iterations on.
"""

from experiments.imagenet import PLAIN, RESNET, SPREAD
from repro.definition.experiment import Claim, Figure, Ordering, Panel, Row, Unchecked, digitised

VALIDATION, TRAINING = 0.3, 0.6  # reading errors, in points
WHOLE = (5_000, 550_000)
EARLY = (15_000, 150_000)  # before the first drop of the rate

experiment = Figure(
    title="Training on ImageNet",
    page=5,
    digitised="figure4.csv",
    panels=(
        Panel(
            title="plain",
            rows=(
                Row(
                    "plain-18", PLAIN[18], (digitised(31.4, VALIDATION), digitised(30.9, TRAINING))
                ),
                Row(
                    "plain-34", PLAIN[34], (digitised(32.5, VALIDATION), digitised(32.9, TRAINING))
                ),
            ),
            x=(0, 55),
            y=(20, 60),
            digitised="left",
            margins=(0.5, 0.5),
            spreads=(SPREAD, SPREAD),
        ),
        Panel(
            title="ResNet",
            rows=(
                Row(
                    "ResNet-18",
                    RESNET[18, "A"],
                    (digitised(31.2, VALIDATION), digitised(29.9, TRAINING)),
                ),
                Row(
                    "ResNet-34",
                    RESNET[34, "A"],
                    (digitised(28.2, VALIDATION), digitised(25.1, TRAINING)),
                ),
            ),
            x=(0, 55),
            y=(20, 60),
            digitised="right",
            margins=(0.5, 0.5),
            spreads=(SPREAD, SPREAD),
        ),
    ),
    claims=(
        Claim(
            "F4-1",
            "The 34-layer plain net has higher training error throughout the whole training "
            "procedure.",
            "section 4.1; Figure 4, left",
            (Ordering("train_error", (PLAIN[34], PLAIN[18]), throughout=WHOLE),),
        ),
        Claim(
            "F4-2",
            "The curves of Figure 4 end at the levels given beside its rows.",
            "Figure 4",
            (
                Unchecked(
                    "read off the figure, not a sentence of the paper: judged as numbers, row by "
                    "row"
                ),
            ),
        ),
        Claim(
            "F4-3",
            "The rate drops at 15×10⁴ and 30×10⁴ iterations, and training stops at 55×10⁴.",
            "Figure 4",
            (
                Unchecked(
                    "read off the figure, and made the schedule of the recipe: an input, not an "
                    "outcome"
                ),
            ),
        ),
        Claim(
            "F4-4",
            "ResNet-34 exhibits considerably lower training error than ResNet-18 and than "
            "plain-34.",
            "section 4.1; Figure 4",
            (
                Ordering("train_error", (RESNET[18, "A"], RESNET[34, "A"])),
                Ordering("train_error", (PLAIN[34], RESNET[34, "A"])),
            ),
        ),
        Claim(
            "F4-5",
            "ResNet-18 converges faster than plain-18 at the early stage.",
            "section 4.1; Figure 4",
            (Ordering("test_error", (PLAIN[18], RESNET[18, "A"]), throughout=EARLY),),
        ),
    ),
)
