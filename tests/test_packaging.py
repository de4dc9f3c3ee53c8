"""What is shipped works where it is put: from a wheel, an sdist, and a checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.packaging

RENDER = """
import totp_gate
from totp_gate.web.pages import Pages
pages = Pages(site="Example", prefix="/_gate")
page = pages.render("signed_out.html", login_url="/_gate/login")
print(totp_gate.__file__)
print(len(pages.asset("gate.css").octets))
print(page.get_data(as_text=True))
"""


class Built(NamedTuple):
    """The two archives that a release consists of."""

    wheel: Path
    sdist: Path


class Installation:
    """A virtual environment with one copy of the package and nobody else's."""

    def __init__(self, folder: Path, what: list[str | Path]) -> None:
        self.folder = folder
        venv.create(folder, with_pip=False, symlinks=True)
        # What the package depends on is here already; only the package is installed.
        site = sysconfig.get_path("purelib", vars={"base": str(folder)})
        (Path(site) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
        run(
            *[sys.executable, "-m", "pip", "--python", self.bin("python")],
            *["install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"],
            *["--ignore-installed", *what],
        )

    def bin(self, name: str) -> Path:
        return self.folder / "bin" / name

    def run(self, name: str, *arguments: str) -> str:
        return run(self.bin(name), *arguments, cwd=self.folder)


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Built:
    """Both archives, the wheel made from the sdist as installers do it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    return Built(next(folder.glob("*.whl")), next(folder.glob("*.tar.gz")))


@pytest.fixture(scope="module", params=["wheel", "sdist", "editable"])
def installation(request, built, tmp_path_factory) -> Installation:
    """The package, installed in each of the ways there are."""
    what = {
        "wheel": [built.wheel],
        "sdist": [built.sdist],
        "editable": ["--editable", ROOT],
    }
    folder = tmp_path_factory.mktemp(request.param) / "a place"
    return Installation(folder, what[request.param])


def files_below(folder: str) -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_package_and_its_templates_and_nothing_else(built):
    names = set(zipfile.ZipFile(built.wheel).namelist())
    shipped = {name for name in names if ".dist-info/" not in name}

    templates = {f"totp_gate/{name}" for name in files_below("templates")}
    assert "totp_gate/templates/login.html" in templates
    assert shipped == files_below("totp_gate") | templates
    assert "totp_gate/py.typed" in shipped
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_sdist_holds_what_building_and_testing_need(built):
    with tarfile.open(built.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    needed = {"LICENSE", "README.md", "CHANGELOG.md", "Makefile", "pyproject.toml"}
    for folder in ("totp_gate", "templates", "tests", "tools", "benchmarks"):
        needed |= files_below(folder)
    assert needed - names == set()


def test_an_installation_renders_a_page(installation):
    where, style, page = installation.run("python", "-c", RENDER).split("\n", 2)

    editable = installation.folder not in Path(where).parents
    assert editable == (ROOT in Path(where).parents)
    assert int(style) > 0
    assert "Example" in page
    assert "</html>" in page


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["totp-gate"], id="the console script"),
        pytest.param(["python", "-m", "totp_gate"], id="the module"),
    ],
)
def test_an_installation_has_the_command(installation, command):
    text = installation.run(*command, "--help")

    assert text.startswith("Usage: totp-gate ")
    assert "serve" in text
