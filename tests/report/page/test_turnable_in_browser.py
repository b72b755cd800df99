"""Figures in three dimensions in Chromium: drawn and pointed at, and words where that fails."""

import json
import re

import pytest

from tenas_jax.report.page import write_page

WIDE, PHONE = (1280, 900), (390, 844)
# For each figure: whether its words are hidden, its stage is, and how many canvases it has.
STATES = """
return [...document.querySelectorAll(".turnable")].map((figure) => {
  const [note, stage] = [figure.querySelector(".note"), figure.querySelector(".stage")];
  return [note.hidden, stage.hidden, figure.querySelectorAll("canvas").length];
});
"""
NO_WEBGL = "HTMLCanvasElement.prototype.getContext = () => null;"
NO_PLOTLY = "Object.defineProperty(globalThis, 'Plotly', {value: undefined, writable: false});"
BROKEN = """
let plotly;
Object.defineProperty(globalThis, "Plotly", {
  get: () => plotly,
  set: (made) => { plotly = {...made, newPlot: () => Promise.reject(new Error("no room"))}; },
});
"""


@pytest.fixture(scope="module")
def address(makers, tmp_path_factory) -> str:
    """Of the page of two prunings by three metrics."""
    base = tmp_path_factory.mktemp("turnable")
    folders = [makers["search"](base / name, kernel_regression=0.5) for name in ("a", "b")]
    for folder in folders:
        for name in ("rounds.jsonl", "records.jsonl"):
            lines = [json.loads(line) for line in (folder / name).read_text().splitlines()]
            for i, line in enumerate(lines):
                if "scores" in line:
                    line["scores"]["kernel_regression"] = {"values": [0.5], "flags": ["ok"]}
                else:
                    line["kernel_regression"] = 0.9 - i / 10
            (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    write_page([str(folder) for folder in folders], base / "page.html")
    return (base / "page.html").as_uri()


@pytest.fixture
def at(driver, address):
    """Opens the page in a window of some size, after a script: `at(WIDE, NO_WEBGL)`."""
    from selenium.webdriver.support.ui import WebDriverWait

    scripts = []

    def at(size, before=None, drawn=True):
        width, height = size
        how = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", how)
        if before:
            added = driver.execute_cdp_cmd(
                "Page.addScriptToEvaluateOnNewDocument", {"source": before}
            )
            scripts.append(added["identifier"])
        driver.get(address)
        if drawn:
            WebDriverWait(driver, 30).until(
                lambda page: all(hidden for hidden, _, _ in page.execute_script(STATES))
            )
        return driver

    yield at
    for script in scripts:
        driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": script})


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_figures_are_drawn_and_nothing_is_fetched(driver, at, size):
    driver.get_log("performance")
    driver.get_log("browser")
    page = at(size)
    states = page.execute_script(STATES)
    assert len(states) == 2
    assert all(not stage_hidden and canvases for _, stage_hidden, canvases in states)
    assert page.execute_script("return document.documentElement.scrollWidth") <= size[0]
    width, height = page.execute_script(
        "const r = document.querySelector('.stage').getBoundingClientRect();"
        "return [r.width, r.height]"
    )
    assert width > 0.6 * min(size[0], 960) and 250 < height < size[1]
    events = [e["message"] for e in driver.get_log("performance")]
    asked = [re.search(r'"url":"([^"]*)"', m)[1] for m in events if "requestWillBeSent" in m]
    assert asked and {url.split(":")[0] for url in asked} <= {"file", "data"}
    assert not [e for e in driver.get_log("browser") if e["level"] == "SEVERE"]


def test_buttons_turn_and_none_sends_it_elsewhere(at):
    titles = at(WIDE).execute_script(
        "const b = document.querySelector('.stage').querySelectorAll('.modebar-btn');"
        "return [...b].map((button) => button.dataset.title)"
    )
    assert len(titles) == 5 and "Orbital rotation" in titles
    assert not [title for title in titles if re.search("share|cloud|download|save", title, re.I)]


def test_it_is_turned_by_hand(at):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By

    page = at(WIDE)
    stage = page.find_element(By.CSS_SELECTOR, ".stage")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", stage)
    eye = "return arguments[0]._fullLayout.scene._scene.getCamera().eye"
    before = page.execute_script(eye, stage)
    drag = ActionChains(page).move_to_element(stage).click_and_hold().move_by_offset(120, 0)
    drag.release().perform()
    after = page.execute_script(eye, stage)
    assert abs(after["x"] - before["x"]) + abs(after["y"] - before["y"]) > 0.1


def test_a_mark_says_its_text(at):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By

    page = at(WIDE)
    stage = page.find_element(By.CSS_SELECTOR, ".stage")
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", stage)
    said = "return document.querySelector('.stage').querySelector('.hovertext')?.textContent ?? ''"
    # The path leads through the middle somewhere.
    for x in range(-200, 201, 16):
        for y in (-60, -40, -20, 0, 20, 40, 60):
            ActionChains(page, duration=0).move_to_element_with_offset(stage, x, y).perform()
            text = page.execute_script(said)
            if text:
                assert text.startswith("round ") and "operations left" in text
                return
    pytest.fail("no mark was met")


@pytest.mark.parametrize("before", [NO_WEBGL, NO_PLOTLY, BROKEN])
def test_words_stand_where_it_cannot_be_drawn(at, before):
    from selenium.webdriver.support.ui import WebDriverWait

    page = at(WIDE, before, drawn=False)
    WebDriverWait(page, 10).until(
        lambda page: all(hidden for _, hidden, _ in page.execute_script(STATES))
    )
    assert [note for note, _, _ in page.execute_script(STATES)] == [False, False]
    text = page.execute_script("return document.querySelector('.turnable').innerText")
    assert "where the browser has JavaScript and WebGL" in text
