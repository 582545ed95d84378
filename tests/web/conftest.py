"""A studio in a process of its own, and a browser. Skipped, visibly, where there is no Chromium or no Playwright."""

import re
import signal
import subprocess
import sys

import pytest

from visits import CHROMIUM, photograph, ready, visitor


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the studio's runs are."""
    return tmp_path_factory.mktemp("studio") / "runs"


@pytest.fixture(scope="module")
def studio(folder):
    """A studio in a process of its own, as a person starts it; its address with the token."""
    pytest.importorskip("uvicorn", reason="the extra [studio] is not installed")
    words = [sys.executable, "-m", "reverie", "studio", "--runs", str(folder), "--no-browser", "--port", "0"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    yield re.search(r"http\S+", process.stdout.readline())[0]
    process.send_signal(signal.SIGTERM)
    process.communicate()


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="the extra [browser] is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def enter(browser, studio, request):
    """Opens a page of the studio; the test fails if the page says anything in its console."""
    said, pages = [], []

    def go(path="/", **how):
        page = visitor(browser, studio, said, **how)
        pages.append(page)
        if path != "/":
            page.goto(studio.split("/#")[0] + path)
            ready(page)
        return page

    go.said = said
    yield go
    for i, page in enumerate(pages):
        photograph(page, re.sub(r"[^\w-]+", "-", f"{request.node.name}-{i}"))
        page.context.close()
    assert said == []
