"""The bridge's MQTT connection: poses out, pulses in, presence said. Nothing is ever kept for later."""

from __future__ import annotations

import contextlib
import json
import math
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import Any, Callable
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

#: The broker says that a silent bridge is offline after one and a half of it.
KEEPALIVE_S = 5
#: The system's own queue: about a tenth of a second of poses, after which new ones are dropped.
SEND_BUFFER_BYTES = 8192
RECONNECT_S = (1, 4)
LEAVE_S = 1.0
#: With the device's name: the next start of the same bridge takes the place of the last, and of no other bridge's.
CLIENT_ID = "vive-bridge"

Say = Callable[[str], None]


@dataclass(frozen=True)
class LinkConfig:
    """Where the broker is and who we are."""

    url: str
    #: PREFIX/CELL/, with the final slash.
    root: str
    device: str
    username: str
    password: str | None
    #: SHA-256 of the broker's certificate in hex, for a certificate that nobody vouches for.
    fingerprint: str | None = None


@dataclass(frozen=True)
class Pulse:
    """Something to feel, until a moment of time.monotonic [s]."""

    hand: str
    strength: float
    until_s: float


class Link:
    """Connects and comes back by itself from `start` to `close`."""

    def __init__(self, config: LinkConfig, say: Say) -> None:
        self._config = config
        self._say = say
        self._said = ""
        self._lock = threading.Lock()
        self._pulses: dict[str, Pulse] = {}
        self._online = threading.Event()
        #: Poses that were not sent: no connection, or it was behind.
        self.dropped = 0
        self.sent = 0
        self._client = self._make_client()

    @property
    def is_online(self) -> bool:
        return self._online.is_set()

    def start(self) -> None:
        """Raises ValueError for an address that cannot be meant, and LinkRefusedError for a wrong certificate."""
        parts = urlsplit(self._config.url)
        default = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
        if parts.scheme not in default or not parts.hostname:
            raise ValueError(
                f"{self._config.url}: an address such as wss://robot.local:8443/mqtt or mqtt://robot.local:1884 "
                "is expected"
            )
        port = parts.port or default[parts.scheme]
        if parts.scheme in ("mqtts", "wss"):
            self._client.tls_set_context(tls_context(parts.hostname, port, self._config.fingerprint))
        if parts.scheme in ("ws", "wss"):
            self._client.ws_set_options(path=parts.path or "/mqtt")
        self._client.connect_async(parts.hostname, port, keepalive=KEEPALIVE_S)
        self._client.loop_start()

    def send_pose(self, text: str) -> bool:
        """Sends now or drops; True when it went out."""
        if not self._online.is_set() or self._client.want_write():
            self.dropped += 1
            return False
        info = self._client.publish(f"{self._config.root}pose/{self._config.device}", text, qos=0)
        if info.rc != mqtt.MQTT_ERR_SUCCESS:
            self.dropped += 1
            return False
        self.sent += 1
        return True

    def pulses(self) -> list[Pulse]:
        """What is to be felt now."""
        now_s = time.monotonic()
        with self._lock:
            self._pulses = {hand: one for hand, one in self._pulses.items() if one.until_s > now_s}
            return list(self._pulses.values())

    def close(self) -> None:
        """Says that the bridge goes: the broker's own last will is not said after an orderly end."""
        if self._online.is_set():
            info = self._client.publish(self._presence, "offline", qos=1, retain=True)
            # The broker may have gone in between.
            with contextlib.suppress(RuntimeError, ValueError):
                info.wait_for_publish(LEAVE_S)
        # What ends now is not tried again, and nobody is told so.
        self._online.clear()
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def _presence(self) -> str:
        return f"{self._config.root}presence/{self._config.device}"

    def _make_client(self) -> mqtt.Client:
        is_web = urlsplit(self._config.url).scheme in ("ws", "wss")
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{CLIENT_ID}-{self._config.device}",
            clean_session=True,
            protocol=mqtt.MQTTv311,
            transport="websockets" if is_web else "tcp",
        )
        client.username_pw_set(self._config.username, self._config.password)
        client.will_set(self._presence, "offline", qos=1, retain=True)
        client.reconnect_delay_set(*RECONNECT_S)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_socket_open = _tune
        return client

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._tell(
                f"The broker refuses this bridge ({reason}). Pair it again: `./cerebellum pair` on the robot's "
                "computer, then `cerebellum-vive-bridge pair URL`"
            )
            return
        client.subscribe(f"{self._config.root}haptic/{self._config.device}", qos=0)
        client.publish(self._presence, "online", qos=1, retain=True)
        self._online.set()
        self._tell(f"Connected to {self._config.url} as {self._config.device}")

    def _on_connect_fail(self, _client: mqtt.Client, _data: Any) -> None:
        self._tell(
            f"{self._config.url} cannot be reached. Check that the cell runs with gateway.mqtt on, and the network; "
            "this is tried again"
        )

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        was_online = self._online.is_set()
        self._online.clear()
        with self._lock:
            self._pulses.clear()
        if was_online:
            self._tell(f"Disconnected from {self._config.url} ({reason}); this is tried again")

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        pulse = pulse_of(message.payload, time.monotonic())
        if pulse is not None:
            with self._lock:
                self._pulses[pulse.hand] = pulse

    def _tell(self, text: str) -> None:
        """The same news is told once."""
        if text != self._said:
            self._said = text
            self._say(text)


class LinkRefusedError(Exception):
    """The broker is not the one that was paired with; the text says what to do."""


def pulse_of(payload: bytes, now_s: float) -> Pulse | None:
    """A pulse as the cell sends it; None for anything else."""
    try:
        raw = json.loads(payload)
        hand, strength, duration_ms = raw["hand"], float(raw["strength"]), float(raw["durationMs"])
    except (ValueError, KeyError, TypeError):
        return None
    if hand not in ("left", "right") or not (math.isfinite(strength) and 0 < duration_ms <= 1000):
        return None
    return Pulse(hand, min(1.0, max(0.0, strength)), now_s + duration_ms / 1000)


def tls_context(host: str, port: int, fingerprint: str | None) -> ssl.SSLContext:
    """Trusts what the system trusts, or exactly the one certificate with this fingerprint.

    Raises: LinkRefusedError when the certificate found is another one, OSError when nobody answers.
    """
    if fingerprint is None:
        return ssl.create_default_context()
    pem, found = certificate_of(host, port)
    if found != plain_fingerprint(fingerprint):
        raise LinkRefusedError(
            f"{host}:{port} shows a certificate with SHA-256 {found}; paired was {plain_fingerprint(fingerprint)}. "
            "If the cell has made a new one, pair again; if not, this is another computer"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    # The very certificate is its own authority, whatever it says about issuers (Python 3.10 and newer).
    context.verify_flags |= getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0)
    context.load_verify_locations(cadata=pem)
    return context


def certificate_of(host: str, port: int, timeout_s: float = 5.0) -> tuple[str, str]:
    """The certificate that somebody shows, unchecked: PEM text, and SHA-256 in hex."""
    import hashlib

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((host, port), timeout=timeout_s) as raw,
        context.wrap_socket(raw, server_hostname=host) as wrapped,
    ):
        der = wrapped.getpeercert(binary_form=True) or b""
    return ssl.DER_cert_to_PEM_cert(der), hashlib.sha256(der).hexdigest()


def plain_fingerprint(text: str) -> str:
    """Hex digits only, in lower case: people copy AA:BB:CC."""
    return text.replace(":", "").replace(" ", "").strip().lower()


def _tune(_client: mqtt.Client, _data: Any, sock: Any) -> None:
    """No delay for small packets, and no long queue in the system: a late pose is worth nothing."""
    raw = getattr(sock, "_socket", sock)
    try:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    except (AttributeError, OSError):
        pass
