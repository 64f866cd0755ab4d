"""`auto_label demo`: puts the demonstration into the working directory, to be run and looked at."""

from pathlib import Path

from grounding_assets.core.errors import EXIT_OK
from grounding_assets.shipped import INSTANCE_FILE, WORKSPACE_FILE, copy_shipped


def copy_demo() -> int:
    """Copies what is not there yet, and says what is next."""
    for path in copy_shipped(("demo", INSTANCE_FILE, WORKSPACE_FILE), Path.cwd()):
        print(f"Wrote {path.name}")
    print("Next: auto_label generate -e demo/spec.yaml")
    print("Then: dagster dev    # the same results on Dagster's page, http://127.0.0.1:3000")
    return EXIT_OK
