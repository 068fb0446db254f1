# SPDX-License-Identifier: Apache-2.0
"""The reply to a denied call: explicit, at once, on its own stream, and nothing else changes."""

import re
import time

import pytest
from hpack import Decoder

from api.conf import DOOR, PORT, Conf
from api.h2 import (DATA, END_HEADERS, END_STREAM, HEADERS, RST_STREAM, SETTINGS, ended, frame,
                    grpc_headers, message)
from api.packet import flags_seen, read_pcap, to_port
from api.test import TestSuite, equal, func_test, verify
from cloudcity import messages
from framework.lab import FAMILIES
from framework.process import wait_for

NAME = DOOR + "GetName", messages.request("GetName")
CODE = DOOR + "SetAccessCode", messages.request("SetAccessCode", 1, "999")


class TestReject403(TestSuite):
    """What the client sees, and what it does not."""

    @func_test
    def wire_shows_one_headers_frame_with_403(self) -> None:
        """D6 and wire facts: HEADERS with END_STREAM, in fields that leave the table alone.

        Verify:
            * :status 403, application/grpc, grpc-status 7, a message with a reference.
            * The block holds no literal with incremental indexing: our table does not grow.
            * No RST_STREAM, since the request was whole.
        """
        family, lab, _, doors = self.guarded()
        client = self.crafted(lab, family)
        number, call = client.call_bytes(*CODE)
        client.send(client.hello + call)
        frames = client.read_frames(ended(number))
        equal(frames[0][0], SETTINGS, "the first frame from the server's side")
        replies = [f for f in frames if f[2] == number]
        equal([(kind, flags) for kind, flags, _, _ in replies],
              [(HEADERS, END_STREAM | END_HEADERS)], "frames on the denied stream")
        block = replies[0][3]
        verify(block.startswith(b"\x08\x03403"), f"the block begins with {block[:6].hex()}")
        decoder = Decoder()
        fields = dict(decoder.decode(block))
        equal(len(decoder.header_table.dynamic_entries), 0, "entries in the client's table")
        equal((fields[":status"], fields["content-type"], fields["grpc-status"]),
              ("403", "application/grpc", "7"), "the reply")
        verify(re.fullmatch(r"call denied by policy \(ref [0-9a-f]+-[0-9a-f]+\)",
                            fields["grpc-message"].replace("%20", " ")),
               f"grpc-message: {fields['grpc-message']!r}")
        equal(doors.record.paths(), [], "at the server")

    @func_test
    def unfinished_request_gets_the_reply_and_then_no_error(self) -> None:
        """RST_STREAM(NO_ERROR) behind the reply, if the client's END_STREAM was not seen."""
        family, lab, _, doors = self.guarded()
        client = self.crafted(lab, family)
        number = client.stream()
        client.send(client.hello + frame(HEADERS, END_HEADERS, number,
                                         client.block(grpc_headers(CODE[0]))))
        frames = client.read_frames(
            lambda all_: any(f[0] == RST_STREAM and f[2] == number for f in all_))
        ours = [(kind, payload) for kind, _, stream, payload in frames if stream == number]
        equal([kind for kind, _ in ours], [HEADERS, RST_STREAM], "frames on the denied stream")
        equal(ours[1][1], bytes(4), "the code of RST_STREAM")
        client.send(frame(DATA, END_STREAM, number, message(CODE[1])))
        number, call = client.call_bytes(*NAME)
        client.send(call)
        client.read_frames(ended(number))
        equal(doors.record.paths(), [NAME[0]], "at the server")

    @func_test
    def grpcio_says_permission_denied_with_our_words(self) -> None:
        """D6: what an application reads; the reference is that of the event."""
        family, lab, firewall, _ = self.guarded()
        result = self.channel(lab, family).door("SetAccessCode", 1, "999")
        equal(result.code, "PERMISSION_DENIED", "the code")
        reference = re.search(r"call denied by policy \(ref ([0-9a-f]+-[0-9a-f]+)\)",
                              result.details)
        verify(reference, f"details: {result.details!r}")
        event = firewall.wait_events(1)[0]
        verify(reference.group(1) in event.values(), f"{reference.group(1)} is not in {event}")

    @func_test
    def denial_is_immediate_and_the_connection_goes_on(self) -> None:
        """D5: no deadline, no RST, no FIN, the same five numbers.

        Verify:
            * 50 denied calls take no longer than 50 allowed ones and 20 ms each.
            * One connection on the wire, and no flag ends it before the client does.
        """
        family, lab, _, doors = self.guarded()
        channel = self.channel(lab, family)
        channel.door("GetName")
        allowed = sorted(channel.door("GetName").ms for _ in range(50))
        denied = sorted(channel.door("SetAccessCode", 1, "999").ms for _ in range(50))
        verify(denied[25] < allowed[25] + 20,
               f"median of denied {denied[25]:.1f} ms, of allowed {allowed[25]:.1f} ms")
        equal(channel.door("GetName").code, "OK", "GetName in the end")
        frames = read_pcap(lab.captured()[0])
        flags = flags_seen([f for f in frames if f.tcp and PORT in (f.tcp.sport, f.tcp.dport)])
        equal((flags["SYN"], flags["FIN"], flags["RST"]), (2, 0, 0), "SYN, FIN, RST on the wire")
        equal(len(doors.record.peers()), 1, "connections at the server")

    @func_test
    def the_grpc_form_says_200_with_status_7(self) -> None:
        """reply = "grpc", for clients that read a non-200 as something else."""
        family, lab, _, doors = self.guarded(conf=Conf().with_service(reply="grpc"))
        response = self.h2(lab, family).call(*CODE)
        equal((response.status, response.grpc_status), ("200", "7"), "the reply")
        result = self.channel(lab, family).door("SetAccessCode", 1, "999")
        equal(result.code, "PERMISSION_DENIED", "grpcio's code")
        equal(doors.record.paths(), [], "at the server")

    @func_test
    def the_reset_form_ends_the_connection(self) -> None:
        """reply = "reset": both sides are told, the server never hears of the call."""
        family, lab, _, doors = self.guarded(conf=Conf().with_service(reply="reset"))
        connection = self.h2(lab, family)
        equal(connection.call(*NAME).grpc_status, "0", "GetName")
        connection.request(grpc_headers(CODE[0]), message(CODE[1]))
        connection.read(seconds=5.0)
        verify(connection.closed, "the connection is still there")
        equal(doors.record.paths(), [NAME[0]], "at the server")

    @func_test
    def request_that_is_no_grpc_gets_a_bare_403(self) -> None:
        """No gRPC fields for whoever did not ask in gRPC."""
        family, lab, _, doors = self.guarded()
        connection = self.h2(lab, family)
        headers = [(":method", "GET"), (":scheme", "http"), (":path", "/index.html"),
                   (":authority", "door-manager"), ("accept", "text/html")]
        response = connection.wait(connection.request(headers))
        equal(response.headers, {":status": "403"}, "the reply")
        equal(doors.record.paths(), [], "at the server")

    @func_test
    def reply_waits_for_the_servers_settings(self) -> None:
        """A client that speaks first, a server that takes its time.

        Verify:
            * The client's first frame is the server's SETTINGS, 0.4 s late; then the reply.
        """
        family = FAMILIES["ipv4"]
        lab = self.lab()
        self.firewall(lab)
        server = self.h2_server(lab, family, before_hello=lambda: time.sleep(0.4))
        client = self.crafted(lab, family)
        denied, one = client.call_bytes(*CODE)
        allowed, other = client.call_bytes(*NAME)
        started = time.monotonic()
        client.send(client.hello + one + other)
        frames = client.read_frames(ended(denied, allowed))
        verify(time.monotonic() - started > 0.35, "the server was not late at all")
        equal(frames[0][0], SETTINGS, "the first frame")
        equal(server.paths(), [NAME[0]], "at the server")
        equal(server.errors, [], "errors of the server")

    @func_test
    @pytest.mark.parametrize("fault", ["two_paths", "no_path", "late_pseudo", "upper_case",
                                       "unknown_pseudo", "connection_field"])
    def malformed_request_is_refused_on_its_stream(self, fault: str) -> None:
        """RFC 9113 8.1.1: RST_STREAM(PROTOCOL_ERROR); the server never hears of it."""
        family, lab, firewall, doors = self.guarded()
        headers = grpc_headers(NAME[0])
        headers, reason = {
            "two_paths": (headers[:3] + [(":path", CODE[0])] + headers[3:], "twice"),
            "no_path": (headers[:2] + headers[3:], "missing"),
            "late_pseudo": (headers[:2] + headers[3:] + [headers[2]], "order"),
            "upper_case": ([*headers, ("X-Door", "1")], "name"),
            "unknown_pseudo": ([(":door", "1"), *headers], "pseudo"),
            "connection_field": ([*headers, ("connection", "keep-alive")], "hop"),
        }[fault]
        client = self.crafted(lab, family)
        number = client.stream()
        client.send(client.hello + frame(HEADERS, END_HEADERS, number, client.block(headers))
                    + frame(DATA, END_STREAM, number, message(NAME[1])))
        frames = client.read_frames(ended(number))
        replies = [(kind, payload) for kind, _, stream, payload in frames if stream == number]
        equal(replies, [(RST_STREAM, b"\0\0\0\1")], "frames on the stream")
        number, call = client.call_bytes(*NAME)
        client.send(call)
        client.read_frames(ended(number))
        equal(doors.record.paths(), [NAME[0]], "at the server")
        equal(firewall.calls()[f"refused_{reason}"], 1, f"refused_{reason}")

    @func_test
    def every_denied_call_leaves_one_event(self) -> None:
        """D14: time, five numbers, path, rule, policy version; totals agree with the counters."""
        family, lab, firewall, doors = self.guarded()
        channel = self.channel(lab, family)
        before = time.time()
        for _ in range(20):
            channel.door("GetName")
            channel.door("SetAccessCode", 1, "999")
            channel.door("GetStatus")
        events = firewall.wait_events(40)
        paths = [event["path"] for event in events]
        equal((paths.count(CODE[0]), paths.count(DOOR + "GetStatus")), (20, 20), "paths")
        client, port = doors.record.runs()[0]["peer"].removeprefix("ipv4:").rsplit(":", 1)
        streams = set()
        for event in events:
            text = str(event)
            for needle in (client, port, family.server, str(PORT), "door-manager",
                           "denied_method"):
                verify(needle in text, f"{needle} is not in {text}")
            equal(int(event["policy_version"]), firewall.policy_version(), "policy version")
            verify("time" in event and "rule" in event, f"no time or rule in {text}")
            streams.add(event["stream"])
        equal(len(streams), 40, "streams named")
        verify(time.time() - before < 60, "the case itself is late")
        calls, stats = firewall.calls(), firewall.stats()
        equal(calls["denied_method"], 40, "denied_method")
        equal(calls["allowed"], 20, "allowed")
        equal(stats["replies"], 40, "replies")
        equal(stats["events_lost"], 0, "events lost")

    @func_test
    def audit_tells_and_changes_nothing(self) -> None:
        """mode = "audit": every call passes, the events say what enforce would have done."""
        family, lab, firewall, doors = self.guarded(conf=Conf().with_service(mode="audit"))
        channel = self.channel(lab, family)
        equal(channel.door("SetAccessCode", 1, "999").code, "OK", "SetAccessCode")
        equal(channel.door("GetName").code, "OK", "GetName")
        equal(doors.record.access_code(), 999, "the access code")
        event = firewall.wait_events(1)[0]
        equal(event["path"], CODE[0], "the event's path")
        equal(firewall.stats()["originated"], 0, "packets of our own")
        left, right = (to_port(read_pcap(path), PORT) for path in lab.captured())
        equal([f.data for f in left], [f.data for f in right], "frames on both sides")

    @func_test
    def deny_of_a_half_open_stream_keeps_the_neighbours(self) -> None:
        """100 denied calls that never end, between them allowed ones: no state is left over."""
        family, lab, firewall, doors = self.guarded()
        client = self.crafted(lab, family)
        client.send(client.hello)
        open_ended, allowed = [], []
        for _ in range(100):
            number = client.stream()
            open_ended.append(number)
            client.send(frame(HEADERS, END_HEADERS, number, client.block(grpc_headers(CODE[0])))
                        + frame(DATA, 0, number, bytes(100)))
            number, call = client.call_bytes(*NAME)
            allowed.append(number)
            client.send(call)
        client.read_frames(ended(*open_ended, *allowed), seconds=15)
        equal(doors.record.paths(), [NAME[0]] * 100, "at the server")
        wait_for(lambda: firewall.stats()["replies"] == 100, "100 replies")
