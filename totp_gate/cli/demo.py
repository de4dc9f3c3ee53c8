"""``totp-gate demo``: the whole thing in one command, gone again when it ends."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import click

import totp_gate
from totp_gate.cli import installation
from totp_gate.cli.asking import readable_password
from totp_gate.cli.guard import STOP
from totp_gate.cli.listening import bound
from totp_gate.cli.output import print_fields
from totp_gate.cli.parts import Parts, Refused, pass_parts
from totp_gate.core import otp
from totp_gate.core.urls import clean_host, split_port
from totp_gate.telemetry.metrics import FOLDER_VARIABLE

DEFAULT = "127.0.0.1:8000"
_START = 30.0
_PATIENCE = 2.0
_TICK = 0.2
_SAMPLE = "totp_gate.cli.sample:application"
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class Ending:
    """Whether somebody asked for the end.

    A flag, and no exception out of a signal handler: nothing is cut off in the middle,
    least of all the tidying up.
    """

    asked: bool = field(default=False)

    def ask(self, _signal: int, _frame: FrameType | None) -> None:
        """Note it."""
        self.asked = True


@click.command()
@click.option(
    "--bind",
    metavar="HOST:PORT",
    help=f"Address to listen on [default: {DEFAULT}, or a free port].",
)
@pass_parts
def demo(parts: Parts, bind: str | None) -> None:
    """Run a sample application behind the gate, with a user to sign in as.

    Needs nothing and leaves nothing: settings, keys and state are in a temporary
    folder that goes when the command ends (Ctrl-C). Open the address in a browser,
    sign in with the user and the password, and take the code from an authenticator app
    that has scanned the QR code, or from the last line.

    \b
    Examples:
        totp-gate demo
        totp-gate demo --bind 127.0.0.1:9000
    """
    host, port = _address(bind)
    with _until_asked() as ending, _folder() as folder:
        own = Parts(folder / "gate.toml", clock=parts.clock, profile=parts.profile)
        user = _prepare(own, f"{host}:{port}")
        if ending.asked:
            return
        with _serving(own.path, folder / "log") as server:
            _wait_for(server, (host, port), folder / "log", ending)
            _introduce(own, user)
            own.close()
            _show_codes(user, own, server, ending)
            if not ending.asked:
                raise Refused(f"The server has ended.\n{_tail(folder / 'log')}")


def _address(bind: str | None) -> tuple[str, int]:
    """Return where to listen: what was asked for, the default, or a free port."""
    cleaned = clean_host(bind or DEFAULT)
    host, port = split_port(cleaned or "")
    if cleaned is None or port is None:
        raise click.BadParameter(
            f"{bind} is no address: write 127.0.0.1:9000", param_hint="--bind"
        )
    if host in {"0.0.0.0", "[::]"}:  # noqa: S104 - refused
        raise click.BadParameter(
            f"{host} is no address a browser can open: name one of this machine's",
            param_hint="--bind",
        )
    if _is_free(host, port):
        return host, port
    if bind is not None:
        raise Refused(f"{bind} cannot be listened on; choose another port")
    return host, _free_port(host)


def _is_free(host: str, port: int) -> bool:
    try:
        bound(host, port).close()
    except OSError:
        return False
    return True


def _free_port(host: str) -> int:
    with bound(host, 0) as taken:
        return int(taken.getsockname()[1])


@contextlib.contextmanager
def _until_asked() -> Iterator[Ending]:
    """Let signals only be noted, within the block."""
    ending = Ending()
    before = {each: signal.signal(each, ending.ask) for each in _ENDING}
    try:
        yield ending
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="totp_gate-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepare(parts: Parts, address: str) -> installation.FirstUser:
    text = installation.settings_text(
        origin=f"http://{address}",
        name="totp_gate demo",
        upstream=_SAMPLE,
        insecure=True,
        bind=address,
    )
    installation.write_files(parts.path, text, now=parts.now())
    password = readable_password(8)
    return installation.add_first_user(parts, "demo", password, groups=("visitors",))


@contextlib.contextmanager
def _serving(settings: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``serve`` in a process group of its own, which a Ctrl-C here does not reach.

    Leaving the block ends it, and so does the end of this process (`cli.guard`).
    """
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TOTP_GATE")
    }
    package = str(Path(totp_gate.__file__).parent.parent)
    path = [package, environ.get("PYTHONPATH", "")]
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, path))
    figures = settings.parent / "figures"
    figures.mkdir()
    environ[FOLDER_VARIABLE] = str(figures)
    guard = [sys.executable, "-m", "totp_gate.cli.guard", str(settings.parent)]
    serve = [sys.executable, "-m", "totp_gate", "--config", str(settings), "serve"]
    with log.open("wb") as output:
        server = subprocess.Popen(  # noqa: S603 - our own program
            [*guard, *serve],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=settings.parent,
            env=environ,
            start_new_session=True,
        )
    try:
        yield server
    finally:
        _end(server)


def _end(server: subprocess.Popen[bytes]) -> None:
    if server.stdin is not None:
        server.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(STOP)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def _wait_for(
    server: subprocess.Popen[bytes], address: tuple[str, int], log: Path, ending: Ending
) -> None:
    """Return once somebody answers at *address*, or the end was asked for."""
    deadline = time.monotonic() + _START
    while not ending.asked and not _answers(address):
        if server.poll() is not None or time.monotonic() > deadline:
            raise Refused(f"The server did not start.\n{_tail(log)}")
        time.sleep(_TICK / 4)


def _answers(address: tuple[str, int]) -> bool:
    """Tell whether a worker serves; the master listens before there is one."""
    host, port = address
    connection = http.client.HTTPConnection(host.strip("[]"), port, timeout=_PATIENCE)
    try:
        connection.request("GET", "/_gate/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _introduce(parts: Parts, user: installation.FirstUser) -> None:
    print_fields(
        [
            ("address", parts.config.origins[0].text),
            ("user", user.name),
            ("password", user.password),
        ]
    )
    click.echo()
    installation.print_authenticator(parts, user)
    click.echo("\nEach code signs in once; wait for the next to sign in again.")
    click.echo("Ctrl-C ends the demo and removes all of it.\n")


def _show_codes(
    user: installation.FirstUser,
    parts: Parts,
    server: subprocess.Popen[bytes],
    ending: Ending,
) -> None:
    """Show the current code until the end: in place on a terminal, else in lines."""
    params = parts.config.otp_params()
    in_place = sys.stdout.isatty()
    shown = ""
    while not ending.asked and server.poll() is None:
        now = parts.now()
        code = otp.code_at(user.seed, otp.step_at(now, params), params)
        line = f"code: {code} ({otp.seconds_left(now, params)} s)"
        if in_place:
            click.echo(f"\r{line}\x1b[K", nl=False)
        elif code != shown:
            click.echo(line)
        sys.stdout.flush()
        shown = code
        time.sleep(_TICK)
    if in_place:
        click.echo()


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])
