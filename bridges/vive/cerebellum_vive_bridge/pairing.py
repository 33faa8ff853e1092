"""A pairing code becomes a token, and the token tells where the cell's MQTT is."""

from __future__ import annotations

import json
import re
import ssl
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from cerebellum_vive_bridge.config import ConfigError, Settings
from cerebellum_vive_bridge.link import certificate_of, plain_fingerprint, tls_context

TIMEOUT_S = 10


def split_address(address: str, code: str | None) -> tuple[str, str]:
    """Origin and code of the address that `./cerebellum pair` prints. Raises ConfigError."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{address}: an address such as https://robot.local:8443/#pair=ABCDEFGH is expected")
    found = re.search(r"pair=([A-Za-z0-9]+)", parts.fragment)
    code = code or (found.group(1) if found else None)
    if not code:
        raise ConfigError(f"{address} has no code: give the whole address in quotes, or the code after it")
    return f"{parts.scheme}://{parts.netloc}", code


def pair(origin: str, code: str, device: str, fingerprint: str | None) -> Settings:
    """Settings for this cell. Raises ConfigError with the cell's own words, or what else went wrong."""
    parts = urlsplit(origin)
    host = parts.hostname or ""
    context: ssl.SSLContext | None = None
    if parts.scheme == "https":
        port = parts.port or 443
        try:
            fingerprint = fingerprint or certificate_of(host, port)[1]
            context = tls_context(host, port, fingerprint)
        except OSError as error:
            raise ConfigError(f"{origin} does not answer ({error}): check address, network and firewall") from error
    answer = _ask(f"{origin}/api/pair", context, body={"code": code, "name": device})
    if not answer.get("ok"):
        raise ConfigError(f"{answer.get('happened', 'Pairing was refused')}. {answer.get('remedy', '')}")
    token, name = str(answer["token"]), str(answer["device"])
    where = _ask(f"{origin}/api/mqtt", context, token=token)
    if "root" not in where:
        raise ConfigError(
            f"{origin} has no MQTT: set gateway.mqtt in its cell file, start the cell again, then pair again"
        )
    return Settings(
        url=str(where.get("broker") or _socket_url(parts.scheme, parts.netloc, str(where["path"]))),
        topics=str(where["root"]).rstrip("/"),
        device=name,
        token=token,
        fingerprint=None if fingerprint is None else plain_fingerprint(fingerprint),
    )


def _socket_url(scheme: str, netloc: str, path: str) -> str:
    return f"{'wss' if scheme == 'https' else 'ws'}://{netloc}{path}"


def _ask(
    url: str, context: ssl.SSLContext | None, body: dict[str, str] | None = None, token: str | None = None
) -> dict[str, Any]:
    headers = {"content-type": "application/json"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=context) as reply:
            text = reply.read()
    except urllib.error.HTTPError as error:
        # Refusals come as JSON too.
        text = error.read()
    except OSError as error:
        raise ConfigError(f"{url} does not answer ({error}): check address, network and firewall") from error
    try:
        answer = json.loads(text)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
