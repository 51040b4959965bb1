"""The search knows the words that pages and the glossary explain, after a partial build too.

Whoever looks for "gradient" gets the places marked by `{index}` and the glossary before the many pages that use it.
Sphinx notes such places only while it writes a page, so a build that writes two pages forgets those of all others.
"""

from __future__ import annotations

from sphinx.util.index_entries import split_index_msg


def complete(app) -> list:
    noted = getattr(getattr(app.builder, "indexer", None), "_index_entries", None)
    if noted is not None:
        for page, entries in app.env.get_domain("index").entries.items():
            found = {(word, target, main) for kind, text, target, main, _ in entries for word in words(kind, text)}
            noted.setdefault(page, sorted(found))
    return []


def words(kind: str, text: str) -> list[str]:
    """
    >>> words("single", "gradient; of a loss")
    ['gradient', 'of a loss']
    """
    return split_index_msg(kind, text)[: 1 if kind in {"see", "seealso"} else None]


def setup(app):
    app.connect("html-collect-pages", complete)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
