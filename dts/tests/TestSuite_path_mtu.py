# SPDX-License-Identifier: Apache-2.0
"""Path MTU: a router behind the firewall whose link is narrower than the wire, real Linux TCP.

The router answers packets that do not fit with "fragmentation needed" or "packet too big", which
quote numbers that the sender does not know once its connection has been edited.
"""


import pytest

from api.conf import ALLOWED, DOOR, PORT, Conf, Service
from api.h2 import END_STREAM, HEADERS, SETTINGS, ended
from api.packet import from_port, read_pcap, to_port
from api.test import TestSuite, equal, func_test, log, verify
from cloudcity import messages
from framework.lab import CLIENT_TAP, FAMILIES, SERVER_TAP
from framework.router import put_router
from framework.settings import settings

ECHO = Conf(services=(Service(allow=("/dts.Echo/*", *(DOOR + method for method in ALLOWED))),))
SET = "SetAccessCode"
MTU = 1300
# Numbers are moved by more than a first flight, so that one that was left is none of its sender's.
MANY = 250
ACK = 0x1
TRANSFER_B, PIECE_B = 1 << 20, 1 << 16
BOTH = pytest.mark.parametrize("family", ("ipv4", "ipv6"))


def largest(frames) -> int:
    return max(len(frame.data) - 14 for frame in frames)


class TestPathMtu(TestSuite):
    """The peers find out what fits, and what the firewall makes itself fits as well."""

    def narrow(self, name: str, tap: str):
        """(family, lab, firewall, doors) with a router on one side."""
        family, lab = FAMILIES[name], self.lab()
        firewall = self.firewall(lab, ECHO)
        put_router(lab, tap, MTU)
        return family, lab, firewall, self.doors(lab)

    def transfer(self, channel, op: str, method: str) -> None:
        result = channel.submit(op, method=f"/dts.Echo/{method}", count=TRANSFER_B // PIECE_B,
                                size=PIECE_B, seed=7, timeout=20.0).result(25.0)
        equal(result.code, "OK", f"the {op} ({result.details})")
        verify(result.more["same"], f"the {op} arrived with another hash")
        log(f"{op}: {result.ms:.0f} ms")

    def deny(self, channel, calls: int = 1) -> None:
        for _ in range(calls):
            result = channel.door(SET, 1, "999")
            equal(result.code, "PERMISSION_DENIED", f"{SET} ({result.details})")

    def goes_on(self, channel, firewall) -> None:
        """The connection lives on, in numbers of which its client has been told."""
        self.deny(channel)
        verify(channel.door("GetName").ok, "a call afterwards")
        stats = firewall.stats()
        verify(stats["icmp_xlate"] > 0, "no number has been translated")
        equal((stats["flows_opened"], stats["flows_reset"]), (1, 0), "connections, resets")
        # By another worker an error may come later than the ACK of what it is about.
        verify(settings.workers > 1 or firewall.reasons()["drop_icmp"] == 0,
               "errors that were not believed")

    @func_test
    @BOTH
    def an_upload_fits_a_narrow_path_to_the_server(self, family: str) -> None:
        """Denied calls, then 1 MiB towards a server behind a narrow link.

        Verify:
            * The client has been told by its own number, and its packets fit from then on.
        """
        chosen, lab, firewall, doors = self.narrow(family, SERVER_TAP)
        channel = self.channel(lab, chosen)
        for _ in range(5):
            result = channel.submit("upload", method="/dts.Vault/Collect", count=1, size=PIECE_B,
                                    seed=7).result(10.0)
            equal(result.code, "PERMISSION_DENIED", f"a denied upload ({result.details})")
        self.transfer(channel, "upload", "Collect")
        self.goes_on(channel, firewall)
        lab.captured()
        sent = to_port(read_pcap(lab.folder / f"{SERVER_TAP}.pcap"), PORT)
        verify(largest(sent) > MTU, "nothing was too big")
        equal(largest(sent[len(sent) // 2:]), MTU, "the largest packet of the second half")
        equal(doors.record.seen(DOOR + SET), [], "SetAccessCode at the server")

    @func_test
    @BOTH
    def a_download_fits_a_narrow_path_to_the_client(self, family: str) -> None:
        """The same in the other direction, where replies have moved all numbers."""
        chosen, lab, firewall, _ = self.narrow(family, CLIENT_TAP)
        channel = self.channel(lab, chosen)
        self.deny(channel, MANY)
        self.transfer(channel, "download", "Repeat")
        self.goes_on(channel, firewall)
        lab.captured()
        sent = from_port(read_pcap(lab.folder / f"{CLIENT_TAP}.pcap"), PORT)
        equal(largest(sent[len(sent) // 2:]), MTU, "the largest packet of the second half")

    @func_test
    @BOTH
    def replies_fit_a_narrow_path_to_the_client(self, family: str) -> None:
        """Twenty denied calls in one segment: their replies are more than a packet.

        Verify:
            * The first packet is too big, what is lost is sent again in smaller ones, and so is
              everything from then on.
        """
        chosen, lab, firewall, _ = self.narrow(family, CLIENT_TAP)
        crafted = self.crafted(lab, chosen)
        crafted.sock.sendall(crafted.hello)
        crafted.read_frames(lambda frames: any(f[:2] == (SETTINGS, ACK) for f in frames))
        numbers = []
        for _ in range(2):
            calls = [crafted.call_bytes(DOOR + SET, messages.request(SET, 1, "7"))
                     for _ in range(20)]
            crafted.send(b"".join(data for _, data in calls))
            numbers += [number for number, _ in calls]
            crafted.read_frames(ended(*numbers))
        heads = [f for f in crafted.frames() if f[0] == HEADERS and f[1] & END_STREAM]
        equal([f[2] for f in heads], numbers, "replies")
        stats = firewall.stats()
        equal(stats["path_mtu"], 1, "narrow paths")
        verify(stats["owned_rexmit"] >= 1, "nothing was sent again")
        lab.captured()
        sent = from_port(read_pcap(lab.folder / f"{CLIENT_TAP}.pcap"), PORT)
        big = [frame for frame in sent if len(frame.data) - 14 > MTU]
        # By another worker the error may come later than the SACK that asks for it again.
        verify(1 <= len(big) <= settings.workers, f"{len(big)} packets were too big")
        later = [frame for frame in sent if frame.time > big[-1].time]
        again = next(f for f in later if f.tcp.seq == big[0].tcp.seq and f.tcp.payload)
        late = again.time - big[0].time
        log(f"the lost packet came again after {late * 1000:.2f} ms")
        verify(late < 0.1, f"the lost packet came again after {late:.3f} s")
        equal(largest(later), MTU, "the largest packet afterwards")
