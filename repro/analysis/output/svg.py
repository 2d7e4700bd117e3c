"""A drawing as SVG inside a page: no inline styles, which a strict policy refuses, and colours that follow the theme.

matplotlib writes `style="fill: none; stroke: #0173b2"`; the same things are said here by attributes. Ink becomes
`currentColor`, the background goes, ids are made unique to the page, and training lines get a class to be hidden by.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from matplotlib.figure import Figure as Drawing

from repro.analysis.figures import style

SVG, LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"

_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_THEMED = {style.INK: "currentColor", style.FAINT: "currentColor", "#ffffff": "none"}
_SOFT = {"#ececec": "grid", style.PAPER: "paper"}  # classes for what the dark theme must dim


def inline_svg(drawing: Drawing, name: str, title: str, description: str) -> str:
    """The drawing as an `svg` element whose ids begin with `name`, with a title and a description to be read aloud."""
    root = ElementTree.fromstring(style.rendered(drawing, "svg"))
    for parent in list(root.iter()):
        for child in list(parent):
            if (
                child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style")
                or child.get("id") == "patch_1"
            ):
                parent.remove(child)
    for element in root.iter():
        _without_style(element)
        _renamed(element, name)
    root.attrib |= {
        "role": "img",
        "aria-labelledby": f"{name}-title {name}-description",
        "class": "figure",
    }
    root.attrib |= {"stroke-linejoin": "round", "stroke-linecap": "butt"}
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.insert(0, _text("desc", f"{name}-description", description))
    root.insert(0, _text("title", f"{name}-title", title))
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", LINK)
    return ElementTree.tostring(root, encoding="unicode")


def _without_style(element: ElementTree.Element) -> None:
    """Each property of the style as an attribute of the same name."""
    for part in element.attrib.pop("style", "").split(";"):
        key, colon, value = (piece.strip() for piece in part.partition(":"))
        if not colon:
            continue
        if value in _SOFT:
            element.set("class", _SOFT[value])
        element.set(key, _THEMED.get(value, value))


def _renamed(element: ElementTree.Element, name: str) -> None:
    own = element.get("id")
    if own:
        element.set("id", f"{name}-{own}")
        if "-training" in own:
            element.set("class", "training")
    for key, value in element.attrib.items():
        if key.endswith("href") and value.startswith("#"):
            element.set(key, f"#{name}-{value[1:]}")
        elif "url(#" in value:
            element.set(key, _REFERENCE.sub(rf"url(#{name}-\1)", value))


def _text(tag: str, own_id: str, text: str) -> ElementTree.Element:
    element = ElementTree.Element(f"{{{SVG}}}{tag}", {"id": own_id})
    element.text = style.printable(text)
    return element
