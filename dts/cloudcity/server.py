# SPDX-License-Identifier: Apache-2.0
"""The door manager: a real gRPC server that keeps a record of every call.

The record is a file of JSON lines, for tests and the demo to read beside the wire:
  {"event": "ready"}                       the server listens
  {"event": "seen", "method", "metadata"}  a request was decoded, whether or not it will run
  {"event": "run", "method", "peer", "bytes", "access_code"}  a handler ran to its end
  {"event": "over", "method", "bytes"}     a bidirectional call is over, whoever ended it
  {"event": "broken", "method", "bytes"}   a request stream ended before its time
"""

import argparse
import hashlib
import json
import random
import signal
import threading
import zlib
from concurrent import futures
from pathlib import Path

import grpc

from cloudcity import messages

PORT = 50051
DOORS = {
    1: ("Spaceport Door #1", 10.2222, 68.8788),
    2: ("Carbon Chamber Door", 10.2345, 68.7654),
    3: ("Guest Quarters Door", 10.1357, 68.9753),
}
FIRST_CODE = 123


class Record:
    """Appends JSON lines; shared by all handler threads."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1, encoding="utf-8")
        self._lock = threading.Lock()

    def add(self, **fields) -> None:
        with self._lock:
            self._file.write(json.dumps(fields) + "\n")


class Doors:
    """What the door manager knows, and its five methods."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.codes = {door: FIRST_CODE for door in DOORS}
        self.faults: list[str] = []

    def _door(self, request, context) -> int:
        if request.door_id not in DOORS:
            context.abort(grpc.StatusCode.NOT_FOUND, f"no door {request.door_id}")
        return request.door_id

    def GetName(self, request, context):
        return {"name": DOORS[self._door(request, context)][0]}

    def GetLocation(self, request, context):
        _, lat, long = DOORS[self._door(request, context)]
        return {"lat": lat, "long": long}

    def GetStatus(self, request, context):
        return {"state": 0, "access_code": self.codes[self._door(request, context)]}

    def RequestMaintenance(self, request, context):
        door = self._door(request, context)
        with self._lock:
            self.faults.append(request.description)
        return {"success": True, "message": f"Maintenance requested for door {door}"}

    def SetAccessCode(self, request, context):
        door = self._door(request, context)
        with self._lock:
            self.codes[door] = request.access_code
        return {
            "success": True,
            "message": f"Successfully set AccessCode to {request.access_code}",
        }


def _unary(request: bytes, _context):
    return request


def _collect(requests, _context):
    """Client streaming: how many messages, how many bytes, their CRC and hash."""
    count = total = crc = 0
    digest = hashlib.sha256()
    for message in requests:
        count += 1
        total += len(message)
        crc = zlib.crc32(message, crc)
        digest.update(message)
    return json.dumps({"messages": count, "bytes": total, "crc": crc,
                       "sha256": digest.hexdigest()}).encode()


def _repeat(request: bytes, _context):
    """Server streaming: {"count", "size"} messages, each begins with its number; with a "seed" they
    are that generator's bytes."""
    wanted = json.loads(request)
    if "seed" in wanted:
        noise = random.Random(wanted["seed"])
        for _ in range(wanted["count"]):
            yield noise.randbytes(wanted["size"])
        return
    for number in range(wanted["count"]):
        yield number.to_bytes(4, "big") + bytes(wanted["size"] - 4)


def _chat(requests, _context):
    """Both ways: every message comes back."""
    yield from requests


def _health(_request: bytes, _context):
    return b"\x08\x01"  # HealthCheckResponse{status: SERVING}


class Router(grpc.GenericRpcHandler):
    """Records every request that grpc decodes, known or not, and hands it to its handler."""

    def __init__(self, record: Record, doors: Doors) -> None:
        self._record = record
        self._doors = doors
        self._handlers: dict[str, grpc.RpcMethodHandler] = {}
        for method in messages.METHODS:
            self._handlers[messages.path(method)] = self._door_method(method)
        for service in ("dts.Echo", "dts.Vault"):
            self._add_echo(service)
        self._handlers["/grpc.health.v1.Health/Check"] = self._recorded_unary(
            "/grpc.health.v1.Health/Check", _health)

    def _add_echo(self, service: str) -> None:
        for name, function, kind in (
            ("Unary", _unary, "unary_unary"),
            ("Collect", _collect, "stream_unary"),
            ("Repeat", _repeat, "unary_stream"),
            ("Chat", _chat, "stream_stream"),
        ):
            path = f"/{service}/{name}"
            wrap = {
                "unary_unary": self._recorded_unary,
                "stream_unary": self._recorded_collect,
                "unary_stream": self._recorded_stream,
                "stream_stream": self._recorded_chat,
            }[kind]
            self._handlers[path] = wrap(path, function)

    def _ran(self, method: str, context, size: int) -> None:
        self._record.add(event="run", method=method, peer=context.peer(), bytes=size,
                         access_code=self._doors.codes[1])

    def _door_method(self, method: str):
        path = messages.path(method)

        def run(request: bytes, context) -> bytes:
            message = messages.request_class(method).FromString(request)
            fields = getattr(self._doors, method)(message, context)
            self._ran(path, context, len(request))
            return messages.reply_class(method)(**fields).SerializeToString()

        return grpc.unary_unary_rpc_method_handler(run)

    def _recorded_unary(self, path: str, function):
        def run(request: bytes, context) -> bytes:
            reply = function(request, context)
            self._ran(path, context, len(request))
            return reply

        return grpc.unary_unary_rpc_method_handler(run)

    def _recorded_stream(self, path: str, function):
        def run(request: bytes, context):
            self._ran(path, context, len(request))
            yield from function(request, context)

        return grpc.unary_stream_rpc_method_handler(run)

    def _counted(self, path: str, requests, size: list[int]):
        try:
            for message in requests:
                size[0] += len(message)
                yield message
        except grpc.RpcError:
            self._record.add(event="broken", method=path, bytes=size[0])
            raise

    def _recorded_collect(self, path: str, function):
        def run(requests, context) -> bytes:
            size = [0]
            reply = function(self._counted(path, requests, size), context)
            self._ran(path, context, size[0])
            return reply

        return grpc.stream_unary_rpc_method_handler(run)

    def _recorded_chat(self, path: str, function):
        def run(requests, context):
            size = [0]

            def over() -> None:
                self._record.add(event="over", method=path, bytes=size[0])

            if not context.add_callback(over):
                over()
            yield from function(self._counted(path, requests, size), context)
            self._ran(path, context, size[0])

        return grpc.stream_stream_rpc_method_handler(run)

    def service(self, handler_call_details):
        metadata = [
            [key, value if isinstance(value, str) else value.hex()]
            for key, value in handler_call_details.invocation_metadata
        ]
        self._record.add(event="seen", method=handler_call_details.method, metadata=metadata)
        return self._handlers.get(handler_call_details.method)


def serve(addresses: list[str], record: Record) -> grpc.Server:
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=32),
        handlers=(Router(record, Doors()),),
        options=(
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", 64 << 20),
            ("grpc.max_send_message_length", 64 << 20),
        ),
    )
    for address in addresses:
        if server.add_insecure_port(address) == 0:
            raise SystemExit(f"cannot listen on {address}")
    server.start()
    return server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--listen", action="append", metavar="ADDRESS:PORT")
    parser.add_argument("--record", type=Path, default=Path("/dev/stdout"))
    arguments = parser.parse_args()
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    record = Record(arguments.record)
    server = serve(arguments.listen or [f"[::]:{PORT}"], record)
    record.add(event="ready")
    done.wait()
    server.stop(grace=0.2).wait()


if __name__ == "__main__":
    main()
