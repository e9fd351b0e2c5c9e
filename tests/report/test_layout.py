"""The page at the widths it is read at: wide and narrow windows, phones, paper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from murmure.report import build, write
from murmure.report.words import Words
from tests.report.browsing import NEEDED, visit
from tests.report.pages import counts_of, multiplied, page_of, small_story, with_estimates
from tests.runs import write_run

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = NEEDED


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


@pytest.fixture(scope="module", params=["fr", "en"])
def big_page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of numbers with five digits."""
    folder = tmp_path_factory.mktemp("big")
    run = write_run(folder / "run", small_story())
    counts = multiplied(with_estimates(counts_of(run)), 2345.0)
    write(build([run], counts, ui=request.param), folder / "page.html")
    return folder / "page.html"


@pytest.mark.parametrize("width", [360, 414])
def test_nothing_scrolls_sideways_on_a_phone(width: int, browser: Chrome, big_page: Path) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    visit(browser, big_page)
    browser.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    browser.execute_async_script("setTimeout(arguments[0], 100)")
    wide, rows, named = browser.execute_script(
        """
        const boxes = [document.documentElement, ...document.querySelectorAll(".scroll")];
        const told = (box) => [box.firstElementChild.className, box.scrollWidth, box.clientWidth];
        const row = document.querySelector("#matrix-touchpoint tbody tr");
        return [
          boxes.filter((box) => box.scrollWidth > box.clientWidth).map(told),
          document.querySelectorAll("details.figures tbody tr").length,
          [...row.querySelectorAll(".named")].filter((e) => e.offsetWidth).map((e) => e.innerText),
        ];
        """
    )
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert wide == []
    assert rows > 50
    assert named[:2] == ["Brizelo", "Marelle"]


def test_a_window_that_grows_gets_its_columns_back(browser: Chrome, story_page: Path) -> None:
    size = {"width": 414, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    visit(browser, story_page)
    folded = "return document.querySelectorAll('.matrix.folded').length"
    assert browser.execute_script(folded) == 5
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size | {"width": 1240})
    browser.execute_async_script("setTimeout(arguments[0], 100)")
    assert browser.execute_script(folded) == 0
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("width", [1000, 1100, 1240, 1600])
def test_no_number_of_the_headline_table_is_cut(
    width: int, browser: Chrome, big_page: Path
) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    visit(browser, big_page)
    shown, room = browser.execute_script(
        """
        const table = document.getElementById("headline");
        return [table.scrollWidth, table.closest(".scroll").clientWidth];
        """
    )
    heading = browser.execute_script(
        "return getComputedStyle(document.querySelector('#headline thead')).position"
    )
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert shown <= room
    assert heading == "static"  # a table still, not a block for each brand


def test_the_headline_table_fits_on_paper(browser: Chrome, big_page: Path) -> None:
    size = {"width": 718, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    visit(browser, big_page)
    browser.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    shown, room, display = browser.execute_script(
        """
        const table = document.getElementById("headline");
        const row = getComputedStyle(table.rows[2]).display;
        return [table.scrollWidth, document.body.clientWidth, row];
        """
    )
    browser.execute_script("window.dispatchEvent(new Event('afterprint'))")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert display == "table-row"
    assert shown <= room


def test_paper_tells_what_hovering_tells_on_a_screen(browser: Chrome, big_page: Path) -> None:
    visit(browser, big_page)
    ui = browser.execute_script("return document.documentElement.lang")
    words = Words.load(ui)
    told = """
        return ["body", "#headline td.c-bad", "#matrix-touchpoint .total td"]
          .map((spot) => document.querySelector(spot).innerText);
    """
    on_screen = browser.execute_script(told)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    on_paper = browser.execute_script(told)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    hint = words("head.screen_notice")
    instead = words("head.paper_notice", figures=words("section.figures"))
    raw = words("chart.raw") + " "
    assert [hint in on_screen[0], instead in on_screen[0]] == [True, False]
    assert [hint in on_paper[0], instead in on_paper[0]] == [False, True]
    assert not any(raw in number for number in on_screen[1:])
    assert all(raw in number for number in on_paper[1:])


@pytest.mark.parametrize("width", [360, 800, 1240, "paper"])
def test_bars_of_a_table_share_one_scale(width: int | str, browser: Chrome, big_page: Path) -> None:
    size = {"width": 718 if width == "paper" else width, "height": 900}
    size |= {"deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    visit(browser, big_page)
    if width == "paper":
        browser.execute_script("window.dispatchEvent(new Event('beforeprint'))")
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    lengths = browser.execute_script(
        """
        return [...document.querySelectorAll(".matrix")]
          .map((table) => [...table.querySelectorAll(".track")].map((e) => e.clientWidth));
        """
    )
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert len(lengths) == 5
    for found in lengths:
        assert max(found) - min(found) <= 1  # a pixel is rounded away
        assert min(found) > 15


@pytest.mark.parametrize("width", [390, 760])
def test_each_number_carries_its_name_where_the_table_does_not_fit(
    width: int, browser: Chrome, story_page: Path
) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    visit(browser, story_page)
    names = browser.execute_script(
        """
        const [row] = document.querySelectorAll("#headline tbody tr");
        const inside = (cell) => cell.getBoundingClientRect().right <= window.innerWidth;
        return [...row.cells].filter(inside).map((cell) => cell.querySelector(".named"))
          .filter((name) => name && name.offsetWidth).map((name) => name.textContent);
        """
    )
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert len(names) == 11
    assert {"Influence", "Posts", "Bad experiences", "Trend"} <= set(names)


@pytest.mark.parametrize(
    ("width", "one", "other"),
    [
        (390, "#headline td.c-influence", "#headline td.c-balance"),
        (390, "label:has(#filter-brand)", "label:has(#filter-language)"),
        (768, "#headline tbody th", "#headline tbody td.c-trend"),
    ],
)
def test_narrow_windows_waste_no_line(
    width: int, one: str, other: str, browser: Chrome, story_page: Path
) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    visit(browser, story_page)
    overlap = browser.execute_script(
        """
        const [one, other] = [...arguments]
          .map((spot) => document.querySelector(spot).getBoundingClientRect());
        return Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
        """,
        one,
        other,
    )
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert overlap > 10


def test_tables_of_many_brands_fit_on_paper(browser: Chrome, tmp_path: Path) -> None:
    brands = [f"Brizelo{number}" for number in range(8)]
    rows = [
        {**row, "id": f"{brand}-{row['id']}", "mentions": [brand]}
        for brand in brands
        for row in small_story()
    ]
    write(page_of(tmp_path / "run", rows, ui="en"), tmp_path / "p.html")
    size = {"width": 718, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    visit(browser, tmp_path / "p.html")
    browser.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    shown, room = browser.execute_script(
        """
        const widths = [...document.querySelectorAll(".matrix")].map((table) => table.scrollWidth);
        return [Math.max(...widths), document.body.clientWidth];
        """
    )
    names = browser.execute_script(
        """
        const line = document.querySelector("#matrix-touchpoint tbody tr");
        return [...line.querySelectorAll(".named")].map((name) => name.innerText);
        """
    )
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert shown <= room
    assert set(names) == {*brands, "Together"}
