"""Where the bridge's settings come from: flags first, then CEREBELLUM_VIVE_..., then the file that `pair` writes."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

DEVICE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
ENV_PREFIX = "CEREBELLUM_VIVE_"


class ConfigError(Exception):
    """A setting is missing or cannot be meant; the text says which and what to do."""


@dataclass(frozen=True)
class Settings:
    """Everything that a run needs. `None` = not set."""

    url: str | None = None
    #: PREFIX/CELL of the topics.
    topics: str | None = None
    device: str | None = None
    #: User name on the broker; the device's name when left out.
    username: str | None = None
    token: str | None = None
    token_file: str | None = None
    fingerprint: str | None = None
    #: Serials in place of what SteamVR assigns: of the pose, and of the buttons.
    right: str | None = None
    right_buttons: str | None = None
    left: str | None = None
    left_buttons: str | None = None


def config_path() -> Path:
    """Of this user, wherever this system keeps such files."""
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA", str(Path.home())))
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME", str(Path.home() / ".config")))
    return base / "cerebellum" / "vive-bridge.json"


def load_settings(flags: Mapping[str, str | None], env: Mapping[str, str], path: Path) -> Settings:
    """Raises ConfigError for a file that cannot be understood or a setting that nobody knows."""
    known = [one.name for one in fields(Settings)]
    from_file = _read(path, known)
    values = {}
    for name in known:
        values[name] = flags.get(name) or env.get(ENV_PREFIX + name.upper()) or from_file.get(name)
    return Settings(**values)


def save_settings(settings: Settings, path: Path) -> None:
    """For this user's eyes only: the token is in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({key: value for key, value in asdict(settings).items() if value is not None}, indent=2)
    temporary = path.with_suffix(".new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        stream.write(text + "\n")
    os.replace(temporary, path)


def require(settings: Settings) -> Settings:
    """The same settings with the token read. Raises ConfigError with what is missing and how to get it."""
    pair = "run `cerebellum-vive-bridge pair URL` with the address that `./cerebellum pair` prints"
    for name in ("url", "topics", "device"):
        if not getattr(settings, name):
            raise ConfigError(f"--{name} is not set: {pair}, or give it")
    device = settings.device or ""
    if not DEVICE.fullmatch(device):
        raise ConfigError(f"--device {device}: lower case letters, digits, . _ or - are expected")
    token = settings.token
    if token is None and settings.token_file:
        try:
            token = Path(settings.token_file).read_text().strip()
        except OSError as error:
            raise ConfigError(f"--token-file {settings.token_file} cannot be read ({error.strerror})") from error
    if not token:
        raise ConfigError(f"There is no token: {pair}, or give --token-file")
    return Settings(**{**asdict(settings), "token": token, "username": settings.username or device})


def _read(path: Path, known: list[str]) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read ({error}): correct it, or remove it and pair again") from error
    if not isinstance(raw, dict) or not all(isinstance(value, str) for value in raw.values()):
        raise ConfigError(f"{path}: an object of texts is expected; remove it and pair again")
    strange = sorted(set(raw) - set(known))
    if strange:
        raise ConfigError(f"{path}: {', '.join(strange)} is not known; known are {', '.join(known)}")
    return raw
