"""The files in `deploy/` are taken by Dagster's own code."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._config import process_config, resolve_to_config_type
from dagster._core.instance import InstanceRef
from dagster._core.run_coordinator import QueuedRunCoordinator

from tests.corpus import PROJECT

DEPLOY = PROJECT / "deploy"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("place", ["kubernetes", "one_host", "postgres"])
def test_dagster_takes_the_instance(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", "postgresql://dagster:dagster@db.internal:5432/dagster")
    ref = InstanceRef.from_dir(str(tmp_path), config_dir=str(DEPLOY / place))
    assert ref.storage_data is not None and ref.storage_data.class_name == "BatchedPostgresStorage"
    coordinator = ref.run_coordinator
    assert isinstance(coordinator, QueuedRunCoordinator)
    if place != "postgres":
        (limit,) = coordinator.get_run_queue_config().tag_concurrency_limits  # type: ignore[union-attr]
        assert limit["key"] == "dagster/partition" and limit["limit"] == 1


def test_the_launcher_takes_its_settings() -> None:
    # takes a second and a half to import
    from dagster_k8s import K8sRunLauncher

    launcher = read(DEPLOY / "kubernetes" / "dagster.yaml")["run_launcher"]
    result = process_config(resolve_to_config_type(K8sRunLauncher.config_type()), launcher["config"])
    assert result.success, result.errors
    misspelt = {**launcher["config"], "job_imag": "x"}
    assert not process_config(resolve_to_config_type(K8sRunLauncher.config_type()), misspelt).success


def test_the_chart_is_told_the_same_as_the_instance() -> None:
    instance, values = (
        read(DEPLOY / "kubernetes" / "dagster.yaml"),
        read(DEPLOY / "kubernetes" / "values.yaml"),
    )
    queue = values["dagsterDaemon"]["runCoordinator"]["config"]["queuedRunCoordinator"]
    assert queue["tagConcurrencyLimits"] == instance["run_coordinator"]["config"]["tag_concurrency_limits"]
    assert queue["maxConcurrentRuns"] == instance["run_coordinator"]["config"]["max_concurrent_runs"]
    assert values["dagsterDaemon"]["runRetries"]["maxRetries"] == instance["run_retries"]["max_retries"]


def test_every_service_of_the_compose_file_knows_what_it_needs() -> None:
    services = read(DEPLOY / "one_host" / "compose.yaml")["services"]
    for name in ("web", "daemon"):
        assert services[name]["environment"]["GROUNDING_SPEC"]
    mounted = [volume.split(":")[0] for volume in services["daemon"]["volumes"]]
    shipped = [DEPLOY / "one_host" / source for source in mounted if source.endswith(".yaml")]
    assert shipped and all(file.is_file() for file in shipped)
