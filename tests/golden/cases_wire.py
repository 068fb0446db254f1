# SPDX-License-Identifier: Apache-2.0
"""What is no call of a followed connection."""

import struct

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS
from scapy.layers.l2 import ARP, GRE, Ether
from scapy.packet import Raw

from case import CONF, MAC, PORT, Case, Link, flip
from http2 import answer, call, denial
from talk import Talk


def unguarded():
    """Whatever is not the guarded service goes on bit for bit."""
    case = Case("unguarded")
    ether = {side: Ether(src=MAC[side], dst=MAC[flip(side)]) for side in "cs"}
    who = ARP(op=1, hwsrc=MAC["c"], psrc="10.11.0.7", pdst="10.12.0.10")
    link = Link()
    six = Link(6)

    def both_ways(make):
        for side in "cs":
            case.through(side, make(side), "fwd_plain")

    broadcast = Ether(src=MAC["c"], dst="ff:ff:ff:ff:ff:ff")
    case.through("c", bytes(broadcast / who), "fwd_plain")
    is_at = ARP(op=2, hwsrc=MAC["s"], psrc="10.12.0.10", hwdst=MAC["c"], pdst="10.11.0.7")
    case.through("s", bytes(ether["s"] / is_at), "fwd_plain")
    case.through("c", six.frame("c", ICMPv6ND_NS(tgt="fd00:12::10")), "fwd_plain")
    case.through("s", six.frame("s", ICMPv6ND_NA(tgt="fd00:12::10")), "fwd_plain")
    both_ways(lambda side: link.frame(side, ICMP(type=8 if side == "c" else 0) / Raw(b"ping")))
    both_ways(lambda side: link.frame(side, UDP(sport=PORT, dport=PORT) / Raw(b"datagram")))
    both_ways(lambda side: six.frame(side, UDP(sport=53, dport=5353) / Raw(b"datagram")))
    both_ways(lambda side: link.frame(side, UDP(sport=1, dport=2) / Raw(b"x" * 24), flags="MF"))
    both_ways(lambda side: link.frame(side, Raw(b"y" * 16), frag=4, proto=17, flags=0))
    for tags in ((), (5,), (100, 200)):
        tagged = Link(4, tags)
        both_ways(lambda side, at=tagged: at.frame(side, TCP(sport=22, dport=22, flags="PA")))
    # TCP as no stack sends it, on a port that nobody guards, of a host that nobody guards.
    odd = Ether(src=MAC["c"], dst=MAC["s"]) / IP(src="10.11.0.7", dst="10.12.0.11", ttl=1, tos=3)
    case.through("c", bytes(odd / TCP(dport=PORT, flags=0, dataofs=3, chksum=1)), "fwd_plain")
    case.through("c", bytes(odd / TCP(dport=PORT, flags="FSRPAU")), "fwd_plain")
    for ethertype in (0x88CC, 0x9000, 0x8847):
        body = struct.pack(">H", ethertype) + b"z" * 46
        both_ways(lambda side, end=body: bytes(ether[side])[:12] + end)
    llc = bytes(ether["c"])[:12] + struct.pack(">H", 38) + b"\x42\x42\x03" + bytes(43)
    case.through("c", llc, "fwd_plain")
    three_tags = bytes.fromhex("810000018100000281000003")
    for side, inside in (("c", odd / TCP(dport=22)), ("s", ether["s"] / who)):
        frame = bytes(inside)
        case.through(side, frame[:12] + three_tags + frame[12:], "fwd_plain")
    return case


def deep_tags():
    """A host takes off any number of priority tags. Up to two tags are read, with more of them a
    guarded address is as hidden as in a tunnel."""
    case = Case("deep_tags")
    talk = Talk(case)
    talk.begin()

    def tagged(frame, *ids):
        tags = b"".join(struct.pack(">HH", 0x8100, vlan) for vlan in ids)
        return frame[:12] + tags + frame[12:]

    bad = talk.tcp("c", "PA", talk.sent["c"], talk.sent["s"], call(1, "SetAccessCode"))
    for ids in ((0, 0, 0), (0, 7, 0), (0,) * 8):
        case.enter("c", tagged(bad, *ids), "drop_tunnel")
    case.enter("c", tagged(bad, *(0,) * 9), "drop_malformed")
    case.enter("s", tagged(talk.tcp("s", "A", talk.sent["s"], talk.sent["c"]), 0, 0, 0),
               "drop_tunnel")
    # In another VLAN it is another connection, which nobody has opened.
    frame = tagged(bad, 7)
    case.enter("c", frame, "drop_mid_stream")
    rst = talk.tcp("s", "R", talk.sent["s"], 0, options=[], window=0)
    case.leave("c", tagged(rst, 7))
    # With one or two priority tags it is this one, wherever they stand.
    for stream, ids in ((1, (0,)), (3, (0, 0))):
        talk.tick("c")
        sent, _ = talk.both("c", "PA", call(stream, "GetName"), b"")
        case.through("c", tagged(sent, *ids))
        talk.sent["c"] += len(call(stream, "GetName"))
        talk.seen["c"] += len(call(stream, "GetName"))
        talk.answered(stream)
    talk.tick("c")
    sent, _ = talk.both("c", "PA", call(5, "SetAccessCode"), b"")
    case.enter("c", tagged(sent, 0), "absorb_deleted")
    talk.replied(call(5, "SetAccessCode"), denial(5, 0))
    talk.ack_of_reply()
    talk.close()
    return case


def mid_stream():
    """A call on a connection whose SYN was never seen: nothing goes on, its sender gets an RST."""
    case = Case("mid_stream")
    talk = Talk(case)
    talk.tick("c")
    talk.tick("s")
    rst_options = []
    for side, payload in (("c", call(1, "GetName")), ("s", answer(1, b"\x0a\x04Door"))):
        frame = talk.tcp(side, "PA", 1000, 2000, payload)
        case.enter(side, frame, "drop_mid_stream")
        # RFC 9293 3.10.7.1: the number that the segment acknowledges, no ACK.
        rst = talk.tcp(flip(side), "R", 2000, 0, options=rst_options, window=0)
        case.leave(side, rst)
    return case


def spoofed_server():
    """A packet that says it is the server's, from the client's side, within a connection."""
    case = Case("spoofed_server")
    case.explicit = True
    talk = Talk(case)
    talk.begin()
    forged = talk.tcp("s", "PA", talk.sent["s"], talk.sent["c"], answer(1, b"\x0a\x04Fake"))
    case.enter("c", forged, "drop_spoof_port")
    case.enter("c", talk.tcp("s", "R", talk.sent["s"], 0), "drop_spoof_port")
    forged = talk.tcp("c", "PA", talk.sent["c"], talk.sent["s"], call(1, "GetName"))
    case.enter("s", forged, "drop_spoof_port")
    talk.allowed(1)
    return case


def malformed():
    """Lengths that do not fit are dropped; a trailer is never read as data."""
    case = Case("malformed")
    talk = Talk(case)
    talk.begin()
    bad = call(1, "SetAccessCode")
    good = talk.tcp("c", "PA", talk.sent["c"], talk.sent["s"], bad)

    def spoil(off, value, reason="drop_malformed"):
        frame = bytearray(good)
        frame[off : off + len(value)] = value
        case.enter("c", bytes(frame), reason)

    spoil(14, b"\x44")  # IHL 4
    spoil(14, b"\x65")  # IPv6 in a frame of IPv4
    spoil(16, struct.pack(">H", len(good) - 14 + 1))  # longer than the frame
    spoil(16, b"\x00\x13")  # shorter than its own header
    spoil(46, b"\x40")  # TCP data offset 4
    spoil(46, b"\xf0", "drop_csum")  # more options than there are, and the sum of another header
    spoil(24, b"\x00\x00", "drop_csum")  # IPv4 header
    spoil(50, b"\x00\x00", "drop_csum")  # TCP
    case.enter("c", good[:40], "drop_malformed")
    case.enter("c", good[:13], "drop_malformed")
    short = bytearray(talk.tcp("c", "A", talk.sent["c"], talk.sent["s"]))
    short[46] = 0xF0  # a header beyond the packet
    case.enter("c", bytes(short), "drop_malformed")
    # A pure ACK with the denied call behind its end.
    talk.tick("c")
    ack = talk.tcp("c", "A", talk.sent["c"], talk.sent["s"])
    case.through("c", ack + bad)
    talk.allowed(1)
    return case


def plain_rules():
    """Rules of the acl, and what hides a guarded port: tunnels and TCP fragments."""
    rules = """\
acl = (
  { to = [ "10.12.0.0/16" ]; proto = "tcp"; port = 22; vlan = 7; action = "pass"; },
  { to = [ "10.12.0.0/16" ]; proto = "tcp"; port = 22; action = "drop"; },
  { from = [ "10.11.0.0/16" ]; proto = "udp"; port = 53; action = "pass"; }
);
default = "drop";
on = { fragment = "drop"; };
"""
    case = Case("plain_rules", conf=CONF + rules)
    link = Link()
    ssh = TCP(sport=4000, dport=22, flags="S")
    case.enter("c", link.frame("c", ssh), "drop_acl")
    case.through("c", Link(4, (7,)).frame("c", ssh), "fwd_plain")
    case.enter("c", Link(4, (8, 7)).frame("c", ssh), "drop_acl")
    case.through("c", link.frame("c", UDP(sport=4000, dport=53) / Raw(b"query")), "fwd_plain")
    case.enter("s", link.frame("s", UDP(sport=53, dport=4000) / Raw(b"answer")), "drop_default")
    case.enter("c", Link(6).frame("c", TCP(sport=4000, dport=80, flags="S")), "drop_default")
    lldp = bytes(Ether(src=MAC["c"], dst=MAC["s"], type=0x88CC)) + bytes(46)
    case.enter("c", lldp, "drop_default")
    who = ARP(op=1, hwsrc=MAC["c"], psrc="10.11.0.7", pdst="10.12.0.10")
    case.through("c", bytes(Ether(src=MAC["c"], dst="ff:ff:ff:ff:ff:ff") / who), "fwd_plain")
    case.through("c", Link(6).frame("c", ICMPv6ND_NS(tgt="fd00:12::10"), hlim=255), "fwd_plain")
    inner = IP(src="10.11.0.7", dst="10.12.0.10") / TCP(sport=4000, dport=PORT, flags="S")
    case.enter("c", link.frame("c", GRE() / inner), "drop_tunnel")
    case.enter("c", link.frame("c", inner), "drop_tunnel")
    vxlan = b"\x08" + bytes(7) + bytes(Ether(src=MAC["c"], dst=MAC["s"]) / inner)
    case.enter("c", link.frame("c", UDP(sport=4000, dport=4789) / Raw(vxlan)), "drop_tunnel")
    segment = bytes(TCP(sport=4000, dport=PORT, flags="PA") / Raw(bytes(28)))
    case.enter("c", link.frame("c", Raw(segment[:24]), proto=6, flags="MF"), "drop_frag")
    case.enter("c", link.frame("c", Raw(segment[24:]), proto=6, flags=0, frag=3), "drop_frag")
    talk = Talk(case)
    talk.begin()
    talk.allowed(1)
    return case
