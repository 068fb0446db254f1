# SPDX-License-Identifier: Apache-2.0
"""Multiplexing: many calls on one connection, allowed and denied, none disturbs another."""

import pytest

from api.conf import DOOR, PORT, Conf, Service
from api.grpc import StaticServer, h2load
from api.h2 import (DATA, END_HEADERS, END_STREAM, HEADERS, WINDOW_UPDATE, ended, frame,
                    grpc_headers, message)
from api.packet import connections, flags_seen, read_pcap
from api.test import TestSuite, equal, func_test, log, verify
from cloudcity import messages
from framework.lab import CLIENT_TAP, FAMILIES, SERVER_TAP

ECHO = Conf(services=(Service(allow=("/dts.Echo/*", DOOR + "GetName")),))
SET = DOOR + "SetAccessCode"
CALLS = [(DOOR + "GetName", messages.request("GetName")),
         (SET, messages.request("SetAccessCode", 1, "999"))]
PATHS = [DOOR + "GetName", DOOR + "GetLocation", SET]
OPENING = "tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) != 0"


class TestMultiplex(TestSuite):
    """One connection, many streams."""

    @func_test
    def ten_thousand_calls_in_turn(self) -> None:
        """D12: 5 000 allowed and 5 000 denied ones, alternating.

        Verify:
            * Every verdict is right, one connection, no state is left behind.
        """
        family, lab, firewall, doors = self.guarded(capture=False)
        channel = self.channel(lab, family)
        codes = channel.alternate(CALLS, 5000)
        equal(codes, {CALLS[0][0]: {"OK": 5000}, SET: {"PERMISSION_DENIED": 5000}}, "verdicts")
        equal(doors.record.paths(), [CALLS[0][0]] * 5000, "at the server")
        equal(len(doors.record.peers()), 1, "connections")
        equal(len(firewall.wait_events(5000)), 5000, "events")
        stats = firewall.stats()
        equal((stats["flows_opened"], stats["replies"], stats["events_lost"]), (1, 5000, 0),
              "flows, replies, lost events")

    @func_test
    @pytest.mark.parametrize("rounds", [50, 250])
    def concurrent_streams_on_one_connection(self, rounds: int) -> None:
        """D12: 100 and 500 calls at once, half of them denied."""
        family, lab, firewall, doors = self.guarded()
        channel = self.channel(lab, family)
        channel.door("GetLocation")
        for _ in range(5):
            codes = channel.alternate(CALLS, rounds, op="burst")
            equal(codes, {CALLS[0][0]: {"OK": rounds}, SET: {"PERMISSION_DENIED": rounds}},
                  "verdicts")
        equal(doors.record.seen(SET), [], "SetAccessCode at the server")
        equal(len(doors.record.runs()), 5 * rounds + 1, "calls at the server")
        equal(len(doors.record.peers()), 1, "connections")

    @func_test
    def denied_call_does_not_disturb_a_streaming_neighbour(self) -> None:
        """A chat and a download run; beside them a denied call every few milliseconds.

        Verify:
            * Every message of both streams arrives; every denied call is told at once.
        """
        family, lab, _, doors = self.guarded(conf=ECHO)
        channel = self.channel(lab, family)
        chat = channel.submit("chat", method="/dts.Echo/Chat", count=100, size=2048, pause_ms=10)
        download = channel.submit("repeat", method="/dts.Echo/Repeat", count=200, size=65536)
        denied = [channel.door("SetAccessCode", 1, "999") for _ in range(100)]
        equal({r.code for r in denied}, {"PERMISSION_DENIED"}, "denied calls")
        result = chat.result()
        equal((result.code, result.more["good"]), ("OK", 100), f"the chat ({result.details})")
        result = download.result()
        equal((result.code, result.more["good"]), ("OK", 200), f"the download ({result.details})")
        equal(doors.record.seen(SET), [], "SetAccessCode at the server")
        equal(len(doors.record.peers()), 1, "connections")

    @func_test
    def denied_megabytes_do_not_eat_the_window(self) -> None:
        """D13 with grpcio: 1 MiB requests and client streams denied, again and again.

        Verify:
            * The right status each time; an allowed upload of 1 MiB after each one completes.
        """
        family, lab, firewall, doors = self.guarded(conf=ECHO, capture=False)
        channel = self.channel(lab, family)
        big = bytes(1 << 20)
        for _ in range(8):
            result = channel.call("/dts.Vault/Unary", big)
            equal(result.code, "PERMISSION_DENIED", f"a message of 1 MiB ({result.details})")
            result = channel.submit("collect", method="/dts.Vault/Collect", count=64,
                                    size=16384).result()
            equal(result.code, "PERMISSION_DENIED", f"a client stream ({result.details})")
            result = channel.submit("collect", method="/dts.Echo/Collect", count=64,
                                    size=16384).result()
            equal(result.code, "OK", f"an allowed upload ({result.details})")
        equal(set(doors.record.paths()), {"/dts.Echo/Collect"}, "at the server")
        equal(len(doors.record.peers()), 1, "connections")
        verify(firewall.stats()["credits"] > 0, "no credit was given back")

    @func_test
    def denied_upload_that_ignores_the_reply_gets_all_its_credit_back(self) -> None:
        """D13 with a client that keeps sending what was denied, to the end.

        Steps:
            * Eight uploads of 1 MiB to a denied method, every byte of them sent: twice what the
              server's window for the connection holds.
        Verify:
            * Each one is denied; in the end the window lacks less than the 16 KiB that are
              coalesced; an allowed upload on the same connection completes.
        """
        family, lab, firewall, doors = self.guarded(conf=ECHO, capture=False)
        client = self.crafted(lab, family)
        client.send(client.hello)
        chunk = bytes(16384)
        sent = 0

        def window(frames) -> int:
            """What the server's side lets us send now on stream 0."""
            updates = (int.from_bytes(payload, "big") for kind, _, stream, payload in frames
                       if kind == WINDOW_UPDATE and stream == 0)
            return 65535 + sum(updates) - sent

        def upload(path: str, chunks: int) -> int:
            nonlocal sent
            stream = client.stream()
            client.send(frame(HEADERS, END_HEADERS, stream, client.block(grpc_headers(path))))
            for left in reversed(range(chunks)):
                client.read_frames(lambda frames: window(frames) >= len(chunk))
                body = message(chunk[5:])
                client.send(frame(DATA, 0 if left else END_STREAM, stream, body))
                sent += len(body)
            client.read_frames(ended(stream))
            return stream

        client.read_frames(lambda frames: window(frames) > 65535)
        full = window(client.frames())
        denied = [upload("/dts.Vault/Collect", 64) for _ in range(8)]
        verify(sent > full, f"{sent} bytes cannot exhaust a window of {full}")
        client.read_frames(lambda frames: window(frames) > full - 16384)
        equal(len([f for f in client.frames() if f[0] == HEADERS and f[2] in denied]), 8, "replies")
        number = upload("/dts.Echo/Collect", 3)
        verify(number not in denied, "an allowed upload was denied")
        equal(set(doors.record.paths()), {"/dts.Echo/Collect"}, "at the server")
        equal(firewall.stats()["swallowed_bytes"] >= 8 << 20, True, "eight MiB swallowed")

    @func_test
    def two_kinds_of_clients_at_once(self) -> None:
        """grpcio, python3-h2 and h2load on their own connections, all with denials."""
        family, lab, _, doors = self.guarded(capture=False)
        channel = self.channel(lab, family)
        running = channel.submit("alternate", rounds=300, calls=[
            [CALLS[0][0], "CAE="], [SET, "CAEQ5wc="]])
        client = self.h2(lab, family)
        for _ in range(200):
            equal(client.call(*CALLS[0]).grpc_status, "0", "GetName by python3-h2")
            equal(client.call(*CALLS[1]).status, "403", "SetAccessCode by python3-h2")
        load = h2load(lab, family.target(PORT), PATHS, 600, 2, 5)
        equal((load.status["2xx"], load.status["4xx"]), (400, 200), "h2load's status codes")
        equal(running.wait()["codes"], {CALLS[0][0]: {"OK": 300}, SET: {"PERMISSION_DENIED": 300}},
              "verdicts of grpcio")
        equal(doors.record.seen(SET), [], "SetAccessCode at the server")

    @func_test
    @pytest.mark.deadline(400)
    def h2load_pushes_two_hundred_thousand_requests(self) -> None:
        """10 connections x 10 streams against nghttpd, nothing denied: no error, no loss."""
        family = FAMILIES["ipv4"]
        lab = self.lab()
        firewall = self.firewall(lab, capture=False)
        StaticServer(lab, family, PATHS)
        load = h2load(lab, family.target(PORT), PATHS[:2], 200000, 10, 10, seconds=350)
        log(load.text)
        equal((load.succeeded, load.failed, load.errored, load.timeout), (200000, 0, 0, 0),
              "requests")
        equal(load.status["2xx"], 200000, "answers of 200")
        calls, stats = firewall.calls(), firewall.stats()
        equal(calls["allowed"], 200000, "calls allowed")
        equal((stats["flows_opened"], stats["flows_reset"]), (10, 0), "flows opened and reset")

    @func_test
    @pytest.mark.deadline(400)
    def h2load_with_every_third_call_denied(self) -> None:
        """210 000 requests, of which exactly 70 000 get a 403, on ten connections that live.

        Verify:
            * The counts of h2load, of the firewall and of its events agree.
            * Ten SYNs, and no FIN or RST before the last request is answered.
        """
        family = FAMILIES["ipv4"]
        lab = self.lab()
        firewall = self.firewall(lab, capture=False)
        for tap, netns in ((CLIENT_TAP, lab.client_ns), (SERVER_TAP, lab.server_ns)):
            lab.capture(tap, netns, OPENING)
        StaticServer(lab, family, PATHS)
        load = h2load(lab, family.target(PORT), PATHS, 210000, 10, 10, seconds=350)
        log(load.text)
        equal((load.total, load.errored, load.timeout), (210000, 0, 0), "requests")
        equal((load.status["2xx"], load.status["4xx"]), (140000, 70000), "status codes")
        calls, stats = firewall.calls(), firewall.stats()
        equal((calls["allowed"], calls["denied_method"]), (140000, 70000), "verdicts")
        equal((stats["replies"], stats["flows_opened"], stats["flows_reset"]), (70000, 10, 0),
              "replies, flows opened, flows reset")
        frames = read_pcap(lab.captured()[0])
        equal(len(connections(frames, PORT)), 10, "connections")
        events = len(firewall.denials()) + stats["events_lost"]
        equal(events, 70000, "events written and lost")
        first_end = min(f.time for f in frames if f.tcp.flags & 0x05)
        opened = max(f.time for f in frames if f.tcp.flags & 0x02)
        verify(first_end > opened, "a connection ended before the last one opened")
        equal(flags_seen(frames)["SYN"], 20, "SYNs and their answers")
