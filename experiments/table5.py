"""Table 5. Error rates (%) of ensembles, top-5, on the test set of ImageNet, by the test server.

The labels of the test set are secret, and the paper does not say which six nets it combined (only:
of different depth, two of 152 layers). So the paper's numbers are quoted, and none of ours is
compared with them: the last row is an ensemble of six that fit the description, on the validation
images.
"""

from experiments.imagenet import RESNET, SPREAD_TOP5
from repro.definition.experiment import Claim, Row, Table, Unchecked, quoted

SIX = (
    RESNET[34, "B"],
    RESNET[34, "C"],
    RESNET[50, "B"],
    RESNET[101, "B"],
    RESNET[152, "B"].run.repeated(2),
)

NOT_HERE = Unchecked("the test labels are secret, and four of the six nets are not named")

experiment = Table(
    title="Error rates (%) of ensembles: top-5, on the ImageNet test set, "
    "reported by the test server",
    page=6,
    metrics=("multi_scale_top5",),
    margins=(0.3,),
    spreads=(SPREAD_TOP5,),
    rows=(
        Row("VGG (ILSVRC'14)", paper=(quoted(7.32),)),
        Row("GoogLeNet (ILSVRC'14)", paper=(quoted(6.66),)),
        Row("VGG (v5)", paper=(quoted(6.8, 1),)),
        Row("PReLU-net", paper=(quoted(4.94),)),
        Row("BN-inception", paper=(quoted(4.82),)),
        Row(
            "ResNet (ILSVRC'15)",
            paper=(quoted(3.57),),
            note="six nets, two of 152 layers; on the test server",
        ),
        Row(
            "six nets here, on val",
            paper=(None,),
            ensemble=SIX,
            note="ResNet-34 B and C, 50, 101 and twice 152, the mean of their scores, "
            "on the validation images; the "
            "paper does not name its six, so nothing is compared",
        ),
    ),
    claims=(
        Claim(
            "S1-4",
            "An ensemble of residual nets has 3.57 % top-5 error on the ImageNet test set, first "
            "place of ILSVRC 2015.",
            "abstract; section 4.1; Table 5",
            (NOT_HERE,),
        ),
        Claim(
            "T5-1",
            "Six models of different depth, only two of 152 layers, lead to 3.57 % top-5 error on "
            "the test set.",
            "section 4.1; Table 5",
            (NOT_HERE,),
        ),
    ),
)
