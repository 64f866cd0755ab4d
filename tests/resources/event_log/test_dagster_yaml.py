"""The storage as `dagster.yaml` names it: one set of files, wherever a process was started."""

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.instance import InstanceRef
from dagster._core.storage.event_log import SqliteEventLogStorage

from resources.event_log import BatchedSqliteEventLogStorage

UNIFIED = """
storage:
  custom:
    module: resources.event_log
    class: BatchedSqliteStorage
    config:
      base_dir: .dagster
"""
SEPARATE = """
run_storage:
  module: dagster._core.storage.runs
  class: SqliteRunStorage
  config: {base_dir: .dagster/history}
event_log_storage:
  module: resources.event_log
  class: BatchedSqliteEventLogStorage
  config: {base_dir: .dagster/history/runs, busy_timeout_s: 60}
schedule_storage:
  module: dagster._core.storage.schedules
  class: SqliteScheduleStorage
  config: {base_dir: .dagster/schedules}
"""
STOCK = "storage: {sqlite: {base_dir: .dagster}}\n"


def open_in_working_directory(project: Path) -> dg.DagsterInstance:
    """As the `dagster` commands do where `DAGSTER_HOME` is not set."""
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(project / "unused"), config_dir=str(project)))


def test_all_ways_to_open_a_project_lead_to_the_same_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    project.mkdir()
    elsewhere.mkdir()
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.chdir(project)
    for config, storage_class in (
        (UNIFIED, BatchedSqliteEventLogStorage),
        (SEPARATE, BatchedSqliteEventLogStorage),
        (STOCK, SqliteEventLogStorage),
    ):
        (project / "dagster.yaml").write_text(config)
        with open_in_working_directory(project) as instance:
            assert type(instance.event_log_storage) is storage_class
            instance.add_dynamic_partitions("set", [storage_class.__name__])
            instance.add_run(dg.DagsterRun(job_name="job"))

    (project / "dagster.yaml").write_text(UNIFIED)
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("DAGSTER_HOME", str(project))
    with dg.DagsterInstance.get() as instance:
        partitions = instance.get_dynamic_partitions("set")
        assert partitions == ["BatchedSqliteEventLogStorage", "SqliteEventLogStorage"]
        assert len(instance.get_runs()) == 3
        with dg.DagsterInstance.from_ref(instance.get_ref()) as handed_to_a_subprocess:
            assert handed_to_a_subprocess.get_dynamic_partitions("set") == partitions
    assert {path.name for path in project.iterdir()} == {"dagster.yaml", ".dagster"}
    assert list(elsewhere.iterdir()) == []


def test_an_absolute_folder_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text(UNIFIED.replace(".dagster", str(tmp_path / "other")))
    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.event_log_storage, BatchedSqliteEventLogStorage)
        assert instance.event_log_storage.place == str(tmp_path / "other" / "history" / "runs")


def test_a_wrong_setting_is_refused(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text(UNIFIED.replace("base_dir", "base_folder"))
    with pytest.raises(dg.DagsterInvalidConfigError, match="base_folder"):
        dg.DagsterInstance.from_config(str(tmp_path))
