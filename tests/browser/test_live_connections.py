"""What outlives a request ends with the session that began it."""

import sys

import pytest
from playwright.sync_api import expect

from tests.browser.steps import sign_in
from tests.integration.house import House
from tests.servers import Server, answers

pytestmark = pytest.mark.browser


class Uvicorn(Server):
    """An ASGI application as its users run it."""

    def command(self):
        return [
            *(sys.executable, "-m", "uvicorn", "--port", str(self.port)),
            *("--host", "127.0.0.1", "--timeout-graceful-shutdown", "1"),
            "tests.browser.live_application:application",
        ]

    def is_ready(self):
        return answers(self.port)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    """The gate as a proxy in front of it."""
    folder = tmp_path_factory.mktemp("live")
    with (
        Uvicorn() as upstream,
        House(
            folder,
            "totp_gate:create_app('gate.toml')",
            worker_class="gevent",
            settings=f'[upstream]\nurl = "{upstream.url}"\n',
        ) as house,
    ):
        yield house


@pytest.fixture
def context(browser):
    """A browser that may complain: a stream that is cut is an error to it."""
    context = browser.new_context()
    yield context
    context.close()


def test_a_websocket_and_an_event_stream_end_after_sign_out_in_another_tab(
    proxy, context
):
    page, person = context.new_page(), proxy.person()
    page.goto(proxy.origin)
    sign_in(page, person, proxy.installation.code(person))
    expect(page.locator("#socket")).to_have_text("alive")
    expect(page.locator("#events")).to_have_text("alive")

    other = context.new_page()
    other.goto(proxy.origin + "/_gate/logout")
    other.get_by_role("button", name="Sign out").click()

    expect(page.locator("#socket")).to_have_text("closed", timeout=30_000)
    expect(page.locator("#events")).to_have_text("closed", timeout=30_000)


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda store, name: store.end_sessions(name), id="revoked"),
        pytest.param(lambda store, name: store.remove_user(name), id="user removed"),
    ],
)
def test_they_end_when_an_administrator_says_so(proxy, context, end):
    page, person = context.new_page(), proxy.person()
    page.goto(proxy.origin)
    sign_in(page, person, proxy.installation.code(person))
    expect(page.locator("#socket")).to_have_text("alive")
    expect(page.locator("#events")).to_have_text("alive")

    end(proxy.installation.accounts.store, person.name)

    expect(page.locator("#socket")).to_have_text("closed", timeout=30_000)
    expect(page.locator("#events")).to_have_text("closed", timeout=30_000)
