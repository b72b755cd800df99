"""What a run says is text, wherever it stands: no markup and no script reaches the page by it."""

import json
import pathlib

import pytest

from tenas_jax.report.page import page
from tenas_jax.report.page.kinds import KINDS
from tenas_jax.report.page.run import read_runs

EVIL = "</script></title><script>alert(1)</script><img src=x onerror=alert(2)>\"'&$a_b$ü"


def spoil(value: object) -> object:
    """A result with every text in it replaced that is shown as it is."""
    if isinstance(value, dict):
        return {name: spoil(part) if name in FREE else deeper(part) for name, part in value.items()}
    if isinstance(value, list):
        return [spoil(part) for part in value]
    return EVIL if isinstance(value, str) else value


def deeper(value: object) -> object:
    """The same below a field whose own text is kept."""
    if isinstance(value, dict):
        return spoil(value)
    if isinstance(value, list):
        return [deeper(part) for part in value]
    return value


FREE = {"arch", "archs", "engine", "preset", "data", "note", "label_names", "found", "random-0",
        "device", "scores"}  # fmt: skip


def spoil_workdir(folder: pathlib.Path) -> None:
    """Markup in all files of a workdir."""
    result = spoil(json.loads((folder / "result.json").read_text()))
    (folder / "result.json").write_text(json.dumps(result))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "data": EVIL, EVIL: [EVIL]}))
    start = {"device_kind": EVIL, "jax": EVIL, "git_commit": EVIL, "platform": EVIL}
    (folder / "environment.json").write_text(json.dumps({"format": 2, "starts": [start]}))
    if (folder / "scores.csv").exists():
        quoted = EVIL.replace('"', '""')
        first, *lines = (folder / "scores.csv").read_text().splitlines()
        lines = [f'"{quoted}",' + line.split(",", 1)[1] for line in lines]
        (folder / "scores.csv").write_text("\n".join([first, *lines]))
        spectra = json.loads((folder / "spectra.json").read_text())
        spectra["spectra"] = [{**spectrum, "arch": EVIL} for spectrum in spectra["spectra"]]
        (folder / "spectra.json").write_text(json.dumps(spectra))


@pytest.fixture(scope="module")
def text(makers, tmp_path_factory) -> str:
    """The page of a spoilt run of each kind."""
    base = tmp_path_factory.mktemp("spoilt")
    folders = [makers[kind](base / kind) for kind in KINDS]
    for folder in folders:
        spoil_workdir(folder)
    return page(read_runs([str(folder) for folder in folders]))


@pytest.fixture(scope="module")
def parsed(text, parse):
    """The same, read."""
    return parse(text)


def test_no_text_of_a_run_is_markup(text, parsed):
    assert "<script>alert" not in text and "<img" not in text
    assert len(parsed.all("script")) == 2 and not parsed.all("img")
    assert not [e for e in parsed.all() if any(n.startswith("on") for n in e.attributes)]
    assert text.count("<title>") == len(parsed.all("title"))


@pytest.mark.parametrize("number, kind", enumerate(KINDS, 1))
def test_it_is_shown_as_text(number, kind, parsed):
    [chapter] = parsed.all("section", id=f"run-{number}")
    assert chapter.all("h2")[0].text == kind
    assert EVIL in chapter.text


def test_texts_of_marks_and_of_json_are_whole(parsed):
    [script] = parsed.all("script", id="archs")
    assert json.loads(script.text) == [EVIL]
    assert "<" not in script.text
    hovers = [e.attributes.get("data-hover", "") for e in parsed.all()]
    assert any(EVIL in hover for hover in hovers), "of the spectra"
    titles = [title.text for svg in parsed.all("svg") for title in svg.all("title")]
    assert any(EVIL in title for title in titles)


def test_a_workdir_may_be_called_anything(makers, parse, tmp_path):
    folder = makers["train"](tmp_path / "<b onclick=x>&'\"")
    text = page(read_runs([str(folder)]))
    assert parse(text).all("h1")[0].text == folder.name
    assert "<b " not in text


def test_an_architecture_that_cannot_be_read_is_shown_without_its_cell(parsed):
    assert "The cell is not drawn" in parsed.text
