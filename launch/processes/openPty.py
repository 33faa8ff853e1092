"""Makes the pseudo-terminal whose master is file descriptor 3 usable, and prints the path of its other end.

Node opens a master, but it can neither unlock the other end nor make it raw. Both stay as they are when this ends.
"""

import ctypes
import os
import sys
import tty

MASTER = 3

libc = ctypes.CDLL(None, use_errno=True)
libc.ptsname.restype = ctypes.c_char_p
if libc.unlockpt(MASTER) != 0:
    raise OSError(ctypes.get_errno(), "the pseudo-terminal cannot be unlocked")
path = libc.ptsname(MASTER).decode()
other_end = os.open(path, os.O_RDWR | os.O_NOCTTY)
tty.setraw(other_end)
sys.stdout.write(path)
