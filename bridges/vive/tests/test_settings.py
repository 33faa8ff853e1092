"""Settings, pairing addresses, pulses and fingerprints: what people and the wire can get wrong."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

from cerebellum_vive_bridge.cli import main
from cerebellum_vive_bridge.config import ConfigError, Settings, load_settings, require, save_settings
from cerebellum_vive_bridge.link import plain_fingerprint, pulse_of
from cerebellum_vive_bridge.pairing import split_address


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bridge.json"
    save_settings(Settings(url="file", topics="file", device="file", token="t"), path)
    env = {"CEREBELLUM_VIVE_URL": "env", "CEREBELLUM_VIVE_TOPICS": "env"}
    settings = load_settings({"url": "flag"}, env, path)
    assert (settings.url, settings.topics, settings.device) == ("flag", "env", "file")


def test_the_file_is_for_this_user_only(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "bridge.json"
    save_settings(Settings(token="secret"), path)
    assert json.loads(path.read_text()) == {"token": "secret"}
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("text", "expected"),
    [("{", "cannot be read"), ("[1]", "object of texts"), ('{"url": 5}', "object of texts"), ('{"uri": "x"}', "uri")],
)
def test_a_file_that_cannot_be_meant_is_named(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "bridge.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=expected):
        load_settings({}, {}, path)


GOOD = Settings(url="mqtt://robot:1884", topics="cerebellum/cell", device="vive", token="t")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(topics="a/b", device="vive", token="t"), "--url is not set"),
        (Settings(url="u", device="vive", token="t"), "--topics is not set"),
        (Settings(url="u", topics="a/b", token="t"), "--device is not set"),
        (Settings(url="u", topics="a/b", device="Vive 1", token="t"), "--device Vive 1"),
        (Settings(url="u", topics="a/b", device="vive"), "There is no token"),
        (Settings(url="u", topics="a/b", device="vive", token_file="/nowhere/x"), "cannot be read"),
    ],
)
def test_what_is_missing_is_named_with_the_way_to_get_it(settings: Settings, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        require(settings)
    assert require(GOOD).username == "vive"


def test_a_token_comes_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("abc\n")
    assert require(Settings(url="u", topics="a/b", device="vive", token_file=str(path))).token == "abc"


@pytest.mark.parametrize(
    ("address", "code", "expected"),
    [
        ("https://robot.local:8443/#pair=ABCD2345", None, ("https://robot.local:8443", "ABCD2345")),
        ("http://localhost:8443/xr/#pair=ABCD2345", None, ("http://localhost:8443", "ABCD2345")),
        ("https://10.0.0.5:8443", "ABCD2345", ("https://10.0.0.5:8443", "ABCD2345")),
    ],
)
def test_addresses_as_the_cell_prints_them(address: str, code: str | None, expected: tuple) -> None:
    assert split_address(address, code) == expected


@pytest.mark.parametrize("address", ["robot.local", "mqtt://robot:1884#pair=A", "https://robot.local:8443/"])
def test_addresses_that_cannot_be_meant(address: str) -> None:
    with pytest.raises(ConfigError):
        split_address(address, None)


def test_pulses_of_the_cell_and_nothing_else() -> None:
    good = {"v": 1, "hand": "left", "strength": 0.5, "durationMs": 100, "why": "limit"}
    pulse = pulse_of(json.dumps(good).encode(), 10.0)
    assert pulse is not None
    assert (pulse.hand, pulse.strength, pulse.until_s) == ("left", 0.5, 10.1)
    for change in ({"hand": "foot"}, {"durationMs": 0}, {"durationMs": 5000}, {"strength": "x"}, {"strength": None}):
        assert pulse_of(json.dumps({**good, **change}).encode(), 0.0) is None
    for payload in (b"", b"[]", b"nonsense", b"\xff\xfe", b'{"strength": NaN, "hand": "left", "durationMs": 5}'):
        assert pulse_of(payload, 0.0) is None


def test_fingerprints_as_people_copy_them() -> None:
    assert plain_fingerprint("AA:bb: CC\n") == "aabbcc"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--config", "/nowhere/none.json", "--simulate", "circle"], "--url is not set"),
        (["pair", "robot.local"], "an address such as"),
    ],
)
def test_the_command_says_what_is_wrong(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CEREBELLUM_VIVE_URL", raising=False)
    assert main(arguments) == 2
    assert expected in capsys.readouterr().err
