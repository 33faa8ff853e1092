"""Passes lines of standard input on to systemd's notification socket, one datagram a line.

Node has no Unix datagram sockets. One small process for the whole run costs less than a systemd-notify a second.
"""

import os
import signal
import socket
import sys


def main() -> None:
    """Send each line as it comes; end with the input, that is with the daemon."""
    # Signals to the whole service or terminal are the daemon's business: it still has to say that it stops.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    address = os.environ["NOTIFY_SOCKET"]
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
        notify.connect(address)
        for line in sys.stdin:
            notify.send(line.strip().encode())


main()
