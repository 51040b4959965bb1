"""A content security policy for every page: what it runs came with the book, and nothing is fetched from elsewhere.

The policy stands in the page itself, so that it holds in a folder without a server too. Scripts inside a page are
allowed one by one, by their hash. Should a page ever show what somebody else wrote, a script in it would not run.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

from files import write_whole

INLINE = re.compile(r"<script(?P<attributes>[^>]*)>(?P<code>.*?)</script>", re.DOTALL | re.IGNORECASE)
DATA = re.compile(r"type\s*=\s*[\"']?application/(?:ld\+)?json", re.IGNORECASE)  # which does not run
CHARSET = re.compile(r"<meta charset=\"?utf-8\"?\s*/?>", re.IGNORECASE)
WORDS = re.compile(r"Documentation\.addTranslations\((?P<catalog>\{.*\})\);?", re.DOTALL)
NAME = '<meta http-equiv="Content-Security-Policy"'


def policy(html: str) -> str:
    """The policy that a page satisfies.

    >>> policy('<script src="a.js"></script><script>run()</script>').split("; ")[1]
    "script-src 'self' file: 'sha256-AvyuiL0SD1mVY3NNxR+V2uo+lhk6RMFrytWmRt6CrJQ='"
    """
    codes = [m["code"] for m in INLINE.finditer(html) if m["code"] and not DATA.search(m["attributes"])]
    digests = (hashlib.sha256(code.encode()).digest() for code in dict.fromkeys(codes))
    hashes = [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]
    here = "'self' file:"  # a page opened from a folder is not "itself" to every browser
    return "; ".join(
        [
            "default-src 'none'",
            " ".join(["script-src", here, *hashes]),
            f"style-src {here} 'unsafe-inline'",  # figures and the theme set styles on single elements
            f"img-src {here} data:",
            f"font-src {here} data:",
            f"connect-src {here}",
            "base-uri 'none'",
            f"form-action {here}",  # the search
        ]
    )


def guarded(html: str) -> str:
    """The page with its policy, before anything that it is about.

    >>> guarded('<head><meta charset="utf-8"><title>x</title>')[:71]
    '<head><meta charset="utf-8">\\n<meta http-equiv="Content-Security-Policy"'
    """
    if NAME in html:
        return html
    return CHARSET.sub(lambda m: f'{m[0]}\n{NAME} content="{policy(html)}">', html, count=1)


def without_eval(script: str) -> str:
    """Sphinx's words for its scripts, whose rule for plurals is a text that would have to be evaluated.

    >>> print(without_eval('Documentation.addTranslations({"locale": "zh", "messages": {}, "plural_expr": "0"});'))
    Object.assign(Documentation, {PLURAL_EXPR: (n) => 0, LOCALE: "zh"});
    Object.assign(Documentation.TRANSLATIONS, {});
    """
    call = WORDS.fullmatch(script.strip())
    if not call:
        return script
    words = json.loads(call["catalog"])
    locale, messages = (json.dumps(words[key]) for key in ("locale", "messages"))
    return (
        f"Object.assign(Documentation, {{PLURAL_EXPR: (n) => {words['plural_expr']}, LOCALE: {locale}}});\n"
        f"Object.assign(Documentation.TRANSLATIONS, {messages});"
    )


def replace(file: Path, change: Callable[[str], str]) -> None:
    before = file.read_text(encoding="utf-8")
    if (after := change(before)) != before:
        write_whole(file, after)


def guard_pages(app, error: Exception | None) -> None:
    if error or app.builder.name != "html":
        return
    for file in Path(app.outdir).rglob("*.html"):
        if "_static" not in file.relative_to(app.outdir).parts:
            replace(file, guarded)
    words = Path(app.outdir) / "_static" / "translations.js"
    if words.is_file():
        replace(words, without_eval)


def setup(app):
    app.connect("build-finished", guard_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
