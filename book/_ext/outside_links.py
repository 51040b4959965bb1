"""Links to what other projects document, from a table that is part of the book.

Inventories fetched at build time would make the build depend on the network, and the links on the day. Here the
names that the book mentions stand in `book/links.toml` with their addresses; a name that is missing is a warning
that says where to add it.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from docutils import nodes


def read_table(path: Path) -> dict[str, str]:
    """`{"torch.Tensor": "https://...", ...}` from the file's sections, each with a `base`."""
    table = {}
    for section in tomllib.loads(path.read_text(encoding="utf-8")).values():
        base = section.pop("base")
        table |= {name: base + place for name, place in section.items()}
    return table


def resolve(app, env, node, content):
    """Called for every name that the book itself does not document."""
    if node.get("refdomain") != "py":
        return None
    address = app.outside_links.get(node["reftarget"])
    if address is None:
        return None
    link = nodes.reference("", "", internal=False, refuri=address)
    link += content
    return link


def load(app) -> None:
    app.outside_links = read_table(Path(app.srcdir) / "links.toml")


def setup(app):
    app.connect("builder-inited", load)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
