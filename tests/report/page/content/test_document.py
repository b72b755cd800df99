"""The page as a file: whole, small, without a need of anything else."""

import json
import re
import shlex

import pytest
from absl import flags
from ml_collections import config_flags

from tenas_jax.errors import UserError
from tenas_jax.report.page import page, write_page
from tenas_jax.report.page.kinds import KINDS
from tenas_jax.report.page.provenance import command_of
from tenas_jax.report.page.run import read_run, read_runs
from tenas_jax.spaces import SPACES

LIMIT = 3e6  # bytes


def attribute_values(parsed, *names: str) -> list[str]:
    return [e.attributes[n] for e in parsed.all() for n in names if n in e.attributes]


@pytest.fixture(scope="module")
def text(makers, tmp_path_factory) -> str:
    """The page of a finished run of each kind."""
    folder = tmp_path_factory.mktemp("several")
    return page(read_runs([str(makers[kind](folder / kind)) for kind in KINDS]))


@pytest.fixture(scope="module")
def parsed(text, parse):
    """The same, read."""
    return parse(text)


def test_it_needs_no_other_file(text, parsed):
    references = attribute_values(parsed, "href", "src", "action", "data", "poster", "srcset")
    assert {r.split(":")[0] if r.startswith("data:") else r[0] for r in references} == {"#", "data"}
    assert not re.search(r"@import|url\((?!#)", text)
    assert set(re.findall(r"https?://[^\s\"<]+", text)) <= {"http://www.w3.org/2000/svg"}
    policy = [m.attributes["content"] for m in parsed.all("meta") if "content" in m.attributes]
    assert any("default-src 'none'" in content for content in policy)


def test_every_id_is_there_once_and_every_reference_leads_somewhere(text, parsed):
    ids = attribute_values(parsed, "id")
    own = [name for name in ids if not name.startswith("picture")]
    assert len(own) == len(set(own))
    drawn = [set(attribute_values(svg, "id")) for svg in parsed.all("svg")]
    assert len(set.union(*drawn)) == sum(map(len, drawn)), "an id is in two pictures"
    targets = [h[1:] for h in attribute_values(parsed, "href") if h.startswith("#")]
    assert set(targets) <= set(ids) and targets
    assert set(re.findall(r"url\(#([^)]*)\)", text)) <= set(ids)


def test_the_contents_name_every_section(parsed):
    [nav] = parsed.all("nav")
    links = {a.attributes["href"]: a.text for a in nav.all("a")}
    for chapter in parsed.all("section", **{"class": "chapter"}):
        assert links[f"#{chapter.attributes['id']}"] == chapter.all("h2")[0].text
        for section in chapter.all("section"):
            titles = section.all("h3")
            assert not titles or links[f"#{section.attributes['id']}"] == titles[0].text


def test_the_same_runs_give_the_same_page(makers, tmp_path):
    run = str(makers["search"](tmp_path / "run"))
    pages = [re.sub(r"page of [^<]*", "", page(read_runs([run]))) for _ in range(2)]
    assert pages[0] == pages[1]


def test_a_study_of_a_thousand_and_a_search_are_small(makers, tmp_path):
    study = makers["correlate"](tmp_path / "study", count=1000)
    output = tmp_path / "page.html"
    write_page([str(study), str(makers["search"](tmp_path / "search"))], output)
    assert output.stat().st_size < LIMIT


def test_a_page_that_cannot_be_written_is_a_mistake_of_one_line(makers, tmp_path):
    run = str(makers["train"](tmp_path / "run"))
    with pytest.raises(UserError, match="cannot write"):
        write_page([run], tmp_path / "missing" / "page.html")


def test_config_and_machine_are_named(makers, show, tmp_path):
    parsed = show(makers["search"](tmp_path / "run"))
    fields = dict(parsed.table("config.json")[1:])
    assert fields["seed"] == "3" and fields["strategy_options.per_round"] == "–"
    [header, start] = parsed.table("environment.json")
    shown = dict(zip(header, start, strict=True))
    assert shown["device"] == "abacus" and shown["JAX"] == "9.8"
    assert shown["commit"] == "0123456789, changed"
    assert "jaxlib" not in shown, "what no start knows has no column"


FILES = [
    *((kind, file) for space in SPACES.values() for kind, file in space.configs.items()),
    ("grow", "configs/grow_asvit_cifar10.py"),
]


@pytest.mark.parametrize(("kind", "file"), FILES)
def test_the_command_asks_for_the_same_config(kind, file, tmp_path, monkeypatch):
    """It is parsed as the command itself would parse it."""

    def config_of(arguments: list[str]) -> dict:
        values = flags.FlagValues()
        config_flags.DEFINE_config_file("config", flag_values=values)
        monkeypatch.setattr("sys.argv", ["x", *arguments])  # which config_flags looks at
        values(["x", *arguments])
        return values.config.to_dict()

    config = config_of([f"--config={file}"])
    config |= {"seed": 7, "data": "it's", "limit": 40, "data_dir": "/a b/$c"}
    if kind == "search":
        config["metrics"], config["strategy_options"]["per_round"] = ["linear_regions"], 2
    elif kind == "grow":
        config |= {"depths": [1, 2, 1, 1], "least": 80_000_000, "ratios": [0.1, 0.25]}
    else:
        config |= {"arch": "|a~0|+|b|", "epochs": 3}
    (tmp_path / "config.json").write_text(json.dumps(config))
    words = shlex.split(command_of(read_run(tmp_path, "x"), kind))
    assert words[:3] == ["python", "-m", f"experiments.{kind}"]
    again = config_of([w for w in words[3:] if w.startswith("--config")])
    assert json.dumps(again, sort_keys=True) == json.dumps(config, sort_keys=True)


def test_the_command_of_a_study_has_its_flags(makers, tmp_path):
    run = read_run(makers["correlate"](tmp_path / "run"), "x")
    words = shlex.split(command_of(run, "correlate"))
    assert {"--preset=reference", "--batch_size=16", "--count=12"} <= set(words)
