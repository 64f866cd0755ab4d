"""A PostgreSQL server of Debian's binaries, as a plain process in a folder of its own, for tests and benchmarks."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as db
from sqlalchemy.pool import NullPool

USER, PASSWORD = "dagster", f"pw{secrets.token_hex(8)}"
_TEMPLATE = "empty_instance"
_PATIENCE_S = 60.0


def binaries() -> Path | None:
    """The folder of `initdb` and `postgres`; Debian keeps them out of the PATH."""
    found = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda f: int(f.parts[-3]))
    return Path(found).resolve().parent if found else debian[-1].parent if debian else None


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@dataclass
class PostgresServer:
    """A server on loopback, which a test may stop and start again."""

    bin: Path
    folder: Path
    port: int
    fsync: bool = False
    _process: "subprocess.Popen[Any] | None" = field(default=None, repr=False)
    _made: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def url(self, database: str, *, password: str = PASSWORD) -> str:
        return f"postgresql+psycopg2://{USER}:{password}@127.0.0.1:{self.port}/{database}"

    def initialize(self) -> None:
        """Makes the cluster, and an instance's empty tables in a database that others are copied from."""
        self.folder.chmod(0o700)
        secret = self.folder / "password"
        secret.write_text(PASSWORD, encoding="ascii")
        if os.geteuid() == 0:
            for path in (self.folder, secret):
                shutil.chown(path, "postgres", "postgres")
        options = ["--auth=scram-sha-256", f"--username={USER}", f"--pwfile={secret}", "--no-sync"]
        subprocess.run(
            [self.bin / "initdb", *options, "-D", self.folder / "data"],
            check=True,
            capture_output=True,
            **_nobody(),
        )
        self.start()
        self.execute(f"CREATE DATABASE {_TEMPLATE}")
        # every test imports this module, and few need that one
        from dagster_postgres import DagsterPostgresStorage

        DagsterPostgresStorage(self.url(_TEMPLATE))

    def start(self) -> None:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "on" if self.fsync else "off",
            "max_connections": 200,
        }
        process: subprocess.Popen[Any] = subprocess.Popen(
            [self.bin / "postgres", "-D", self.folder / "data", *(f"--{k}={v}" for k, v in settings.items())],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **_nobody(),
        )
        self._process = process
        ready = [self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "1"]
        for _ in range(int(_PATIENCE_S * 10)):
            if subprocess.run(ready, check=False).returncode == 0:
                return
            assert process.poll() is None, "the server ended"
            threading.Event().wait(0.1)
        raise AssertionError(f"no server within {_PATIENCE_S:g} s")

    def stop(self) -> None:
        """At once, as when its machine loses power; what was committed is there at the next start."""
        if self._process is not None:
            self._process.send_signal(3)  # SIGQUIT: immediate shutdown
            self._process.wait(timeout=_PATIENCE_S)
            self._process = None

    def execute(self, statement: str, database: str = "postgres") -> None:
        engine = db.create_engine(self.url(database), isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)

    def new_database(self) -> str:
        """Makes the empty databases of an instance; its name."""
        with self._lock:
            self._made += 1
            name = f"instance_{self._made}"
            self.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        return name


def _nobody() -> dict[str, Any]:
    """The server does not run as root."""
    return (
        {"user": "postgres", "group": "postgres", "extra_groups": [], "cwd": "/"} if os.geteuid() == 0 else {}
    )


@contextmanager
def postgres_server(bin: Path, *, fsync: bool = False) -> Iterator[PostgresServer]:
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    server = PostgresServer(bin, folder, free_port(), fsync)
    try:
        server.initialize()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
