# SPDX-License-Identifier: Apache-2.0
"""HPACK: a deleted header block must not shift what the server reads in the later ones."""

import random

import pytest
from h2.settings import SettingCodes
from hpack import Decoder, NeverIndexedHeaderTuple

from api.conf import ALLOWED, DENIED, DOOR, Conf
from api.h2 import (CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PADDED, PRIORITISED,
                    ended, frame, grpc_headers, message)
from api.packet import http2_frames
from api.test import TestSuite, equal, func_test, verify
from cloudcity import messages
from framework.lab import FAMILIES
from framework.process import wait_for

HEADER_TABLE_SIZE = 1
SET = DOOR + "SetAccessCode"


def literal(name: str, value: str, first: int = 0x00) -> bytes:
    """A literal field without Huffman: 0x00 without indexing, 0x10 never indexed."""
    return (bytes([first, len(name)]) + name.encode() + bytes([len(value)]) + value.encode())


class TestHpack(TestSuite):
    """The client's table and the server's stay what each of them believes."""

    def judged(self, hpack: str = "keep", **server_options):
        """A lab with a python3-h2 server: (family, lab, firewall, server)."""
        family = FAMILIES["ipv4"]
        lab = self.lab()
        firewall = self.firewall(lab, Conf(extra=f'hpack = "{hpack}";'))
        return family, lab, firewall, self.h2_server(lab, family, **server_options)

    @func_test
    def trap_at_a_grpc_server(self) -> None:
        """Three allowed calls prime the table, a denied one shifts it, later blocks refer to it.

        Verify:
            * Every later call runs as the method that the client named, never as another; the
              metadata that the server decodes is what the client sent.
        """
        family, lab, firewall, doors = self.guarded()
        client = self.h2(lab, family)
        meant = []

        def call(method: str, status: str, **metadata: str) -> None:
            path, more = DOOR + method, sorted(metadata.items())
            response = client.call(path, messages.request(method, 1, "999"), more=more)
            equal(response.status, status, f"the status of {method}")
            if status == "200":
                equal(response.grpc_status, "0", f"grpc-status of {method}")
                meant.append((path, [list(field) for field in more]))

        for number, method in enumerate(ALLOWED):
            call(method, "200", **{"x-door": f"door-{number}", "x-code": f"code-{number}"})
        call("SetAccessCode", "403", **{"x-door": "evil", "x-code": "evil-code"})
        for _ in range(3):
            for number, method in enumerate(ALLOWED):
                call(method, "200", **{"x-door": f"door-{number}", "x-code": f"code-{number}"})
            call("SetAccessCode", "403", **{"x-door": "evil", "x-code": "evil-code"})
            call("GetStatus", "403", **{"x-new": "table entries of a denied call"})
        seen = [(e["method"], [m for m in e["metadata"] if m[0].startswith("x-")])
                for e in doors.record.seen()]
        equal(seen, meant, "what the server decoded")
        equal([e["method"] for e in doors.record.runs()], [m for m, _ in meant], "what ran")
        verify(firewall.stats()["reencoded"] >= 9, "no block was re-encoded")

    @func_test
    @pytest.mark.parametrize("seed,hpack", [*((seed, "keep") for seed in range(6)),
                                            *((seed, "reencode-always") for seed in (6, 7))])
    def random_mix_is_decoded_as_it_was_meant(self, seed: int, hpack: str) -> None:
        """150 calls, a third of them denied, with fields drawn from a small pool.

        Verify:
            * The server decodes exactly the allowed requests: order, names, values, duplicates.
        """
        family, lab, firewall, server = self.judged(hpack)
        client = self.h2(lab, family)
        draw = random.Random(seed)
        pool = [(f"x-{i}", "v" * draw.choice((1, 5, 30, 200)) + str(i % 7)) for i in range(40)]
        pool += [("cookie", "a=1"), ("authorization", "secret"), ("x-empty", "")]
        meant = []
        for number in range(150):
            method = draw.choice((*ALLOWED, *ALLOWED, *ALLOWED, *DENIED, "Demolish"))
            headers = grpc_headers(DOOR + method, more=draw.choices(pool, k=draw.randint(0, 8)))
            status = client.wait(client.request(headers, message(b""))).status
            equal(status, "200" if method in ALLOWED else "403", f"seed {seed}, call {number}")
            if method in ALLOWED:
                meant.append(headers)
        equal(server.errors, [], f"errors of the server, seed {seed}")
        for number, (got, sent) in enumerate(zip(server.requests, meant)):
            equal(got, sent, f"seed {seed}, allowed call {number}")
        equal(len(server.requests), len(meant), f"requests, seed {seed}")
        if hpack == "reencode-always":
            equal(firewall.stats()["reencoded"], len(meant), f"blocks written anew, seed {seed}")

    @func_test
    @pytest.mark.parametrize("which", ["first_settings", "settings"])
    @pytest.mark.parametrize("size", [0, 512, 1024, 65536])
    def table_size_of_the_server_is_obeyed(self, size: int, which: str) -> None:
        """The server announces another HEADER_TABLE_SIZE, in its first SETTINGS or in a second one;
        above 4 096 it is clamped for us."""
        options = {which: {SettingCodes.HEADER_TABLE_SIZE: size}}
        family, lab, firewall, server = self.judged(**options)
        client = self.h2(lab, family)
        client.read(lambda: bool(client.h2.remote_settings), 0.3)
        meant = []
        for number in range(60):
            method = (*ALLOWED, "SetAccessCode")[number % 4]
            headers = grpc_headers(DOOR + method, more=[(f"x-{number % 9}", "y" * 60)])
            status = client.wait(client.request(headers, message(b""))).status
            equal(status, "200" if method in ALLOWED else "403", f"call {number}")
            if method in ALLOWED:
                meant.append(headers)
        equal(server.errors, [], "errors of the server")
        equal(server.requests, meant, "requests at the server")
        equal(firewall.stats()["clamp_table"], int(size > 4096), "values clamped")

    @func_test
    def reply_obeys_a_client_that_shrinks_its_table(self) -> None:
        """HEADER_TABLE_SIZE 0 from the client: python3-hpack refuses a block that does not begin
        with the size update, ours included."""
        family, lab, _, doors = self.guarded()
        client = self.h2(lab, family, settings={SettingCodes.HEADER_TABLE_SIZE: 0})
        client.read(lambda: client.h2.local_settings.header_table_size == 0, 1.0)
        equal(client.call(SET).status, "403", "the first call of all")
        equal(client.call(DOOR + "GetName", messages.request("GetName")).grpc_status, "0",
              "GetName")
        equal(client.call(SET).status, "403", "SetAccessCode again")
        equal(doors.record.paths(), [DOOR + "GetName"], "at the server")

    @func_test
    def denied_block_that_leaves_the_table_alone_costs_nothing(self) -> None:
        """Literals without indexing only: the tables stay in step, no block is re-encoded."""
        family, lab, firewall, server = self.judged()
        client = self.crafted(lab, family)
        denied = b"\x83\x86" + b"\x04" + bytes([len(SET)]) + SET.encode() + literal(
            "content-type", "application/grpc") + literal("te", "trailers")
        client.send(client.hello)
        numbers = []
        for _ in range(5):
            number, call = client.call_bytes(DOOR + "GetName", more=[("x-a", "b")])
            client.send(call)
            numbers.append(number)
            number = client.stream()
            client.send(frame(HEADERS, END_HEADERS, number, denied)
                        + frame(DATA, END_STREAM, number, message(b"")))
            numbers.append(number)
        client.read_frames(ended(*numbers))
        equal(server.errors, [], "errors of the server")
        equal(server.requests, [grpc_headers(DOOR + "GetName", more=[("x-a", "b")])] * 5,
              "requests at the server")
        equal(firewall.stats()["reencoded"], 0, "blocks re-encoded")

    @func_test
    def never_indexed_stays_never_indexed(self) -> None:
        """A secret that must not enter a table does not, after a denial either."""
        family, lab, _, server = self.judged()
        client = self.crafted(lab, family)
        denied, call = client.call_bytes(SET)
        client.send(client.hello + call)
        number = client.stream()
        client.send(frame(HEADERS, END_HEADERS, number, client.block(
            grpc_headers(DOOR + "GetName")) + literal("authorization", "secret", 0x10))
            + frame(DATA, END_STREAM, number, message(b"")))
        client.read_frames(ended(denied, number))
        decoder = Decoder()
        fields = [field for kind, _, _, payload in http2_frames(bytes(server.received), True)
                  if kind == HEADERS for field in decoder.decode(payload)]
        secret = next(f for f in fields if f[0] == "authorization")
        verify(isinstance(secret, NeverIndexedHeaderTuple), f"{secret} may be indexed now")
        equal(secret[1], "secret", "its value")
        equal(server.errors, [], "errors of the server")

    @func_test
    def block_that_grows_is_split_and_exact(self) -> None:
        """30 bytes on the client's wire, kilobytes on the server's: beyond one segment and, with
        more fields, beyond one frame."""
        family, lab, firewall, server = self.judged()
        client = self.h2(lab, family)
        equal(client.call(SET, more=[("x-shift", "1")]).status, "403", "the denied call")
        meant = []
        for size, fields in ((1600, 1), (1600, 2), (700, 5), (3900, 1), (1900, 12)):
            more = [(f"x-{i % 2}-{size}", "z" * size) for i in range(fields)]
            for _ in range(3):
                headers = grpc_headers(DOOR + "GetName", more=more)
                status = client.wait(client.request(headers, message(b"hello"))).status
                equal(status, "200", f"{fields} fields of {size} bytes")
                meant.append(headers)
        equal(server.errors, [], "errors of the server")
        equal(server.requests, meant, "requests at the server")
        equal(firewall.stats()["flows_reset"], 0, "flows reset")

    @func_test
    def trailers_of_a_request_are_re_encoded_too(self) -> None:
        """A client that ends its requests with trailers, after a denial."""
        family, lab, _, server = self.judged()
        client = self.h2(lab, family)
        equal(client.call(SET, more=[("x-a", "1"), ("x-b", "2")]).status, "403", "denied")
        for number in range(5):
            stream = client.request(grpc_headers(DOOR + "GetName"), message(b"x"), end=False)
            client.h2.send_headers(stream, [("x-a", "1"), ("x-sum", str(number % 2))],
                                   end_stream=True)
            client.flush()
            equal(client.wait(stream).status, "200", f"call {number}")
        equal(server.trailers, [[("x-a", "1"), ("x-sum", str(n % 2))] for n in range(5)],
              "trailers at the server")
        equal(server.errors, [], "errors of the server")

    @func_test
    @pytest.mark.parametrize("shape", ["continuations", "padded", "prioritised", "empty_first"])
    def blocks_of_every_shape_are_judged(self, shape: str) -> None:
        """CONTINUATION, padding, priority: allowed calls arrive, denied ones do not."""
        family, lab, _, server = self.judged()
        client = self.crafted(lab, family)
        client.send(client.hello)

        def shaped(number: int, block: bytes) -> bytes:
            if shape == "continuations":
                parts = [block[at:at + 9] for at in range(0, len(block), 9)]
                kinds = [HEADERS] + [CONTINUATION] * (len(parts) - 1)
                flags = [0] * (len(parts) - 1) + [END_HEADERS]
                return b"".join(frame(k, f, number, p) for k, f, p in zip(kinds, flags, parts))
            if shape == "empty_first":
                return (frame(HEADERS, 0, number) + frame(CONTINUATION, 0, number, block)
                        + frame(CONTINUATION, END_HEADERS, number))
            if shape == "padded":
                return frame(HEADERS, END_HEADERS | PADDED, number,
                             b"\x20" + block + bytes(0x20))
            return frame(HEADERS, END_HEADERS | PRIORITISED, number, bytes(4) + b"\x0f" + block)

        numbers, meant = [], []
        for i in range(12):
            method = (*ALLOWED, "SetAccessCode")[i % 4]
            headers = grpc_headers(DOOR + method, more=[("x-i", str(i % 3))])
            number = client.stream()
            client.send(shaped(number, client.block(headers))
                        + frame(DATA, END_STREAM, number, message(b"")))
            numbers.append(number)
            if method in ALLOWED:
                meant.append(headers)
        client.read_frames(ended(*numbers))
        equal(server.errors, [], "errors of the server")
        equal(server.requests, meant, "requests at the server")

    @func_test
    def block_that_does_not_decode_ends_the_connection(self) -> None:
        """An index beyond the table: nothing of it reaches the server."""
        family, lab, firewall, server = self.judged()
        client = self.crafted(lab, family)
        number, call = client.call_bytes(DOOR + "GetName")
        client.send(client.hello + call)
        client.read_frames(ended(number))
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, client.stream(), b"\x83\x86\xff\x7f"))
        wait_for(lambda: firewall.stats()["hpack_errors"] == 1, "hpack_errors")
        wait_for(lambda: firewall.stats()["flows_reset"] == 1, "flows_reset")
        equal(server.paths(), [DOOR + "GetName"], "at the server")
