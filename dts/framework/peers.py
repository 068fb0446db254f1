# SPDX-License-Identifier: Apache-2.0
"""The peers of the matrix: one program for each gRPC stack, client or server, driven by lines.

What they are told and what they tell: docs/testing.md, "The matrix of stacks".
"""

import itertools
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from framework.lab import Lab
from framework.process import Failed, wait_for
from framework.settings import settings

DTS = Path(__file__).resolve().parent.parent
STACKS = ("python", "cpp", "go", "node", "ruby")
START_SECONDS = 60.0
CALL_SECONDS = 60.0


def command(stack: str, folder: Path) -> list[str]:
    """How a peer is started. One that is not there is a mistake, never a reason to skip."""
    words = {"python": ["/usr/bin/python3", str(DTS / "peers/python/peer.py")],
             "cpp": [str(folder / "cpp-peer")],
             "go": [str(folder / "go-peer")],
             "node": ["node", str(folder / "node/peer.js")],
             "ruby": ["ruby", str(DTS / "peers/ruby/peer.rb")]}[stack]
    if not Path(words[-1]).exists():
        raise Failed(f"{words[-1]} is not there: run scripts/peers {folder}")
    return words


@dataclass
class End:
    """How a call ended, as the client sees it."""

    code: int
    got: int  # messages, of a client stream as the server says
    good: int  # of these, with the right bytes
    back: int  # bytes of the metadata that the server has sent back
    details: str


class PeerClient:
    """A client with one channel. Calls are submitted, and waited for by their numbers."""

    def __init__(self, lab: Lab, stack: str, target: str, folder: Path) -> None:
        self.process = lab.start(f"client-{stack}", [*command(stack, folder), "client", target],
                                 lab.client_ns, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 env=quiet())
        self._numbers = itertools.count(1)
        self._ends: dict[int, End] = {}
        self._held: set[int] = set()
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.popen.stdout:
            verb, number, *words = line.decode(errors="replace").rstrip("\n").split(" ", 6)
            with self._changed:
                if verb == "held":
                    self._held.add(int(number))
                elif verb == "end":
                    words += [""] * (5 - len(words))
                    self._ends[int(number)] = End(*map(int, words[:4]), details=words[4])
                self._changed.notify_all()

    def _tell(self, *words) -> None:
        self.process.popen.stdin.write((" ".join(map(str, words)) + "\n").encode())
        self.process.popen.stdin.flush()

    def submit(self, kind: str, method: str, count: int = 1, size: int = 100,
               timeout: float = CALL_SECONDS, meta: int = 0, hold: bool = False) -> int:
        number = next(self._numbers)
        self._tell("call", number, kind, method, count, size,
                   round(timeout * settings.patience * 1000), meta, "hold" if hold else "-")
        return number

    def cancel(self, number: int) -> None:
        self._tell("cancel", number)

    def release(self, number: int) -> None:
        self._tell("release", number)

    def _wait(self, found, what: str):
        """Waits until found() is not None, or the client ends."""
        deadline = time.monotonic() + (CALL_SECONDS + 20) * settings.patience
        with self._changed:
            while (value := found()) is None:
                if not self.process.alive():
                    raise Failed(f"{self.process.name} has ended: {self.process.text()[-2000:]}")
                if time.monotonic() > deadline:
                    raise Failed(f"{self.process.name}: waited in vain for {what}: "
                                 f"{self.process.text()[-2000:]}")
                self._changed.wait(1.0)
        return value

    def end(self, number: int) -> End:
        return self._wait(lambda: self._ends.get(number), f"the end of call {number}")

    def held(self, numbers) -> None:
        """Waits until all of these calls are held, after their first message."""
        wanted = set(numbers)
        self._wait(lambda: wanted <= self._held or None, f"{len(wanted)} calls to be held")

    def call(self, kind: str, method: str, **options) -> End:
        return self.end(self.submit(kind, method, **options))


class PeerServer:
    """A server. What it says of itself is in its log, line by line."""

    def __init__(self, lab: Lab, stack: str, address: str, folder: Path) -> None:
        self.stack = stack
        path = lab.folder / f"served-{stack}.txt"
        with path.open("wb") as record:
            self.process = lab.start(f"server-{stack}",
                                     [*command(stack, folder), "server", address],
                                     lab.server_ns, stdout=record, env=quiet())
        self._path = path

        def ready() -> bool:
            if not self.process.alive():
                raise Failed(f"{self.process.name} has ended: {self.process.text()[-2000:]}")
            return ["ready"] in self.lines()

        wait_for(ready, f"{self.process.name} to listen", START_SECONDS)

    def lines(self) -> list[list[str]]:
        text = self._path.read_text(errors="replace")
        return [line.split() for line in text[:text.rfind("\n") + 1].splitlines()]

    def begun(self) -> Counter:
        """{path: how many calls of it a handler has been given}."""
        return Counter(words[1] for words in self.lines() if words[0] == "begun")

    def metadata(self) -> set[int]:
        """How many bytes of metadata calls have brought."""
        return {int(words[2]) for words in self.lines() if words[0] == "begun"}

    def ran(self) -> list[list[str]]:
        """[path, messages, good ones] of every call that ran to its end."""
        return [words[1:] for words in self.lines() if words[0] == "ran"]

    def broken(self) -> Counter:
        return Counter(words[1] for words in self.lines() if words[0] == "broken")


def quiet() -> dict[str, str]:
    """No stack looks for a proxy, and each says on stderr what is wrong and nothing else."""
    return {"GRPC_VERBOSITY": "ERROR", "no_proxy": "*", "no_grpc_proxy": "*"}
