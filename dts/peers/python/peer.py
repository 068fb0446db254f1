# SPDX-License-Identifier: Apache-2.0
"""A peer of the matrix on python3-grpcio: `peer.py client TARGET` or `peer.py server ADDRESS`.

What a peer is told and what it tells: docs/testing.md, "The matrix of stacks".
"""

import queue
import sys
import threading
import time
from concurrent import futures

import grpc

OPTIONS = (("grpc.max_metadata_size", 65536), ("grpc.so_reuseport", 0))
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
PIECE_B = 1000
OUTPUT = threading.Lock()


def say(*words) -> None:
    with OUTPUT:
        print(*words, flush=True)


def body(number: int, size: int) -> bytes:
    return bytes([number & 0xFF]) * size


def metadata(size: int) -> list[tuple[str, str]]:
    return [(f"x-big-{i}", "".join(ALPHABET[(i * 7 + j * j) % 62] for j in range(PIECE_B)))
            for i in range(size // PIECE_B)]


def big(pairs, prefix: str) -> list[tuple[str, str]]:
    return [(k, v) for k, v in pairs or () if k.startswith(prefix)]


class Call:
    """One call of the client: its words, and what it is told while it runs."""

    def __init__(self, channel, words: list[str]) -> None:
        self.number, self.kind, self.method = words[0], words[1], words[2]
        self.count, self.size, self.timeout, self.meta = map(int, words[3:7])
        self.hold = words[7] == "hold"
        self.channel, self.released = channel, threading.Event()
        self.call = None
        self.started = threading.Event()

    def cancel(self) -> None:
        self.started.wait(60)
        self.call.cancel()

    def run(self) -> None:
        got, good = 0, 0
        options = {"timeout": self.timeout / 1000, "metadata": metadata(self.meta)}
        try:
            got, good = getattr(self, self.kind)(options)
        except (grpc.RpcError, grpc.FutureCancelledError):
            pass
        code, details = self.call.code().value[0], self.call.details() or ""
        back = sum(len(v) for _, v in big(self.call.trailing_metadata(), "x-back-"))
        say("end", self.number, code, got, good, back, details.replace("\n", " "))

    def started_as(self, call):
        self.call = call
        self.started.set()
        return call

    def unary(self, options):
        sent = body(0, self.size)
        call = self.started_as(self.channel.unary_unary(self.method).future(sent, **options))
        return 1, int(call.result() == sent)

    def collect(self, options):
        bodies = (body(n, self.size) for n in range(self.count))
        call = self.started_as(self.channel.stream_unary(self.method).future(bodies, **options))
        return tuple(map(int, call.result().split()))

    def repeat(self, options):
        wanted = f"{self.count} {self.size}".encode()
        call = self.started_as(self.channel.unary_stream(self.method)(wanted, **options))
        good = got = 0
        for message in call:
            good += message == body(got, self.size)
            got += 1
        return got, good

    def chat(self, options):
        outbox: queue.SimpleQueue = queue.SimpleQueue()
        call = self.started_as(
            self.channel.stream_stream(self.method)(iter(outbox.get, None), **options))
        good = got = 0
        try:
            for number in range(self.count):
                outbox.put(body(number, self.size))
                good += next(call) == body(number, self.size)
                got += 1
                if number == 0 and self.hold:
                    say("held", self.number)
                    self.released.wait(self.timeout / 1000)
        finally:
            outbox.put(None)
        for _ in call:
            got += 1
        return got, good


def client(target: str) -> None:
    channel = grpc.insecure_channel(target, options=OPTIONS)
    calls: dict[str, Call] = {}
    for line in sys.stdin:
        words = line.split()
        if words[0] == "call":
            calls[words[1]] = call = Call(channel, words[1:])
            threading.Thread(target=call.run, daemon=True).start()
        elif words[0] == "cancel":
            calls[words[1]].cancel()
        else:
            calls[words[1]].released.set()
    channel.close()


class Service(grpc.GenericRpcHandler):
    """dts.Echo and dts.Vault; every handler says that it has begun, and how it ended."""

    KINDS = {"Unary": grpc.unary_unary_rpc_method_handler,
             "Wait": grpc.unary_unary_rpc_method_handler,
             "Collect": grpc.stream_unary_rpc_method_handler,
             "Repeat": grpc.unary_stream_rpc_method_handler,
             "Chat": grpc.stream_stream_rpc_method_handler}

    def service(self, details):
        _, service, name = details.method.split("/")
        if service not in ("dts.Echo", "dts.Vault") or name not in self.KINDS:
            return None
        function = getattr(self, name.lower())
        streams = name in ("Repeat", "Chat")

        def begun(context) -> None:
            pairs = big(context.invocation_metadata(), "x-big-")
            context.set_trailing_metadata([(f"x-back-{k[6:]}", v) for k, v in pairs])
            say("begun", details.method, sum(len(v) for _, v in pairs))

        def single(request, context):
            begun(context)
            try:
                reply, got, good = function(request, context)
            except Exception:
                say("broken", details.method)
                raise
            say("ran", details.method, got, good)
            return reply

        def stream(request, context):
            begun(context)
            totals = [0, 0]
            try:
                yield from function(request, totals)
            except Exception:
                say("broken", details.method)
                raise
            say("ran", details.method, *totals)

        return self.KINDS[name](stream if streams else single)

    @staticmethod
    def unary(request, _context):
        return request, 1, int(request == body(0, len(request)))

    @staticmethod
    def wait(_request, context):
        over = threading.Event()
        if context.add_callback(over.set):
            over.wait(60)
        raise RuntimeError("nobody waits any longer")

    @staticmethod
    def collect(requests, _context):
        got = good = 0
        for message in requests:
            good += message == body(got, len(message))
            got += 1
        return f"{got} {good}".encode(), got, good

    @staticmethod
    def repeat(request, totals):
        count, size = map(int, request.split())
        for number in range(count):
            yield body(number, size)
        totals[:] = count, count

    @staticmethod
    def chat(requests, totals):
        for message in requests:
            totals[1] += message == body(totals[0], len(message))
            totals[0] += 1
            yield message


def server(address: str) -> None:
    box = grpc.server(futures.ThreadPoolExecutor(max_workers=160), handlers=(Service(),),
                      options=OPTIONS)
    if not box.add_insecure_port(address):
        raise SystemExit(f"cannot listen on {address}")
    box.start()
    say("ready")
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    {"client": client, "server": server}[sys.argv[1]](sys.argv[2])
