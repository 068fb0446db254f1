# SPDX-License-Identifier: Apache-2.0
"""What a test suite is made of.

A suite is a class with one feature; its test cases are the methods marked with @func_test. Each
case gets a lab of its own, and after it every box that it started is asked to balance its books
and to exit with 0.
"""

import sys
from pathlib import Path

from api.conf import PORT, Conf
from api.firewall import Firewall, PlainWire
from api.grpc import DTS, PYTHON, Channel, Client, DoorManager
from api.h2 import Connection, Crafted, Server, connect
from framework.lab import FAMILIES, Family, Lab
from framework.process import Failed


def func_test(function):
    """Marks a method of a suite as a test case."""
    function.dts_kind = "func"
    return function


def verify(condition, message: str) -> None:
    """Fails the case with a message unless the condition holds."""
    if not condition:
        raise Failed(message)


def equal(actual, expected, what: str) -> None:
    verify(actual == expected, f"{what}: {brief(actual)} instead of {brief(expected)}")


def brief(value) -> str:
    """A value in a message: long ones are cut in the middle."""
    text = value if isinstance(value, str) and "\n" in value else repr(value)
    return text if len(text) <= 2000 else f"{text[:1000]} ... {text[-900:]}"


def log(text: str) -> None:
    """Shown with -s and in the report of a failure."""
    print(text, file=sys.stderr)


class TestSuite:
    """The base of every suite."""

    folder: Path
    build: Path
    keep: bool = False

    def set_up_case(self, folder: Path, build: Path) -> None:
        self.folder, self.build = folder, build
        self.labs: list[Lab] = []
        self.boxes: list = []
        self.closers: list = []
        self.figures: list[str] = []  # shown at the end of the run, whatever they are

    def tear_down_case(self, failed: bool) -> None:
        """Verifies every box, then takes everything away, whatever went wrong."""
        problems: list[str] = []
        for box in self.boxes:
            try:
                if failed and isinstance(box, Firewall):
                    box.evidence()
                if not failed:
                    box.check()
            except (Failed, OSError, KeyError) as error:
                problems.append(f"{type(error).__name__}: {error}")
                if isinstance(box, Firewall):
                    box.evidence()
        for close in self.closers:
            close()
        for box in self.boxes:
            try:
                box.stop()
            except (Failed, OSError) as error:
                problems.append(str(error))
        for lab in self.labs:
            lab.close()
        if problems:
            raise Failed("\n".join(problems))

    def peers(self) -> Path:
        """Where scripts/peers has put what it made: in every build folder the same."""
        return self.build.parent / "build/peers"

    # Parts of a lab

    def lab(self, tags: tuple[str, ...] = ()) -> Lab:
        lab = Lab(self.folder / f"lab{len(self.labs) or ''}", tags)
        self.labs.append(lab)
        lab.open()
        return lab

    def firewall(self, lab: Lab, conf: Conf = Conf(), capture: bool = True,
                 **options) -> Firewall:
        box = Firewall(lab, self.build, conf, **options)
        self.boxes.append(box)
        return box.start(capture)

    def wire(self, lab: Lab, capture: bool = True) -> PlainWire:
        box = PlainWire(lab)
        self.boxes.append(box)
        return box.start(capture)

    def stop(self, box) -> None:
        """Ends a box in the middle of a case, with the same demands as at the end."""
        box.check()
        self.boxes.remove(box)
        box.stop()

    def doors(self, lab: Lab) -> DoorManager:
        return DoorManager(lab)

    def channel(self, lab: Lab, family: Family, name: str = "one", client: Client | None = None,
                port: int = PORT, host: str | None = None, **options) -> Channel:
        client = client or Client(lab)
        return client.open(name, family.target(port, host), **options)

    @staticmethod
    def terminal(lab: Lab, family: Family, *arguments: str) -> str:
        """What cloudcity/client.py prints in a process of its own."""
        done = lab.run([PYTHON, "-m", "cloudcity.client", "--server", family.target(PORT),
                        *arguments], lab.client_ns, cwd=DTS)
        return done.stdout.strip() or done.stderr.strip()

    def h2(self, lab: Lab, family: Family, **options) -> Connection:
        settings = options.pop("settings", None)
        connection = Connection(connect(lab, family, **options), settings)
        self.closers.append(connection.close)
        return connection

    def crafted(self, lab: Lab, family: Family, settings: bytes = b"", **options) -> Crafted:
        crafted = Crafted(connect(lab, family, **options), settings)
        self.closers.append(crafted.sock.close)
        return crafted

    def h2_server(self, lab: Lab, family: Family, **options) -> Server:
        server = Server(lab, family, **options)
        self.closers.append(server.close)
        return server

    def guarded(self, family: str = "ipv4", conf: Conf = Conf(), capture: bool = True):
        """The usual lab: (family, lab, firewall, door manager)."""
        chosen = FAMILIES[family]
        lab = self.lab(chosen.tags)
        firewall = self.firewall(lab, conf, capture)
        return chosen, lab, firewall, self.doors(lab)
