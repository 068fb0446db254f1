# SPDX-License-Identifier: Apache-2.0
"""The packet player (player/main.c): both ends of many connections, and floods.

It has raw sockets on the two taps and MAC addresses of its own, so the kernels of both sides take
no part, and connections cost no file descriptor. Each phase ends with a line of JSON.
"""

import json
import subprocess
import threading
import queue
from pathlib import Path

from framework.lab import Lab
from framework.process import Failed
from framework.settings import settings

SOURCES = "10.60.0.0/14"  # of its clients


class Player:
    """One run of the player beside a box that has its taps."""

    def __init__(self, lab: Lab, build: Path, mode: str, *, sources: str = SOURCES,
                 seed: int = 1, macs: tuple[str, str] = ("", ""), **options) -> None:
        binary = build / "dts/player/player"
        if not binary.exists():
            raise Failed(f"{binary} is missing: build everything")
        command = [str(binary), "--sources", sources, "--seed", str(settings.seed or seed)]
        sides = ((lab.client_ns, lab.client_interface), (lab.server_ns, lab.server_interface))
        for name, side, mac in zip(("--client", "--server"), sides, macs):
            command += [name, ",".join((f"/run/netns/{side[0]}", side[1], *([mac] if mac else [])))]
        if settings.workers > 1:
            options.setdefault("linger", 500)
        for key, value in options.items():
            command.append("--" + key.replace("_", "-"))
            if value is not True:
                command.append(str(value))
        self.process = lab.start(f"player-{mode}", [*command, mode], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE)
        self._lines: queue.SimpleQueue = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        self.phase("begin", 5.0)

    def _read(self) -> None:
        for line in self.process.popen.stdout:
            self._lines.put(json.loads(line))
        self._lines.put(None)

    def phase(self, name: str, seconds: float = 60.0) -> dict:
        """Waits for the end of a phase. Returns what has been counted so far."""
        try:
            line = self._lines.get(timeout=seconds * settings.patience)
        except queue.Empty:
            raise Failed(f"the player has not {name} within {seconds:g} s") from None
        if line is None:
            raise Failed(f"the player ended: {self.process.text()[-1000:]}")
        if line["phase"] != name:
            raise Failed(f"the player says {line} instead of {name}")
        return line

    def go_on(self) -> None:
        self.process.popen.stdin.write(b"\n")
        self.process.popen.stdin.flush()

    def end(self, seconds: float = 60.0) -> dict:
        """Waits for the last line, and for a good end."""
        last = self.phase("end", seconds)
        if self.process.popen.wait(5.0) != 0:
            raise Failed(f"the player ended with {self.process.popen.returncode}")
        return last
