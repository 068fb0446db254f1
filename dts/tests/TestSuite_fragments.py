# SPDX-License-Identifier: Apache-2.0
"""Fragments: a client whose packets do not fit its interface, on real Linux TCP.

Linux cuts TCP packets up only where it is told a larger MTU than the interface has (by the route)
and the socket leaves the path MTU alone (IP_PMTUDISC_OMIT).
"""

import socket
import struct

from api.conf import ALLOWED, DOOR, Conf, Service
from api.h2 import Connection, connect, grpc_headers, message
from api.packet import read_pcap
from api.test import TestSuite, equal, func_test, log, verify
from cloudcity import messages
from framework.lab import CLIENT_TAP, SERVER_TAP, Family, Lab

ECHO = Conf(services=(Service(allow=("/dts.Echo/*", *(DOOR + method for method in ALLOWED))),))
IP_MTU_DISCOVER, IP_PMTUDISC_OMIT = 10, 5
MTU = 576


def fragments(lab: Lab, tap: str) -> int:
    """How many fragments a capture holds."""
    frames = [f.data for f in read_pcap(lab.folder / f"{tap}.pcap")]
    words = [struct.unpack("!H", data[20:22])[0] for data in frames if data[12:14] == b"\x08\x00"]
    return sum((word & 0x3fff) != 0 for word in words)


class TestFragments(TestSuite):
    """Calls in fragments are judged as if they had come whole."""

    calls = 0

    def in_fragments(self, lab: Lab, family: Family) -> Connection:
        where, interface = lab.client_ns, lab.client_interface
        lab.run(["ip", "route", "replace", f"{family.net}0.0/16", "dev", interface, "mtu", "1500"],
                where).check_returncode()
        lab.run(["ip", "link", "set", interface, "mtu", str(MTU)], where).check_returncode()
        sock = connect(lab, family)
        sock.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT)
        connection = Connection(sock, None)
        self.closers.append(connection.close)
        return connection

    def call(self, connection: Connection, path: str, body: bytes = b"") -> str:
        """A call whose header block is longer than the interface's MTU, each time anew."""
        self.calls += 1
        filler = [(f"x-filler-{i}", f"{self.calls:04d}" * 75) for i in range(4)]
        stream = connection.request(grpc_headers(path, more=filler), end=False)
        connection.upload(stream, message(body))
        return connection.wait(stream).status

    @func_test
    def calls_in_fragments_are_judged(self) -> None:
        """Allowed and denied calls in turn on one connection.

        Verify:
            * Allowed ones are answered, denied ones get a 403, the server sees the allowed alone.
            * There were fragments before the firewall, and none behind it.
        """
        family, lab, firewall, doors = self.guarded()
        connection = self.in_fragments(lab, family)
        for _ in range(5):
            for method in ALLOWED:
                equal(self.call(connection, DOOR + method, messages.request(method)), "200", method)
                equal(self.call(connection, DOOR + "SetAccessCode"), "403", "SetAccessCode")
        equal(doors.record.paths(), [DOOR + method for method in ALLOWED] * 5, "at the server")
        firewall.wait_events(15)
        self.seen(lab, firewall, 15)

    @func_test
    def an_upload_in_fragments_arrives(self) -> None:
        """256 KiB, after and before a denied call."""
        family, lab, firewall, doors = self.guarded(conf=ECHO)
        connection = self.in_fragments(lab, family)
        for _ in range(2):
            equal(self.call(connection, "/dts.Echo/Unary", bytes(128 << 10)), "200", "the upload")
            equal(self.call(connection, DOOR + "SetAccessCode"), "403", "SetAccessCode")
        equal([run["bytes"] for run in doors.record.runs()], [128 << 10] * 2, "at the server")
        self.seen(lab, firewall, 100)

    @func_test
    def an_audited_service_gets_the_fragments(self) -> None:
        """Mode audit changes nothing: what leaves are the fragments that came, and the denied call
        is told."""
        family, lab, firewall, doors = self.guarded(conf=ECHO.with_service(mode="audit"))
        connection = self.in_fragments(lab, family)
        equal(self.call(connection, DOOR + "SetAccessCode", messages.request("SetAccessCode", 1, "7")),
              "200", "SetAccessCode")
        equal(doors.record.access_code(), 7, "the access code")
        firewall.wait_events(1)
        lab.captured()
        came, left = fragments(lab, CLIENT_TAP), fragments(lab, SERVER_TAP)
        verify(came > 0, "Linux made no fragments")
        equal(left, came, "fragments behind the firewall")

    def seen(self, lab: Lab, firewall, least: int) -> None:
        lab.captured()
        came, left = fragments(lab, CLIENT_TAP), fragments(lab, SERVER_TAP)
        stats, reasons = firewall.stats(), firewall.reasons()
        log(f"{came} fragments, {stats['reassembled']} datagrams")
        verify(stats["reassembled"] >= least, f"{stats['reassembled']} datagrams put together")
        equal((left, reasons["absorb_frag"]), (0, came), "fragments behind the firewall, absorbed")
        equal(stats["held"], 0, "fragments that wait")
