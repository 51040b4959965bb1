"""What the book's own nodes have in common: messages that catalogues translate, and a place in HTML alone."""

from __future__ import annotations

from docutils import nodes
from sphinx import addnodes


class with_messages(addnodes.translatable):
    """A node whose words are messages of its page's catalogue. What it does with them is its own affair.

    Sphinx keeps a note of its own under "translated", so the translations have another name.
    """

    def preserve_original_messages(self) -> None:
        self.setdefault("translations", {})

    def apply_translated_message(self, original_message: str, translated_message: str) -> None:
        self["translations"][original_message] = translated_message

    def in_language(self, message: str) -> str:
        """The message's translation, or itself where there is none."""
        return self.get("translations", {}).get(message) or message


def skip(self, node) -> None:
    raise nodes.SkipNode


# For `app.add_node`: formats in which the node leaves nothing.
NOWHERE_ELSE = dict.fromkeys(("text", "latex", "man", "texinfo"), (skip, None))
