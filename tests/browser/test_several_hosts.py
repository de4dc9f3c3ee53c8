"""One sign-in for several hosts, as a browser goes the way."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import https_house
from tests.browser.steps import sign_in
from tests.servers import free_port

NAMES = ["home.localhost", "wiki.localhost", "blog.localhost"]  # all are loopback


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    """A gate over https for three hosts, and their origins, home first."""
    folder = tmp_path_factory.mktemp("several hosts")
    port = free_port()
    origins = [f"https://{name}:{port}" for name in NAMES]
    with https_house(folder, gate={"origin": origins}, ports=[port]) as house:
        yield house, origins


def test_one_sign_in_opens_all_hosts_and_one_sign_out_closes_them(hosts, page):
    house, (home, wiki, blog) = hosts
    alice = house.person()

    page.goto(f"{wiki}/notes?id=7")
    assert page.url.startswith(f"{home}/_gate/login?next=/_gate/hand-off")
    sign_in(page, alice, house.installation.code(alice))
    expect(page.get_by_role("heading")).to_have_text(f"Hello {alice.name}")
    assert page.url == f"{wiki}/notes?id=7"

    for place in (f"{blog}/list", f"{home}/start", f"{wiki}/other"):
        page.goto(place)
        expect(page.get_by_role("heading")).to_have_text(f"Hello {alice.name}")
        assert page.url == place

    page.goto(f"{home}/_gate/logout")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading")).to_have_text("You are signed out")

    for place in (f"{wiki}/later", f"{blog}/later"):
        page.goto(place)
        assert page.url.startswith(f"{home}/_gate/login?next=/_gate/hand-off")
        expect(page.get_by_label("User name")).to_be_visible()


def test_who_loads_the_page_again_signs_in_where_they_are(hosts, page):
    house, (home, wiki, _) = hosts
    alice = house.person()
    page.goto(f"{wiki}/notes")
    assert page.url.startswith(f"{home}/_gate/login")

    page.goto(f"{wiki}/notes")
    assert page.url == f"{wiki}/_gate/login?next=/notes"
    sign_in(page, alice, house.installation.code(alice))

    expect(page.get_by_role("heading")).to_have_text(f"Hello {alice.name}")
    assert page.url == f"{wiki}/notes"


def test_a_link_from_another_host_finds_its_reader_signed_in(hosts, page):
    house, (home, wiki, blog) = hosts
    alice = house.person()
    page.goto(f"{home}/start")
    sign_in(page, alice, house.installation.code(alice))
    expect(page.get_by_role("heading")).to_have_text(f"Hello {alice.name}")

    page.evaluate("where => { location.href = where }", f"{wiki}/linked")

    page.wait_for_url(f"{wiki}/linked")
    page.evaluate("where => { location.href = where }", f"{blog}/linked")
    page.wait_for_url(f"{blog}/linked")
    expect(page.get_by_role("heading")).to_have_text(f"Hello {alice.name}")
