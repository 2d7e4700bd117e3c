"""Table 4. Error rates (%) of single-model results on the ImageNet validation set.

The paper tests fully convolutionally and averages the scores at five scales (shorter side 224, 256,
384, 480, 640). VGG's 8.43 is reported on the test set.
"""

from experiments.imagenet import RESNET, SPREAD, SPREAD_TOP5
from repro.definition.experiment import Bound, Claim, Paper, Row, Table, quoted

TOP1, TOP5 = "multi_scale_top1", "multi_scale_top5"

experiment = Table(
    title="Error rates (%) of single-model results on the ImageNet validation set",
    page=6,
    metrics=(TOP1, TOP5),
    margins=(0.5, 0.3),
    spreads=(SPREAD, SPREAD_TOP5),
    rows=(
        Row("VGG (ILSVRC'14)", paper=(None, quoted(8.43)), note="on the test set"),
        Row("GoogLeNet (ILSVRC'14)", paper=(None, quoted(7.89))),
        Row("VGG (v5)", paper=(quoted(24.4, 1), quoted(7.1, 1))),
        Row("PReLU-net", paper=(quoted(21.59), quoted(5.71))),
        Row("BN-inception", paper=(quoted(21.99), quoted(5.81))),
        Row("ResNet-34 B", RESNET[34, "B"], (Paper(21.84), Paper(5.71))),
        Row("ResNet-34 C", RESNET[34, "C"], (Paper(21.53), Paper(5.60))),
        Row("ResNet-50", RESNET[50, "B"], (Paper(20.74), Paper(5.25))),
        Row("ResNet-101", RESNET[101, "B"], (Paper(19.87), Paper(4.60))),
        Row("ResNet-152", RESNET[152, "B"], (Paper(19.38), Paper(4.49))),
    ),
    claims=(
        Claim(
            "T4-1",
            "A single ResNet-152 outperforms all previous ensembles (the best had 4.82).",
            "section 4.1; Tables 4 and 5",
            (Bound(TOP5, RESNET[152, "B"], below=4.82),),
        ),
        Claim(
            "T4-2",
            "The 34-layer ResNets are already very competitive (here: better than VGG's final "
            "7.1).",
            "section 4.1; Table 4",
            (Bound(TOP5, RESNET[34, "B"], below=7.1), Bound(TOP5, RESNET[34, "C"], below=7.1)),
        ),
    ),
)
