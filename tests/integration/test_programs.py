"""Programs that know nothing of the gate, with an app token for their password."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
from base64 import b64encode
from urllib.parse import urlsplit

import pytest

from tests.integration.house import House

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """Files and a package index behind the gate."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "packages").mkdir()
    (folder / "git").mkdir()
    with House(folder, "tests.integration.wrapped_files:application()") as house:
        yield house


@pytest.fixture(scope="module")
def token(house):
    """A token for the repository and the index only."""
    person = house.person()
    text, _ = house.installation.accounts.app_tokens.make(
        person.name,
        "ci",
        now=house.installation.clock(),
        expires=house.installation.clock() + 3600,
        paths=["/git/*", "/pypi/*"],
    )
    return text


def git(*words, folder):
    env = os.environ | {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": "/dev/null"}
    return subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *words],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_git_clones_with_a_token_for_its_password_and_not_without(
    house, token, tmp_path
):
    source = house.folder / "git" / "source"
    git("init", "-q", "source", folder=house.folder / "git")
    git("commit", "-q", "--allow-empty", "-m", "first", folder=source)
    git("update-server-info", folder=source)
    place = f"{urlsplit(house.origin).netloc}/git/source/.git"

    with_it = git("clone", f"http://x:{token}@{place}", "with", folder=tmp_path)
    without = git("clone", f"http://x:guess@{place}", "without", folder=tmp_path)

    assert with_it.returncode == 0, with_it.stderr
    assert "first" in git("log", folder=tmp_path / "with").stdout
    assert without.returncode != 0


def ask(house, method, path, password, body=None, kind="text/plain"):
    client = http.client.HTTPConnection(urlsplit(house.origin).netloc, timeout=30)
    coded = b64encode(f"__token__:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {coded}", "Content-Type": kind}
    client.request(method, path, body, headers)
    answer = client.getresponse()
    found = answer.status, answer.read()
    client.close()
    return found


def upload():
    """Return what twine sends."""
    parts = {":action": "file_upload", "name": "thing", "version": "1.0"}
    lines = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in parts.items()
    ]
    lines.append(
        '--b\r\nContent-Disposition: form-data; name="content"; '
        'filename="thing-1.0.tar.gz"\r\n\r\noctets\r\n--b--\r\n'
    )
    return "".join(lines).encode(), "multipart/form-data; boundary=b"


def test_a_package_is_uploaded_and_downloaded(house, token):
    body, kind = upload()
    assert ask(house, "POST", "/pypi/", "guess", body, kind)[0] == 401
    assert not list((house.folder / "packages").iterdir())

    status, _ = ask(house, "POST", "/pypi/", token, body, kind)

    assert status == 200
    assert b"thing-1.0.tar.gz" in ask(house, "GET", "/pypi/simple/thing/", token)[1]
    found = ask(house, "GET", "/pypi/packages/thing-1.0.tar.gz", token)
    assert found == (200, b"octets")
    assert ask(house, "GET", "/pypi/simple/thing/", "guess")[0] == 401
    assert ask(house, "GET", "/elsewhere", token)[0] == 403
