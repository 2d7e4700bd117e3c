"""Figure 5. A deeper residual function for ImageNet.

Left: a building block (on 56×56 feature maps) as in Figure 3 for ResNet-34. Right: a "bottleneck"
building block for ResNet-50/101/152. Nothing is trained: the figure is drawn from the nets, and the
costs under it are counted.
"""

from repro.definition.experiment import Drawing

experiment = Drawing(
    title="A deeper residual function for ImageNet",
    page=6,
    columns=(("ResNet-34", "basic block"), ("ResNet-50, 101, 152", "bottleneck block")),
)
