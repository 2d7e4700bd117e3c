"""Table 2. Top-1 error (%, 10-crop testing) on ImageNet validation.

Here the ResNets have no extra parameter compared to their plain counterparts (option A). Figure 4
shows the training procedures of the same four runs.
"""

from experiments.imagenet import PLAIN, RESNET, SPREAD
from repro.definition.experiment import Claim, Close, Ordering, Paper, Row, Table, Unchecked

TOP1 = "ten_crop_top1"

experiment = Table(
    title="Top-1 error (%, 10-crop testing) on ImageNet validation",
    page=5,
    metrics=(TOP1,),
    margins=(0.5,),
    spreads=(SPREAD,),
    rows=(
        Row("plain-18", PLAIN[18], (Paper(27.94),)),
        Row("plain-34", PLAIN[34], (Paper(28.54),)),
        Row("ResNet-18", RESNET[18, "A"], (Paper(27.88),)),
        Row("ResNet-34", RESNET[34, "A"], (Paper(25.03),)),
    ),
    claims=(
        Claim(
            "T2-1",
            "The 34-layer plain net has higher validation error than the 18-layer plain net.",
            "section 4.1; Table 2",
            (Ordering(TOP1, (PLAIN[34], PLAIN[18])),),
        ),
        Claim(
            "T2-2",
            "ResNet-34 is better than ResNet-18 (by 2.8 points).",
            "section 4.1; Table 2",
            (Ordering(TOP1, (RESNET[18, "A"], RESNET[34, "A"])),),
        ),
        Claim(
            "T2-3",
            "ResNet-34 reduces the top-1 error of its plain counterpart (by 3.5 points).",
            "section 4.1; Table 2",
            (Ordering(TOP1, (PLAIN[34], RESNET[34, "A"])),),
        ),
        Claim(
            "T2-4",
            "The 18-layer plain and residual nets are comparably accurate (within half a point).",
            "section 4.1; Table 2",
            (Close(TOP1, PLAIN[18], RESNET[18, "A"], within=0.5),),
        ),
        Claim(
            "S41-3",
            "Three times more iterations do not remove the degradation.",
            "footnote 3",
            (
                Unchecked(
                    "no number is given; the variant `3x` trains so, and costs three times as much"
                ),
            ),
        ),
        Claim(
            "S41-4",
            "Deep plain nets may have exponentially low convergence rates.",
            "section 4.1",
            (Unchecked("a conjecture of the paper, left to future study"),),
        ),
    ),
)
