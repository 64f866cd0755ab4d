"""What this project needs of Dagster's private modules, beside `resources.event_log`; nothing else imports them.

It holds for Dagster 1.13, which `pyproject.toml` pins: look here first when that changes.
"""

from dagster._core.definitions.data_version import (
    DEFAULT_DATA_VERSION,
    NULL_EVENT_POINTER,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value
from dagster._utils.interrupts import capture_interrupts

__all__ = [
    "DEFAULT_DATA_VERSION",
    "NULL_EVENT_POINTER",
    "SqliteEventLogStorage",
    "UnresolvedAssetJobDefinition",
    "capture_interrupts",
    "get_and_update_asset_status_cache_value",
    "get_input_data_version_tag",
    "get_input_event_pointer_tag",
]
