# SPDX-License-Identifier: Apache-2.0
"""Transparency: what is allowed passes bit for bit, what is not guarded is not touched."""

import bisect
import struct

import pytest

from api.conf import ALLOWED, DOOR, PORT, Conf, Service
from api.grpc import StaticServer, h2load
from api.h2 import DATA, END_STREAM, ended, frame, grpc_headers, message
from api.packet import (SYN, difference, flags_seen, from_port, http2_frames, read_pcap, send_raw,
                        stream, streams, to_port)
from api.test import TestSuite, equal, func_test, log, verify
from cloudcity import messages
from framework.lab import CLIENT_TAP, FAMILIES, SERVER_TAP, Lab
from framework.process import wait_for
from framework.settings import settings

ECHO = Conf(services=(Service(allow=("/dts.Echo/*", DOOR + "GetName")),))
UPLOAD_B = 4 << 20


def same_on_both_sides(lab: Lab, port: int = PORT) -> int:
    """Both captures hold the same frames of the port, per direction and in order.
    Returns how many there were."""
    left, right = map(read_pcap, lab.captured())
    for name, one, other in (("client to server", to_port(left, port), to_port(right, port)),
                             ("server to client", from_port(left, port), from_port(right, port))):
        equal(difference(one, other), "", name)
    return len(to_port(left, port)) + len(from_port(left, port))


def same_streams(lab: Lab) -> tuple[int, int]:
    """Both captures hold the same bytes in both directions of every connection.
    Returns (frames of the client that carry data, connections)."""
    left, right = map(read_pcap, lab.captured())
    before, after = streams(left, PORT), streams(right, PORT)
    equal(before.keys(), after.keys(), "connections on both sides")
    for client, (sent, got) in before.items():
        verify(after[client][0] == sent, f"what {client} sent arrived changed")
        verify(after[client][1] == got, f"what {client} got was not what the server sent")
    return sum(bool(f.tcp.payload) for f in to_port(left, PORT)), len(before)


def cut_anew(lab: Lab) -> int:
    """How many frames with new data went in and did not come out as they were. What was said
    before does not count: a copy of acknowledged bytes is answered, not passed on."""
    left, right = (read_pcap(lab.folder / f"{tap}.pcap") for tap in (CLIENT_TAP, SERVER_TAP))
    count = 0
    for before, after in ((to_port(left, PORT), to_port(right, PORT)),
                          (from_port(right, PORT), from_port(left, PORT))):
        out, said = {f.data for f in after}, set()
        for segment in before:
            place = segment.tcp.seq, len(segment.tcp.payload)
            if segment.tcp.payload and place not in said:
                count += segment.data not in out
            said.add(place)
    return count


def judged_across_segments(lab: Lab) -> int:
    """How many pieces of the only client's stream that are judged whole (a frame header, a frame
    that is not DATA) lie in more than one of its segments."""
    frames = to_port(read_pcap(lab.folder / f"{CLIENT_TAP}.pcap"), PORT)
    start = next(f.tcp.seq for f in frames if f.tcp.flags & SYN) + 1
    cuts = sorted({(f.tcp.seq - start) % (1 << 32) for f in frames if f.tcp.payload})
    at, across = 24, 0
    for kind, _, _, payload in http2_frames(stream(frames), True):
        end = at + 9 + (0 if kind == DATA else len(payload))
        across += bisect.bisect_left(cuts, end) > bisect.bisect_right(cuts, at)
        at += 9 + len(payload)
    return across


class TestTransparency(TestSuite):
    """The differential test: what goes in comes out."""

    @func_test
    @pytest.mark.parametrize("family", settings.families)
    def allowed_calls_pass_packet_for_packet(self, family: str) -> None:
        """From SYN to FIN: every frame on one tap is on the other, unchanged, in order.

        Steps:
            * Two channels one after the other, every allowed method several times.
        Verify:
            * Both captures are identical per direction; the server ran every call.
        """
        chosen, lab, firewall, doors = self.guarded(family)
        for name in ("one", "two"):
            channel = self.channel(lab, chosen, name)
            for method in ALLOWED * 5:
                equal(channel.door(method).code, "OK", method)
            channel.close()
        self.quiet(firewall)
        frames = same_on_both_sides(lab)
        flags = flags_seen([f for f in read_pcap(lab.folder / "wks.pcap")
                            if f.tcp and PORT in (f.tcp.sport, f.tcp.dport)])
        equal((flags["SYN"], flags["FIN"] + flags["RST"] >= 4), (4, True), "SYN and FIN")
        verify(frames >= 60, f"only {frames} frames")
        equal(len(doors.record.runs()), 30, "calls at the server")
        equal(firewall.stats()["originated"], 0, "packets of our own")
        equal(firewall.stats()["resegmented"], 0, "packets cut anew")

    @staticmethod
    def quiet(firewall) -> None:
        """Waits until the last FIN has been acknowledged and nothing moves any more."""
        counts: list[int] = []

        def still() -> bool:
            counts.append(firewall.stats()["rx"])
            return len(counts) > 10 and len(set(counts[-10:])) == 1

        wait_for(still, "silence", 10.0, pause=0.05)

    @func_test
    @pytest.mark.parametrize("mode", ["off", "audit"])
    def without_enforcement_every_call_passes_packet_for_packet(self, mode: str) -> None:
        """In off and audit nothing is changed, whatever the verdict would be."""
        family, lab, firewall, doors = self.guarded(conf=Conf().with_service(mode=mode))
        channel = self.channel(lab, family)
        for method in messages.METHODS * 3:
            equal(channel.door(method, 1, "999").code, "OK", method)
        collected = channel.submit("collect", method="/dts.Vault/Collect", count=16,
                                   size=65536).result()
        equal(collected.code, "OK", "a long upload")
        channel.close()
        self.quiet(firewall)
        same_on_both_sides(lab)
        equal(doors.record.access_code(), 999, "the access code")
        equal(firewall.stats()["originated"], 0, "packets of our own")

    @func_test
    @pytest.mark.parametrize("family", ["ipv4", "ipv6", "qinq"])
    def upload_of_four_mebibytes_arrives_as_it_was(self, family: str) -> None:
        """Frame headers fall anywhere in the segments.

        Verify:
            * The server's count and CRC are the client's; both byte streams are identical.
            * Fewer than 2 % of the upload's packets were cut anew, and each is counted.
        """
        chosen, lab, firewall, doors = self.guarded(family, ECHO)
        channel = self.channel(lab, chosen)
        result = channel.submit("collect", method="/dts.Echo/Collect", count=64,
                                size=UPLOAD_B // 64).result()
        equal(result.code, "OK", f"the upload ({result.details})")
        verify(str(result.more["sent"]["crc"]).encode() in result.reply, "another CRC arrived")
        whole = channel.call("/dts.Echo/Unary", bytes(range(256)) * (UPLOAD_B // 256), timeout=30)
        equal(whole.code, "OK", f"one message of 4 MiB ({whole.details})")
        verify(whole.reply == bytes(range(256)) * (UPLOAD_B // 256), "it came back changed")
        channel.close()
        self.quiet(firewall)
        packets, _ = same_streams(lab)
        resegmented = firewall.stats()["resegmented"]
        log(f"{resegmented} of {packets} packets of the uploads cut anew")
        verify(resegmented < 0.02 * packets, f"{resegmented} of {packets} packets cut anew")
        equal(firewall.stats()["retrans_mismatch"], 0, "retransmissions that differ")

    @func_test
    @pytest.mark.parametrize("size", [1009, 5003, 16384])
    def frame_headers_across_segments_are_cut_anew_and_counted(self, size: int) -> None:
        """4 MiB in thousands of DATA frames: many headers fall across two segments.

        Verify:
            * Both byte streams are identical; the firewall counts exactly the packets that did
              not come out as they were: the two that share such a header, and no others.
        """
        family, lab, firewall, doors = self.guarded(conf=ECHO)
        client = self.h2(lab, family)
        number = client.request(grpc_headers("/dts.Echo/Collect"), end=False)
        body = b"".join(message(bytes([i]) * 65531) for i in range(64))
        verify(client.upload(number, body, size=size), "the upload was cut off")
        equal(client.wait(number).grpc_status, "0", "the upload")
        equal(doors.record.runs()[0]["bytes"], 64 * 65531, "bytes at the server")
        client.close()
        self.quiet(firewall)
        packets, _ = same_streams(lab)
        resegmented = firewall.stats()["resegmented"]
        across = judged_across_segments(lab)
        log(f"{resegmented} of {packets} packets cut anew, {across} headers across segments")
        equal(resegmented, cut_anew(lab), "packets cut anew")
        verify(resegmented <= 2 * across, f"{resegmented} packets cut anew for {across} headers")
        if size == 16384:  # what clients do
            verify(resegmented < 0.02 * packets, f"{resegmented} of {packets} packets cut anew")

    @func_test
    def download_of_four_mebibytes_arrives_as_it_was(self) -> None:
        """Server streaming, the same demands as of an upload."""
        family, lab, firewall, _ = self.guarded(conf=ECHO)
        channel = self.channel(lab, family)
        result = channel.submit("repeat", method="/dts.Echo/Repeat", count=64,
                                size=UPLOAD_B // 64).result()
        equal((result.code, result.more["good"]), ("OK", 64), "the download")
        channel.close()
        self.quiet(firewall)
        same_streams(lab)
        packets = sum(bool(f.tcp.payload) for f in
                      from_port(read_pcap(lab.folder / f"{SERVER_TAP}.pcap"), PORT))
        resegmented = firewall.stats()["resegmented"]
        log(f"{resegmented} of {packets} packets of the download cut anew")
        verify(resegmented < 0.02 * packets, f"{resegmented} of {packets} packets cut anew")

    @func_test
    @pytest.mark.parametrize("cut", [1, 2, 3, 5, 8, 9, 10, 13, 33, 100, 700])
    def streams_cut_at_odd_places_arrive_as_they_were(self, cut: int) -> None:
        """Segments of 1 to 700 bytes: frame headers and header blocks in pieces.

        Verify:
            * Every call is answered, both byte streams are identical.
        """
        family, lab, firewall, doors = self.guarded()
        client = self.crafted(lab, family)
        client.send(client.hello, cut)
        numbers = []
        for i in range(12):
            number, call = client.call_bytes(
                DOOR + ALLOWED[i % 3], messages.request(ALLOWED[i % 3], 1, "squeaks"),
                more=[("x-number", str(i) * 40)])
            numbers.append(number)
            client.send(call, cut)
        client.read_frames(ended(*numbers), seconds=20)
        equal(len(doors.record.runs()), 12, "calls at the server")
        client.sock.close()
        self.quiet(firewall)
        same_streams(lab)

    @func_test
    def streams_cut_at_odd_places_with_denials_between(self) -> None:
        """The same with a denied call before each allowed one: the server sees the allowed calls
        alone, whatever the segments."""
        family, lab, _, doors = self.guarded()
        for cut in (1, 7, 9, 19, 64):
            client = self.crafted(lab, family)
            client.send(client.hello, cut)
            numbers = []
            for i in range(6):
                for path in (DOOR + "SetAccessCode", DOOR + ALLOWED[i % 3]):
                    number, call = client.call_bytes(path, messages.request(ALLOWED[i % 3]))
                    numbers.append(number)
                    client.send(call, cut)
            client.read_frames(ended(*numbers), seconds=20)
            client.sock.close()
        equal(doors.record.paths(), [DOOR + m for m in ALLOWED * 2] * 5, "at the server")

    @func_test
    def data_that_looks_like_a_request_is_data(self) -> None:
        """The payload of an allowed call holds a preface and a denied request."""
        family, lab, firewall, doors = self.guarded(conf=ECHO)
        evil = self.crafted(lab, family)
        _, denied = evil.call_bytes(DOOR + "SetAccessCode",
                                    messages.request("SetAccessCode", 1, "999"))
        body = message((evil.hello + denied) * 20)
        client = self.crafted(lab, family)
        number, call = client.call_bytes("/dts.Echo/Unary")
        head = call[:call.index(frame(DATA, END_STREAM, number, message(b""))[:9])]
        client.send(client.hello + head)
        for at in range(0, len(body), 1000):
            last = at + 1000 >= len(body)
            client.send(frame(DATA, END_STREAM if last else 0, number, body[at:at + 1000]))
        client.read_frames(ended(number))
        equal(doors.record.paths(), ["/dts.Echo/Unary"], "at the server")
        equal(doors.record.runs()[0]["bytes"], len(body) - 5, "bytes at the server")
        equal(firewall.denials(), [], "events")

    @func_test
    def unguarded_frames_come_out_as_they_went_in(self) -> None:
        """ARP, unknown EtherTypes, LLC, tags, UDP, fragments, odd TCP: both ways, to the byte."""
        lab = self.lab()
        firewall = self.firewall(lab)
        for tap, netns, other in ((CLIENT_TAP, lab.client_ns, SERVER_TAP),
                                  (SERVER_TAP, lab.server_ns, CLIENT_TAP)):
            send_raw(lab, netns, tap, odd_frames(tap.encode()))
        self.quiet(firewall)
        captures = dict(zip((CLIENT_TAP, SERVER_TAP), map(read_pcap, lab.captured())))
        for tap, other in ((CLIENT_TAP, SERVER_TAP), (SERVER_TAP, CLIENT_TAP)):
            arrived = [f.data for f in captures[other]]
            for sent in odd_frames(tap.encode()):
                verify(sent in arrived, f"lost or changed on the way from {tap}: {sent.hex()}")

    @func_test
    def malformed_packets_are_dropped_and_counted(self) -> None:
        """Lengths that do not fit the frame: no address can be trusted, so nothing passes."""
        lab = self.lab()
        firewall = self.firewall(lab)
        self.quiet(firewall)
        ethernet, pad = b"\x02" + bytes(4) + b"\x99" + b"\x02" + bytes(4) + b"\x63", bytes(46)
        frames = [ethernet + b"\x08\x00" + first + pad for first in
                  (b"\x4f", b"\x44", b"\x65", b"\x45\x00\xff\xff")]
        frames.append(ethernet + b"\x86\xdd" + b"\x60\x00\x00\x00\xff\xff" + pad)
        send_raw(lab, lab.client_ns, CLIENT_TAP, frames)
        wait_for(lambda: firewall.reasons()["drop_malformed"] == len(frames), "the drops")
        arrived = [f.data for f in read_pcap(lab.captured()[1])]
        verify(not any(frame in arrived for frame in frames), "a malformed packet has passed")

    @func_test
    def pings_of_all_sizes_pass(self) -> None:
        """Up to the MTU and, in fragments, beyond it."""
        lab = self.lab()
        self.firewall(lab)
        for size in (0, 1, 1471, 1472, 1473, 4000, 20000):
            for name in ("ipv4", "ipv6"):
                done = lab.run(["ping", "-c", "2", "-i", "0.2", "-W", "2", "-s", str(size),
                                FAMILIES[name].server], lab.client_ns)
                equal(done.returncode, 0, f"{size} bytes over {name}: {done.stdout[-300:]}")

    @func_test
    def load_on_another_port_is_not_touched(self) -> None:
        """20 000 requests beside the guarded port: nothing built, nothing dropped."""
        family = FAMILIES["ipv4"]
        lab = self.lab()
        firewall = self.firewall(lab, capture=False)
        StaticServer(lab, family, [DOOR + "SetAccessCode"], port=50052)
        load = h2load(lab, family.target(50052), [DOOR + "SetAccessCode"], 20000, 10, 10)
        equal((load.succeeded, load.errored, load.timeout), (20000, 0, 0), "requests")
        stats = firewall.stats()
        equal((stats["originated"], stats["flows_opened"]), (0, 0), "packets and flows of ours")


def odd_frames(mark: bytes) -> list[bytes]:
    """Frames that no service names, each different."""
    ethernet = b"\x02\x00\x00\x00\x00\x99" + b"\x02\x00\x00\x00\x00" + mark[-1:]
    pad = bytes(range(46))

    def tagged(*tags: tuple[int, int], payload: bytes) -> bytes:
        return ethernet + b"".join(struct.pack("!HH", *tag) for tag in tags) + payload

    def ipv4(proto: int, body: bytes, fragment: int = 0, dst: bytes = b"\x0a\x32\x02\x63") -> bytes:
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 7, fragment, 64, proto, 0,
                           b"\x0a\x32\x01\x63", dst)
        total = sum(struct.unpack("!10H", head))
        total = (total & 0xFFFF) + (total >> 16)
        return (b"\x08\x00" + head[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF)
                + head[12:] + body)

    udp = struct.pack("!HHHH", 5, 6, 8 + 40, 0) + bytes(40)
    tcp_xmas = struct.pack("!HHIIBBHHH", 80, 81, 1, 2, 0x50, 0xFF, 3, 4, 5) + bytes(20)
    return [
        ethernet + b"\x88\xb5" + pad,                          # an experimental EtherType
        ethernet + b"\x00\x2e" + b"\xaa\xaa\x03" + pad[3:],    # 802.3 with LLC
        ethernet + b"\x08\x06" + pad,                          # an ARP of nonsense
        ethernet + b"\x88\xcc" + pad,                          # LLDP
        ethernet + ipv4(17, udp),
        ethernet + ipv4(17, udp, 0x2000),                      # the first of two fragments
        ethernet + ipv4(17, udp, 6),                           # the last
        ethernet + ipv4(6, tcp_xmas),                          # all flags at once
        ethernet + ipv4(132, pad),                             # SCTP of nonsense
        tagged((0x8100, 9), payload=b"\x88\xb5" + pad),
        tagged((0x8100, 9), payload=ipv4(17, udp)),
        tagged((0x88A8, 9), (0x8100, 10), payload=ipv4(17, udp)),
        tagged((0x8100, 9), (0x8100, 10), (0x8100, 11), payload=ipv4(17, udp)),
        ethernet + ipv4(17, struct.pack("!HHHH", 7, 8, 1480, 0) + bytes(1472)),  # 1 514 bytes
    ]

