"""Flow charts from text, drawn while the book is built.

The text is the part of Mermaid's flow charts that a small diagram needs:

    ```{diagram}
    :alt: Seven boxes in a circle ...
    :caption: The seven steps.

    flowchart LR
      init[Initialise] --> predict(Predict) --> loss{Loss small?}
      loss -->|no| step[Step] -.-> predict
      loss -->|yes| stop((Stop))
    ```

`[a]` is a box, `(a)` a rounded one, `((a))` a circle, `{a}` a decision; `-->` an arrow, `-.->` a dashed one,
`---` a line; `|text|` labels it; `<br>` breaks a line; `LR` runs from left to right, `TB` from top to bottom.

Why not Mermaid or Graphviz themselves: one wants a browser, the other a program that a reader of this book need not
have. A layered drawing of a dozen boxes is short, and gives what they would not: the theme's colours, the page's font,
and labels that are messages of the page's catalogue.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from html import escape

from docutils import nodes
from docutils.parsers.rst import directives
from messages import with_messages
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

log = logging.getLogger(__name__)

SIZE = 15  # of the letters, in px
LINE = 20  # from one line of a label to the next
PAD = 12  # around a label
GAP = 34  # between neighbours of a layer
REACH = 56  # from layer to layer, where no label asks for more

SHAPES = {"((": ("circle", "))"), "(": ("round", ")"), "[": ("box", "]"), "{": ("choice", "}")}
NODE = re.compile(r"\s*(?P<id>\w+)(?:(?P<open>\(\(|\(|\[|\{)\"?(?P<label>.*?)\"?(?P<close>\)\)|\)|\]|\}))?\s*")
EDGE = re.compile(r"\s*(?P<kind>-->|-\.->|---)(?:\|(?P<label>[^|]*)\|)?")


@dataclass
class Box:
    """One node of the chart; `x` and `y` are its centre."""

    name: str
    label: str
    shape: str = "box"
    layer: int = 0
    place: float = 0
    x: float = 0
    y: float = 0
    width: float = 0
    height: float = 0


@dataclass
class Edge:
    start: str
    end: str
    label: str = ""
    dashed: bool = False
    arrow: bool = True
    back: bool = False


@dataclass
class Chart:
    direction: str = "LR"
    boxes: dict[str, Box] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)

    def labels(self) -> list[str]:
        found = [b.label for b in self.boxes.values()] + [e.label for e in self.edges]
        return list(dict.fromkeys(label for label in found if label))


def parse(text: str) -> Chart:
    """Read a chart, or raise ValueError with the line that cannot be read.

    >>> chart = parse("flowchart TB; a[One] --> b(Two); b -.->|again| a")
    >>> chart.direction, [b.label for b in chart.boxes.values()], [e.label for e in chart.edges]
    ('TB', ['One', 'Two'], ['', 'again'])
    """
    head, *lines = [line.strip() for line in re.split(r"[;\n]", text) if line.strip()]
    kind = re.fullmatch(r"(?:flowchart|graph)\s+(LR|TB|TD)", head)
    if not kind:
        raise ValueError(f"a diagram begins with `flowchart LR` or `flowchart TB`, not {head!r}")
    chart = Chart(direction="LR" if kind[1] == "LR" else "TB")
    for line in lines:
        if line.startswith("%%"):
            continue
        at, previous, edge = 0, None, None
        while at < len(line):
            found = NODE.match(line, at)
            if not found:
                raise ValueError(f"cannot read {line[at:]!r} in {line!r}")
            box = add_box(chart, found, line)
            if edge:
                dashed, arrow = edge["kind"] == "-.->", edge["kind"] != "---"
                chart.edges.append(Edge(previous.name, box.name, (edge["label"] or "").strip(), dashed, arrow))
            previous, at = box, found.end()
            edge = EDGE.match(line, at)
            if at < len(line) and not edge:
                raise ValueError(f"cannot read {line[at:]!r} in {line!r}")
            at = edge.end() if edge else at
    return chart


def add_box(chart: Chart, found: re.Match, line: str) -> Box:
    name = found["id"]
    box = chart.boxes.setdefault(name, Box(name, name))
    if found["open"]:
        shape, close = SHAPES[found["open"]]
        if found["close"] != close:
            raise ValueError(f"{found['open']!r} is closed by {found['close']!r} in {line!r}")
        box.label, box.shape = found["label"].strip(), shape
    return box


def rows(label: str) -> list[str]:
    return [part.strip() for part in re.split(r"<br\s*/?>", label)]


def text_width(label: str) -> float:
    """A generous estimate: fonts differ, and Chinese characters are as wide as they are high."""
    wide = {"W": 1.04, "F": 1.04}
    return max(sum(wide.get(unicodedata.east_asian_width(c), 0.56) for c in row) for row in rows(label)) * SIZE


def arrange(chart: Chart) -> tuple[float, float]:
    """Give every box its layer, its place in it, and its position; return the drawing's width and height."""
    mark_back_edges(chart)
    forward = [e for e in chart.edges if not e.back]
    assign_layers(chart, forward)
    layers: list[list[Box]] = [[] for _ in range(max(b.layer for b in chart.boxes.values()) + 1)]
    for box in chart.boxes.values():
        layers[box.layer].append(box)
        measure(box)
    for layer in layers:
        for i, box in enumerate(layer):
            box.place = i - (len(layer) - 1) / 2
    for _ in range(4):  # boxes move towards their neighbours, so that fewer lines cross
        for layer in layers[1:]:
            for box in layer:
                sources = [chart.boxes[e.start].place for e in forward if e.end == box.name]
                box.place = sum(sources) / len(sources) if sources else box.place
            layer.sort(key=lambda b: b.place)
            for i, box in enumerate(layer):
                box.place = i - (len(layer) - 1) / 2
    return position(chart, layers)


def assign_layers(chart: Chart, forward: list[Edge]) -> None:
    for _ in chart.boxes:  # the longest path from a start decides the layer
        for e in forward:
            end, start = chart.boxes[e.end], chart.boxes[e.start]
            end.layer = max(end.layer, start.layer + 1)
    for box in chart.boxes.values():  # a further start stands right before what it leads to: no line passes a box
        ends = [chart.boxes[e.end].layer for e in forward if e.start == box.name]
        if ends and not any(e.end == box.name for e in forward):
            box.layer = min(ends) - 1


def mark_back_edges(chart: Chart) -> None:
    """An edge to a box that is already on the way here closes a loop: it is drawn around."""
    state: dict[str, int] = {}

    def visit(name: str) -> None:
        state[name] = 1
        for e in chart.edges:
            if e.start == name:
                e.back = state.get(e.end) == 1
                if e.end not in state:
                    visit(e.end)
        state[name] = 2

    for name in chart.boxes:
        if name not in state:
            visit(name)


def measure(box: Box) -> None:
    width, height = text_width(box.label) + 2 * PAD, len(rows(box.label)) * LINE + 1.4 * PAD
    if box.shape == "circle":
        width = height = max(width, height) * 0.92
    elif box.shape == "choice":
        width, height = width * 1.35, height * 1.7
    box.width, box.height = width, height


def position(chart: Chart, layers: list[list[Box]]) -> tuple[float, float]:
    across = chart.direction == "LR"
    room = max(sum((b.height if across else b.width) + GAP for b in layer) - GAP for layer in layers)
    along = 0.0
    for index, layer in enumerate(layers):
        depth = max(b.width if across else b.height for b in layer)
        if index:
            labels = [
                text_width(e.label) + 34 if across else LINE * len(rows(e.label)) + 30
                for e in chart.edges
                if e.label and not e.back and chart.boxes[e.end].layer == index
            ]
            along += max([REACH if across else REACH * 0.8, *labels])
        offset = (room - sum((b.height if across else b.width) + GAP for b in layer) + GAP) / 2
        for box in layer:
            span = box.height if across else box.width
            centre = offset + span / 2
            box.x, box.y = (along + depth / 2, centre) if across else (centre, along + depth / 2)
            offset += span + GAP
        along += depth
    return (along, room) if across else (room, along)


def border(box: Box, towards_x: float, towards_y: float) -> tuple[float, float]:
    """Where the line from a box's centre to a point leaves the box."""
    dx, dy = towards_x - box.x, towards_y - box.y
    a, b = box.width / 2, box.height / 2
    if box.shape == "circle":
        scale = a / (dx * dx + dy * dy) ** 0.5
    elif box.shape == "choice":
        scale = 1 / (abs(dx) / a + abs(dy) / b)
    else:
        scale = min(a / abs(dx) if dx else 1e9, b / abs(dy) if dy else 1e9)
    return box.x + dx * scale, box.y + dy * scale


def draw(chart: Chart, alt: str, prefix: str) -> str:
    """The chart as an SVG element."""
    width, height = arrange(chart)
    across = chart.direction == "LR"
    margin, outside, parts = 3.0, height if across else width, []
    for e in chart.edges:
        parts.append(draw_edge(chart, e, outside + 40 * e.back, f"{prefix}arrow"))
        outside += 40 * e.back + (text_width(e.label) if e.back and e.label and not across else 0)
    parts += [draw_box(box) for box in chart.boxes.values()]
    full_w = (width if across else outside) + 2 * margin
    full_h = (outside if across else height) + 2 * margin
    if across and any(e.back for e in chart.edges):
        full_h += 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="figure diagram" role="img" aria-label="{escape(alt)}" '
        f'viewBox="{-margin:g} {-margin:g} {full_w:.1f} {full_h:.1f}" '
        f'style="width: {full_w:.0f}px; min-width: {min(full_w, full_w * 0.55 + 60):.0f}px">'
        f'<defs><marker id="{prefix}arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
        f'orient="auto-start-reverse"><path d="M0 1 L9 5 L0 9 z" fill="currentColor"/></marker></defs>'
        + "".join(parts)
        + "</svg>"
    )


def draw_text(label: str, x: float, y: float, kind: str = "", anchor: str = "middle") -> str:
    lines = rows(label)
    first = y - (len(lines) - 1) * LINE / 2 + SIZE * 0.36
    return "".join(
        f'<text class="{kind}" x="{x:.1f}" y="{first + i * LINE:.1f}" font-size="{SIZE - bool(kind)}" '
        f'text-anchor="{anchor}">{escape(line)}</text>'
        for i, line in enumerate(lines)
    )


def draw_box(box: Box) -> str:
    left, top = box.x - box.width / 2, box.y - box.height / 2
    if box.shape == "circle":
        shape = f'<circle class="node" cx="{box.x:.1f}" cy="{box.y:.1f}" r="{box.width / 2:.1f}"/>'
    elif box.shape == "choice":
        a, b = box.width / 2, box.height / 2
        corners = [(box.x - a, box.y), (box.x, box.y - b), (box.x + a, box.y), (box.x, box.y + b)]
        shape = f'<polygon class="node" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in corners)}"/>'
    else:
        radius = box.height / 2 if box.shape == "round" else 4
        shape = (
            f'<rect class="node" x="{left:.1f}" y="{top:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" '
            f'rx="{radius:.1f}"/>'
        )
    return shape + draw_text(box.label, box.x, box.y)


def draw_edge(chart: Chart, e: Edge, outside: float, arrow: str) -> str:
    """A straight line, or for an edge that closes a loop a path around the boxes, at `outside`."""
    a, b = chart.boxes[e.start], chart.boxes[e.end]
    style = f'marker-end="url(#{arrow})" ' if e.arrow else ""
    style += 'stroke-dasharray="5 4" ' if e.dashed else ""
    anchor = "middle"
    if not e.back:
        x1, y1 = border(a, b.x, b.y)
        x2, y2 = border(b, a.x, a.y)
        path, middle = f"M{x1:.1f} {y1:.1f} L{x2:.1f} {y2:.1f}", ((x1 + x2) / 2, (y1 + y2) / 2)
        if chart.direction == "LR" and abs(y1 - y2) < 1:
            middle = (middle[0], middle[1] - 12)
    elif chart.direction == "LR":
        y = outside - 8
        path = (
            f"M{a.x:.1f} {a.y + a.height / 2:.1f} V{y - 10:.1f} q0 10 -10 10 H{b.x + 10:.1f} q-10 0 -10 -10 "
            f"V{b.y + b.height / 2 + 2:.1f}"
        )
        middle = ((a.x + b.x) / 2, y - 12)
    else:
        x = outside - 8
        path = (
            f"M{a.x + a.width / 2:.1f} {a.y:.1f} H{x - 10:.1f} q10 0 10 -10 V{b.y + 10:.1f} q0 -10 -10 -10 "
            f"H{b.x + b.width / 2 + 2:.1f}"
        )
        middle, anchor = (x + 8, (a.y + b.y) / 2), "start"
    label = draw_text(e.label, *middle, kind="edge-label", anchor=anchor) if e.label else ""
    return f'<path class="edge" d="{path}" fill="none" {style}/>{label}'


class diagram(with_messages, nodes.General, nodes.Element):
    """A chart in the page's tree: its text, its description, and the translations of both."""

    def extract_original_messages(self) -> list[str]:
        return [self["alt"], *parse(self["text"]).labels()]


class Diagram(SphinxDirective):
    has_content = True
    option_spec = {"alt": directives.unchanged_required, "caption": directives.unchanged, "name": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        text = "\n".join(self.content)
        try:
            parse(text)
        except ValueError as error:
            raise self.error(str(error)) from error
        if not self.options.get("alt"):
            raise self.error("a diagram needs an :alt: text for those who cannot see it")
        node = diagram("", text=text, alt=self.options["alt"])
        figure = nodes.figure("", node)
        self.set_source_info(node)
        self.set_source_info(figure)
        if caption := self.options.get("caption"):
            content, messages = self.parse_inline(caption)
            figure += [nodes.caption(caption, "", *content), *messages]
            self.set_source_info(figure[1])
        self.add_name(figure)
        return [figure]


class DrawDiagrams(SphinxPostTransform):
    default_priority = 8

    def run(self, **kwargs) -> None:
        if self.env._builder_cls.name == "gettext":
            return  # it collects the labels
        for count, node in enumerate(list(self.document.findall(diagram)), 1):
            chart = parse(node["text"])
            for item in [*chart.boxes.values(), *chart.edges]:
                item.label = node.in_language(item.label)
            alt = node.in_language(node["alt"])
            drawing = f'<div class="figure-box wide" tabindex="0">{draw(chart, alt, f"diagram{count}-")}</div>'
            node.replace_self([nodes.raw("", drawing, format="html")] if self.is_html() else [nodes.paragraph("", alt)])

    def is_html(self) -> bool:
        return self.env._builder_cls.format == "html"


def setup(app):
    app.add_node(diagram)
    app.add_directive("diagram", Diagram)
    app.add_post_transform(DrawDiagrams)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
