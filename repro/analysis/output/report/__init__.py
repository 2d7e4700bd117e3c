"""The report: one HTML file that opens anywhere and asks nothing of any network.

Its policy allows nothing but the one style and the one script in it, by their hashes; every text is
escaped. Equal results give equal bytes.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from pathlib import Path

from repro.analysis.output.inline_svg import colour_rules
from repro.analysis.output.report.content import page
from repro.analysis.output.report.report_words import colour_class
from repro.analysis.runs.run_frames import Collected
from repro.definition.scales_and_variants import Scale
from repro.storage.atomic import write_atomic
from repro.storage.paths import Places


def report(collected: Collected, scale: Scale) -> str:
    """Return the whole page."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    css, script = _text("style.css") + colour_rules(), _text("script.js")
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.from_string(_text("page.html")).render(
        page=page(collected, scale),
        css=Markup(css),
        script=Markup(script),
        policy=_policy(css, script),
        colour_class=colour_class,
    )


def write(html: str, places: Places) -> Path:
    """Write results/report.html by an atomic write; return its path."""
    write_atomic(places.report, html.encode())
    return places.report


def _text(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")


def _policy(css: str, script: str) -> str:
    allowed = f"style-src '{_hash(css)}'; script-src '{_hash(script)}'"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
