# SPDX-License-Identifier: Apache-2.0
"""Real gRPC clients and servers on the two sides of the lab."""

import base64
import itertools
import json
import queue
import re
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

from api.conf import PORT
from cloudcity import messages
from framework.lab import Family, Lab
from framework.process import Failed, wait_for

DTS = Path(__file__).resolve().parent.parent
PYTHON = "/usr/bin/python3"


@dataclass
class Result:
    """How a call ended, as the client sees it."""

    code: str
    details: str = ""
    reply: bytes | None = None
    ms: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    trailers: dict[str, str] = field(default_factory=dict)
    more: dict = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.code == "OK"


class Pending:
    """An operation that runs in the client while the test does something else."""

    def __init__(self, client: "Client", number: int, what: str) -> None:
        self._client, self._number, self._what = client, number, what

    def done(self) -> bool:
        return self._client.has_answer(self._number)

    def wait(self, seconds: float = 120.0) -> dict:
        answer = self._client.answer(self._number, self._what, seconds)
        if "error" in answer:
            raise Failed(f"the client cannot do {self._what}: {answer['error']}")
        return answer

    def result(self, seconds: float = 120.0) -> Result:
        answer = self.wait(seconds)
        reply = answer.pop("reply", None)
        return Result(
            code=answer.pop("code"), details=answer.pop("details", ""),
            reply=None if reply is None else base64.b64decode(reply), ms=answer.pop("ms", 0.0),
            headers=dict(answer.pop("headers", ())), trailers=dict(answer.pop("trailers", ())),
            more=answer)


class Client:
    """A python3-grpcio process in the client's namespace, driven line by line."""

    def __init__(self, lab: Lab) -> None:
        self.process = lab.start(
            "client", [PYTHON, str(DTS / "framework/agent.py")], lab.client_ns,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._numbers = itertools.count(1)
        self._answers: dict[int, queue.SimpleQueue] = {}
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.popen.stdout:
            answer = json.loads(line)
            waiting = self._answers.get(answer["id"])
            if waiting:  # nobody waits any longer after a deadline
                waiting.put(answer)

    def answer(self, number: int, what: str, seconds: float) -> dict:
        try:
            return self._answers[number].get(timeout=seconds)
        except queue.Empty:
            raise Failed(f"no answer to {what} within {seconds:g} s") from None
        finally:
            del self._answers[number]

    def has_answer(self, number: int) -> bool:
        return not self._answers[number].empty()

    def submit(self, op: str, **arguments) -> Pending:
        number = next(self._numbers)
        self._answers[number] = queue.SimpleQueue()
        line = json.dumps({"id": number, "op": op, **arguments}) + "\n"
        self.process.popen.stdin.write(line.encode())
        self.process.popen.stdin.flush()
        return Pending(self, number, op)

    def open(self, name: str, target: str, **options) -> "Channel":
        self.submit("open", name=name, target=target, **options).wait(20)
        return Channel(self, name)


class Channel:
    """One channel, that is one connection, of a client."""

    def __init__(self, client: Client, name: str) -> None:
        self.client, self.name = client, name

    def door(self, method: str, door: int = 1, argument: str | None = None,
             **options) -> Result:
        """One of the door manager's methods."""
        return self.call(messages.path(method), messages.request(method, door, argument),
                         **options)

    def call(self, method: str, request: bytes = b"", timeout: float = 10.0,
             metadata=()) -> Result:
        """A unary call of any method."""
        return self.client.submit(
            "call", name=self.name, method=method, timeout=timeout, metadata=list(metadata),
            request=base64.b64encode(request).decode()).result(timeout + 20)

    def submit(self, op: str, **arguments) -> Pending:
        return self.client.submit(op, name=self.name, **arguments)

    def alternate(self, calls, rounds: int, seconds: float = 300.0, op: str = "alternate",
                  **options) -> dict[str, dict[str, int]]:
        """Calls [(method, request)] in turn; returns {method: {code: count}}."""
        encoded = [[method, base64.b64encode(request).decode()] for method, request in calls]
        return self.submit(op, calls=encoded, rounds=rounds, **options).wait(seconds)["codes"]

    def close(self) -> None:
        self.client.submit("close", name=self.name).wait(20)


class Record:
    """What the server says of itself: the only witness that counts."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> list[dict]:
        return [json.loads(line) for line in self._path.read_text().splitlines()]

    def runs(self, method: str | None = None) -> list[dict]:
        """The calls that ran, all or those of one :path."""
        return [e for e in self.all()
                if e["event"] == "run" and method in (None, e["method"])]

    def seen(self, method: str | None = None) -> list[dict]:
        """The requests that were decoded, whether they ran or not."""
        return [e for e in self.all()
                if e["event"] == "seen" and method in (None, e["method"])]

    def paths(self) -> list[str]:
        """The :path of every request that was decoded, in order."""
        return [e["method"] for e in self.seen()]

    def access_code(self) -> int:
        runs = self.runs()
        return runs[-1]["access_code"] if runs else 123

    def peers(self) -> set[str]:
        return {e["peer"] for e in self.runs()}


class DoorManager:
    """The real server, in the server's namespace."""

    def __init__(self, lab: Lab, port: int = PORT) -> None:
        number = sum(p.name.startswith("door-manager") for p in lab.processes)
        path = lab.folder / f"record{number or ''}.json"
        self.process = lab.start(
            "door-manager",
            [PYTHON, "-m", "cloudcity.server", "--listen", f"[::]:{port}", "--record", str(path)],
            lab.server_ns, env={"PYTHONPATH": str(DTS)})
        self.record = Record(path)

        def ready() -> bool:
            if not self.process.alive():
                raise Failed(f"the door manager ended: {self.process.text()[-2000:]}")
            return path.exists() and '"ready"' in path.read_text()

        wait_for(ready, "the door manager", 60.0)


@dataclass
class Load:
    """The summary of an h2load run."""

    total: int
    succeeded: int
    failed: int
    errored: int
    timeout: int
    status: dict[str, int]
    text: str


def h2load(lab: Lab, target: str, paths, requests: int, connections: int, streams: int,
           body: bytes = b"\0\0\0\0\2\x08\x01", seconds: float = 240.0) -> Load:
    """POSTs `body` to the paths in turn, as gRPC."""
    data = lab.folder / "body.bin"
    data.write_bytes(body)
    done = lab.run(
        ["h2load", "-n", str(requests), "-c", str(connections), "-m", str(streams), "-t", "1",
         "-d", str(data), "-H", "content-type: application/grpc", "-H", "te: trailers",
         *(f"http://{target}{path}" for path in paths)], lab.client_ns, seconds)
    text = done.stdout + done.stderr
    (lab.folder / "h2load.log").write_text(text)
    line = re.search(r"requests: (\d+) total, \d+ started, \d+ done, (\d+) succeeded, "
                     r"(\d+) failed, (\d+) errored, (\d+) timeout", text)
    status = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text)
    if not line or not status:
        raise Failed(f"h2load says nothing that we understand: {text[-1500:]}")
    total, succeeded, failed, errored, timeout = map(int, line.groups())
    codes = dict(zip(("2xx", "3xx", "4xx", "5xx"), map(int, status.groups())))
    return Load(total, succeeded, failed, errored, timeout, codes, text)


class StaticServer:
    """nghttpd with a file for every path: fast, and of another family than grpcio."""

    def __init__(self, lab: Lab, family: Family, paths, size: int = 37, port: int = PORT) -> None:
        root = lab.folder / "htdocs"
        for path in paths:
            file = root / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(bytes(size))
        self.process = lab.start(
            "nghttpd",
            ["nghttpd", "--no-tls", "-a", family.server, "-d", str(root), str(port)],
            lab.server_ns)
        wait_for(lambda: _listens(lab, port), "nghttpd")


def _listens(lab: Lab, port: int) -> bool:
    done = lab.run(["ss", "-Hltn", f"sport = :{port}"], lab.server_ns)
    return bool(done.stdout.strip())
