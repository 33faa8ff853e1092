"""`python -m cerebellum_vive_bridge` is the command `cerebellum-vive-bridge`."""

import sys

from cerebellum_vive_bridge.cli import main

sys.exit(main())
