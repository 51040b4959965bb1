"""The catalogues of the translation are whole, and keep to the rules."""

import doctest

import catalogues
import pytest


def test_examples():
    tried = doctest.testmod(catalogues)
    assert tried.attempted and not tried.failed


@pytest.mark.parametrize("file", catalogues.catalogues(), ids=lambda file: file.stem)
def test_every_message_is_translated_and_keeps_to_the_rules(file):
    page = catalogues.page_of(file)
    messages = catalogues.messages(file)
    assert [f"{m.english}: {p}" for m in messages for p in catalogues.problems(m, page)] == []
    assert catalogues.obsolete(file) == 0


@pytest.mark.parametrize(
    ("english", "chinese", "fault"),
    [
        ("The loss.", "", "not translated"),
        ("The loss is small.", "损失很小.", "a half-width sign"),
        ("The loss `x` is small.", "损失很小。", "in code: x"),
        ("It is 5.", "它是5。", "no space between"),
        ("A {term}`loss`.", "{term}`代价 <loss>`。", "the term loss is 损失"),
        ("A {term}`loss`.", "损失。", "in roles"),
        ("See [here](a.md).", "见[这里](b.md)。", "in links"),
        ("{} of {}", "{} 个中的", "in holes"),
        ("**Note:** it is.", "**注意：**是的。", "an asterisk remains"),
        ("All of this is still the same.", "All of this is still the same.", "still in English"),
    ],
)
def test_a_fault_is_named(english, chinese, fault):
    found = list(catalogues.problems(catalogues.Message(english, chinese, False)))
    assert any(fault in problem for problem in found), found


def test_every_term_of_the_glossary_has_a_line_in_the_table():
    glossary = (catalogues.BOOK / "review" / "glossary.md").read_text(encoding="utf-8")
    block = glossary.partition("```{glossary}\n")[2].partition("\n```")[0]
    terms = [line for line in block.splitlines() if line and not line.startswith(" ")]
    assert [term for term in terms if term.lower() not in catalogues.terms()] == []
