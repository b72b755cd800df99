"""The page in Chromium: as it is looked at, sorted, pointed at, held in a hand and printed."""

import base64
import re

import pytest

from tenas_jax.report.page import write_page

WIDE, PHONE = (1280, 900), (390, 844)
SMALLEST = 12  # pixels of a text


@pytest.fixture(scope="module")
def address(makers, tmp_path_factory) -> str:
    """Of the page of a run of each kind, and one more study."""
    base = tmp_path_factory.mktemp("runs")
    folders = [make(base / kind) for kind, make in makers.items()]
    folders.append(makers["correlate"](base / "another", batch_size=32, count=600))
    write_page([str(folder) for folder in folders], base / "page.html")
    return (base / "page.html").as_uri()


@pytest.fixture(scope="module")
def at(driver, address):
    """Opens the page in a window of some size: `at(WIDE)`."""

    def at(size):
        width, height = size
        how = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", how)
        driver.get(address)
        assert driver.execute_script("return innerWidth") == width
        return driver

    return at


def test_nothing_is_fetched_and_nothing_is_wrong(driver, at):
    driver.get_log("performance")
    driver.get_log("browser")
    at(WIDE)
    events = [e["message"] for e in driver.get_log("performance")]
    asked = [re.search(r'"url":"([^"]*)"', m)[1] for m in events if "requestWillBeSent" in m]
    assert asked and {url.split(":")[0] for url in asked} <= {"file", "data"}
    assert driver.get_log("browser") == []


# The column's texts, and the state of its header, after a click on it.
CLICK = """
const [caption, name] = arguments;
const figure = [...document.querySelectorAll("figure.table")].find(
  (f) => f.querySelector("figcaption").textContent.startsWith(caption));
const heads = [...figure.querySelectorAll("th")];
const head = heads.find((h) => h.textContent.trim() === name);
head.querySelector("button").click();
const rows = [...figure.querySelectorAll("tbody tr")];
return [head.getAttribute("aria-sort"), heads.filter((h) => h.ariaSort).length,
        rows.map((row) => row.cells[head.cellIndex].textContent.trim()),
        rows.map((row) => row.cells[0].textContent.trim())];
"""


def test_a_click_sorts_numbers_as_numbers_with_the_missing_last(at):
    page = at(WIDE)
    state, sorted_by, column, _ = page.execute_script(CLICK, "Every network", "condition number κ")
    assert (state, sorted_by) == ("ascending", 1)
    known = [float(text) for text in column if text != "–"]
    assert known == sorted(known) and len(set(known)) > 3
    assert "–" in column and set(column[len(known) :]) == {"–"}
    state, _, falling, _ = page.execute_script(CLICK, "Every network", "condition number κ")
    assert state == "descending"
    assert falling == column[: len(known)][::-1] + column[len(known) :]


def test_thousands_and_intervals_are_numbers_too(at):
    page = at(WIDE)
    _, _, column, names = page.execute_script(CLICK, "Each training", "parameters")
    assert column == ["1,990", "2,000"] and names == ["random-0", "found"]
    caption = "How well each score ranks the CIFAR-10"
    _, _, column, _ = page.execute_script(CLICK, caption, "τ [95 %]")
    assert [text.split()[0] for text in column] == ["0.400", "0.612", "0.700"]


def test_texts_are_sorted_and_rows_that_tie_stay_in_order(at):
    page = at(WIDE)
    for expected in ("ascending", "descending"):
        state, _, _, numbers = page.execute_script(CLICK, "Every network", "round")
        assert state == expected
    # Each round has its supernet and a candidate, the last one its result alone.
    last = len(numbers)
    pairs = [[str(n), str(n + 1)] for n in range(last - 2, 0, -2)]
    assert numbers == [str(last), *sum(pairs, [])]
    _, sorted_by, column, _ = page.execute_script(CLICK, "Every network", "network")
    known = [text for text in column if text.startswith("without")]
    assert known == sorted(known) and sorted_by == 1


def test_a_header_is_reached_and_pressed_by_keyboard(at):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    button = at(WIDE).find_element(By.CSS_SELECTOR, "th button")
    button.send_keys(Keys.ENTER)
    head = button.find_element(By.XPATH, "..")
    assert head.get_attribute("aria-sort") == "ascending"


def mark(page, number: int):
    """A mark of a picture whose texts name architectures by number, in view."""
    from selenium.webdriver.common.by import By

    element = page.find_elements(By.CSS_SELECTOR, "[data-archs] [data-hover]")[number]
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    return element


def tip(page) -> str | None:
    """What the box says; None while it is hidden."""
    return page.execute_script("const t = document.getElementById('tip');"
                               "return t.hidden ? null : t.textContent")  # fmt: skip


def test_a_mark_that_is_pointed_at_says_its_text(at):
    from selenium.webdriver import ActionChains

    page = at(WIDE)
    element = mark(page, 5)
    assert tip(page) is None
    ActionChains(page).move_to_element(element).perform()
    arch, score, accuracy = tip(page).split("\n")
    assert arch.startswith("|") and arch.count("~") == 6
    assert score.startswith("condition number κ ") and accuracy.startswith("CIFAR-10 test 9")
    box = page.execute_script("return document.getElementById('tip').getBoundingClientRect()")
    assert box["left"] >= 0 and box["right"] <= WIDE[0] and box["top"] >= 0
    ActionChains(page).move_by_offset(-300, -120).perform()
    assert tip(page) is None


def test_a_tap_beside_a_mark_says_its_text(at):
    page = at(PHONE)
    element = mark(page, 5)
    corner = page.execute_script(
        "const r = arguments[0].getBoundingClientRect(); return [r.right + 4, r.top]", element
    )
    x, y = map(int, corner)
    point = {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]}
    page.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    page.execute_cdp_cmd("Input.dispatchTouchEvent", point)
    page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
    assert tip(page).startswith("|")


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_the_page_is_not_wider_than_the_window(at, size):
    page = at(size)
    page.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    assert page.execute_script("return document.documentElement.scrollWidth") <= size[0]
    boxes = page.execute_script(
        "return [...document.querySelectorAll('.scroll')]"
        ".filter(b => b.scrollWidth > b.clientWidth + 1).map(b => getComputedStyle(b).overflowX)"
    )
    assert set(boxes) <= {"auto"} and (boxes or size == WIDE)


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_text_can_be_read(at, size):
    page = at(size)
    page.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    sizes = page.execute_script(
        "return [...document.querySelectorAll('body, p, td, th button, dt, dd, a, code, pre,"
        " figcaption, summary')].map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(sizes) >= SMALLEST
    # Of a picture of one panel, whose text is 10.5 points at least.
    drawn = page.execute_script(
        "const s = [...document.querySelectorAll('.picture svg')]"
        ".filter(s => s.closest('.gallery') === null && s.viewBox.baseVal.width < 600);"
        "return s.map(s => 10.5 * s.getBoundingClientRect().width / s.viewBox.baseVal.width)"
    )
    assert drawn and min(drawn) >= 11.5


def test_the_contents_stay_in_view(at):
    page = at(WIDE)
    page.execute_script("scrollTo(0, 3000)")
    top = "return document.querySelector('nav').getBoundingClientRect().top"
    assert page.execute_script(top) == 0


def test_print_has_all_text_and_no_contents(at):
    page = at(WIDE)
    media = page.execute_cdp_cmd
    pdf = base64.b64decode(page.print_page())
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 6, "each run begins a page"
    media("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        look = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
        assert page.execute_script(look, "nav", "display") == "none"
        assert page.execute_script(look, ".table .scroll", "overflowX") == "visible"
        assert page.execute_script(look, "body", "backgroundColor") == "rgb(255, 255, 255)"
        heights, closed = page.execute_script(
            "dispatchEvent(new Event('beforeprint'));"
            "const d = [...document.querySelectorAll('details > :not(summary)')];"
            "const open = document.querySelectorAll('details:not([open])').length;"
            "const seen = d.map(e => e.getBoundingClientRect().height);"
            "dispatchEvent(new Event('afterprint'));"
            "return [seen, open]"
        )
        assert heights and min(heights) > 0 and closed == 0
        still_open = page.execute_script("return document.querySelectorAll('details[open]').length")
        assert still_open == 0
    finally:
        media("Emulation.setEmulatedMedia", {"media": ""})
