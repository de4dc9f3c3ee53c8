"""Turns templates into answers with the headers that every page of the gate has.

Templates lie in the theme's folder first, then in the package, else beside it (a
checkout). Undefined names are errors, output is escaped, nothing inline runs.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

from jinja2 import (
    BytecodeCache,
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateSyntaxError,
)
from jinja2.bccache import Bucket
from werkzeug.wrappers import Response

from totp_gate.errors import ConfigError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from werkzeug.datastructures import Headers

_PACKAGE = Path(__file__).resolve().parent.parent

CONTENT_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "no-store",
}
STRICT_TRANSPORT = "max-age=31536000"


class Answer(Response):
    """A page or document of the gate. ``Location`` leaves as it was checked."""

    default_mimetype = "text/html"

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        """Return the headers, without any rewriting of ``Location``."""
        location = self.headers.get("Location")
        headers = super().get_wsgi_headers(environ)
        if location is not None:
            headers["Location"] = location
        return headers


class _Compiled(BytecodeCache):
    """Keeps compiled templates for the life of the process, over every reload.

    A few dozen entries: one for each template, again for each edit of a theme's.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], CodeType] = {}
        self.has_shipped = False

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill *bucket*, where its template was compiled before."""
        bucket.code = self._kept.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled."""
        if bucket.code is not None:
            self._kept[bucket.key, bucket.checksum] = bucket.code


_COMPILED = _Compiled()


def template_folder() -> Path:
    """Return where the shipped templates are.

    Raises:
        ConfigError: they are in neither of the two places.
    """
    for folder in (_PACKAGE / "templates", _PACKAGE.parent / "templates"):
        if (folder / "base.html").is_file():
            return folder
    reason = "the package is incomplete: its templates are missing; install it anew"
    raise ConfigError([("templates", reason)])


@dataclass(frozen=True, slots=True)
class Asset:
    """A style sheet, a script or a picture of the pages.

    Attributes:
        kind: media type.
        version: changes with the octets.
    """

    octets: bytes
    kind: str
    version: str


class Pages:
    """Renders the gate's pages.

    Args:
        site: name of the installation.
        prefix: where the pages live.
        theme: folder whose templates go before the shipped ones, or empty.
        insecure: plain http on purpose; every page says so.
        hosts: origins of the gate, to which a form may lead on (after a sign-in).

    Raises:
        ConfigError: a template of the theme is none, or cannot be read.
    """

    def __init__(
        self,
        *,
        site: str,
        prefix: str,
        theme: str = "",
        insecure: bool = False,
        hosts: Sequence[str] = (),
    ) -> None:
        self._folders = [Path(theme)] if theme else []
        self._folders.append(template_folder())
        self._prefix = prefix
        self._insecure = insecure
        self._policy = _content_policy(hosts)
        self._environment = Environment(
            loader=FileSystemLoader(self._folders),
            autoescape=True,
            undefined=StrictUndefined,
            extensions=["jinja2.ext.i18n"],
            trim_blocks=True,
            lstrip_blocks=True,
            bytecode_cache=_COMPILED,
        )
        self._environment.install_null_translations(newstyle=True)  # type: ignore[attr-defined]
        self._environment.globals.update(
            site=site,
            prefix=prefix,
            insecure=insecure,
            lang="en",
            asset=self._asset_url,
        )
        self._check(theme)

    def _check(self, theme: str) -> None:
        """Read all that is in the folders, so that nothing of it fails later."""
        problems = []
        for name in self._names(theme):
            try:
                self._environment.get_template(name)
            except TemplateSyntaxError as error:
                where = f"{error.filename or name} (line {error.lineno})"
                problems.append(f"{where}: {error.message}: correct it")
            except (OSError, ValueError) as error:
                problems.append(f"{Path(theme, name)}: {error}: correct it")
        try:
            self._assets = _read_assets(self._folders)
        except OSError as error:
            problems.append(f"{error.filename}: {error.strerror}: correct it")
        if problems:
            raise ConfigError([("gate.theme", reason) for reason in problems])
        _COMPILED.has_shipped |= not theme

    def _names(self, theme: str) -> list[str]:
        """Return the templates to read; those that are shipped once in a process."""
        if not theme and _COMPILED.has_shipped:
            return []
        return self._environment.list_templates(extensions=["html"])

    def render(
        self,
        template: str,
        *,
        status: int = 200,
        headers: Iterable[tuple[str, str]] = (),
        user: str | None = None,
        **context: Any,
    ) -> Answer:
        """Return the page *template* with *context*.

        Args:
            user: name to show of who is signed in.
        """
        context.setdefault("notice", None)
        context.setdefault("notice_kind", "error")
        page = self._environment.get_template(template)
        text = page.render(user=user, status=status, **context)
        return self.finish(Answer(text, status=status), headers)

    def finish(self, answer: Answer, headers: Iterable[tuple[str, str]] = ()) -> Answer:
        """Return *answer* with the headers of every page, then *headers*."""
        answer.headers.setdefault("Content-Security-Policy", self._policy)
        for name, value in SECURITY_HEADERS.items():
            answer.headers.setdefault(name, value)
        if not self._insecure:
            answer.headers["Strict-Transport-Security"] = STRICT_TRANSPORT
        for name, value in headers:
            answer.headers.add(name, value)
        return answer

    def asset(self, name: str) -> Asset | None:
        """Return the asset called *name*, as it was at the start, or None."""
        return self._assets.get(name)

    def _asset_url(self, name: str) -> str:
        found = self.asset(name)
        version = found.version if found else "missing"
        return f"{self._prefix}/assets/{name}?v={version}"


def _read_assets(folders: Sequence[Path]) -> dict[str, Asset]:
    """Return the assets of *folders* by name; those of the first go before others."""
    found: dict[str, Asset] = {}
    for folder in reversed(folders):
        for path in (folder / "assets").glob("[!.]*"):
            if path.is_file():
                octets = path.read_bytes()
                kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
                version = hashlib.sha256(octets).hexdigest()[:12]
                found[path.name] = Asset(octets, kind, version)
    return found


def _content_policy(hosts: Sequence[str]) -> str:
    """Return the policy of every page.

    A browser asks it about redirects after a form as well (CSP 3, ``form-action``), so
    where there are several hosts a sign-in could not lead from one to another.
    """
    if len(hosts) < 2:
        return CONTENT_POLICY
    others = " ".join(["form-action 'self'", *hosts])
    return CONTENT_POLICY.replace("form-action 'self'", others)
