"""Table 3. Error rates (%, 10-crop testing) on ImageNet validation.

VGG-16 was tested by the paper's authors. ResNet-50, 101 and 152 are of option B, which uses
projections only for increasing dimensions.
"""

from experiments.imagenet import PLAIN, RESNET, SPREAD, SPREAD_TOP5
from repro.definition.experiment import (
    Claim,
    Counted,
    Ordering,
    Paper,
    Row,
    Table,
    Unchecked,
    quoted,
)

TOP1, TOP5 = "ten_crop_top1", "ten_crop_top5"
A, B, C = (RESNET[34, shortcut] for shortcut in "ABC")
DEEP = tuple(RESNET[depth, "B"] for depth in (50, 101, 152))

experiment = Table(
    title="Error rates (%, 10-crop testing) on ImageNet validation",
    page=6,
    metrics=(TOP1, TOP5),
    margins=(0.5, 0.3),
    spreads=(SPREAD, SPREAD_TOP5),
    rows=(
        Row("VGG-16", paper=(quoted(28.07), quoted(9.33))),
        Row("GoogLeNet", paper=(None, quoted(9.15))),
        Row("PReLU-net", paper=(quoted(24.27), quoted(7.38))),
        Row("plain-34", PLAIN[34], (Paper(28.54), Paper(10.02))),
        Row("ResNet-34 A", A, (Paper(25.03), Paper(7.76))),
        Row("ResNet-34 B", B, (Paper(24.52), Paper(7.46))),
        Row("ResNet-34 C", C, (Paper(24.19), Paper(7.40))),
        Row("ResNet-50", RESNET[50, "B"], (Paper(22.85), Paper(6.71))),
        Row("ResNet-101", RESNET[101, "B"], (Paper(21.75), Paper(6.05))),
        Row("ResNet-152", RESNET[152, "B"], (Paper(21.43), Paper(5.71))),
    ),
    claims=(
        Claim(
            "T3-1",
            "All three options are considerably better than the plain counterpart.",
            "section 4.1; Table 3",
            tuple(Ordering(TOP1, (PLAIN[34], option)) for option in (A, B, C)),
        ),
        Claim(
            "T3-2",
            "B is slightly better than A.",
            "section 4.1; Table 3",
            (Ordering(TOP1, (A, B)),),
        ),
        Claim(
            "T3-3",
            "C is marginally better than B, which the paper attributes to the parameters of "
            "thirteen more projections "
            "(4 % more in all).",
            "section 4.1; Table 3",
            (
                Ordering(TOP1, (B, C)),
                Counted("parameters", C.run.net, over=B.run.net, low=1.03, high=1.05),
            ),
        ),
        Claim(
            "T3-4",
            "The small differences among A, B and C mean that projections are not essential.",
            "section 4.1",
            (Unchecked("an interpretation of T3-1 to T3-3, which are checked"),),
        ),
        Claim(
            "T3-5",
            "The 50, 101 and 152-layer ResNets are more accurate than the 34-layer ones by "
            "considerable margins. "
            "(No margin is given; here, each is better than the one before, in both ways of "
            "testing.)",
            "section 4.1; Tables 3 and 4",
            tuple(Ordering(metric, (B, *DEEP)) for metric in (TOP1, "multi_scale_top1")),
        ),
        Claim(
            "S41-2",
            "The 34-layer plain net still achieves competitive accuracy.",
            "section 4.1; Table 3",
            (Unchecked("no threshold is given; its number is judged in its row"),),
        ),
    ),
)
