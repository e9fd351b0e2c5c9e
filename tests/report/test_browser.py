"""The page in a real browser: Debian's Chromium, headless."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from murmure.report import build, write
from tests.report.browsing import NEEDED, choose, complaints, requests, visit
from tests.report.pages import (
    counts_of,
    late_parcels,
    page_of,
    with_estimates,
)
from tests.report.test_page import HOSTILE, headline, hostile_rows
from tests.runs import write_run

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = NEEDED
#: The accessibility checker, as it is published: see the folder's README.
AXE = Path(__file__).parent / "vendor" / "axe.min.js"


@pytest.fixture(scope="module")
def alarming_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alarm")
    run = write_run(folder / "run", late_parcels())
    write(build([run], with_estimates(counts_of(run)), ui="en"), folder / "page.html")
    return folder / "page.html"


def table(browser: Chrome) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = browser.execute_script(
        """
        const rows = {};
        for (const row of document.querySelectorAll("#headline tbody tr:not([hidden])")) {
          const cells = rows[row.querySelector("bdi").textContent] = {};
          for (const cell of row.querySelectorAll("[data-column]")) {
            cells[cell.dataset.column] = cell.querySelector(".value").textContent;
            for (const part of ["interval", "raw"]) {
              cells[`${cell.dataset.column} ${part}`] = cell.querySelector(`.${part}`).textContent;
            }
          }
        }
        return rows;
        """
    )
    return found


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
    assert status == "Shown: Marelle · All languages · All channels · The whole period · Organic"
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


def test_the_headline_table_tells_its_slice(browser: Chrome, story_page: Path) -> None:
    visit(browser, story_page)
    told = """
        const table = document.getElementById("headline");
        return [table.caption.textContent, table.querySelector("th.c-posts .unit").textContent];
    """
    assert browser.execute_script(told) == ["Per brand · The whole period", "organic"]
    choose(browser, period="week of 9 March 2026", place="reviews", promotion="s")
    assert browser.execute_script(told) == [
        "Per brand · week of 9 March 2026 · reviews",
        "sponsored",
    ]


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


def test_a_period_shows_its_own_numbers(browser: Chrome, story_page: Path) -> None:
    visit(browser, story_page)
    choose(browser, period="week of 9 March 2026")
    assert table(browser)["Brizelo"]["bad"] == "10"
    assert table(browser)["Brizelo"]["bad interval"] == "[7–12]"
    touchpoints = "return document.querySelector('#matrix-touchpoint').innerText"
    assert "10" in browser.execute_script(touchpoints)
    choose(browser, place="reviews")
    assert table(browser)["Brizelo"]["bad"] == "0"
    assert table(browser)["Brizelo"]["share"] == "–"  # of one channel and week it is not held
    assert "not on this page at this detail" in browser.execute_script(
        "return document.getElementById('slice').textContent"
    )
    assert complaints(browser) == []


def test_hovering_tells_the_estimate_its_interval_the_raw_count_and_n(
    browser: Chrome, story_page: Path
) -> None:
    visit(browser, story_page)
    said = browser.execute_script(
        """
        const spot = document.querySelector("#headline td[data-column=bad]");
        spot.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
        return document.getElementById("bubble").textContent;
        """
    )
    assert said == "estimate 12 [9–14] · raw 11 · n 20"
    told = browser.execute_async_script(
        """
        const [done] = arguments;
        const spot = document.querySelector("#chart-experience .chart");
        const chart = echarts.getInstanceByDom(spot);
        chart.dispatchAction({ type: "showTip", seriesIndex: 4, dataIndex: 1 });
        setTimeout(() => done([...spot.querySelectorAll("text")].map((t) => t.textContent)), 200);
        """
    )
    assert "Bad: estimate 10 [7–12] · raw 9 · n 9" in "\n".join(told)


def test_each_picture_has_its_figures_as_text(browser: Chrome, story_page: Path) -> None:
    visit(browser, story_page)
    charts = browser.execute_script(
        """
        return [...document.querySelectorAll("details.figures")].map((details) => {
          details.open = true;
          return details.dataset.chart;
        });
        """
    )
    assert set(charts) >= {"glance", "voices", "influence", "experience", "touchpoint", "lived"}
    browser.execute_async_script("setTimeout(arguments[0], 50)")
    rows = browser.execute_script(
        """
        const table = document.querySelector("details[data-chart=experience] table");
        return [...table.rows].slice(0, 30).map((row) => [...row.cells].map((c) => c.textContent));
        """
    )
    assert rows[0] == ["Brand", "Period", "Measure", "estimate", "from", "to", "raw", "n"]
    assert ["Brizelo", "week of 9 March 2026", "Bad", "10", "7", "12", "9", "9"] in rows


@pytest.mark.parametrize("picture", ["glance", "touchpoint", "experience.0"])
def test_pictures_and_their_data_are_downloaded(
    picture: str, browser: Chrome, story_page: Path, tmp_path: Path
) -> None:
    browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    visit(browser, story_page)
    stem = f"murmure-{picture.replace('.', '-')}"
    for kind in ("csv", "png"):
        browser.execute_script(
            """
            const [picture, kind] = arguments;
            const own = document.querySelector(`.picture[data-chart="${picture}"]`);
            const heading = document.getElementById(picture);
            (own.querySelector(".tools") || heading.closest(".heading"))
              .querySelector(`button[data-as=${kind}]`).click();
            """,
            picture,
            kind,
        )
        file = tmp_path / f"{stem}.{kind}"
        for _ in range(200):
            if file.exists() and file.stat().st_size:
                break
            time.sleep(0.05)
    table_told = (tmp_path / f"{stem}.csv").read_text("utf-8-sig").splitlines()
    assert table_told[0].startswith("Brand,Period,Measure,")
    assert any(line.startswith("Brizelo,") for line in table_told)
    assert (tmp_path / f"{stem}.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / f"{stem}.png").stat().st_size > 5000
    assert complaints(browser) == []


def test_the_keyboard_reaches_every_control_in_order(browser: Chrome, story_page: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    visit(browser, story_page)
    reached = []
    for _ in range(14):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        reached.append(
            browser.execute_script(
                "const e = document.activeElement; return e.id || e.className || e.dataset.as"
                " || e.type || e.tagName"
            )
        )
    controls = ["skip", "filter-brand", "filter-language", "filter-place", "filter-period"]
    assert [name for name in reached if name in controls] == controls
    assert "png" in reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1240, 390])
def test_an_accessibility_checker_finds_nothing_serious(
    scheme: str, width: int, browser: Chrome, alarming_page: Path
) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    visit(browser, alarming_page)
    browser.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")
    browser.execute_async_script("setTimeout(arguments[0], 100)")
    browser.execute_script(AXE.read_text(encoding="utf-8"))
    found = browser.execute_async_script(
        "axe.run().then((found) => arguments[0](found.violations))"
    )
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    told = {one["id"]: [node["html"][:160] for node in one["nodes"][:3]] for one in found}
    assert told == {}, told


def test_alerts_stand_first_and_follow_the_brand(browser: Chrome, alarming_page: Path) -> None:
    visit(browser, alarming_page)
    told = """
        return [...document.querySelectorAll(".alerts li")]
          .filter((e) => e.offsetParent !== null).map((e) => e.textContent)
    """
    (alert,) = browser.execute_script(told)
    assert alert.startswith("Brizelo · Week 15 (6 April 2026): bad experiences of delivery ")
    top = "return document.querySelector('.alerts').getBoundingClientRect().bottom"
    assert browser.execute_script(top) < 500
    choose(browser, brand="Marelle")
    assert browser.execute_script(told) == []
    choose(browser, brand="Brizelo")
    diamonds = browser.execute_script(
        """
        const chart = echarts.getInstanceByDom(document.querySelector("#chart-experience .chart"));
        const points = chart.getOption().series.flatMap((line) => line.data);
        return points.filter((point) => point && point.symbol === "diamond").length;
        """
    )
    assert diamonds == 1
