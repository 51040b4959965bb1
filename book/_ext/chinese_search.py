"""Search in Chinese without a dictionary: a text is found by its pairs of neighbouring characters.

Chinese is written without spaces. Sphinx's own splitter needs a package that knows the words, and finds nothing
without it. Here a run of Chinese characters is split into overlapping pairs, in the pages as in what is asked for:
"损失函数" is found by 损失, 失函 and 函数, all of which a page must have. Latin words stay whole.
"""

from __future__ import annotations

import re

from sphinx.search import SearchLanguage

HAN = "\u3400-\u4dbf\u4e00-\u9fff"
PIECE = re.compile(f"[{HAN}]+|[^\\W{HAN}]+")


class ChinesePairs(SearchLanguage):
    lang = "zh"
    language_name = "Chinese"
    js_stemmer_code = "class Stemmer { stemWord(word) { return word; } }"
    js_splitter_code = f"""
var splitQuery = (query) =>
  (query.match(/[{HAN}]+|(?:(?![{HAN}])[\\p{{L}}\\p{{N}}_])+/gu) || []).flatMap((piece) =>
    /[{HAN}]/.test(piece) && piece.length > 1
      ? Array.from({{ length: piece.length - 1 }}, (_, i) => piece.slice(i, i + 2))
      : [piece]);
"""

    def split(self, input: str) -> list[str]:  # noqa: A002  Sphinx's name
        """
        >>> ChinesePairs({}).split("损失函数 mnist_loss, 图")
        ['损失', '失函', '函数', 'mnist_loss', '图']
        """
        words = []
        for piece in PIECE.findall(input):
            pairs = [piece[i : i + 2] for i in range(len(piece) - 1)]
            words += pairs if pairs and re.match(f"[{HAN}]", piece) else [piece]
        return words

    def stem(self, word: str) -> str:
        return word.lower()


def setup(app):
    app.add_search_language(ChinesePairs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
