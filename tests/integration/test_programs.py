"""Programs that know nothing of the gate, with an app token for their password.

They come through the proxy. The token of ``token`` is for the repository and the index
and for nothing else; what it may not do is asked of every program.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import zipfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.integration.house import House
from tests.integration.test_secrets import spellings
from tests.servers import Gunicorn
from totp_gate.testing import Person

GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com"]
METADATA = "Metadata-Version: 2.1\nName: thing\nVersion: {}\n"


@dataclass
class Workplace:
    """A gate in front of what machines use, and somebody with a token."""

    house: House
    upstream: Gunicorn
    person: Person
    token: str

    @property
    def folder(self) -> Path:
        """Where the repositories, the packages and the notes of the service are."""
        return self.upstream.cwd

    @property
    def seen(self) -> str:
        """Every header the service has got."""
        return (self.folder / "seen").read_text()

    def url(self, path: str, password: str | None = None, name: str = "x") -> str:
        """Return the address of *path*, with *password* in it."""
        who = "" if password is None else f"{name}:{password}@"
        return f"http://{who}{urlsplit(self.house.origin).netloc}{path}"


@pytest.fixture(scope="module")
def workplace(tmp_path_factory, program):
    for name in ("git", "curl"):
        program(name)
    folder = tmp_path_factory.mktemp("programs")
    for path in ("packages", "git", "gate"):
        (folder / path).mkdir(mode=0o700)
    for name in ("mine", "other/theirs"):
        run(["git", "init", "-q", "--bare", f"git/{name}.git"], folder)
    upstream = Gunicorn("tests.integration.served_programs:application()", cwd=folder)
    house = House(
        folder / "gate",
        "totp_gate:create_app()",
        worker_class="gevent",
        settings=f'[upstream]\nurl = "{upstream.url}"\n',
    )
    with ExitStack() as stack:
        stack.enter_context(upstream)
        stack.enter_context(house)
        person = house.person("robot-owner")
        now = time.time()
        text, _ = house.installation.accounts.app_tokens.make(
            person.name,
            "ci",
            now=now,
            expires=now + 3600,
            paths=["/git/mine.git/*", "/pypi/*", "/api/*"],
        )
        yield Workplace(house, upstream, person, text)


def run(words, folder, **variables):
    """Run a program that knows nobody but whom it is told, and return how it ended."""
    kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    given = {
        "HOME": str(folder),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "PIP_CONFIG_FILE": "/dev/null",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "NO_COLOR": "1",
    }
    return subprocess.run(
        words,
        cwd=folder,
        env=kept | given | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def commit(folder, octets):
    """Write *octets* into a repository and commit them."""
    (folder / "file").write_bytes(octets)
    assert run([*GIT, "add", "file"], folder).returncode == 0
    assert run([*GIT, "commit", "-q", "-m", "change"], folder).returncode == 0


@pytest.mark.parametrize("way", ["the address", "a credential helper"])
def test_git_clones_pushes_in_chunks_and_clones_again(workplace, tmp_path, way):
    words, address = GIT, workplace.url("/git/mine.git", workplace.token)
    if way == "a credential helper":
        store = tmp_path / "credentials"
        store.write_text(workplace.url("", workplace.token) + "\n")
        words = [*GIT, "-c", f"credential.helper=store --file '{store}'"]
        address = workplace.url("/git/mine.git")
    octets = os.urandom(300_000)

    cloned = run([*words, "clone", "-q", address, "first"], tmp_path)
    assert cloned.returncode == 0, cloned.stderr
    commit(tmp_path / "first", octets)
    in_chunks = ["-c", "http.postBuffer=65536"]
    pushed = run([*words, *in_chunks, "push", "-q"], tmp_path / "first")
    assert pushed.returncode == 0, pushed.stderr
    again = run([*words, "clone", "-q", address, "second"], tmp_path)

    assert again.returncode == 0, again.stderr
    assert (tmp_path / "second" / "file").read_bytes() == octets
    assert "'HTTP_TRANSFER_ENCODING': 'chunked'" in workplace.seen
    assert f"'HTTP_REMOTE_USER': '{workplace.person.name}'" in workplace.seen


@pytest.mark.parametrize(
    ("path", "who", "said"),
    [
        pytest.param("/git/other/theirs.git", "token", "403", id="another repository"),
        pytest.param("/git/mine.git", "nobody", "could not read Username", id="nobody"),
        pytest.param("/git/mine.git", "password", "Authentication failed", id="own"),
        pytest.param("/git/mine.git", "guess", "Authentication failed", id="a guess"),
    ],
)
def test_git_gets_nothing_otherwise(workplace, tmp_path, path, who, said):
    address = {
        "token": workplace.url(path, workplace.token),
        "nobody": workplace.url(path),
        "password": workplace.url(
            path, workplace.person.password, workplace.person.name
        ),
        "guess": workplace.url(path, "tg_" + "a" * 43),
    }[who]
    before = workplace.seen

    cloned = run([*GIT, "clone", "-q", address, "here"], tmp_path)
    run(["git", "init", "-q", "own"], tmp_path)
    commit(tmp_path / "own", b"mine")
    pushed = run([*GIT, "push", "-q", address, "HEAD:refs/heads/x"], tmp_path / "own")

    assert (cloned.returncode, pushed.returncode) == (128, 128)
    assert said in cloned.stderr
    assert said in pushed.stderr
    assert workplace.seen == before


def wheel(folder, version):
    """Write the smallest package that pip installs and twine uploads."""
    path = folder / f"thing-{version}-py3-none-any.whl"
    about = f"thing-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("thing.py", "")
        archive.writestr(f"{about}/METADATA", METADATA.format(version))
        archive.writestr(
            f"{about}/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{about}/RECORD", "")
    return path


def twine(workplace, path, file, password, name="__token__"):
    words = ["twine", "upload", "--non-interactive", "--disable-progress-bar"]
    where = ["--repository-url", workplace.url(path), f"--username={name}"]
    secret = f"--password={password}"  # one may begin with a dash
    return run([sys.executable, "-m", *words, *where, secret, str(file)], file.parent)


def pip(workplace, verb, folder, path, password=None, name="x"):
    words = [sys.executable, "-m", "pip", "--isolated", "--no-input", verb]
    more = ["--no-cache-dir", "--disable-pip-version-check", "--no-deps"]
    there = ["--dest" if verb == "download" else "--target", str(folder)]
    index = ["--index-url", workplace.url(path, password, name)]
    return run([*words, *more, *there, *index, "thing==1.0"], folder)


def test_a_package_is_uploaded_by_twine_and_installed_by_pip(workplace, tmp_path):
    made = wheel(tmp_path, "1.0")
    fetched = tmp_path / "fetched"
    fetched.mkdir()

    uploaded = twine(workplace, "/pypi/", made, workplace.token)
    assert uploaded.returncode == 0, uploaded.stdout
    downloaded = pip(workplace, "download", fetched, "/pypi/simple/", workplace.token)
    assert downloaded.returncode == 0, downloaded.stderr
    installed = pip(workplace, "install", fetched, "/pypi/simple/", workplace.token)
    assert installed.returncode == 0, installed.stderr

    assert (fetched / made.name).read_bytes() == made.read_bytes()
    assert (fetched / "thing.py").exists()


@pytest.mark.parametrize(
    ("path", "who", "status"),
    [
        pytest.param("/elsewhere/", "token", "403", id="another index"),
        pytest.param("/pypi/", "password", "401", id="a person's own password"),
    ],
)
def test_no_package_passes_otherwise(workplace, tmp_path, path, who, status):
    made = wheel(tmp_path, "2.0")
    known = {
        "token": (workplace.token, "__token__"),
        "password": (workplace.person.password, workplace.person.name),
    }[who]
    before = workplace.seen

    uploaded = twine(workplace, path, made, *known)
    fetched = pip(workplace, "download", tmp_path, path + "simple/", *known)

    assert uploaded.returncode == 1
    assert status in uploaded.stdout
    assert fetched.returncode == 1
    assert workplace.seen == before


def curl(workplace, path, *words):
    """Return the status that curl got."""
    quiet = ["curl", "-q", "-s", "-o", "/dev/null", "-w", "%{http_code}"]
    done = run([*quiet, *words, workplace.url(path)], workplace.folder)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("-H", "Gate-Token: {}"), id="Gate-Token"),
        pytest.param(("-H", "Authorization: Bearer {}"), id="Bearer"),
        pytest.param(("--oauth2-bearer", "{}"), id="curl's own Bearer"),
        pytest.param(("-u", "x:{}"), id="Basic"),
        pytest.param(("--anyauth", "-u", "x:{}"), id="Basic when asked"),
    ],
)
def test_curl_shows_a_token_and_the_service_never_sees_it(workplace, words):
    with_token = [word.format(workplace.token) for word in words]
    with_password = [word.format(workplace.person.password) for word in words]
    before = len(workplace.seen.splitlines())

    inside = curl(workplace, "/api/a?b=c", *with_token)
    outside = curl(workplace, "/secret/a", *with_token)
    person = curl(workplace, "/api/a", *with_password)
    nobody = curl(workplace, "/api/a")

    assert (inside, outside, person, nobody) == (200, 403, 401, 401)
    arrived = workplace.seen.splitlines()[before:]
    assert len(arrived) == 1
    assert "HTTP_GATE_TOKEN" not in arrived[0]
    assert "HTTP_AUTHORIZATION" not in arrived[0]


def test_the_token_is_in_no_log_and_nothing_the_service_got(workplace):
    """The last of this file: the others have shown it in every way."""
    curl(workplace, "/api/a", "-H", f"Gate-Token: {workplace.token}")
    curl(workplace, "/secret/a", "-H", f"Gate-Token: {workplace.token}")
    told = workplace.house.server.stderr + workplace.upstream.stderr + workplace.seen

    assert '"event": "refused"' in told
    assert '"rule": "app token"' in told
    for spelling in spellings(workplace.token.encode()):
        assert spelling.decode() not in told
    assert not re.search(r"Basic [A-Za-z0-9+/]{20}", told)
