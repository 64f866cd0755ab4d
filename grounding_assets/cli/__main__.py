"""`python -m grounding_assets.cli`, the same as `auto_label`."""

import sys

from grounding_assets.cli import main

sys.exit(main())
