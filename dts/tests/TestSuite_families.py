# SPDX-License-Identifier: Apache-2.0
"""D1 to D9 and D13 over IPv4, IPv6, one VLAN tag and QinQ, on real clients and servers."""

import pytest

from api.conf import ALLOWED, DENIED, DOOR, PORT, Conf, Service
from api.h2 import connect, grpc_headers
from api.packet import connections, flags_seen, read_pcap
from api.test import TestSuite, equal, func_test, verify
from cloudcity import messages
from framework.settings import settings

EACH = pytest.mark.parametrize("family", settings.families)
ECHO = Conf(services=(Service(allow=("/dts.Echo/*", DOOR + "GetName")),))
ANSWERS = {
    "GetName": "Door name is: Spaceport Door #1",
    "GetLocation": "Door location is lat = 10.222200393676758 long = 68.87879943847656",
    "RequestMaintenance": "Maintenance requested for door 1",
}


class TestFamilies(TestSuite):
    """The same claims, whatever the frames look like below TCP."""

    @func_test
    @EACH
    def without_a_policy_every_call_works(self, family: str) -> None:
        """D1, through the firewall in mode off."""
        chosen, lab, _, doors = self.guarded(family, Conf().with_service(mode="off"))
        channel = self.channel(lab, chosen)
        for method, words in {**ANSWERS, "SetAccessCode": "Successfully set AccessCode to 999",
                              "GetStatus": "Door is CLOSED, access code 999"}.items():
            result = channel.door(method, 1, "999")
            equal(result.code, "OK", f"{method} ({result.details})")
            equal(messages.describe(method, result.reply), words, method)
        equal(doors.record.access_code(), 999, "the access code")

    @func_test
    @EACH
    def with_the_policy_just_three_methods_work(self, family: str) -> None:
        """D2 to D8: results, denials, their form and speed, no rule, near misses; one connection.
        """
        chosen, lab, firewall, doors = self.guarded(family)
        channel = self.channel(lab, chosen)
        for _ in range(3):
            for method, words in ANSWERS.items():
                result = channel.door(method, 1, "squeaks")
                equal(result.code, "OK", f"{method} ({result.details})")
                equal(messages.describe(method, result.reply), words, method)
            for method in DENIED:
                result = channel.door(method, 1, "999")
                equal(result.code, "PERMISSION_DENIED", method)
                verify(result.ms < 1000, f"{method} was denied after {result.ms:.0f} ms")
        for path in ("/dts.Vault/Unary", DOOR + "GetNam", DOOR + "getname", DOOR + "GetName/"):
            equal(channel.call(path).code, "PERMISSION_DENIED", path)
        by_hand = self.h2(lab, chosen)
        equal(by_hand.call(DOOR + "SetAccessCode").status, "403", "the status on the wire")
        stream = by_hand.request(grpc_headers(DOOR + "GetName", method="GET"))
        equal(by_hand.wait(stream).status, "403", "GET")
        equal(doors.record.paths(), [DOOR + method for method in ALLOWED] * 3, "at the server")
        equal(doors.record.access_code(), 123, "the access code")
        firewall.wait_events(12)
        frames = read_pcap(lab.captured()[0])
        guarded = [f for f in frames if f.tcp and PORT in (f.tcp.sport, f.tcp.dport)]
        flags = flags_seen(guarded)
        equal((len(connections(frames, PORT)), flags["FIN"], flags["RST"]), (2, 0, 0),
              "connections, FIN, RST")
        equal({len(f.vlans) for f in guarded}, {len(chosen.tags)}, "tags on the wire")

    @func_test
    @EACH
    def rule_is_scoped(self, family: str) -> None:
        """D9: a source that no rule lists is reset; another host is untouched."""
        conf = Conf().with_service(unlisted_source="reset")
        chosen, lab, _, doors = self.guarded(family, conf)
        with pytest.raises(ConnectionRefusedError):
            connect(lab, chosen, source=chosen.stranger, seconds=2.0).close()
        equal(self.channel(lab, chosen).door("GetName").code, "OK", "a terminal's call")
        elsewhere = self.channel(lab, chosen, host=chosen.unguarded)
        equal(elsewhere.door("SetAccessCode", 1, "42").code, "OK", "at an unguarded address")
        equal(doors.record.access_code(), 42, "the access code")

    @func_test
    @EACH
    def denied_megabyte_leaves_the_connection_whole(self, family: str) -> None:
        """D13: 1 MiB and a client stream denied, then allowed calls on the same connection."""
        chosen, lab, _, doors = self.guarded(family, ECHO)
        channel = self.channel(lab, chosen)
        for _ in range(2):
            equal(channel.call("/dts.Vault/Unary", bytes(1 << 20)).code, "PERMISSION_DENIED",
                  "a message of 1 MiB")
            result = channel.submit("collect", method="/dts.Vault/Collect", count=64,
                                    size=16384).result()
            equal(result.code, "PERMISSION_DENIED", "a client stream")
            result = channel.submit("collect", method="/dts.Echo/Collect", count=64,
                                    size=16384).result()
            equal(result.code, "OK", f"an allowed upload ({result.details})")
            equal(channel.door("GetName").code, "OK", "GetName")
        equal(set(doors.record.paths()), {"/dts.Echo/Collect", DOOR + "GetName"}, "at the server")
        equal(len(doors.record.peers()), 1, "connections")
