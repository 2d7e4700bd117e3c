"""Figure 3. Example network architectures for ImageNet.

Left: the VGG-19 model as a reference. Middle: a plain network with 34 parameter layers. Right: a
residual network with 34 parameter layers. The dotted shortcuts increase dimensions. Nothing is
trained: the figure is drawn from the nets.
"""

from repro.definition.experiment import Drawing
from repro.definition.net import plain, resnet

experiment = Drawing(
    title="Example network architectures for ImageNet",
    page=4,
    columns=(
        ("VGG-19", "VGG-19"),
        ("34-layer plain", plain(34, "imagenet")),
        ("34-layer residual", resnet(34, "A", "imagenet")),
    ),
)
