"""Entry of `python -m cerebellum_trainer <command>`."""

import sys

from cerebellum_trainer.commands import main

sys.exit(main())
