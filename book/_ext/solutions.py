"""Move executed solutions into the dropdown that announces them.

MyST-NB runs code cells at a page's top level only, so a solution is written as a dropdown followed by its cells:

    :::{dropdown} Solution
    Square the differences first.
    :::

    ```{code-cell}
    :tags: [solution]
    (x - y).square().mean()
    ```

Here each cell tagged `solution` becomes the dropdown's next child. The result is an HTML `<details>`, which opens
without JavaScript.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

log = logging.getLogger(__name__)


def is_solution(node: nodes.Node) -> bool:
    return isinstance(node, nodes.container) and "tag_solution" in node["classes"]


def is_dropdown(node: nodes.Node) -> bool:
    return isinstance(node, nodes.container) and node.get("design_component") == "dropdown"


class MoveSolutions(SphinxTransform):
    """Each cell tagged `solution` joins the dropdown before it."""

    default_priority = 205

    def apply(self, **kwargs) -> None:
        for cell in list(self.document.findall(is_solution)):
            parent = cell.parent
            before = parent[: parent.index(cell)]
            home = next((n for n in reversed(before) if not isinstance(n, nodes.comment | nodes.target)), None)
            if home is None or not is_dropdown(home):
                log.warning("a cell tagged `solution` must follow a {dropdown} directly", location=cell)
                continue
            parent.remove(cell)
            home.append(cell)


def setup(app):
    app.add_transform(MoveSolutions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
