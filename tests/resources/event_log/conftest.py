"""What the batching storages are compared with."""

from typing import Any

import pytest

from tests.resources.event_log.support import GROUNDINGS, knowledge, report_as_dagster_does, stock_instance
from tests.resources.event_log.three_runs import run_three_times


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Dagster's own way leaves behind, and what is left of that after one asset is wiped."""
    with stock_instance(tmp_path_factory.mktemp("stock")) as instance:
        run_three_times(instance, report_as_dagster_does)
        written = knowledge(instance)
        instance.wipe_assets([GROUNDINGS])
        return {"written": written, "wiped": knowledge(instance)}
