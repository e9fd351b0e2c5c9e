"""A page in a real browser: opening it, choosing its slices, hearing its complaints."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
#: For modules of such tests.
NEEDED = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Debian's packages chromium and chromium-driver"
)


def visit(browser: Chrome, file: Path) -> None:
    complaints(browser)
    requests(browser)
    browser.get(file.as_uri())
    browser.execute_async_script(
        """
        const [done] = arguments;
        const look = () => (document.documentElement.dataset.ready ? done() : setTimeout(look, 5));
        look();
        """
    )


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
    browser.execute_async_script(
        """
        const [done] = arguments;
        const drawn = document.documentElement.dataset;
        const look = () => (drawn.drawing ? setTimeout(look, 5) : done());
        look();
        """
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
