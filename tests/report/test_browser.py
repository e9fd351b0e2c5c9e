"""The page in a real browser: Debian's Chromium, headless."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from murmure.report import build, write
from tests.report.pages import counts_of, page_of, small_story, with_estimates
from tests.report.test_page import HOSTILE, headline, hostile_rows
from tests.runs import write_run

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Debian's packages chromium and chromium-driver"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium (extra dev)")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--window-size=1240,1200", f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def story_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("story")
    run = write_run(folder / "run", small_story())
    page = build([run], with_estimates(counts_of(run)), ui="en")
    write(page, folder / "page.html")
    return folder / "page.html"


def visit(browser: Chrome, file: Path) -> None:
    complaints(browser)
    requests(browser)
    browser.get(file.as_uri())


def table(browser: Chrome) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = browser.execute_script(
        """
        const rows = {};
        for (const row of document.querySelectorAll("#headline tbody tr:not([hidden])")) {
          const cells = rows[row.querySelector("bdi").textContent] = {};
          for (const cell of row.querySelectorAll("[data-column]")) {
            cells[cell.dataset.column] = cell.querySelector(".value").textContent;
            cells[cell.dataset.column + " interval"] = cell.querySelector(".interval").textContent;
          }
        }
        return rows;
        """
    )
    return found


def choose(browser: Chrome, **values: str) -> None:
    for name, value in values.items():
        browser.execute_script(
            """
            const [name, value] = arguments;
            const control = name === "promotion"
              ? document.querySelector(`input[name=promotion][value=${value}]`)
              : document.getElementById(`filter-${name}`);
            if (name === "promotion") control.checked = true;
            else control.value = [...control.options].find((o) => o.textContent === value).value;
            control.dispatchEvent(new Event("change", { bubbles: true }));
            """,
            name,
            value,
        )


def log(browser: Chrome, kind: str) -> list[dict[str, Any]]:
    """What a log of the browser says since it was last asked."""
    entries: list[dict[str, Any]] = browser.get_log(kind)
    return entries


def complaints(browser: Chrome) -> list[dict[str, Any]]:
    return log(browser, "browser")


def requests(browser: Chrome) -> list[str]:
    events = [json.loads(entry["message"])["message"] for entry in log(browser, "performance")]
    return [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]


def test_it_opens_without_a_complaint_and_asks_for_nothing(
    browser: Chrome, story_page: Path
) -> None:
    visit(browser, story_page)
    assert browser.execute_script("return document.querySelectorAll('.chart svg').length") == 6
    assert complaints(browser) == []
    assert requests(browser) == [story_page.as_uri()]


def test_the_script_writes_the_same_numbers_as_the_document(
    browser: Chrome, story_page: Path
) -> None:
    visit(browser, story_page)
    assert table(browser) == headline(story_page.read_text())


def test_filters_show_the_slice_that_was_counted(browser: Chrome, story_page: Path) -> None:
    visit(browser, story_page)
    assert table(browser)["Brizelo"]["bad"] == "12"
    choose(browser, place="reviews")
    assert table(browser)["Brizelo"]["bad"] == "3"
    choose(browser, place="All channels", language="English")
    assert table(browser)["Brizelo"]["good"] == "6"
    choose(browser, language="All languages", promotion="s")
    assert table(browser)["Marelle"]["good"] == "6"
    assert table(browser)["Marelle"]["influence"] == "–"
    choose(browser, promotion="o", brand="Marelle")
    assert list(table(browser)) == ["Marelle", "Together"]
    status = browser.execute_script("return document.getElementById('slice').textContent")
    assert status == "Shown: Marelle · All languages · All channels · Organic"
    browser.execute_async_script(
        "document.getElementById('filters').reset(); setTimeout(arguments[0], 50)"
    )
    assert list(table(browser)) == ["Brizelo", "Marelle", "Together"]
    assert complaints(browser) == []


def test_filters_choose_the_examples(browser: Chrome, story_page: Path) -> None:
    visit(browser, story_page)
    shown = """
        return [...document.querySelectorAll(".example")]
          .filter((e) => e.offsetParent !== null).map((e) => e.dataset.promotion)
    """
    assert set(browser.execute_script(shown)) == {"o"}
    choose(browser, promotion="s")
    assert set(browser.execute_script(shown)) == {"s"}


def test_hostile_words_run_nothing(browser: Chrome, tmp_path: Path) -> None:
    rows = [row for words in HOSTILE for row in hostile_rows(words)]
    rows = [{**row, "created_at": f"2026-03-{1 + i:02d}"} for i, row in enumerate(rows)]
    write(page_of(tmp_path / "run", rows, title=HOSTILE[1], show_authors=True), tmp_path / "p.html")
    visit(browser, tmp_path / "p.html")
    for value in ("s", "a", "o"):
        choose(browser, promotion=value)
    assert browser.execute_script("return typeof window.owned") == "undefined"
    count = "return document.querySelectorAll(arguments[0]).length"
    assert browser.execute_script(count, "img, base, a[href^=h]") == 0
    assert browser.execute_script(count, "#headline tbody tr") > 5
    assert complaints(browser) == []
    assert requests(browser) == [(tmp_path / "p.html").as_uri()]


@pytest.mark.parametrize("ui", ["fr", "en"])
def test_an_empty_page_opens_too(ui: str, browser: Chrome, tmp_path: Path) -> None:
    write(page_of(tmp_path / "run", [], ui=ui), tmp_path / "p.html")
    visit(browser, tmp_path / "p.html")
    assert complaints(browser) == []
    assert list(table(browser)) == [{"fr": "Ensemble", "en": "Together"}[ui]]


def test_definitions_open_for_the_keyboard(browser: Chrome, story_page: Path) -> None:
    visit(browser, story_page)
    browser.execute_script("document.querySelector('.c-influence .define').focus()")
    said = browser.execute_script(
        "const b = document.getElementById('bubble'); return b.hidden ? '' : b.textContent"
    )
    assert said.startswith("Organic voices that speak for the brand")


def test_it_prints_in_light_colours_at_the_papers_width(browser: Chrome, story_page: Path) -> None:
    dark = [{"name": "prefers-color-scheme", "value": "dark"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": dark})
    visit(browser, story_page)
    paper = "return getComputedStyle(document.documentElement).getPropertyValue('--paper')"
    assert browser.execute_script(paper) == "#15171a"
    browser.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    assert browser.execute_script(paper) == "#fff"
    widths = "return [...document.querySelectorAll('.chart svg')].map((s) => s.clientWidth)"
    assert max(browser.execute_script(widths)) < 400
    browser.execute_script("window.dispatchEvent(new Event('afterprint'))")
    assert browser.execute_script(paper) == "#15171a"
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_nothing_sticks_out_on_a_narrow_screen(browser: Chrome, story_page: Path) -> None:
    size = {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    visit(browser, story_page)
    assert browser.execute_script("return document.documentElement.scrollWidth") == 360
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_charts_outlast_a_window_without_size(browser: Chrome, story_page: Path) -> None:
    visit(browser, story_page)
    width = "return document.querySelector('.chart svg').getAttribute('width')"
    before = browser.execute_script(width)
    browser.execute_async_script(
        """
        document.body.style.display = "none";
        window.dispatchEvent(new Event("resize"));
        setTimeout(arguments[0], 100);
        """
    )
    assert browser.execute_script(width) == before != "0"
