"""The faults of docs/reliability.md, one by one: which tests the page names, and how they end."""

from __future__ import annotations

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from repro.storage.paths import ROOT
from tests.reliability.harness.trial import Figures

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- faults: each test that is named here exists -->", "<!-- end of faults -->"
_TEST = re.compile(r"`([a-z_/]+\.py::test_[a-z0-9_]+)`")


def fault_tests() -> dict[str, list[str]]:
    """Return the tests of each fault of the page, as pytest names them."""
    table = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    tests = {}
    for line in table.strip().splitlines()[2:]:
        fault, _, named = line.strip("|").partition("|")
        if not fault.strip().startswith("**"):  # the head of a group
            tests[fault.strip()] = [f"tests/{test}" for test in _TEST.findall(named)]
    return tests


def faults(folder: Path) -> Figures:
    """Run the tests of every fault, and count how they ended."""
    tests = fault_tests()
    names = dict.fromkeys(name for named in tests.values() for name in named)
    report = folder / "faults.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, f"--junitxml={report}", *names], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stdout)
    if done.returncode:
        print(done.stdout, file=sys.stderr)
    [suite] = ElementTree.parse(report).getroot().iter("testsuite")
    ran, left_out = int(suite.attrib["tests"]), int(suite.attrib["skipped"])
    failed = int(suite.attrib["failures"]) + int(suite.attrib["errors"])
    return {
        "faults": len(tests),
        "tests": ran,
        "passed": ran - left_out - failed,
        "failed_tests": failed,
        "left_out": left_out,
    }
