"""The page that a server sends when there is none: book/404.md, in a template that brings all it needs.

It is sent for addresses of any depth, from which no relative link to a style sheet would lead anywhere, and where the
book lies on the server is not known when it is built. So its styles stand in it, and a few lines of script look for the
book's folder, from the wanted address upwards, and set the links right.
"""

from __future__ import annotations


def template(app, page: str, template: str, context: dict, doctree) -> str | None:
    return "404.html" if page == "404" and app.builder.name == "html" else None


def setup(app):
    app.connect("html-page-context", template)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
