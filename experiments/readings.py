"""How we read the paper where its words leave a value open: what, our value, and why."""

from repro.definition.scales_and_variants import Reading

READINGS = (
    Reading(
        "initialisation",
        "He normal, fan-in",
        "equation 10 of [13], and the default of the authors' framework",
    ),
    Reading(
        "initialisation of the last layer",
        "He normal, fan-in, no bias at first",
        "[13] as for a 1×1 convolution",
    ),
    Reading(
        "batch norm's ε and momentum", "1e-5 and 0.1", "the framework's; the paper gives neither"
    ),
    Reading(
        "option A", "zero channels appended at the end", "the paper says only that they are zero"
    ),
    Reading("stride of a bottleneck", "in its first 1×1", "as in the authors' published nets"),
    Reading(
        "input scale",
        "pixels from 0 to 1",
        "not stated; the first batch norm cancels it but for its ε",
    ),
    Reading(
        "45k/5k",
        "trains on a fixed 45,000 and tests on the test set",
        "the test error stays the same quantity",
    ),
    Reading(
        "pad value",
        "zeros, after the mean is subtracted",
        "as in the cited augmentation's public code",
    ),
    Reading("warm-up iterations", "count within the 64k", "one counter is the plain reading"),
    Reading(
        "“until the training error is below 80%”",
        "of the last 100 iterations together",
        "the paper does not say over how many images; one batch of 128 is too noisy",
    ),
    Reading("warm-up of plain-110", "none", "section 4.2 gives it for the 110-layer ResNet"),
    Reading("warm-up of ResNet-1202", "as ResNet-110", "“trained as described above”"),
    Reading(
        "CIFAR training set",
        "all 50,000 images",
        "the 45k/5k split was used to choose the schedule",
    ),
    Reading("weight decay", "on every parameter", "exceptions are not mentioned"),
    Reading(
        "momentum (variant `caffe-sgd`)",
        "v ← 0.9 v + g, and the rate multiplies the step",
        "the authors' README gives Caffe's v ← 0.9 v + lr g, in which an old rate lives on for "
        "some ten steps",
    ),
    Reading("“up to 60×10⁴ iterations” (ImageNet)", "550,000", "Figure 4 stops at 55×10⁴"),
    Reading(
        "“when the error plateaus” (ImageNet)",
        "fixed drops at 150,000 and 300,000",
        "where the curves of Figure 4 drop",
    ),
    Reading(
        "mean image (variant `mean-image`)",
        "the mean of the training photos' centre crops, from a shorter side of 256; a crop is "
        "flipped before it is subtracted",
        "the authors give its size, and no more",
    ),
    Reading(
        "max pooling (variant `unpadded-pool`)",
        "padded by one pixel",
        "as most ports do; the authors' net pads nothing and rounds the map's size up",
    ),
    Reading(
        "training error",
        "running, with augmentation, over the window",
        "as the noisy curves of Figure 6 suggest",
    ),
    Reading(
        "below 90 % (footnote 5)",
        "running training error of the last 100 iterations",
        "as for the warm-up",
    ),
    Reading(
        "“when the error plateaus” (variant `plateau`)",
        "running training error; 5 points of the curve without 0.1 points of gain; two drops",
        "drops chosen by the test error would be selected on the test set",
    ),
    Reading(
        "layer responses",
        "over the whole test set, all positions and channels",
        "the paper does not say",
    ),
    Reading(
        "resizing",
        "bilinear, antialiased, only the region the crop needs",
        "the paper does not name a filter",
    ),
    Reading(
        "ten crops",
        "224×224 from a shorter side of 256; softmax averaged",
        "as the authors' README says; the paper cites [21] alone",
    ),
    Reading(
        "fully convolutional test",
        "softmax at each position; positions, flips, then scales averaged",
        "unsaid",
    ),
    Reading(
        "batch-norm averages",
        "over 51,200 training images",
        "the authors say a sufficiently large batch",
    ),
    Reading(
        "reported error", "of the last iteration", "Table 6 equals the last points of Figure 6"
    ),
)
