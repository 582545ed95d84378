"""Visiting pages in a browser: what the tests have in common. With ``$REVERIE_SHOTS`` pages are photographed."""

import os
import shutil
from pathlib import Path

import pytest

SHOTS = os.environ.get("REVERIE_SHOTS")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MINUTES = 300_000  # milliseconds that a training, or a page, may take on a busy machine


def visitor(browser, studio, said, **how):
    """A browser window that has entered by the printed address."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **how})
    page = context.new_page()
    listen(page, said)
    page.goto(studio)
    ready(page)
    return page


def stranger(browser, file, said, **how):
    """A window that shows a file, with the network off; what it asks for from elsewhere is noted too."""
    context = browser.new_context(**{"offline": True, "viewport": {"width": 1280, "height": 900}, **how})
    context.set_default_timeout(MINUTES)
    page = context.new_page()
    listen(page, said)
    page.on("request", lambda asked: said.append(asked.url) if asked.url.startswith("http") else None)
    page.goto(file)
    ready(page)
    return page


def listen(page, said):
    """Note whatever a page says in its console."""
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))


# The page's own first picture, sheet of pictures, or text has come, so that what is heard next is what a test did.
SETTLED = """() => {
  const names = ["code-panel", "sample-sheet", "writing-desk"];
  const [code, sheet, desk] = names.map((name) => document.querySelector(name));
  return (!code || code.image) && (!sheet || sheet.shown) && !desk?.doing.busy;
}"""


def ready(page):
    page.wait_for_selector("html[data-ready]", state="attached", timeout=MINUTES)
    page.wait_for_function(SETTLED, timeout=MINUTES)


def photograph(page, name, **how):
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.{how.get('type', 'png')}", **{"full_page": True, **how})


PICTURE = "() => document.querySelector('code-panel > canvas').toDataURL()"
PLACE = "document.querySelector('latent-explorer').place"
CODE = f"() => Array.from({PLACE}.code)"
HEAR = """name => { window.heard = new Promise((hear, fail) => {
  addEventListener(name, (e) => hear(e.detail), { once: true });
  setTimeout(() => fail(new Error(`no ${name} came`)), 300000);
}); }"""

LATE = """({ asked, milliseconds }) => {
  const real = window.fetch;
  window.fetch = async (address, how) => {
    const answer = await real(address, how);
    if (`${address} ${how?.body ?? ""}`.includes(asked)) await new Promise((done) => setTimeout(done, milliseconds));
    return answer;
  };
}"""


def late(page, asked, milliseconds=1000):
    """Let the answer to what has some words in its address or body come late."""
    page.evaluate(LATE, {"asked": asked, "milliseconds": milliseconds})


def after(page, event, act):
    """Do something, and wait for what the page says when it is done; its detail."""
    page.evaluate(HEAR, event)
    act()
    return page.evaluate("() => window.heard")


def middle(page, selector):
    """The middle of an element that is scrolled into view, and its box."""
    page.locator(selector).scroll_into_view_if_needed()
    box = page.locator(selector).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, box


def faults(page):
    """What axe finds, with all that can be opened open; '' if nothing."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="the extra [browser] is not installed")
    page.evaluate("() => document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    page.wait_for_timeout(500)
    found = axe.Axe().run(page)
    return found.generate_report() if found.violations_count else ""
