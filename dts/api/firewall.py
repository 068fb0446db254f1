# SPDX-License-Identifier: Apache-2.0
"""The boxes that can stand in the middle of a lab: wicket, and a plain wire."""

import contextlib
import json
import shutil
import signal
import socket
import time
from dataclasses import replace
from pathlib import Path

from api.conf import Conf
from framework.lab import CLIENT_TAP, SERVER_TAP, Lab
from framework.process import Failed, wait_for
from framework.settings import settings
from framework.steer import any_queue, by_ports, one_queue, steer

READY_SECONDS = 30.0
STOP_SECONDS = 5.0
TELEMETRY_MAX_B = 16384


class Telemetry:
    """One connection to the telemetry socket of a DPDK program."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.settimeout(5.0)
        self._socket.connect(str(path))
        self._socket.recv(TELEMETRY_MAX_B)  # who we are talking to

    def ask(self, command: str):
        self._socket.send(command.encode())
        answer = json.loads(self._socket.recv(TELEMETRY_MAX_B))
        return answer[command.split(",")[0]]

    def close(self) -> None:
        self._socket.close()


class PlainWire:
    """dpdk-testpmd that carries every frame from one side to the other: what wicket is
    compared with."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.prefix = f"{lab.name}-wire"

    def start(self, capture: bool = True) -> "PlainWire":
        self.process = self.lab.start(
            "testpmd",
            ["stdbuf", "-oL", "dpdk-testpmd", "--no-huge", "-m", "512", "--no-pci",
             "--lcores", "0@0,1@0", f"--file-prefix={self.prefix}", "--no-telemetry",
             f"--vdev=net_tap0,iface={CLIENT_TAP}", f"--vdev=net_tap1,iface={SERVER_TAP}",
             "--", "--total-num-mbufs=8192", "--forward-mode=io", "--no-lsc-interrupt"],
            self.lab.box_ns, stdin=-1)
        self.process.wait_log("Press enter to exit", READY_SECONDS)
        self.lab.attach(capture)
        return self

    def check(self) -> None:
        """Nothing to verify: it has no opinion."""

    def stop(self) -> None:
        if self.process.alive():
            with contextlib.suppress(BrokenPipeError):
                self.process.popen.communicate(b"\n", timeout=STOP_SECONDS)
        self.process.stop()
        shutil.rmtree(f"/var/run/dpdk/{self.prefix}", ignore_errors=True)


class Firewall:
    """A running wicket: its file, its telemetry, its events and its end."""

    def __init__(self, lab: Lab, build: Path, conf: Conf = Conf(), name: str = "",
                 wrap: tuple[str, ...] = (), runtime: Path = Path("/var/run")) -> None:
        self.lab = lab
        self.binary = build / "app/wicket/wicket"
        self.ctl = build / "app/wicketctl/wicketctl"
        self.instance = f"{lab.name}{name}"
        self.file = lab.folder / f"wicket{name}.conf"
        self.events_file = lab.folder / f"events{name}.json"
        self.wrap = wrap
        self.runtime = runtime / "dpdk" / self.instance
        self.conf = self._ours(conf)
        self._telemetry: Telemetry | None = None
        self._name = f"wicket{name}"

    def _ours(self, conf: Conf) -> Conf:
        return replace(conf, instance=self.instance, events=str(self.events_file))

    # Life

    def start(self, capture: bool = True, attach: bool = True) -> "Firewall":
        self.write(self.conf)
        with self._notify_socket() as (notify, env):
            self.process = self.lab.start(
                self._name, [*self.wrap, str(self.binary), "-c", str(self.file)],
                self.lab.box_ns, env=env)
            self._wait_ready(notify)
        if settings.queues:
            self.steer(settings.queues)
        elif (self.conf.workers or settings.workers) > 1:
            # The kernel changes the queue of a connection under way: it learns what was written
            # last, but after the answer to it has left. Frames with tags, from an AF_PACKET
            # socket, it hashes over the wrong bytes. No NIC would tear a connection apart so.
            self.steer("ports")
        if attach:
            self.lab.attach(capture)
        return self

    def steer(self, way: str) -> None:
        """Queues that packets arrive on. apart: of the clients on the first one, of the servers on
        the second; any: each frame on another one, so that they overtake each other, too; ports:
        by the sum of both ports; kernel: as it likes."""
        for tap, queue in ((CLIENT_TAP, 0), (SERVER_TAP, 1)):
            program = {"apart": one_queue(queue), "any": any_queue(),
                       "ports": by_ports(len(self.lab.tags)), "kernel": None}[way]
            steer(self.process.pid, tap, program)

    @contextlib.contextmanager
    def _notify_socket(self):
        # A file: abstract names belong to a network namespace, and wicket runs in another one.
        path = self.lab.folder / f"{self._name}.notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(path))
            path.chmod(0o777)  # wicket may be another user
            notify.settimeout(0.2)
            yield notify, {"NOTIFY_SOCKET": str(path)}
        path.unlink()

    def _wait_ready(self, notify: socket.socket) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                if b"READY=1" in notify.recv(4096):
                    return
            if not self.process.alive():
                raise Failed(f"wicket ended with {self.process.popen.returncode} before it was "
                             f"ready:\n{self.log()[-3000:]}")
        raise Failed(f"wicket is not ready after {READY_SECONDS:g} s:\n{self.log()[-3000:]}")

    def stop(self) -> float:
        """SIGTERM; it must exit with 0 in time. Returns the seconds it took."""
        if self._telemetry:
            self._telemetry.close()
            self._telemetry = None
        if self.process.popen.returncode is not None:
            raise Failed(f"wicket had already ended with {self.process.popen.returncode}:\n"
                         f"{self.log()[-3000:]}")
        started = time.monotonic()
        status = self.process.stop(signal.SIGTERM, STOP_SECONDS)
        took = time.monotonic() - started
        shutil.rmtree(self.runtime, ignore_errors=True)
        if status != 0:
            raise Failed(f"wicket exited with {status} after {took:.1f} s:\n{self.log()[-3000:]}")
        return took

    def log(self) -> str:
        return self.process.text()

    # The file

    def write(self, conf: Conf | str) -> None:
        """Replaces the file in one step, as a careful operator does."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(conf if isinstance(conf, str) else conf.text())
        fresh.chmod(0o644)
        fresh.replace(self.file)

    def reload(self, conf: Conf) -> None:
        """A good file and SIGHUP; returns when it judges."""
        before = self.policy_version()
        self.conf = self._ours(conf)
        self.write(self.conf)
        self.process.kill(signal.SIGHUP)
        wait_for(lambda: self.policy_version() > before, "the new policy version")

    def reload_bad(self, text: str) -> str:
        """A bad file and SIGHUP. Returns what the log says of it."""
        before, seen = self.policy_version(), len(self.log())
        self.write(text)
        self.process.kill(signal.SIGHUP)
        wait_for(lambda: f"{self.file}:" in self.log()[seen:], "a message with file and line")
        time.sleep(0.2)
        if self.policy_version() != before:
            raise Failed("a bad file has changed the policy version")
        return self.log()[seen:]

    # What it tells

    @property
    def socket(self) -> Path:
        return self.runtime / "dpdk_telemetry.v2"

    def telemetry(self, command: str):
        if self._telemetry is None:
            self._telemetry = Telemetry(self.socket)
        return self._telemetry.ask(command)

    def stats(self) -> dict[str, int]:
        return self.telemetry("/wicket/stats")

    def reasons(self) -> dict[str, int]:
        return self.telemetry("/wicket/reasons")

    def calls(self) -> dict[str, int]:
        """How many calls were judged in which way: {"allowed": 2, "denied_method": 1, ...}."""
        return {key.removeprefix("calls_"): value for key, value in self.stats().items()
                if key.startswith("calls_")}

    def lcores(self) -> list[dict[str, int]]:
        return list(self.telemetry("/wicket/lcores").values())

    def flows(self) -> dict[str, dict]:
        """Every page of the list of connections."""
        flows: dict[str, dict] = {}
        place = 0
        while True:
            page = self.telemetry(f"/wicket/flows,{place}")
            place = page.pop("next", 0)
            flows.update(page)
            if not place:
                return flows

    def policy_version(self) -> int:
        return int(self.telemetry("/wicket/info")["policy_version"])

    def events(self) -> list[dict]:
        if not self.events_file.exists():
            return []
        return [json.loads(line) for line in self.events_file.read_text().splitlines()]

    def denials(self) -> list[dict]:
        """The events of single calls: denied, refused, or such in audit."""
        return [event for event in self.events() if event["event"].startswith("call_")]

    def wait_events(self, count: int, seconds: float = 5.0) -> list[dict]:
        """The events of denied calls, once there are `count` of them (never more)."""
        wait_for(lambda: len(self.denials()) >= count, f"{count} events", seconds)
        time.sleep(0.05)
        denials = self.denials()
        if len(denials) != count:
            raise Failed(f"{len(denials)} events instead of {count}")
        return denials

    def check(self) -> None:
        """Every packet that came in or was made here has ended in exactly one way."""
        last: dict[str, int] = {}

        def balanced() -> bool:
            nonlocal last
            last = self.stats()
            return (last["rx"] + last["originated"]
                    == last["tx"] + last["dropped"] + last["held"])

        try:
            wait_for(balanced, "balance")
        except Failed:
            ways = {key: last[key] for key in ("rx", "originated", "tx", "dropped", "held")}
            raise Failed(f"rx + originated != tx + dropped + held: {ways}") from None
        if last.get("invariant"):
            raise Failed(f"{last['invariant']} broken invariants: {self.log()[-2000:]}")

    def evidence(self) -> None:
        """Writes what it knows beside its log, for whoever looks at a failure."""
        for noun in ("info", "stats", "reasons", "flows"):
            with contextlib.suppress(OSError, KeyError, ValueError):
                answer = self.telemetry(f"/wicket/{noun}")
                path = self.lab.folder / f"{self._name}-{noun}.json"
                path.write_text(json.dumps(answer, indent=1) + "\n")
