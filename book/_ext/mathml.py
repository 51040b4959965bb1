"""Formulas as MathML, made while the book is built: no script, no third party, and readable by screen readers."""

from __future__ import annotations

from html import escape

from docutils.nodes import SkipNode
from latex2mathml.converter import convert
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

log = logging.getLogger(__name__)


def mathml(node, display: str) -> str:
    """The formula of a math node; TeX that cannot be read is reported where it stands, and shown as it is."""
    try:
        return convert(node.astext(), display=display)
    except Exception as error:  # noqa: BLE001  whatever the converter stumbles over
        log.warning("cannot read the formula %r: %r", node.astext(), error, location=node)
        return f"<code>{escape(node.astext())}</code>"


def visit_inline(self, node) -> None:
    self.body.append(self.starttag(node, "span", "", CLASS="math") + mathml(node, "inline") + "</span>")
    raise SkipNode


def visit_block(self, node) -> None:
    """A formula on its own line, with its number and a link to it where it has a label."""
    self.body.append(self.starttag(node, "div", CLASS="math", tabindex="0", role="group"))
    self.body.append(mathml(node, "block"))
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
