# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 by hand, with python3-h2: peers that do what no gRPC library would.

They run in the test's own process; only their sockets live in the namespaces.
"""

import contextlib
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
from h2.settings import SettingCodes, Settings
from hpack import Encoder

from api.conf import PORT
from framework.lab import Family, Lab
from framework.process import Failed

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0, 1, 2, 3, 4, 6, 7, 8, 9)
END_STREAM, END_HEADERS, PADDED, PRIORITISED = 0x1, 0x4, 0x8, 0x20


def message(body: bytes) -> bytes:
    """A gRPC message: no compression, its length, itself."""
    return b"\0" + len(body).to_bytes(4, "big") + body


def grpc_headers(path: str, authority: str = "door-manager", method: str = "POST",
                 more=()) -> list[tuple[str, str]]:
    return [(":method", method), (":scheme", "http"), (":path", path),
            (":authority", authority), ("content-type", "application/grpc"), ("te", "trailers"),
            *more]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def connect(lab: Lab, family: Family, port: int = PORT, host: str | None = None,
            source: str | None = None, seconds: float = 5.0) -> socket.socket:
    """A TCP connection of the client's side."""
    kind = socket.AF_INET6 if family.ipv6 else socket.AF_INET
    with lab.inside(lab.client_ns):
        sock = socket.socket(kind, socket.SOCK_STREAM)
    sock.settimeout(seconds)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        if source:
            sock.bind((source, 0))
        sock.connect((host or family.server, port))
    except OSError:
        sock.close()
        raise
    return sock


@dataclass
class Response:
    """What came back on one stream."""

    headers: dict[str, str] = field(default_factory=dict)
    trailers: dict[str, str] = field(default_factory=dict)
    data: bytes = b""
    ended: bool = False
    reset: int | None = None  # the code of an RST_STREAM from the other side

    @property
    def status(self) -> str:
        return self.headers.get(":status", "")

    @property
    def grpc_status(self) -> str:
        return self.trailers.get("grpc-status", self.headers.get("grpc-status", ""))


class Connection:
    """A client connection: python3-h2's state, our socket."""

    def __init__(self, sock: socket.socket, settings: dict | None = None) -> None:
        self.sock = sock
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=True, header_encoding="utf-8",
                                      validate_outbound_headers=False,
                                      normalize_outbound_headers=False))
        self.responses: dict[int, Response] = {}
        self.goaway: int | None = None
        self.closed = False
        self.h2.initiate_connection()
        if settings:
            self.h2.update_settings(settings)
        self.flush()

    def flush(self) -> None:
        self.sock.sendall(self.h2.data_to_send())

    def request(self, headers, body: bytes | None = None, end: bool = True) -> int:
        """Opens a stream; `body` is sent whole (window permitting). Returns the stream."""
        stream = self.h2.get_next_available_stream_id()
        self.responses[stream] = Response()
        self.h2.send_headers(stream, headers, end_stream=end and body is None)
        if body is not None:
            self.h2.send_data(stream, body, end_stream=end)
        self.flush()
        return stream

    def call(self, path: str, body: bytes = b"", seconds: float = 5.0, **options) -> Response:
        """A unary gRPC call to its end."""
        return self.wait(self.request(grpc_headers(path, **options), message(body)), seconds)

    def wait(self, stream: int, seconds: float = 5.0) -> Response:
        """Reads until the stream has ended."""
        response = self.responses[stream]

        def over() -> bool:
            return response.ended or response.reset is not None

        self.read(over, seconds)
        if not over():
            raise Failed(f"stream {stream} has not ended: {response}, GOAWAY {self.goaway}, "
                         f"closed {self.closed}")
        return response

    def read(self, until=lambda: False, seconds: float = 5.0) -> None:
        """Handles what arrives until the condition is true, the time is up or the end."""
        deadline = time.monotonic() + seconds
        while not until() and not self.closed:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            self.sock.settimeout(left)
            try:
                data = self.sock.recv(65536)
            except TimeoutError:
                return
            except ConnectionResetError:
                data = b""
                self.reset = True
            if not data:
                self.closed = True
                return
            for event in self.h2.receive_data(data):
                self._event(event)
            self.flush()

    def _event(self, event) -> None:
        response = self.responses.get(getattr(event, "stream_id", None) or 0)
        if isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = int(event.error_code)
        if response is None:
            return
        if isinstance(event, h2.events.ResponseReceived):
            response.headers = dict(event.headers)
        elif isinstance(event, h2.events.TrailersReceived):
            response.trailers = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            response.data += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            response.ended = True
        elif isinstance(event, h2.events.StreamReset):
            response.reset = int(event.error_code)

    def upload(self, stream: int, body: bytes, size: int = 16384, seconds: float = 20.0) -> bool:
        """Sends a body in DATA frames of `size` bytes as the windows allow and ends the stream;
        what the kernel makes of them are full segments. Stops where the other side has ended the
        stream. @return whether everything was sent."""
        deadline = time.monotonic() + seconds
        response = self.responses[stream]
        while body:
            if response.ended or response.reset is not None:
                return False
            room = self.h2.local_flow_control_window(stream)
            if room >= min(size, len(body)):
                batch, body = self._frames(stream, body, min(room, 1 << 18), size)
                self.sock.sendall(batch)
            elif time.monotonic() > deadline:
                raise Failed(f"no window for {len(body)} bytes of stream {stream}")
            else:
                self.read(lambda: self.h2.local_flow_control_window(stream) > room
                          or response.ended or response.reset is not None, 1.0)
        return True

    def _frames(self, stream: int, body: bytes, room: int, size: int) -> tuple[bytes, bytes]:
        """As many DATA frames as there is room for: (their bytes, what is left of the body)."""
        batch = bytearray()
        while body and room >= min(size, len(body)):
            self.h2.send_data(stream, body[:size], end_stream=len(body) <= size)
            batch += self.h2.data_to_send()
            room -= min(size, len(body))
            body = body[size:]
        return bytes(batch), body

    def close(self) -> None:
        self.sock.close()


class Crafted:
    """A client that writes its frames itself, byte for byte; HPACK by python3-hpack."""

    def __init__(self, sock: socket.socket, settings: bytes = b"") -> None:
        self.sock = sock
        self.encoder = Encoder()
        self.next_stream = 1
        self.answers = bytearray()
        self.hello = PREFACE + frame(SETTINGS, 0, 0, settings)

    def block(self, headers) -> bytes:
        return self.encoder.encode(headers)

    def stream(self) -> int:
        number, self.next_stream = self.next_stream, self.next_stream + 2
        return number

    def call_bytes(self, path: str, body: bytes = b"", **options) -> tuple[int, bytes]:
        """The frames of a unary call."""
        number = self.stream()
        return number, (frame(HEADERS, END_HEADERS, number,
                              self.block(grpc_headers(path, **options)))
                        + frame(DATA, END_STREAM, number, message(body)))

    def send(self, data: bytes, cut: int | None = None, pause: float = 0.0) -> None:
        """Sends the bytes, in segments of `cut` bytes if given."""
        if cut is None:
            self.sock.sendall(data)
            return
        for at in range(0, len(data), cut):
            self.sock.sendall(data[at:at + cut])
            time.sleep(pause)

    def read_frames(self, enough, seconds: float = 5.0) -> list[tuple[int, int, int, bytes]]:
        """Reads until enough(frames) is true; returns the frames of the server so far."""
        deadline = time.monotonic() + seconds
        while True:
            frames = self.frames()
            if enough(frames):
                return frames
            left = deadline - time.monotonic()
            if left <= 0:
                raise Failed(f"not the frames that were hoped for: {frames}")
            self.sock.settimeout(left)
            with contextlib.suppress(TimeoutError):
                data = self.sock.recv(65536)
                if not data:
                    raise Failed(f"the connection has ended: {frames}")
                self.answers += data

    def frames(self) -> list[tuple[int, int, int, bytes]]:
        """The whole frames that have arrived."""
        found, at = [], 0
        while at + 9 <= len(self.answers):
            length = int.from_bytes(self.answers[at:at + 3], "big")
            if at + 9 + length > len(self.answers):
                break
            kind, flags, number = struct.unpack_from("!BBI", self.answers, at + 3)
            found.append((kind, flags, number & 0x7FFFFFFF,
                          bytes(self.answers[at + 9:at + 9 + length])))
            at += 9 + length
        return found


def ended(*numbers: int):
    """For read_frames: each of these streams has seen END_STREAM or RST_STREAM."""
    def enough(frames) -> bool:
        over = {n for kind, flags, n, _ in frames
                if kind == RST_STREAM or (kind in (DATA, HEADERS) and flags & END_STREAM)}
        return over.issuperset(numbers)

    return enough


class Server:
    """A server of python3-h2: keeps every request exactly as it decoded it, in order, and answers
    200. A connection error is kept too: the HPACK trap shows there. `first_settings` go out in
    the first SETTINGS frame, `settings` in a second one."""

    def __init__(self, lab: Lab, family: Family, port: int = PORT,
                 settings: dict | None = None, first_settings: dict | None = None,
                 before_hello=None) -> None:
        self.requests: list[list[tuple[str, str]]] = []
        self.trailers: list[list[tuple[str, str]]] = []
        self.errors: list[str] = []
        self.received = bytearray()
        self.connections = 0
        self._settings, self._first_settings = settings, first_settings
        self._before_hello = before_hello
        kind = socket.AF_INET6 if family.ipv6 else socket.AF_INET
        with lab.inside(lab.server_ns):
            self._listener = socket.socket(kind, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((family.server, port))
        self._listener.listen()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self.connections += 1
                self._open.append(sock)
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        state = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8",
                                      normalize_inbound_headers=False))
        if self._first_settings:
            state.local_settings = Settings(client=False, initial_values=self._first_settings)
        if self._before_hello:
            self._before_hello()
        state.initiate_connection()
        if self._settings:
            state.update_settings(self._settings)
        try:
            sock.sendall(state.data_to_send())
            while data := sock.recv(65536):
                self.received += data
                for event in state.receive_data(data):
                    self._event(state, event)
                sock.sendall(state.data_to_send())
        except h2.exceptions.ProtocolError as error:
            self.errors.append(f"{type(error).__name__}: {error}")
            with contextlib.suppress(OSError):
                sock.sendall(state.data_to_send())
                sock.close()
        except OSError as error:
            self.errors.append(f"{type(error).__name__}: {error}")

    def _event(self, state, event) -> None:
        if isinstance(event, h2.events.SettingsAcknowledged):
            # python3-h2 does this by itself for later SETTINGS, not for those of the start.
            size = (self._first_settings or {}).get(SettingCodes.HEADER_TABLE_SIZE)
            if size is not None:
                state.decoder.max_allowed_table_size = size
        elif isinstance(event, h2.events.RequestReceived):
            self.requests.append([(str(k), str(v)) for k, v in event.headers])
        elif isinstance(event, h2.events.TrailersReceived):
            self.trailers.append([(str(k), str(v)) for k, v in event.headers])
        elif isinstance(event, h2.events.DataReceived):
            state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            with contextlib.suppress(h2.exceptions.StreamClosedError):
                state.send_headers(event.stream_id, [(":status", "200"),
                                                     ("content-type", "application/grpc")])
                state.send_headers(event.stream_id, [("grpc-status", "0")], end_stream=True)

    def paths(self) -> list[str]:
        return [dict(request)[":path"] for request in self.requests]

    def close(self) -> None:
        for sock in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
