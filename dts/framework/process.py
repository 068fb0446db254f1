# SPDX-License-Identifier: Apache-2.0
"""Processes of a test: started in a namespace, logged to a file, ended by their own pid."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Callable, TypeVar

from framework.settings import settings

T = TypeVar("T")


class Failed(AssertionError):
    """Something that the test waited for did not come, or a helper went wrong."""


def wait_for(condition: Callable[[], T], what: str, seconds: float = 5.0,
             pause: float = 0.02) -> T:
    """Polls until condition() is true and returns its value; fails at the deadline."""
    deadline = time.monotonic() + seconds * settings.patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failed(f"waited {seconds:g} s in vain for {what}")
        time.sleep(pause)


class Process:
    """A process in a network namespace (None: where we are)."""

    def __init__(self, name: str, command: list[str], folder: Path, netns: str | None = None,
                 env: dict[str, str] | None = None, stdin=None, stdout=None) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        if netns:
            command = ["nsenter", f"--net=/run/netns/{netns}", "--", *command]
        self._file = self.log.open("ab")
        self.popen = subprocess.Popen(
            command, stdin=stdin if stdin is not None else subprocess.DEVNULL,
            stdout=stdout if stdout is not None else self._file, stderr=self._file,
            env={**os.environ, **(env or {})}, start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self.popen.pid

    def alive(self) -> bool:
        return self.popen.poll() is None

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_log(self, needle: str, seconds: float = 10.0) -> None:
        def there() -> bool:
            if needle in self.text():
                return True
            if not self.alive():
                raise Failed(f"{self.name} ended ({self.popen.returncode}): {self.text()[-2000:]}")
            return False

        wait_for(there, f"{needle!r} in the log of {self.name}", seconds)

    def kill(self, number: int) -> None:
        if self.alive():
            self.popen.send_signal(number)

    def stop(self, number: int = signal.SIGTERM, seconds: float = 5.0) -> int:
        """Ends the process; killed after the deadline. Returns its exit status."""
        self.kill(number)
        try:
            self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        for stream in (self.popen.stdin, self.popen.stdout, self._file):
            if stream:
                stream.close()
        return self.popen.returncode
