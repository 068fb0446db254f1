# SPDX-License-Identifier: Apache-2.0
"""The lab of one test: three network namespaces, joined only by a box on two taps.

    <run>-c  the client's side, the tap `wkc`
    <run>-w  where the box starts; it makes the taps there, and they are moved out
    <run>-s  the server's side, the tap `wks`

With a router on a side (router.py), its host lives in <run>-p (client) or <run>-q (server), and the
side's namespace is the router. With a bad wire (impair.py) on a side, the box's tap stays in <run>-w, and the side has the relay's
tap `wkci` or `wksi` instead.

Nothing outside of these namespaces is touched. Everything is found again by name and by pid.
"""

import contextlib
import ctypes
import itertools
import os
import re
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

from framework.impair import Impairment, Relay, command
from framework.process import Failed, Process, wait_for
from framework.settings import settings

CLIENT_TAP, SERVER_TAP = "wkc", "wks"
CLONE_NEWNET = 0x40000000
NETNS = Path("/run/netns")
_numbers = itertools.count(1)
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Family:
    """How the two sides speak: addresses, and the tags that their frames carry."""

    name: str
    net: str  # what precedes the host part
    prefix: int
    tags: tuple[str, ...] = ()

    @property
    def ipv6(self) -> bool:
        return ":" in self.net

    def host(self, part: str) -> str:
        """host("1.20") is 10.50.1.20 or fd50::1:20."""
        return self.net + (part.replace(".", ":") if self.ipv6 else part)

    @property
    def terminals(self) -> str:
        """The prefix of the public terminals."""
        return self.host("1.0") + ("/112" if self.ipv6 else "/24")

    @property
    def client(self) -> str:
        return self.host("1.20")

    @property
    def stranger(self) -> str:
        """A second address of the client's side, outside of the terminals' prefix."""
        return self.host("9.66")

    @property
    def server(self) -> str:
        return self.host("2.10")

    @property
    def unguarded(self) -> str:
        """A second address of the server's side that no service names."""
        return self.host("2.11")

    def target(self, port: int, host: str | None = None) -> str:
        host = host or self.server
        return f"[{host}]:{port}" if self.ipv6 else f"{host}:{port}"


_VLAN = ("8100:7",)
_QINQ = ("88a8:100", "8100:7")
FAMILIES = {
    family.name: family
    for family in (
        Family("ipv4", "10.50.", 16),
        Family("ipv6", "fd50::", 64),
        Family("vlan", "10.51.", 16, _VLAN),
        Family("vlan6", "fd51::", 64, _VLAN),
        Family("qinq", "10.52.", 16, _QINQ),
        Family("qinq6", "fd52::", 64, _QINQ),
    )
}


def ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


class Lab:
    """Namespaces, addresses, captures and processes; `close` takes everything away."""

    def __init__(self, folder: Path, tags: tuple[str, ...] = (), name: str | None = None) -> None:
        self.folder = folder
        self.tags = tags
        self.name = name or f"wk{os.getpid()}x{next(_numbers)}"
        self.client_ns, self.box_ns, self.server_ns = (f"{self.name}-{s}" for s in "cws")
        self.families = [f for f in FAMILIES.values() if f.tags == tags]
        self.processes: list[Process] = []
        self._counts: dict[str, int] = {}
        self._captures: dict[str, Process] = {}
        self._impaired: dict[str, list[str]] = {}
        self.relays: dict[str, Relay] = {}
        self.more_ns: list[str] = []  # to be taken away as well
        self.congestion = ""  # the peers' congestion control, if not the host's; before the box
        folder.mkdir(parents=True, exist_ok=True)

    # Namespaces and interfaces

    def open(self) -> None:
        for netns in (self.client_ns, self.box_ns, self.server_ns):
            ip("netns", "add", netns)
            ip("-n", netns, "link", "set", "lo", "up")
        for netns in (self.client_ns, self.server_ns):
            with self.inside(netns):
                ipv6 = Path("/proc/sys/net/ipv6/conf")
                for scope in ("all", "default"):
                    (ipv6 / scope / "accept_dad").write_text("0")
                    (ipv6 / scope / "accept_ra").write_text("0")
                    (ipv6 / scope / "router_solicitations").write_text("0")

    @contextlib.contextmanager
    def inside(self, netns: str) -> Iterator[None]:
        """What this thread opens meanwhile (sockets!) belongs to the namespace."""
        with open("/proc/thread-self/ns/net", "rb") as home, open(NETNS / netns, "rb") as there:
            self._setns(there.fileno())
            try:
                yield
            finally:
                self._setns(home.fileno())

    @staticmethod
    def _setns(fd: int) -> None:
        if _libc.setns(fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def attach(self, capture: bool = True) -> None:
        """Moves the two taps of a started box to their sides and gives them addresses."""
        for tap, netns in ((CLIENT_TAP, self.client_ns), (SERVER_TAP, self.server_ns)):
            if tap in self._impaired:
                self._start_relay(tap, netns, capture)
                continue
            ip("-n", self.box_ns, "link", "set", tap, "netns", netns)
            if self.tags:
                # Room for the tags below a full-sized packet of the tagged interface.
                ip("-n", netns, "link", "set", tap, "mtu", str(1500 + 4 * len(self.tags)))
            if settings.workers > 1:
                # Who waits until the frames before have come out at the other end knows that of
                # one queue alone: the others must not run over meanwhile.
                ip("-n", netns, "link", "set", tap, "txqueuelen", "65536")
            ip("-n", netns, "link", "set", tap, "up")
            if capture:
                self.capture(tap, netns)
            if self.tags:
                self._start_tagger(tap, netns)
        self._address(self.client_ns, self.client_interface, ("1.20", "9.66"))
        self._address(self.server_ns, self.server_interface, ("2.10", "2.11"))

    @property
    def client_interface(self) -> str:
        return self._interface(CLIENT_TAP)

    @property
    def server_interface(self) -> str:
        return self._interface(SERVER_TAP)

    def _interface(self, tap: str) -> str:
        return tap + (".q" if self.tags else "i" if tap in self._impaired else "")

    # Bad wires

    def impair(self, tap: str, impairment: Impairment, build: Path, seed: int) -> None:
        """Before the box is started: its tap is to be joined to its side by a bad wire."""
        if self.tags:
            raise Failed("the relay knows no tags")
        self.quiet_ipv6(self.box_ns)
        self._impaired[tap] = command(build, tap, f"{tap}i", impairment, seed)

    def quiet_ipv6(self, netns: str) -> None:
        """Interfaces to come have no addresses there and say nothing."""
        self.sysctl(netns, "ipv6/conf/default/disable_ipv6", "1")

    def sysctl(self, netns: str, key: str, value: str) -> None:
        """Sets net/<key> of a namespace."""
        with self.inside(netns):
            (Path("/proc/sys/net") / key).write_text(value)

    def _start_relay(self, tap: str, netns: str, capture: bool) -> None:
        inner = f"{tap}i"
        ip("-n", self.box_ns, "link", "set", tap, "up")
        if capture:
            self.capture(tap, self.box_ns)
        process = self.start(f"relay-{tap}", self._impaired[tap], self.box_ns)
        self.relays[tap] = Relay(process, inner)
        ip("-n", self.box_ns, "link", "set", inner, "netns", netns)
        ip("-n", netns, "link", "set", inner, "up")

    def _start_tagger(self, tap: str, netns: str) -> None:
        tagger = self.start(
            "tagger", ["/usr/bin/python3", str(Path(__file__).with_name("tagger.py")), tap,
                       f"{tap}.q", *self.tags], netns)
        tagger.wait_log("ready")
        ip("-n", netns, "link", "set", f"{tap}.q", "up")

    def _address(self, netns: str, interface: str, hosts: tuple[str, ...]) -> None:
        for family in self.families:
            for host in hosts:
                extra = ["nodad"] if family.ipv6 else []
                ip("-n", netns, "addr", "add", f"{family.host(host)}/{family.prefix}", "dev",
                   interface, *extra)
        # The first address is the one that connections come from, the others must be asked for.
        for family in self.families:
            if family.ipv6 or self.congestion:
                self.source(family, family.host(hosts[0]), netns, interface)

    def source(self, family: Family, address: str, netns: str | None = None,
               interface: str | None = None) -> None:
        """Makes `address` the one that new connections of the (client's) side come from."""
        where = ["-n", netns or self.client_ns]
        way = ["dev", interface or self.client_interface, "src", address]
        if self.congestion:
            # The sysctl takes only what the host allows to all; a route takes any.
            way += ["congctl", self.congestion]
        if family.ipv6:
            # The kernel's own route has metric 256 and would win otherwise.
            ip(*where, "-6", "route", "replace", f"{family.net}/64", *way, "metric", "1")
        else:
            ip(*where, "route", "replace", f"{family.net}0.0/16", *way)

    # Processes

    def start(self, name: str, command: list[str], netns: str | None = None, **options) -> Process:
        count = self._counts[name] = self._counts.get(name, 0) + 1
        process = Process(name if count == 1 else f"{name}-{count}", command, self.folder, netns,
                          **options)
        self.processes.append(process)
        return process

    def run(self, command: list[str], netns: str, seconds: float = 30.0,
            **options) -> subprocess.CompletedProcess:
        """Runs a command to its end inside a namespace; its output is returned."""
        return subprocess.run(["nsenter", f"--net={NETNS / netns}", "--", *command],
                              capture_output=True, text=True, errors="replace",
                              timeout=seconds, **options)

    # Captures

    def capture(self, tap: str, netns: str, expression: str = "") -> None:
        path = self.folder / f"{tap}.pcap"
        tcpdump = self.start(
            f"tcpdump-{tap}",
            ["tcpdump", "-i", tap, "-s", "2048", "-B", "65536", "--immediate-mode", "-U", "-n",
             "-Z", "root", "-w", str(path), *([expression] if expression else [])], netns)
        tcpdump.wait_log("listening on")
        self._captures[tap] = tcpdump

    def captured(self) -> tuple[Path, Path]:
        """Ends both captures; none of them may have lost a frame."""
        for tap in (CLIENT_TAP, SERVER_TAP):
            tcpdump = self._captures.pop(tap, None)
            if tcpdump is None:
                continue
            self._settle(self.folder / f"{tap}.pcap")
            tcpdump.stop(signal.SIGINT)
            lost = re.search(r"(\d+) packets? dropped by kernel", tcpdump.text())
            if not lost or lost.group(1) != "0":
                raise Failed(f"the capture on {tap} is not whole: {tcpdump.text()[-300:]}")
        return self.folder / f"{CLIENT_TAP}.pcap", self.folder / f"{SERVER_TAP}.pcap"

    @staticmethod
    def _settle(path: Path) -> None:
        """Waits until nothing more has arrived in the file for a moment."""
        sizes: list[int] = []

        def quiet() -> bool:
            sizes.append(path.stat().st_size)
            return len(sizes) >= 4 and len(set(sizes[-4:])) == 1

        wait_for(quiet, f"silence on {path.name}", seconds=10.0, pause=0.05)

    # The end

    def close(self) -> None:
        for process in reversed(self.processes):
            if process.alive():
                process.stop(seconds=3.0)
        for netns in (self.client_ns, self.server_ns, self.box_ns, *self.more_ns):
            remove_netns(netns)
        for runtime in Path("/var/run/dpdk").glob(f"{self.name}*"):
            shutil.rmtree(runtime, ignore_errors=True)


def remove_netns(netns: str) -> None:
    """Ends what still runs in a namespace of ours and takes it away."""
    if not (NETNS / netns).exists():
        return
    for pid in ip("netns", "pids", netns).split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    ip("netns", "del", netns)


def remove_stale() -> list[str]:
    """Takes away the namespaces of runs whose process is gone. Returns their names."""
    gone = []
    for path in NETNS.glob("wk*x*-[cwspq]"):
        match = re.fullmatch(r"wk(\d+)x\d+-[cwspq]", path.name)
        if match and not Path(f"/proc/{match.group(1)}").exists():
            remove_netns(path.name)
            gone.append(path.name)
    return gone

