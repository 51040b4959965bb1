"""No script holds up a page: the text is painted first, and scripts run in their order once it is read.

The theme and two extensions load theirs in the head, where each has to arrive and run before anything is shown; with
`defer` they arrive meanwhile. Two stay as they are: the few lines that set the theme, so that a dark page never flashes
white, and Sphinx's table of options, to which scripts within the page add. The index of the search is loaded by the
search page alone (book/_templates/layout.html), where everything keeps its place.
"""

from __future__ import annotations


def defer(app, page: str, template: str, context: dict, doctree) -> None:
    if app.builder.format != "html" or page == "search":
        return
    context["script_files"] = [later(script) for script in context["script_files"]]


def later(script):
    """The same script with `defer`, unless it is one that others wait for, or no file."""
    name = str(getattr(script, "filename", "") or "")
    if not name or "documentation_options" in name:
        return script
    return type(script)(name, priority=script.priority, **{**script.attributes, "defer": "defer"})


def setup(app):
    app.connect("html-page-context", defer, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
