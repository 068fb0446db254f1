# SPDX-License-Identifier: Apache-2.0
"""ICMP errors that quote packets of a guarded connection."""

import struct

from scapy.layers.inet import ICMP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6PacketTooBig, ICMPv6TimeExceeded
from scapy.packet import Raw

from case import Case, flip
from http2 import SETTINGS_ACK, answer, call, denial
from talk import Talk

ROUTER = {4: {"c": "10.11.0.1", "s": "10.12.0.1"}, 6: {"c": "fd00:11::1", "s": "fd00:12::1"}}


class Routers:
    """What the routers of a side say about packets that have come to them."""

    def __init__(self, case):
        self.case = case
        self.link = case.link
        self.head = 20 if self.link.version == 4 else 40

    def quote(self, frame, length=None, **seq):
        """The packet of a frame, cut, and with another number where one is given."""
        packet = bytearray(frame[14 + 4 * len(self.link.tags) :])
        tcp = self.head
        if "seq" in seq:
            # RFC 1624: the quoted checksum follows, so that it is the one that was sent.
            old = struct.unpack_from(">I", packet, tcp + 4)[0]
            new = seq["seq"] & 0xFFFFFFFF
            checksum = ~struct.unpack_from(">H", packet, tcp + 16)[0] & 0xFFFF
            for word in (~old >> 16, ~old, new >> 16, new):
                checksum += word & 0xFFFF
            while checksum >> 16:
                checksum = (checksum & 0xFFFF) + (checksum >> 16)
            struct.pack_into(">I", packet, tcp + 4, new)
            struct.pack_into(">H", packet, tcp + 16, ~checksum & 0xFFFF)
        return bytes(packet[:length])

    def error(self, side, quote, kind, mtu=0):
        """An error that a router of a side sends to the host on the other one."""
        if self.link.version == 4:
            types = {"big": (3, 4), "host": (3, 1), "time": (11, 0)}
            kind, code = types[kind]
            head = ICMP(type=kind, code=code, nexthopmtu=mtu) if mtu else ICMP(type=kind, code=code)
            ip = {"src": ROUTER[4][side], "flags": 0}
        else:
            head = {
                "big": ICMPv6PacketTooBig(mtu=mtu),
                "host": ICMPv6DestUnreach(code=3),
                "time": ICMPv6TimeExceeded(code=0),
            }[kind]
            ip = {"src": ROUTER[6][side]}
        return self.link.frame(side, head / Raw(quote), **ip)

    def through(self, side, frame, kind, sent=None, length=None, mtu=0):
        """An error about `frame`, which had the number `sent` when it came from its sender."""
        came = self.error(side, self.quote(frame, length), kind, mtu)
        left = came
        if sent is not None:
            left = self.error(side, self.quote(frame, length, seq=sent), kind, mtu)
        self.case.enter(side, came, "fwd_guarded" if left == came else "fwd_edited")
        self.case.leave(flip(side), left)

    def refused(self, side, frame, kind, reason, **how):
        self.case.enter(side, self.error(side, self.quote(frame, **how), kind), reason)


def small(version):
    """A bit more than a header and eight bytes, which is all that some routers quote."""
    return 28 if version == 4 else 48


def icmp_quote(name, link):
    """Before an edit errors go on as they are, afterwards with the number that their receiver
    knows. What is not under way is not told."""
    case = Case(name, link)
    talk = Talk(case)
    routers = Routers(case)
    least = small(link.version)

    def last(side):
        return case.out[flip(side)][-1][1]

    talk.begin()
    # A call on its way when the router speaks up: the same packet, the same number.
    talk.tick("c")
    sent, got = talk.both("c", "PA", call(1, "GetName"), call(1, "GetName"))
    case.through("c", sent)
    routers.through("s", got, "big", mtu=1300)
    routers.through("s", got, "host", length=least)
    talk.sent["c"] += len(call(1, "GetName"))
    talk.seen["c"] += len(call(1, "GetName"))
    talk.answered(1)

    # A reply of ours, which the server has never sent: its own next number, as it happens.
    talk.denied(call(3, "SetAccessCode"), denial(3, 0))
    routers.through("c", last("s"), "time", sent=talk.isn["s"] + talk.sent["s"])
    talk.ack_of_reply()

    # From here on all numbers are others.
    first = talk.isn["c"] + talk.sent["c"]
    talk.tick("c")
    sent, got = talk.both("c", "PA", call(5, "GetLocation"), call(5, "GetLocation"))
    case.enter("c", sent, "fwd_edited")
    case.leave("s", got)
    for kind, length in (("big", None), ("time", None), ("host", least), ("host", least + 10)):
        routers.through("s", got, kind, sent=first, length=length, mtu=1300 if kind == "big" else 0)
    # The number that the client would have: here it belongs to nothing that is under way.
    unseen = talk.isn["c"] + talk.seen["c"] + len(call(5, "GetLocation")) + 1
    routers.refused("s", got, "big", "drop_icmp", seq=unseen)
    routers.refused("s", got, "host", "drop_icmp", seq=talk.isn["c"] + talk.seen["c"] - 1)
    # From the client's side nothing can be said of what went to the server's.
    routers.refused("c", got, "host", "drop_spoof_port")
    # A message that nobody would take.
    broken = bytearray(routers.error("s", routers.quote(got), "big"))
    broken[-1] ^= 1
    case.enter("s", bytes(broken), "drop_csum")
    talk.sent["c"] += len(call(5, "GetLocation"))
    talk.seen["c"] += len(call(5, "GetLocation"))
    first = talk.isn["s"] + talk.sent["s"]
    talk.send("s", answer(5, b"\x0d\x00\x00\x00\x00"))
    routers.through("c", last("s"), "big", sent=first, mtu=1300)
    talk.send("c")
    case.count(allowed=1)

    # A connection that nobody follows, and a port that nobody guards.
    stray = Talk(case, port=40009)
    frame = stray.tcp("c", "PA", 1, 1, SETTINGS_ACK)
    case.through("s", routers.error("s", routers.quote(frame), "host"), "fwd_plain")
    talk.close()
    return case
