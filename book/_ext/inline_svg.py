"""Figures drawn by code cells become part of the page.

An SVG that stands in the page, rather than behind an <img>, can follow the page: here black becomes the theme's text
colour ("ink"), white its background ("paper"), and text is set in the page's own font. Words in a figure are
messages of the page's catalogue, so the translated book shows translated figures without running a cell again.

A figure needs a description for those who cannot see it, in the metadata of its cell:

    ```{code-cell}
    :mystnb:
    :  image: {alt: "A parabola; the point at -1.5 is marked in red."}
    plot_function(f)
    ```

One without it is a warning, which `-W` turns into an error.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from docutils import nodes
from messages import NOWHERE_ELSE, messages_in, printed_words, translated
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

log = logging.getLogger(__name__)

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"

THEMED = {"#000000": "currentColor", "#ffffff": "var(--figure-paper, #ffffff)"}


def words_of(svg: ET.Element) -> list[str]:
    """The messages of a figure: texts with a word in them, each once."""
    return messages_in("".join(t.itertext()) for t in svg.iter(SVG + "text"))


class figure_words(printed_words):
    """The words of one figure, in the page's tree, where Sphinx's gettext finds them."""


def file_of(image: nodes.image, srcdir: Path) -> Path | None:
    """The file of a figure that a cell has drawn as SVG, else nothing."""
    in_output = isinstance(image.parent, nodes.container) and "mime_type" in image.parent
    uri = image["uri"]
    if not in_output or not uri.endswith(".svg"):
        return None
    return srcdir / uri.lstrip("/") if uri.startswith(("/..", "../")) else Path(uri)


class CollectWords(SphinxTransform):
    """Put each figure's words beside it, before Sphinx translates the page."""

    default_priority = 5

    def apply(self, **kwargs) -> None:
        for image in list(self.document.findall(nodes.image)):
            path = file_of(image, Path(self.env.srcdir))
            if path is None:
                continue
            words = words_of(ET.parse(path).getroot())
            node = figure_words("", words=words, path=str(path))
            node.source, node.line = self.document["source"], image.parent.parent.line or image.line or 1
            image.parent.append(node)


class InlineFigures(SphinxPostTransform):
    """Replace an image by the drawing itself, in HTML; elsewhere the image stays."""

    default_priority = 8  # after the choice among a cell's outputs, before files are copied
    formats = ("html",)

    def run(self, **kwargs) -> None:
        for image in self.document.findall(nodes.image):
            if not image.get("alt"):
                log.warning("an image without a description: give it an alt text", location=image)
        for count, words in enumerate(list(self.document.findall(figure_words)), 1):
            parent = words.parent
            image = parent[parent.index(words) - 1]
            text = Path(words["path"]).read_text(encoding="utf-8")
            drawing = inlined(text, image.get("alt", ""), f"figure{count}-", words.get("translations", {}))
            parent.remove(words)
            parent.replace(image, nodes.raw("", drawing, format="html"))


def inlined(text: str, alt: str, prefix: str, words: dict[str, str]) -> str:
    """The SVG file's drawing as an element of an HTML page."""
    root = ET.fromstring(text)
    parents = {child: parent for parent in root.iter() for child in parent}
    for element in list(root.iter()):
        if element.tag in (SVG + "metadata", SVG + "style", SVG + "title"):
            parents[element].remove(element)  # a style here would reach the whole page
        elif element.tag == SVG + "text":
            translate(element, words)
        elif element.tag == SVG + "image":
            element.set("style", f"image-rendering: pixelated; {element.get('style', '')}")
        if HREF in element.attrib:
            element.set("href", element.attrib.pop(HREF))
        for name in ("fill", "stroke", "style"):
            if name in element.attrib:
                element.set(name, themed(element.attrib[name], is_text=element.tag == SVG + "text"))
    rename_ids(root, prefix)
    width = root.attrib.pop("width", "")
    root.attrib.pop("height", None)
    root.attrib.pop("version", None)
    for element in root.iter():
        element.tag = element.tag.removeprefix(SVG)
    root.attrib |= {"xmlns": SVG[1:-1], "class": "figure", "role": "img", "aria-label": alt}
    root.set("style", f"width: {width}; fill: currentColor; stroke-linejoin: round; stroke-linecap: butt")
    body = ET.tostring(root, encoding="unicode")
    return f'<div class="figure-box">{body}</div>\n'


def translate(element: ET.Element, words: dict[str, str]) -> None:
    whole = "".join(element.itertext())
    new = translated(whole, words)
    if new != whole:
        for child in list(element):
            element.remove(child)
        element.text = new


def themed(style: str, is_text: bool) -> str:
    """Black and white follow the theme, and fonts are the page's.

    >>> themed("fill: #ffffff; stroke: #000000", is_text=False)
    'fill: var(--figure-paper, #ffffff); stroke: currentColor'
    >>> themed("font: 10px 'DejaVu Sans', sans-serif; text-anchor: middle", is_text=True)
    'font-size: 10px; text-anchor: middle'
    """
    for colour, name in THEMED.items():
        style = re.sub(colour, name, style, flags=re.IGNORECASE)
    if is_text:
        style = re.sub(r"font-family:[^;]*;?\s*", "", style)
        style = re.sub(r"font:\s*((?:[a-z0-9]+\s+)*?)([\d.]+px)[^;]*", shorthand, style)
    return style


def shorthand(match: re.Match) -> str:
    """The weight, slant and size of a CSS `font`, without its family."""
    rest = match[1].split()
    weight = [f"font-weight: {w}" for w in rest if w.isdigit() or w.startswith("bold")]
    slant = [f"font-style: {w}" for w in rest if w in ("italic", "oblique")]
    return "; ".join([f"font-size: {match[2]}", *weight, *slant])


def rename_ids(root: ET.Element, prefix: str) -> None:
    """Ids that something refers to get the figure's prefix; the others go."""
    used = set(re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", ET.tostring(root, encoding="unicode")))
    used = {a or b for a, b in used}
    for element in root.iter():
        if "id" in element.attrib:
            name = element.attrib.pop("id")
            if name in used:
                element.set("id", prefix + name)
        for key, value in element.attrib.items():
            new = value.replace("url(#", f"url(#{prefix}")
            element.set(key, f"#{prefix}{new[1:]}" if key == "href" and new.startswith("#") else new)


def setup(app):
    app.add_node(figure_words, **NOWHERE_ELSE)
    app.add_transform(CollectWords)
    app.add_post_transform(InlineFigures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
