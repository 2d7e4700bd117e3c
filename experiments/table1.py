"""Table 1. Architectures for ImageNet.

Nothing is trained: the table is about counting. The paper prints one number a net, its
multiply-adds in billions ("FLOPs"); plain and residual nets share a column, and so they share a
number.
"""

from repro.definition.experiment import Claim, Counted, Row, Table, Unchecked, exact
from repro.definition.net import Block, plain, resnet

NETS = (  # net, multiply-adds in 10⁹ as printed
    ("18-layer", resnet(18, "A", "imagenet"), exact(1.8, 1)),
    ("34-layer", resnet(34, "A", "imagenet"), exact(3.6, 1)),
    ("50-layer", resnet(50, "B", "imagenet"), exact(3.8, 1)),
    ("101-layer", resnet(101, "B", "imagenet"), exact(7.6, 1)),
    ("152-layer", resnet(152, "B", "imagenet"), exact(11.3, 1)),
)

VGG16, VGG19 = 15.3e9, 19.6e9  # multiply-adds, as section 4.1 gives them

PAIRS = (
    *((plain(depth, "imagenet"), resnet(depth, "A", "imagenet")) for depth in (18, 34)),
    *((plain(depth), resnet(depth)) for depth in (20, 32, 44, 56, 110)),
)

BASIC, BOTTLENECK = Block("basic block"), Block("bottleneck block")

FIFTY = {
    "A": resnet(50, "A", "imagenet"),
    "B": resnet(50, "B", "imagenet"),
    "C": resnet(50, "C", "imagenet"),
}

ROWS = tuple(Row(label, net=net, paper=(printed,)) for label, net, printed in NETS)

# Identity shortcuts add nothing that is counted.
SAME_COUNTS = (
    *(
        Counted("parameters", residual, over=plain_net, low=1, high=1)
        for plain_net, residual in PAIRS
    ),
    *(
        Counted("multiply_adds", residual, over=plain_net, low=1, high=1)
        for plain_net, residual in PAIRS
    ),
)

experiment = Table(
    title="Architectures for ImageNet: multiply-adds (10⁹)",
    page=5,
    metrics=("multiply_adds_billions",),
    rows=ROWS,
    claims=(
        Claim(
            "S1-3",
            "The 152-layer net is 8 times deeper than VGG-19, with lower complexity than VGG-16 "
            "and VGG-19.",
            "abstract; section 4.1",
            (
                Counted("layers", NETS[-1][1], over=19, low=8, high=8),
                Counted("multiply_adds", NETS[-1][1], over=VGG16, low=0, high=0.999),
                Counted("multiply_adds", NETS[-1][1], over=VGG19, low=0, high=0.999),
            ),
        ),
        Claim(
            "F2-1",
            "A building block adds its input to what its layers compute: y = F(x) + x.",
            "section 3.1; Figure 2",
            (Unchecked("a definition, and no outcome: every block of a ResNet here is built so"),),
        ),
        Claim(
            "S32-1",
            "A residual function of a single layer shows no advantage.",
            "section 3.2",
            (Unchecked("no number and no net is given; every block here has two or three layers"),),
        ),
        Claim(
            "S32-2",
            "Identity shortcuts add neither parameters nor computation.",
            "sections 3.2 and 4.2",
            SAME_COUNTS,
        ),
        Claim(
            "S33-1",
            # 3.6/19.6; unrounded 18.6 %
            "The 34-layer baseline has 3.6 billion multiply-adds, only 18 % of VGG-19.",
            "section 3.3; Figure 3",
            (
                Counted("multiply_adds", plain(34, "imagenet"), over=1e9, low=3.55, high=3.65),
                Counted("multiply_adds", plain(34, "imagenet"), over=VGG19, low=0.17, high=0.19),
            ),
        ),
        Claim(
            "S33-2",
            "The 34-layer baseline has fewer filters than VGG nets.",
            "section 3.3",
            (
                Unchecked(
                    "it depends on what is counted: 7,616 filters in all against 5,504 of VGG-19, "
                    "but "
                    "64, 128 and 256 against 256, 512 and 512 on maps of 56, 28 and 14"
                ),
            ),
        ),
        Claim(
            "F5-1",
            "Both blocks of Figure 5 have similar time complexity (here: within a tenth).",
            "section 4.1; Figure 5",
            (Counted("multiply_adds", BOTTLENECK, over=BASIC, low=0.9, high=1.1),),
        ),
        Claim(
            "F5-2",
            "Projections for a bottleneck's identity shortcuts double time complexity and model "
            "size (here: of a whole "
            "ResNet-50, whose stem and classifier dilute the factor: 1.7 to 2.1).",
            "section 4.1",
            (
                Counted("multiply_adds", FIFTY["C"], over=FIFTY["A"], low=1.7, high=2.1),
                Counted("parameters", FIFTY["C"], over=FIFTY["A"], low=1.7, high=2.1),
            ),
        ),
    ),
)
