"""A page read as a browser reads it."""

import dataclasses
import html.parser

import pytest

from tenas_jax.report.page import page
from tenas_jax.report.page.run import read_runs


@dataclasses.dataclass
class Element:
    """An element with what lies in it."""

    tag: str
    attributes: dict
    children: list = dataclasses.field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(c if isinstance(c, str) else c.text for c in self.children)

    def all(self, tag: str = "", **attributes) -> list["Element"]:
        """Those below it, of a tag and with these attributes, in their order."""
        nodes = []
        for child in self.children:
            if isinstance(child, Element):
                fits = not tag or child.tag == tag
                if fits and all(child.attributes.get(n) == v for n, v in attributes.items()):
                    nodes.append(child)
                nodes += child.all(tag, **attributes)
        return nodes

    def table(self, caption: str) -> list[list[str]]:
        """The rows of the table whose caption begins so, the header first."""
        [figure] = [
            f for f in self.all("figure", **{"class": "table"})
            if f.all("figcaption")[0].text.startswith(caption)
        ]  # fmt: skip
        rows = [
            [c.text for c in row.children if isinstance(c, Element)] for row in figure.all("tr")
        ]
        assert {len(row) for row in rows} == {len(rows[0])}
        return [[text.strip() for text in row] for row in rows]


class Reader(html.parser.HTMLParser):
    VOID = ("meta", "link", "br", "wbr", "img")

    def __init__(self):
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag, attrs):
        element = Element(tag, dict(attrs))
        self.open[-1].children.append(element)
        if tag not in self.VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.open[-1].children.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop().tag == tag, "an element is closed within another"

    def handle_data(self, data):
        self.open[-1].children.append(data)


@pytest.fixture(scope="session")
def parse():
    """A function that reads HTML into an `Element`; it fails where elements are not closed."""

    def parse(text: str) -> Element:
        reader = Reader()
        reader.feed(text)
        reader.close()
        assert reader.open == [reader.root]
        return reader.root

    return parse


@pytest.fixture
def show(parse):
    """A function that gives the page of workdirs, read."""
    return lambda *folders: parse(page(read_runs([str(folder) for folder in folders])))
