"""The vendor's own client software as a second program on the same arm: connects, makes the calls it is told, ends.

Arguments: the controller's ports, and a list of {"calls": method, "with": arguments}; both JSON. Prints one JSON object
with what each call answered.
"""

from __future__ import annotations

import json
import sys

# The SDK prints from its threads; standard output is for the caller alone.
OUTPUT, sys.stdout = sys.stdout, sys.stderr

from xarm7Ports import use_ports  # noqa: E402

use_ports(json.loads(sys.argv[1]))

from xarm.wrapper import XArmAPI  # noqa: E402  the redirection must come first

arm = XArmAPI("127.0.0.1", forbid_uds=True)
answers = [getattr(arm, call["calls"])(*call["with"]) for call in json.loads(sys.argv[2])]
arm.disconnect()
print(json.dumps({"answers": answers}), file=OUTPUT, flush=True)
