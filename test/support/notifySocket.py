"""Stands in for systemd: prints every datagram of the notification socket named by its argument, one a line."""

import socket
import sys

with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
    address = sys.argv[1]
    receiver.bind("\0" + address[1:] if address.startswith("@") else address)
    print("bound", flush=True)
    while True:
        print(receiver.recv(4096).decode(), flush=True)
