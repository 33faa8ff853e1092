"""Pseudo-terminals whose far ends a test holds; started by ptyPair.ts.

ptyPair.py LINK         what a program writes to the terminal at LINK comes out of standard output, and back from input
ptyPair.py LINK LINK    the two terminals are joined, as two ports with a cable between them

Each LINK is a symbolic link to the terminal of the moment. Commands come on file descriptor 3, one a line, and each is
answered on descriptor 4: `unplug N`, `replug N`, `pause N` (takes nothing more from that terminal), `resume N`. The end
of descriptor 3 is the end of everything.
"""

import os
import pty
import select
import sys
import tty

CHUNK_BYTES = 4096
# What waits for a terminal that nobody reads; beyond it the sender waits.
PENDING_BYTES_MAX = 65536


class Terminal:
    def __init__(self, link: str) -> None:
        self.link = link
        self.master = -1
        self.slave = -1
        self.paused = False
        self.pending = bytearray()
        self.replug()

    @property
    def plugged(self) -> bool:
        return self.master >= 0

    def replug(self) -> None:
        if self.plugged:
            return
        # The slave stays open here too: without any holder, reading the master would fail.
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        os.symlink(os.ttyname(self.slave), self.link + ".new")
        os.replace(self.link + ".new", self.link)

    def unplug(self) -> None:
        if not self.plugged:
            return
        os.unlink(self.link)
        os.close(self.master)
        os.close(self.slave)
        self.master = self.slave = -1
        self.pending.clear()

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def send(self, data: bytes) -> None:
        """Bytes for a terminal that is not plugged in go nowhere, as on a cable that ends in the air."""
        if self.plugged:
            self.pending += data
            self.flush()

    def flush(self) -> None:
        try:
            del self.pending[: os.write(self.master, self.pending)]
        except BlockingIOError:
            pass


def obey(terminals: list[Terminal], line: str) -> None:
    word, index = line.split()
    {"unplug": Terminal.unplug, "replug": Terminal.replug, "pause": Terminal.pause, "resume": Terminal.resume}[word](
        terminals[int(index)]
    )
    os.write(4, (line + "\n").encode())


def write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def main(links: list[str]) -> None:
    terminals = [Terminal(link) for link in links]
    commands = ""
    is_fed = len(terminals) == 1
    os.write(4, b"plugged\n")
    while True:
        readers = [3]
        for index, terminal in enumerate(terminals):
            is_taken = len(terminals) == 1 or len(terminals[1 - index].pending) < PENDING_BYTES_MAX
            if terminal.plugged and not terminal.paused and is_taken:
                readers.append(terminal.master)
        if is_fed and len(terminals[0].pending) < PENDING_BYTES_MAX:
            readers.append(0)
        writers = [t.master for t in terminals if t.plugged and t.pending]
        readable, writable, _ = select.select(readers, writers, [])
        for terminal in terminals:
            if terminal.master in writable:
                terminal.flush()
        for index, terminal in enumerate(terminals):
            if terminal.master not in readable:
                continue
            try:
                data = os.read(terminal.master, CHUNK_BYTES)
            except BlockingIOError:
                continue
            if len(terminals) == 1:
                write_all(1, data)
            else:
                terminals[1 - index].send(data)
        if 0 in readable:
            data = os.read(0, CHUNK_BYTES)
            is_fed = data != b""
            terminals[0].send(data)
        if 3 in readable:
            data = os.read(3, CHUNK_BYTES)
            if data == b"":
                break
            *lines, commands = (commands + data.decode()).split("\n")
            for line in lines:
                obey(terminals, line)
    for terminal in terminals:
        terminal.unplug()


main(sys.argv[1:])
