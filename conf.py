"""How Sphinx makes the book, for every language and every builder.

    sphinx-build -W -n -c . book _build/site/en            English, as HTML
    sphinx-build -W -n -c . -D language=zh_CN book _build/site/zh_CN

`tox -e book` runs both. Nothing is downloaded: the data are part of mnistlib, the links to
other projects are a table (book/links.toml), and no page asks a third party for anything.
"""

from __future__ import annotations

import gc
import hashlib
import os
import shutil
import sys
import tomllib
from pathlib import Path

from jupyter_cache import get_cache
from myst_nb.sphinx_ext import add_global_html_resources

ROOT = Path(__file__).resolve().parent
BOOK = ROOT / "book"
BUILD = Path(os.environ.get("BOOK_BUILD", ROOT / "_build"))
sys.path[:0] = [str(ROOT), str(BOOK / "_ext"), str(BOOK / "_paper")]

# A book in the making is millions of small objects that stay until it is made. Looking through them for waste as often
# as Python does by default is a quarter of the work, and finds next to nothing.
gc.set_threshold(50_000)

# -- The book ----------------------------------------------------------------------------------------------------

project = "Threes and sevens"
author = "the mnistlib authors"
copyright = "2026, the mnistlib authors. Text CC BY 4.0, code Apache-2.0"
language = "en"

extensions = [
    "myst_nb",  # pages are Markdown, and their code runs
    "sphinx_design",  # grids and dropdowns
    "sphinx_copybutton",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.doctest",
    # The rest live in book/_ext, one small file each.
    "chinese_search",  # which Sphinx alone cannot do
    "book_lint",  # what a page must not contain
    "html_tables",  # what pandas prints, readable for all
    "diagram",  # flow charts, from text to SVG
    "epub",  # the whole book in one file
    "folded_code",  # whose names are the page's
    "inline_svg",  # figures that follow the theme and can be translated
    "languages",  # from each page to itself in the others
    "late_scripts",  # text before scripts
    "mathml",  # formulas without scripts
    "notebooks",  # each page to take home and run
    "not_found",  # the page that a server sends when there is none
    "outside_links",  # names that other projects document
    "policy",  # nothing runs or is fetched that is not the book's
    "quick_messages",  # a translation in a third of the time
    "run_pages",  # as many at a time as there are processors
    "search_entries",  # what the search must not forget
    "solutions",  # code cells that belong into a dropdown
    "term_tips",  # a glossary term says what it means where it is used
    "widgets",  # parts of a page that readers move
]
exclude_patterns = ["_ext", "_static", "_templates", "locales"]
templates_path = ["book/_templates"]

# BOOK_ONLY=seeing/pixels.md previews a page or two without reading the others (see CONTRIBUTING.md).
if only := os.environ.get("BOOK_ONLY", "").split():
    include_patterns = only
    root_doc = only[0].removesuffix(".md")

myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath", "substitution"]
myst_heading_anchors = 3
myst_dmath_double_inline = True
suppress_warnings = ["config.cache"]  # a function in conf.py cannot be pickled; nothing depends on that
nitpicky = True
numfig = True

# -- Running the pages -------------------------------------------------------------------------------------------

# Whoever builds the book gets the same figures: no user's settings are read, and each page computes on one thread,
# so that neither the number of cores nor pages built in parallel change a result or slow each other down.
PROFILE = BUILD / "ipython" / "profile_default"
FONTS = ROOT / "_build" / "matplotlib"
os.environ |= {
    "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    "PYTHONHASHSEED": "0",
    "MATPLOTLIBRC": str(BOOK / "matplotlibrc"),
    "MPLCONFIGDIR": str(FONTS),
    "IPYTHONDIR": str(PROFILE.parent),
    "JUPYTER_CONFIG_DIR": str(BUILD / "jupyter"),
    "JUPYTER_DATA_DIR": str(BUILD / "jupyter"),
    "JUPYTER_PLATFORM_DIRS": "1",
    "TQDM_DISABLE": "1",  # a bar that moves is of no use on paper
    "PYTHONWARNINGS": "ignore:IProgress not found",  # nor are its hints
    "MNISTLIB_CACHE": str(BUILD / "cache"),
}
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
PROFILE.mkdir(parents=True, exist_ok=True)
shutil.copyfile(BOOK / "ipython_kernel_config.py", PROFILE / "ipython_kernel_config.py")
if not any(FONTS.glob("fontlist*")):
    import matplotlib.font_manager  # noqa: F401  makes the list of fonts once, here, rather than amid a page

nb_execution_mode = "cache"
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_execution_show_tb = True
# Begun first, so that none of them is left for the end when all others are done.
slow_pages = ["classifier/deeper", "further/all-ten-digits", "classifier/nonlinearity", "reference/chapter-figures"]
nb_merge_streams = True
nb_output_stderr = "warn"  # a warning printed by a cell is a fault of the page
# Drawings as SVG. And printed tables as HTML, photographs as PNG where catalogues are made, which would otherwise take
# plain text and lose the words beside it.
nb_mime_priority_overrides = [("*", "image/svg+xml", 1), ("gettext", "text/html", 2), ("gettext", "image/png", 3)]


def what_results_depend_on() -> str:
    """A fingerprint of all that a page's output depends on besides its own cells.

    The execution cache compares cells only: without this, a change in mnistlib would leave old outputs in the book.
    """
    files = [p for p in (ROOT / "mnistlib").rglob("*") if p.is_file() and p.suffix != ".pyc"]
    files += (ROOT / "tests" / "benchmarks").glob("*.json")  # records that pages quote
    files += [ROOT / "constraints.txt", BOOK / "matplotlibrc", BOOK / "ipython_kernel_config.py"]
    digest = hashlib.sha256(f"{sys.version_info[:2]} {sys.platform}".encode())
    for path in sorted(filter(Path.exists, files)):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


# Outside the source folder, and shared by all languages: a page is executed once.
nb_execution_cache_path = str(BUILD / "executed" / what_results_depend_on())

# -- Two languages -----------------------------------------------------------------------------------------------

languages = {"en": "English", "zh_CN": "中文"}  # their folders, and what they call themselves
locale_dirs = ["locales"]  # below book/
gettext_compact = False  # one catalogue a page
gettext_uuid = False
gettext_location = False  # line numbers would change in every catalogue with every edit
# Never "literal-block": every printed number would be a message.
gettext_additional_targets = ["index"]

# -- API reference -----------------------------------------------------------------------------------------------

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring = False
napoleon_use_param = False  # signatures carry the links; the types in docstrings are words
napoleon_use_rtype = False
python_use_unqualified_type_names = True
add_module_names = False

doctest_test_doctest_blocks = ""  # docstrings are pytest's (tox -e doctest runs both)
doctest_global_setup = "import torch"

# -- HTML --------------------------------------------------------------------------------------------------------

html_theme = "sphinx_book_theme"
html_title = project
html_logo = "book/_static/logo.svg"
html_favicon = "book/_static/logo.svg"
html_static_path = ["book/_static"]
html_css_files = ["book.css"]
html_js_files = [("book.js", {"defer": "defer"})]
html_copy_source = False
html_show_sphinx = False
html_math_renderer = "mathml"
# Where the project is published, for example https://github.com/owner/name. Then pages open on Colab and Binder too.
book_repository = os.environ.get("BOOK_REPOSITORY", "")
html_context = {
    "default_mode": "auto",  # light or dark as the reader's system is
    # What the theme says in English only, or not at all.
    "words": {
        "nav": "Main",
        "pages": "Toggle primary sidebar",
        "contents": "Toggle secondary sidebar",
        "unfold": "Show or hide the pages of this part",
    },
}
html_sidebars = {"**": ["brand.html", "search-button-field.html", "book-nav.html"]}
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_navbar_depth": 1,
    "navigation_with_keys": False,
    "article_header_start": ["primary-toggle.html"],
    "article_header_end": ["language-switch.html", "notebook-buttons.html", "header-buttons.html"],
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"

# -- The whole book in one file ----------------------------------------------------------------------------------
# The EPUB is Sphinx's, with what book/_ext/epub.py adds; the PDF is printed from the pages (book/_paper/pdf.py).

version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
epub_basename = "threes-and-sevens"
epub_uid = epub_identifier = "threes-and-sevens"
epub_description = "Training a classifier of handwritten digits, from pixels up"
epub_contributor = author
epub_show_urls = "no"
epub_tocdepth = 2
epub_tocscope = "includehidden"
epub_css_files = ["epub.css"]
epub_exclude_files = ["search.xhtml", "404.xhtml"]


def chinese(app, config) -> None:
    """The few words that Sphinx's catalogues do not reach, in the Chinese edition."""
    if config.language == "zh_CN":
        config.project = config.html_title = "三与七"
        config.author = config.epub_author = config.epub_publisher = config.epub_contributor = "mnistlib 作者"
        config.copyright = "2026，mnistlib 作者。文字 CC BY 4.0，代码 Apache-2.0"
        config.html_search_language = "zh"
        config.epub_title, config.epub_basename = config.project, "threes-and-sevens-zh"
        config.epub_description = "从像素开始，训练一个手写数字分类器"
        config.epub_uid = config.epub_identifier = "threes-and-sevens-zh"
        config.nb_code_prompt_show = "显示代码"
        config.nb_code_prompt_hide = "隐藏代码"
        config.html_theme_options["search_bar_text"] = "搜索……"
        config.html_context["words"] = {
            "nav": "全书目录",
            "pages": "显示或隐藏全书目录",
            "contents": "显示或隐藏本页目录",
            "unfold": "展开或收起这一部分的页面",
        }
        config.notebook_words = {
            "needs": '需要本书的软件包 `mnistlib`。在本书的文件夹里运行：`python -m pip install ".[book]"`。',
            "download": "下载本页的 notebook（.ipynb）",
            "open": "在 {} 中打开本页",
        }


def keep_outputs_apart(app) -> None:
    """MyST-NB's files go below _build rather than beside the pages that a reader sees."""
    folder = BUILD / "outputs" / app.config.language
    app.env.mystnb_config = app.env.mystnb_config.copy(output_folder=str(folder))


def make_cache(app) -> None:
    """Make the execution cache's tables once, before pages are read in parallel and two readers each make them."""
    _ = get_cache(app.config.nb_execution_cache_path).db


def copy_styles_first(app) -> None:
    """MyST-NB's styles lie there before a page is written, so that its link has the same checksum in every build."""
    (Path(app.outdir) / "_static").mkdir(parents=True, exist_ok=True)
    add_global_html_resources(app, None)


def setup(app) -> None:
    app.connect("config-inited", chinese)
    app.connect("builder-inited", make_cache)
    app.connect("builder-inited", copy_styles_first)
    app.connect("builder-inited", keep_outputs_apart, priority=900)
