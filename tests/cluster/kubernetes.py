"""The part of Kubernetes' API that Dagster's K8sRunLauncher uses, on loopback; a Job is one process of this machine.

What is simulated, after https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/ and pod-v1:
creating a Job (409 if its name is taken), its status, deleting it, listing and deleting its pods. A pod begins at once and has
the environment that its manifest gives it, secrets included, over the image's few variables; deleting it sends SIGTERM, and
SIGKILL after its grace period. `die` is a node that is lost. What is not: scheduling, images, volumes, restarts (Dagster's
Jobs have none), events, logs, authorization; a pod sees this machine's files.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

_JOBS, _PODS = "/apis/batch/v1/namespaces/{namespace}/jobs", "/api/v1/namespaces/{namespace}/pods"
_IMAGE = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "GROUNDING_CORPUS")
"""What an image sets: the only variables that a pod has of this process's."""


@dataclass
class _Job:
    manifest: dict[str, Any]
    process: asyncio.subprocess.Process

    @property
    def name(self) -> str:
        return self.manifest["metadata"]["name"]

    @property
    def spec(self) -> dict[str, Any]:
        return self.manifest["spec"]["template"]["spec"]

    def described(self) -> dict[str, Any]:
        """With its status as it is now."""
        code = self.process.returncode
        status = {"active": 1} if code is None else {"succeeded": 1} if code == 0 else {"failed": 1}
        return {**self.manifest, "status": status}

    def pod(self) -> dict[str, Any]:
        code = self.process.returncode
        phase = "Running" if code is None else "Succeeded" if code == 0 else "Failed"
        metadata = {"name": f"{self.name}-pod", "namespace": self.manifest["metadata"].get("namespace")}
        return {"metadata": metadata, "spec": self.spec, "status": {"phase": phase}}


@dataclass
class SimulatedKubernetes:
    """A cluster of one node."""

    folder: Path
    """Where pods start, and leave their logs."""
    secrets: Mapping[str, Mapping[str, str]]
    url: str = ""
    manifests: list[dict[str, Any]] = field(default_factory=list)
    """Of every Job that was created, in order."""
    killed: list[str] = field(default_factory=list)
    _jobs: dict[str, _Job] = field(default_factory=dict)
    _ending: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)

    def kubeconfig(self) -> Path:
        """Writes the file that a client finds the cluster by."""
        file = self.folder / "kubeconfig.yaml"
        context = {"name": "simulated", "context": {"cluster": "simulated", "user": "tester"}}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "simulated",
            "contexts": [context],
            "clusters": [{"name": "simulated", "cluster": {"server": self.url}}],
            "users": [{"name": "tester", "user": {"token": "none"}}],
        }
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        return file

    def running(self, environment: str = "") -> list[str]:
        """Names of Jobs whose process lives; with `environment`, those that have this text in their arguments."""
        return [
            name
            for name, job in list(self._jobs.items())
            if job.process.returncode is None and environment in str(job.manifest)
        ]

    def die(self, name: str) -> None:
        """What becomes of a pod whose node is lost."""
        os.killpg(self._jobs[name].process.pid, signal.SIGKILL)
        self.killed.append(name)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post(_JOBS, self._create),
            web.get(f"{_JOBS}/{{name}}", self._read),
            web.get(f"{_JOBS}/{{name}}/status", self._read),
            web.delete(f"{_JOBS}/{{name}}", self._delete),
            web.get(_PODS, self._pods),
            web.delete(f"{_PODS}/{{name}}", self._delete_pod),
        ]

    async def stop(self) -> None:
        await asyncio.gather(*self._ending.values())
        for job in self._jobs.values():
            if job.process.returncode is None:
                os.killpg(job.process.pid, signal.SIGKILL)
                await job.process.wait()

    async def _create(self, request: web.Request) -> web.Response:
        manifest = await request.json()
        name = manifest["metadata"]["name"]
        if name in self._jobs:
            return _status(409, "AlreadyExists")
        container = manifest["spec"]["template"]["spec"]["containers"][0]
        with (self.folder / f"{name}.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(container.get("command") or []),
                *container["args"],
                cwd=self.folder,
                env=self._environment(container),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.manifests.append(manifest)
        self._jobs[name] = _Job(manifest, process)
        return web.json_response(self._jobs[name].described(), status=201)

    def _environment(self, container: Mapping[str, Any]) -> dict[str, str]:
        made = {name: os.environ[name] for name in _IMAGE if name in os.environ}
        made["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{made.get('PATH', '')}"
        for source in container.get("envFrom") or []:
            made |= self.secrets.get(source.get("secretRef", {}).get("name", ""), {})
        return made | {
            v["name"]: v["value"] for v in container.get("env") or [] if v.get("value") is not None
        }

    async def _read(self, request: web.Request) -> web.Response:
        job = self._jobs.get(request.match_info["name"])
        return web.json_response(job.described()) if job else _status(404, "NotFound")

    async def _delete(self, request: web.Request) -> web.Response:
        """In the background, as by default: the Job is gone at once, and its pod is being ended."""
        job = self._jobs.pop(request.match_info["name"], None)
        if job is None:
            return _status(404, "NotFound")
        self._ending[job.name] = asyncio.create_task(self._end(job))
        return _status(200, "Success")

    async def _end(self, job: _Job) -> None:
        if job.process.returncode is not None:
            return
        job.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(job.process.wait(), job.spec.get("terminationGracePeriodSeconds") or 30)
        except TimeoutError:
            os.killpg(job.process.pid, signal.SIGKILL)

    async def _pods(self, request: web.Request) -> web.Response:
        """By the one selector that the launcher uses: `job-name=NAME`."""
        wanted = request.query.get("labelSelector", "").removeprefix("job-name=")
        items = [job.pod() for job in self._jobs.values() if wanted in ("", job.name)]
        return web.json_response({"kind": "PodList", "apiVersion": "v1", "items": items})

    async def _delete_pod(self, request: web.Request) -> web.Response:
        return _status(200, "Success")


def _status(code: int, reason: str) -> web.Response:
    return web.json_response(
        {"kind": "Status", "apiVersion": "v1", "code": code, "reason": reason}, status=code
    )


@contextmanager
def simulated_kubernetes(
    folder: Path, secrets: Mapping[str, Mapping[str, str]]
) -> Iterator[SimulatedKubernetes]:
    """Serves it on a thread until the block is left; pods that still live are killed then."""
    cluster = SimulatedKubernetes(folder, secrets)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="kubernetes", daemon=True)
    thread.start()

    async def serve() -> web.AppRunner:
        app = web.Application(client_max_size=1 << 26)
        app.add_routes(cluster.routes())
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        cluster.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    runner = asyncio.run_coroutine_threadsafe(serve(), loop).result(30)
    try:
        yield cluster
    finally:
        for step in (cluster.stop(), runner.cleanup()):
            asyncio.run_coroutine_threadsafe(step, loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()
