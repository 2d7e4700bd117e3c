"""A drawing as SVG inside a page: no inline styles, and colours that follow the theme.

matplotlib writes `style="fill: none; stroke: #0173b2"`. A strict policy refuses inline styles, so
attributes take their place. Each known colour becomes a class, which the style of the page defines
for a light and a dark theme. Ids are made unique to the page, and training lines get a class by
which they are hidden.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from matplotlib.figure import Figure as Drawing

from repro.analysis.figures import style

SVG, LINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"

_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_BACKGROUND = "#ffffff"
# The name of each colour that a dark page shows differently.
_NAMES = {style.GRID: "grid", style.SPINE: "spine", style.FAINT: "faint"}
_NAMES |= {colour: name for name, colour in style.HUES.items()}
_NAMES |= {style.lighter(colour): f"{name}-light" for name, colour in style.HUES.items()}


def colour_rules() -> str:
    """Return the rules of the page's style that give figures their colours."""
    rules = []
    for name in _NAMES.values():
        for what in ("stroke", "fill"):
            rules.append(f"svg .{what}-{name} {{ {what}: var(--{name}); }}")
    return "\n".join(rules) + "\n"


def inline_svg(drawing: Drawing, name: str, title: str, description: str) -> str:
    """Return the drawing as an `svg` element whose ids begin with `name`, to be read aloud, too."""
    root = ElementTree.fromstring(style.rendered(drawing, "svg"))
    _remove_what_the_page_has(root)
    for element in root.iter():
        _style_to_attributes(element)
        _prefix_ids(element, name)
    root.attrib |= {
        "role": "img",
        "aria-labelledby": f"{name}-title {name}-description",
        "class": "figure",
        "stroke-linejoin": "round",
        "stroke-linecap": "butt",
    }
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.insert(0, _text("desc", f"{name}-description", description))
    root.insert(0, _text("title", f"{name}-title", title))
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", LINK)
    return ElementTree.tostring(root, encoding="unicode")


def _remove_what_the_page_has(root: ElementTree.Element) -> None:
    """Remove metadata, the style sheet, and the background, which is the first patch."""
    unwanted = (f"{{{SVG}}}metadata", f"{{{SVG}}}style")
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in unwanted or child.get("id") == "patch_1":
                parent.remove(child)


def _style_to_attributes(element: ElementTree.Element) -> None:
    """Turn each property of the style into an attribute, and a known colour into a class."""
    classes = []
    for part in element.attrib.pop("style", "").split(";"):
        key, colon, value = part.partition(":")
        key, value = key.strip(), value.strip()
        if not colon:
            continue
        if value == _BACKGROUND:
            value = "none"
        if value in _NAMES:
            classes.append(f"{key}-{_NAMES[value]}")
        element.set(key, value)
    if classes:
        element.set("class", " ".join(classes))


def _prefix_ids(element: ElementTree.Element, name: str) -> None:
    own_id = element.get("id", "")
    if own_id:
        element.set("id", f"{name}-{own_id}")
    if "-training" in own_id:
        element.set("class", f"{element.get('class', '')} training".strip())
    for key, value in element.attrib.items():
        if key.endswith("href") and value.startswith("#"):
            element.set(key, f"#{name}-{value[1:]}")
        elif "url(#" in value:
            element.set(key, _REFERENCE.sub(rf"url(#{name}-\1)", value))


def _text(tag: str, own_id: str, text: str) -> ElementTree.Element:
    element = ElementTree.Element(f"{{{SVG}}}{tag}", {"id": own_id})
    element.text = style.printable(text)
    return element
