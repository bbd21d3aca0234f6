"""The GraphiQL page in a real browser that reaches no network: sign in, ask, read the answer."""

import contextlib
import os
import shutil
import socket
import threading
import time
from pathlib import Path

import pytest
import uvicorn
from api_centre import LOGINS, PASSWORD, fill_centre

from consore.api import create_app
from consore.model import Role
from consore.settings import Settings

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not shutil.which("chromium"), reason="needs Debian's chromium and chromium-driver"),
]


QUESTION = """query Recherche {
  me { name role }
  patient(id: "1") { ... on Patient { familyName headline tumours { label stage ptnm } } }
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    app = create_app(Settings(home=tmp_path_factory.mktemp("graphiql-node"), centre_code="ESSAI"), engine=False)
    fill_centre(app.state.node.store)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--disable-background-networking",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # no name is known: the network is off
        "--window-size=1400,900",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


def test_a_question_is_asked_in_the_page_without_any_other_host(browser, address, tmp_path):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    wait = WebDriverWait(browser, 30)
    browser.get(f"{address}/graphql")
    wait.until(lambda page: page.find_elements(By.CSS_SELECTOR, ".graphiql-query-editor .CodeMirror"))
    browser.find_element(By.NAME, "login").send_keys(LOGINS[Role.PHYSICIAN])
    browser.find_element(By.NAME, "password").send_keys(PASSWORD)
    browser.find_element(By.CSS_SELECTOR, "#sign-in button").click()
    wait.until(lambda page: "physician" in page.find_element(By.ID, "who").text)
    browser.execute_script(
        "document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror.setValue(arguments[0])",
        QUESTION,
    )
    browser.find_element(By.CSS_SELECTOR, ".graphiql-execute-button").click()
    answer = wait.until(lambda page: _answer(page))
    assert "MARCHANT" in answer
    assert "sein gauche" in answer
    screenshot = Path(os.environ.get("SCREENSHOTS", tmp_path)) / "graphiql.png"
    assert browser.save_screenshot(str(screenshot))

    # The schema came, so that the editor completes and the documentation opens.
    wait.until(lambda page: "spinner" not in page.find_element(By.ID, "editor").get_attribute("innerHTML"))
    browser.find_element(By.CSS_SELECTOR, "[aria-label='Show Documentation Explorer']").click()
    wait.until(lambda page: "Query" in page.find_element(By.CSS_SELECTOR, ".graphiql-doc-explorer").text)

    refused = [line["message"] for line in browser.get_log("browser") if line["level"] == "SEVERE"]
    assert refused == []
    assert _hosts_asked(browser) == {address.removeprefix("http://")}


def _answer(page):
    text = page.execute_script(
        "return document.querySelector('.graphiql-response .result-window .CodeMirror')?.CodeMirror.getValue() || ''"
    )
    return text if '"data"' in text else None


def _hosts_asked(browser):
    import json
    from urllib.parse import urlsplit

    hosts = set()
    for line in browser.get_log("performance"):
        with contextlib.suppress(KeyError, ValueError):
            message = json.loads(line["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                address = urlsplit(message["params"]["request"]["url"])
                if address.scheme in ("http", "https", "ws", "wss"):
                    hosts.add(address.netloc)
    return hosts
