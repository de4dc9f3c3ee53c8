"""A folder with keys, in which settings files can be written and read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from totp_gate.config import Config, load_config
from totp_gate.errors import ConfigError

GOOD_HASH = "$2b$12$" + "abcdefghijklmnopqrstuu" + "A" * 31
GOOD_SECRET = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U"


class Files:
    """Settings files in *folder*, which has keys already."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("gate.keys", "keys are not read here")

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def load(self, text: str, environ: Mapping[str, str] | None = None) -> Config:
        return load_config(self.write("gate.toml", text), environ=environ or {})

    def problems(
        self, text: str, environ: Mapping[str, str] | None = None
    ) -> list[tuple[str, str]]:
        with pytest.raises(ConfigError) as caught:
            self.load(text, environ)
        return list(caught.value.problems)


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)
