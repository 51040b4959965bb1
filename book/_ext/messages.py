"""What the book's own nodes have in common: messages that catalogues translate, and a place in HTML alone."""

from __future__ import annotations

import re
from collections.abc import Iterable

from docutils import nodes
from sphinx import addnodes

NUMBER = re.compile(r"[-+\N{MINUS SIGN}]?\d+(?:[.,]\d+)*")
WORD = re.compile(r"[^\W\d_]{2}")


class with_messages(addnodes.translatable):
    """A node whose words are messages of its page's catalogue. What it does with them is its own affair.

    Sphinx keeps a note of its own under "translated", so the translations have another name.
    """

    def preserve_original_messages(self) -> None:
        self.setdefault("translations", {})

    def apply_translated_message(self, original_message: str, translated_message: str) -> None:
        self["translations"][original_message] = translated_message

    def setdefault(self, key, failobj=None):
        """Never done before all messages are: Sphinx leaves a node alone once one message needs no translation."""
        return False if key == "translated" else super().setdefault(key, failobj)

    def in_language(self, message: str) -> str:
        """The message's translation, or itself where there is none."""
        return self.get("translations", {}).get(message) or message


class printed_words(with_messages, nodes.Invisible, nodes.Element):
    """The words of what a cell drew or printed, beside it: they are translated without running the cell again.

    Numbers become `{}`: a message does not change when a measured value does.
    """

    def extract_original_messages(self) -> list[str]:
        return self["words"]


def message_of(text: str) -> str:
    """
    >>> message_of("epoch 3, loss 0.25")
    'epoch {}, loss {}'
    """
    return NUMBER.sub("{}", " ".join(text.split()))


def messages_in(texts: Iterable[str]) -> list[str]:
    """The messages of texts, each once. A text without a word has none.

    >>> messages_in(["epoch 1", "epoch 2", "0.5"])
    ['epoch {}']
    """
    return list(dict.fromkeys(m for m in map(message_of, texts) if WORD.search(m)))


def translated(text: str, words: dict[str, str]) -> str:
    """
    >>> translated("epoch 3", {"epoch {}": "第 {} 轮"})
    '第 3 轮'
    """
    pattern = words.get(message_of(text))
    if not pattern:
        return text
    numbers = iter(NUMBER.findall(" ".join(text.split())))
    return re.sub(r"\{\}", lambda _: next(numbers, ""), pattern)


def skip(self, node) -> None:
    raise nodes.SkipNode


# For `app.add_node`: formats in which the node leaves nothing.
NOWHERE_ELSE = dict.fromkeys(("text", "latex", "man", "texinfo"), (skip, None))
