"""Makes the picture of the page in the README, with headless Chromium.

    python benchmarks/screenshot.py page.html docs/page.png

Needs Debian's packages chromium and chromium-driver, and selenium (extra `dev`).
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

#: What a README should weigh at most.
LARGEST = 400_000


def main() -> int:
    """Writes the picture; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--width", type=int, default=1240)
    parser.add_argument("--height", type=int, default=1180)
    parser.add_argument("--dark", action="store_true", help="as for readers who prefer dark")
    parser.add_argument("--full", action="store_true", help="the whole page, not the first screen")
    options = parser.parse_args()
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            sys.stderr.write(f"{program} is not installed; apt-get install chromium-driver\n")
            return 1
    picture = shoot(options)
    options.picture.parent.mkdir(parents=True, exist_ok=True)
    options.picture.write_bytes(picture)
    if len(picture) > LARGEST and not options.full:
        sys.stderr.write(f"{options.picture} has {len(picture)} bytes, over {LARGEST}\n")
        return 1
    return 0


def shoot(options: argparse.Namespace) -> bytes:
    """The picture of a page, as PNG."""
    from base64 import b64decode

    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    with tempfile.TemporaryDirectory(prefix="murmure-screenshot-") as profile:
        chrome = webdriver.ChromeOptions()
        chrome.binary_location = shutil.which("chromium") or ""
        for argument in (
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--hide-scrollbars", f"--user-data-dir={profile}",
            f"--window-size={options.width},{options.height}",
        ):  # fmt: skip
            chrome.add_argument(argument)
        driver = webdriver.Chrome(options=chrome, service=Service(shutil.which("chromedriver")))
        try:
            scheme = "dark" if options.dark else "light"
            features = [{"name": "prefers-color-scheme", "value": scheme}]
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
            size = {"width": options.width, "height": options.height}
            size |= {"deviceScaleFactor": 1, "mobile": False}
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            driver.get(options.page.resolve().as_uri())
            driver.execute_async_script(  # two frames after it is ready, everything is painted
                """
                const [done] = arguments, ready = document.documentElement.dataset;
                const look = () => requestAnimationFrame(
                  () => (ready.ready ? requestAnimationFrame(done) : look()));
                look();
                """
            )
            shot = driver.execute_cdp_cmd(
                "Page.captureScreenshot", {"captureBeyondViewport": options.full, "format": "png"}
                if not options.full
                else {"captureBeyondViewport": True, "format": "png", "clip": {
                    "x": 0, "y": 0, "scale": 1, "width": options.width,
                    "height": driver.execute_script("return document.documentElement.scrollHeight"),
                }},
            )  # fmt: skip
            return b64decode(shot["data"])
        finally:
            driver.quit()


if __name__ == "__main__":
    raise SystemExit(main())
