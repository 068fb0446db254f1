# SPDX-License-Identifier: Apache-2.0
"""Smoke: if one of these fails, the other suites have nothing to tell."""

from api.test import TestSuite, equal, func_test, verify
from framework.lab import FAMILIES

STORY = (
    (("GetName", "1"), "Door name is: Spaceport Door #1"),
    (("GetLocation", "1"),
     "Door location is lat = 10.222200393676758 long = 68.87879943847656"),
    (("SetAccessCode", "1", "999"), "Successfully set AccessCode to 999"),
)


class TestSmoke(TestSuite):
    """The lab works, a plain wire works, the firewall starts, answers and stops."""

    @func_test
    def door_calls_pass_a_plain_wire(self) -> None:
        """D1, with testpmd in the middle: what the lab itself is worth.

        Verify:
            * GetName, GetLocation and SetAccessCode answer as the door manager says.
        """
        family = FAMILIES["ipv4"]
        lab = self.lab()
        self.wire(lab)
        doors = self.doors(lab)
        for arguments, words in STORY:
            equal(self.terminal(lab, family, *arguments), words, " ".join(arguments))
        equal(doors.record.access_code(), 999, "the access code at the server")

    @func_test
    def firewall_starts_passes_a_ping_and_stops(self) -> None:
        """No guarded traffic at all.

        Verify:
            * It says READY=1, a ping passes over IPv4 and IPv6.
            * Telemetry answers, the books balance, SIGTERM gives exit status 0.
        """
        lab = self.lab()
        firewall = self.firewall(lab)
        for name in ("ipv4", "ipv6"):
            done = lab.run(["ping", "-c", "3", "-i", "0.2", "-W", "2", FAMILIES[name].server],
                           lab.client_ns)
            equal(done.returncode, 0, f"ping over {name}: {done.stdout}")
        stats = firewall.stats()
        verify(stats["rx"] >= 12 and stats["tx"] >= 12, f"too few packets counted: {stats}")
        verify(firewall.policy_version() >= 1, "no policy version")
        verify(firewall.reasons()["fwd_plain"] >= 12, "fwd_plain does not count")

    @func_test
    def firewall_allows_and_denies(self) -> None:
        """D3 and D4 in three calls.

        Verify:
            * GetName is answered, SetAccessCode is denied, GetName is answered again.
            * The server has decoded GetName twice and nothing else.
        """
        family, lab, _, doors = self.guarded()
        channel = self.channel(lab, family)
        first = channel.door("GetName")
        equal(first.code, "OK", f"GetName ({first.details})")
        equal(channel.door("SetAccessCode", 1, "666").code, "PERMISSION_DENIED", "SetAccessCode")
        again = channel.door("GetName")
        equal(again.code, "OK", f"GetName after a denied call ({again.details})")
        equal(doors.record.paths(), ["/cloudcity.DoorManager/GetName"] * 2, "at the server")
