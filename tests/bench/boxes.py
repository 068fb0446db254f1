# SPDX-License-Identifier: Apache-2.0
"""What scripts/bench-wire puts between two ports: wicket, testpmd and the l3fwd example.

A box has two ports whose devices are given, one lcore that forwards (CPU 1) and one that does not
(CPU 0). All have the same memory: hugepages, or none.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

LCORES = ["--lcores", "0@0,1@1"]
EXAMPLES = Path("/usr/share/dpdk/examples")
METHODS = ("Unary64", "Unary1K", "Unary16K", "Stream", "Bulk")
START_S, STOP_S = 30.0, 10.0


class Failed(Exception):
    """Something did not start, or ended otherwise than it must."""


@dataclass
class Place:
    """What all boxes of a run share."""

    folder: Path  # of sockets, files and logs
    programs: Path  # a build folder of wicket
    l3fwd: Path | None
    huge: bool

    def memory(self, mib: int) -> list[str]:
        if self.huge:
            return ["--in-memory", "--single-file-segments", "-m", str(mib)]
        return ["--no-huge", "-m", str(mib)]


def build_l3fwd(folder: Path) -> Path | None:
    """Debian's example, with the one offload left out that no virtual device has. From the
    installed package dpdk-doc, or unpacked from it; None where there is neither."""
    program = folder / "l3fwd/build/l3fwd"
    if program.exists():
        return program
    folder.mkdir(parents=True, exist_ok=True)
    examples = EXAMPLES
    if not (examples / "l3fwd").exists():
        done = subprocess.run(["apt-get", "download", "-q", "dpdk-doc"], cwd=folder,
                              capture_output=True, check=False)
        package = next(folder.glob("dpdk-doc_*.deb"), None)
        if done.returncode != 0 or package is None:
            return None
        subprocess.run(["dpkg-deb", "-x", package.name, "unpacked"], cwd=folder, check=True)
        examples = folder / f"unpacked{EXAMPLES}"
    for name in ("l3fwd", "common"):
        shutil.copytree(examples / name, folder / name, dirs_exist_ok=True)
    subprocess.run(["sed", "-i", "s/\\.offloads = RTE_ETH_RX_OFFLOAD_CHECKSUM/.offloads = 0/",
                    "main.c"], cwd=folder / "l3fwd", check=True)
    done = subprocess.run(["make", "shared"], cwd=folder / "l3fwd", capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"l3fwd does not build: {done.stderr[-2000:]}")
    return program


@dataclass
class Box:
    """A program with two ports. Sub-classes say how it is called."""

    place: Place
    devices: tuple[str, str]
    rules: int = 16
    flows: int = 0
    idle: str = "spin"
    name: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self.prefix = f"wkbench-{os.getpid()}-{self.name}"
        self.log = self.place.folder / f"{self.name}.log"

    def command(self) -> list[str]:
        raise NotImplementedError

    @property
    def telemetry(self) -> Path:
        return Path(f"/run/dpdk/{self.prefix}/dpdk_telemetry.v2")

    def ask(self, command: str):
        """What the telemetry socket says, which is there once EAL has started."""
        deadline = time.monotonic() + START_S
        while True:
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
                    sock.settimeout(5)
                    sock.connect(str(self.telemetry))
                    sock.recv(16384)
                    sock.send(command.encode())
                    answer = json.loads(sock.recv(16384))[command.split(",")[0]]
                if answer is not None:
                    return answer
            except (FileNotFoundError, ConnectionRefusedError):
                pass
            self.must_live()
            if time.monotonic() > deadline:
                raise Failed(f"{self.name} does not answer {command}")
            time.sleep(0.05)

    def must_live(self) -> None:
        if self.process.poll() is not None:
            raise Failed(f"{self.name} ended with {self.process.returncode}: "
                         f"{self.log.read_text(errors='replace')[-2000:]}")

    def start(self) -> None:
        with self.log.open("wb") as log:
            # stdin stays open: testpmd ends with it.
            self.process = subprocess.Popen(self.command(), stdin=subprocess.PIPE, stdout=log,
                                            stderr=log, start_new_session=True)

    def hurry(self) -> None:
        """The forwarding thread goes before everything else that wants its CPU (of l3fwd all of
        them: the others sleep)."""
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            # Threads come and go, such as those that answer a question.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if "worker" in (task / "comm").read_text() or self.name == "l3fwd":
                    os.sched_setscheduler(int(task.name), os.SCHED_FIFO, os.sched_param(1))

    def cpu_s(self) -> float:
        """What the process has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT if self.name != "wicket" else signal.SIGTERM)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdin.close()
        shutil.rmtree(self.telemetry.parent, ignore_errors=True)

    def __enter__(self) -> "Box":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()


class Wicket(Box):
    name = "wicket"

    def command(self) -> list[str]:
        file = self.place.folder / "wicket.conf"
        file.write_text(self.conf())
        return [str(self.place.programs / "app/wicket/wicket"), "-c", str(file)]

    def conf(self) -> str:
        allow = ", ".join(f'"/wicket.gen.Bench/{method}"' for method in METHODS)
        eal = ["--in-memory", "--single-file-segments"] if self.place.huge else ["--no-huge"]
        words = ", ".join(f'"{word}"' for word in [*LCORES, *eal])
        flows = max(65536, self.flows + self.flows // 8)
        # The generator's addresses are none of these: every packet is compared with all of them.
        acl = ", ".join(
            f'{{ to = [ "10.{100 + i // 65536}.{i // 256 % 256}.{i % 256}" ]; proto = "tcp"; '
            f'port = {1024 + i}; action = "drop"; }}' for i in range(self.rules))
        return f"""version = 1;
instance = "{self.prefix}";
ports = ( {{ name = "outside"; device = "{self.devices[0]}"; }},
          {{ name = "inside"; device = "{self.devices[1]}"; }} );
wires = ( {{ client = "outside"; server = "inside"; }} );
services = ( {{ name = "bench"; addresses = [ "10.12.0.10" ]; port = 50051;
  access = ( {{ name = "all"; from = [ "10.11.0.0/16" ]; allow = [ {allow} ]; }} ); }} );
acl = ( {acl} );
default = "pass";
idle = "{self.idle}";
eal = [ {words} ];
limits = {{ flows = {flows}; flows_per_source = 0; held_kib = {max(65536, 4 * flows)}; }};
"""


class Testpmd(Box):
    name = "testpmd"

    def command(self) -> list[str]:
        return ["dpdk-testpmd", *LCORES, *self.place.memory(512), "--no-pci",
                f"--file-prefix={self.prefix}", "--vdev", self.devices[0],
                "--vdev", self.devices[1], "--", "--total-num-mbufs=16384", "--forward-mode=io",
                "--no-lsc-interrupt", "--disable-link-check", "--rxd=1024", "--txd=1024"]


class L3fwd(Box):
    name = "l3fwd"

    def command(self) -> list[str]:
        four, six = self.place.folder / "four.rules", self.place.folder / "six.rules"
        # Rules that match nothing here, then the two ways.
        rules = [f"@0.0.0.0/0 10.{100 + i // 65536}.{i // 256 % 256}.{i % 256}/32 0 : 65535 "
                 f"{1024 + i} : {1024 + i} 0x06/0xff" for i in range(self.rules)]
        ways = [f"R0.0.0.0/0 {net}/16 0 : 65535 0 : 65535 0x00/0x00 {port}"
                for net, port in (("10.11.0.0", 0), ("10.12.0.0", 1))]
        four.write_text("\n".join([*rules, *ways]) + "\n")
        six.write_text("R0:0:0:0:0:0:0:0/0 2001:db8:0:0:0:0:0:0/32 0 : 65535 0 : 65535 0x00/0x00 1\n")
        # It takes a transmit queue for each of its lcores: one, which is the main one.
        return [str(self.place.l3fwd), "--lcores", "0@1", *self.place.memory(512), "--no-pci",
                f"--file-prefix={self.prefix}", "--force-max-simd-bitwidth=512",
                "--vdev", self.devices[0], "--vdev", self.devices[1],
                "--", "-p", "0x3", "-P", "--parse-ptype", "--lookup=acl",
                "--config=(0,0,0),(1,0,0)", f"--rule_ipv4={four}", f"--rule_ipv6={six}"]


BOXES = {box.name: box for box in (Wicket, Testpmd, L3fwd)}
