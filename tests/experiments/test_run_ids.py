"""Every run of the paper keeps its id: a change of identity is a reviewed change."""

import re
import runpy
from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "golden"
IDS = runpy.run_path(str(GOLDEN / "write.py"))["ids"]()

MEANING = """the identity of {count} runs has changed, first {first}.

A run with a new id is another run: what was trained under the old one is no longer found, and will be trained again.
If a number may really differ now, that is right: run `python tests/golden/write.py`, commit the list, say why.
If it may not (a renamed or added field), leave the field out of the definition while it is unset."""


def test_no_run_has_changed_its_identity():
    recorded = (GOLDEN / "run_ids.txt").read_text().split()
    changed = [run_id for run_id in (*IDS, *recorded) if (run_id in IDS) != (run_id in recorded)]
    assert not changed, MEANING.format(count=len(changed), first=changed[0])


def test_ids_are_listed_in_the_order_of_the_paper():
    assert (GOLDEN / "run_ids.txt").read_text().split() == IDS


def test_an_id_can_be_a_file_name_and_a_job_name():
    form = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
    assert [run_id for run_id in IDS if not form.fullmatch(run_id)] == []


def test_no_two_ids_differ_in_case_only():
    assert len({run_id.lower() for run_id in IDS}) == len(IDS)
