"""Leads the vendor's client software to the emulated controller's ports.

The SDK knows only the vendor's port numbers, and binding 502 needs privilege; its Unix socket names are one per
machine, so two runs would meet. Therefore only the TCP connect is redirected: ports are exchanged below the SDK, whose
code and constants stay as they are. Import this before the SDK.
"""

from __future__ import annotations

import socket

PORTS: dict[int, int] = {}


class RedirectedSocket(socket.socket):
    """A socket whose connections to the vendor's ports end at the emulator's."""

    def connect(self, address: tuple[str, int]) -> None:
        host, port = address
        super().connect((host, PORTS.get(port, port)))


socket.socket = RedirectedSocket  # type: ignore[misc]


def use_ports(ports: dict[str, int]) -> None:
    PORTS.update(
        {502: ports["command"], 30000: ports["highRate"], 30001: ports["normal"]}
        | {30002: ports["rich"], 30003: ports["realTime"]}
    )
