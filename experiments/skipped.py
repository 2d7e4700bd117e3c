"""Tables 7 to 14: object detection and localisation, which are not reproduced here, and why.

The numbers that the paper gives are in `experiments/paper/table7.csv` to `table14.csv`.
"""

from repro.definition.experiment import Claim, Skipped, Unchecked

VOC = "Object detection mAP (%) on the PASCAL VOC 2007/2012 test sets using baseline Faster R-CNN"
COCO = "Object detection mAP (%) on the COCO validation set using baseline Faster R-CNN"
STEPS = "Object detection improvements on MS COCO using Faster R-CNN and ResNet-101"
LOCALISED = (
    "Comparisons of localization error (%) on the ImageNet dataset with state-of-the-art methods"
)

END = "and this project stops at classification"
DETECTION = f"detection: it needs Faster R-CNN, {END}"
VOC_SERVER = f"detection: it needs Faster R-CNN and the VOC 2012 server, {END}"
DET_SERVER = f"detection: it needs Faster R-CNN and the ILSVRC server, {END}"
# Looked for in public repositories and pages on 25 November 2026; only copies of the paper's table.
LOCALISATION = "localisation, of which no public reproduction is known"
RPN = f"{LOCALISATION}: it needs a per-class RPN and R-CNN, {END}"
LOC_SERVER = f"{LOCALISATION}: it needs R-CNN and the ILSVRC server, {END}"

NO_DETECTOR = (Unchecked("no detector is trained here"),)
NO_LOCALISER = (Unchecked("no localiser is trained here"),)

EXPERIMENTS = {
    "table7": Skipped(
        title=VOC,
        reason=DETECTION,
        page=8,
        claims=(
            Claim(
                "D-1",
                "ResNet-101 improves the mAP on PASCAL VOC by more than 3 points over VGG-16.",
                "appendix A; Table 7",
                NO_DETECTOR,
            ),
        ),
    ),
    "table8": Skipped(
        title=COCO,
        reason=DETECTION,
        page=8,
        claims=(
            Claim(
                "S1-5",
                "Depth alone gives a relative improvement of 28 % on COCO detection.",
                "abstract; section 4.3",
                NO_DETECTOR,
            ),
            Claim(
                "D-2",
                "On COCO, ResNet-101 has 6.0 points more mAP@[.5, .95] and 6.9 more mAP@.5.",
                "section 4.3; Table 8",
                NO_DETECTOR,
            ),
        ),
    ),
    "table9": Skipped(
        title=STEPS,
        reason=DETECTION,
        page=10,
        claims=(
            Claim(
                "D-3",
                "Box refinement, global context and multi-scale testing each improve the mAP.",
                "appendix B; Table 9",
                NO_DETECTOR,
            ),
            Claim(
                "D-4",
                "On COCO test-dev a single model has 55.7/34.9 and an ensemble 59.0/37.4.",
                "appendix B; Table 9",
                NO_DETECTOR,
            ),
        ),
    ),
    "table10": Skipped(
        title="Detection results on the PASCAL VOC 2007 test set",
        reason=DETECTION,
        page=11,
        claims=(
            Claim(
                "D-5",
                "The mAP is 85.6 on VOC 2007 and 83.8 on VOC 2012, 10 points above the best "
                "before.",
                "appendix B; Tables 10 and 11",
                NO_DETECTOR,
            ),
        ),
    ),
    "table11": Skipped(
        title="Detection results on the PASCAL VOC 2012 test set", reason=VOC_SERVER, page=11
    ),
    "table12": Skipped(
        title="Our results (mAP, %) on the ImageNet detection dataset",
        reason=DET_SERVER,
        page=11,
        claims=(
            Claim(
                "D-6",
                "On ImageNet DET a single model has 58.8 and an ensemble of three 62.1.",
                "appendix B; Table 12",
                NO_DETECTOR,
            ),
        ),
    ),
    "table13": Skipped(
        title="Localization error (%) on the ImageNet validation",
        reason=RPN,
        page=12,
        claims=(
            Claim(
                "D-7",
                "Given the class, the localisation error falls from VGG's 33.1 to 13.3, and to "
                "11.7.",
                "appendix C; Table 13",
                NO_LOCALISER,
            ),
        ),
    ),
    "table14": Skipped(
        title=LOCALISED,
        reason=LOC_SERVER,
        page=12,
        claims=(
            Claim(
                "D-8",
                "The top-5 localisation error is 14.4, 10.6 with R-CNN, and 9.0 of an ensemble.",
                "appendix C; Tables 13 and 14",
                NO_LOCALISER,
            ),
        ),
    ),
}
