"""Visiting the studio in a browser: what its tests have in common. With ``$REVERIE_SHOTS`` pages are photographed."""

import os
import shutil
from pathlib import Path

SHOTS = os.environ.get("REVERIE_SHOTS")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MINUTES = 300_000  # milliseconds that a training may take on a busy machine


def visitor(browser, studio, said, **how):
    """A browser window that has entered by the printed address."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **how})
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(studio)
    ready(page)
    return page


def ready(page):
    page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)


def photograph(page, name, **how):
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.{how.get('type', 'png')}", **{"full_page": True, **how})


HEAR = """name => { window.heard = new Promise((hear, fail) => {
  addEventListener(name, (e) => hear(e.detail), { once: true });
  setTimeout(() => fail(new Error(`no ${name} came`)), 60000);
}); }"""


def after(page, event, act):
    """Do something, and wait for what the page says when it is done; its detail."""
    page.evaluate(HEAR, event)
    act()
    return page.evaluate("() => window.heard")
