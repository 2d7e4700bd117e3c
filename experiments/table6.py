"""Table 6. Classification error on the CIFAR-10 test set.

The paper runs ResNet-110 five times and prints best (mean ± std); we compare
with its mean. Every other row of the paper is a single run, as far as it says.
"""

from experiments.cifar10 import RESNET, SPREAD
from repro.definition.experiment import (
    Bound,
    Claim,
    Close,
    Counted,
    Ordering,
    Paper,
    Row,
    Table,
    Unchecked,
    exact,
    mean,
    quoted,
)

OTHERS = (  # parameters in millions, error: quoted by the paper from others
    ("Maxout", None, quoted(9.38)),
    ("NIN", None, quoted(8.81)),
    ("DSN", None, quoted(8.22)),
    ("FitNet-19", quoted(2.5, 1), quoted(8.39)),
    ("Highway-19", quoted(2.3, 1), Paper(7.72, kind="quoted", std=0.16, best=7.54)),
    ("Highway-32", quoted(1.25), quoted(8.80)),
)

OURS = (  # depth, parameters in millions, error: what the paper prints
    (20, exact(0.27, 2), Paper(8.75)),
    (32, exact(0.46, 2), Paper(7.51)),
    (44, exact(0.66, 2), Paper(7.17)),
    (56, exact(0.85, 2), Paper(6.97)),
    (110, exact(1.7, 1), mean(6.61, std=0.16, n=5, best=6.43)),
    (1202, exact(19.4, 1), Paper(7.93)),
)

experiment = Table(
    title="Classification error (%) on the CIFAR-10 test set",
    page=7,
    metrics=("parameters_millions", "test_error"),
    margins=(0.0, 0.5),
    spreads=(0.0, SPREAD),
    rows=(
        *(Row(method, paper=(parameters, error)) for method, parameters, error in OTHERS),
        *(
            Row(f"ResNet-{depth}", RESNET[depth], (parameters, error))
            for depth, parameters, error in OURS
        ),
    ),
    claims=(
        Claim(
            "S1-2",
            "Nets of over 100 and of over 1000 layers can be trained on CIFAR-10 (here: training "
            "error below 1 %).",
            "abstract; section 1",
            (
                Bound("train_error", RESNET[110], below=1.0),
                Bound("train_error", RESNET[1202], below=1.0),
            ),
        ),
        Claim(
            "T6-0",
            "Table 6 gives the error of the last iteration, not the best over training.",
            "Table 6 and Figure 6",
            (
                Unchecked(
                    "a finding about the paper's own numbers: the curves of Figure 6 end within "
                    "0.03 of them"
                ),
            ),
        ),
        Claim(
            "T6-1",
            "ResNet-110: best 6.43, mean 6.61, standard deviation 0.16 over five runs.",
            "section 4.2; Table 6",
            (Unchecked("a number, judged in its row"),),
        ),
        Claim(
            "T6-2",
            "ResNet-110 has fewer parameters than FitNet and Highway, yet is among the best "
            "(below both errors).",
            "section 4.2; Table 6",
            (
                Counted("parameters", RESNET[110].run.net, over=2.5e6, low=0, high=0.999),
                Counted("parameters", RESNET[110].run.net, over=2.3e6, low=0, high=0.999),
                Bound("test_error", RESNET[110], below=7.54),
            ),
        ),
        Claim(
            "K-1b",
            "The test error of ResNet-1202 is still fairly good (7.93 %; here: below DSN's 8.22).",
            "section 4.2; Table 6",
            (Bound("test_error", RESNET[1202], below=8.22),),
        ),
        Claim(
            "K-2",
            "ResNet-1202 tests worse than ResNet-110, although both have similar training error "
            "(within 0.1 points).",
            "section 4.2; Table 6",
            (
                Ordering("test_error", (RESNET[1202], RESNET[110])),
                Close("train_error", RESNET[1202], RESNET[110], within=0.1),
            ),
        ),
        Claim(
            "K-3",
            "Stronger regularisation may improve ResNet-1202.",
            "section 4.2",
            (Unchecked("left to future study by the paper"),),
        ),
    ),
)
