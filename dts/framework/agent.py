# SPDX-License-Identifier: Apache-2.0
"""A gRPC client that a test drives from outside of its namespace.

One JSON object per line on stdin, {"id", "op", ...}; one per line on stdout, {"id", ...}. Each
operation runs in a thread of its own, so a test can start a long call and make others meanwhile.
Channels are named; each has a connection of its own.
"""

import base64
import collections
import hashlib
import json
import random
import sys
import threading
import time
import zlib

import grpc

CHANNELS: dict[str, grpc.Channel] = {}
OUTPUT = threading.Lock()


def outcome(error: grpc.RpcError) -> dict:
    return {"code": error.code().name, "details": error.details()}


def finished(call, started: float) -> dict:
    return {
        "code": call.code().name,
        "details": call.details(),
        "ms": (time.monotonic() - started) * 1000,
        "headers": [[k, str(v)] for k, v in call.initial_metadata() or ()],
        "trailers": [[k, str(v)] for k, v in call.trailing_metadata() or ()],
    }


def op_open(name: str, target: str, options: list | None = None) -> dict:
    settings = [("grpc.use_local_subchannel_pool", 1),
                ("grpc.max_receive_message_length", 64 << 20),
                ("grpc.max_send_message_length", 64 << 20)]
    settings += [tuple(option) for option in options or ()]
    CHANNELS[name] = grpc.insecure_channel(target, options=settings)
    return {}


def op_close(name: str) -> dict:
    CHANNELS.pop(name).close()
    return {}


def op_call(name, method, request="", timeout=10.0, metadata=()) -> dict:
    """One unary call."""
    started = time.monotonic()
    try:
        reply, call = CHANNELS[name].unary_unary(method).with_call(
            base64.b64decode(request), timeout=timeout, metadata=[tuple(m) for m in metadata])
    except grpc.RpcError as error:
        return finished(error, started)
    return {**finished(call, started), "reply": base64.b64encode(reply).decode()}


def tally(results) -> dict:
    """[(method, code, reply)] -> {method: {code: count}}, {method: [distinct replies]}."""
    codes: dict = collections.defaultdict(collections.Counter)
    replies: dict = collections.defaultdict(set)
    for method, code, reply in results:
        codes[method][code] += 1
        if reply is not None:
            replies[method].add(base64.b64encode(reply).decode())
    return {"codes": codes, "replies": {m: sorted(r) for m, r in replies.items()}}


def op_alternate(name, calls, rounds, timeout=10.0) -> dict:
    """`calls` is [[method, request]]; all of them, one after the other, `rounds` times."""
    channel = CHANNELS[name]
    stubs = [(m, channel.unary_unary(m), base64.b64decode(r)) for m, r in calls]
    results = []
    for _ in range(rounds):
        for method, stub, request in stubs:
            try:
                results.append((method, "OK", stub(request, timeout=timeout)))
            except grpc.RpcError as error:
                results.append((method, error.code().name, None))
    return tally(results)


def op_burst(name, calls, rounds, timeout=30.0) -> dict:
    """As alternate, but every call is started before any has ended."""
    channel = CHANNELS[name]
    stubs = [(m, channel.unary_unary(m), base64.b64decode(r)) for m, r in calls]
    flying = [(method, stub.future(request, timeout=timeout))
              for _ in range(rounds) for method, stub, request in stubs]
    results = []
    for method, future in flying:
        try:
            results.append((method, "OK", future.result()))
        except grpc.RpcError as error:
            results.append((method, error.code().name, None))
    return tally(results)


def op_collect(name, method, count, size, pause_ms=0.0, timeout=60.0) -> dict:
    """Client streaming: `count` messages of `size` bytes. Tells how many were really asked for."""
    sent = {"messages": 0, "crc": 0}

    def messages():
        for number in range(count):
            body = number.to_bytes(4, "big") * (size // 4)
            sent["messages"] += 1
            sent["crc"] = zlib.crc32(body, sent["crc"])
            yield body
            time.sleep(pause_ms / 1000)

    started = time.monotonic()
    try:
        reply, call = CHANNELS[name].stream_unary(method).with_call(messages(), timeout=timeout)
    except grpc.RpcError as error:
        return {**finished(error, started), "sent": sent}
    return {**finished(call, started), "sent": sent, "reply": base64.b64encode(reply).decode()}


def op_repeat(name, method, count, size, timeout=60.0) -> dict:
    """Server streaming: checks that every message came, in order and whole."""
    request = json.dumps({"count": count, "size": size}).encode()
    good = 0
    started = time.monotonic()
    call = CHANNELS[name].unary_stream(method)(request, timeout=timeout)
    try:
        for number, message in enumerate(call):
            good += message == number.to_bytes(4, "big") + bytes(size - 4)
    except grpc.RpcError:
        pass
    return {**finished(call, started), "good": good}


def op_upload(name, method, count, size, seed, timeout=60.0) -> dict:
    """As collect, with bytes that do not repeat. `same`: the server has the same hash of them."""
    noise, digest = random.Random(seed), hashlib.sha256()

    def messages():
        for _ in range(count):
            body = noise.randbytes(size)
            digest.update(body)
            yield body

    started = time.monotonic()
    try:
        reply, call = CHANNELS[name].stream_unary(method).with_call(messages(), timeout=timeout)
    except grpc.RpcError as error:
        return finished(error, started)
    return {**finished(call, started), "same": json.loads(reply)["sha256"] == digest.hexdigest()}


def op_download(name, method, count, size, seed, timeout=60.0) -> dict:
    """As repeat, with bytes that do not repeat. `same`: the hash of all is the expected one."""
    noise, expected, got = random.Random(seed), hashlib.sha256(), hashlib.sha256()
    request = json.dumps({"count": count, "size": size, "seed": seed}).encode()
    started = time.monotonic()
    call = CHANNELS[name].unary_stream(method)(request, timeout=timeout)
    try:
        for message in call:
            got.update(message)
    except grpc.RpcError:
        pass
    answer = finished(call, started)
    for _ in range(count):
        expected.update(noise.randbytes(size))
    return {**answer, "same": got.digest() == expected.digest()}


def op_chat(name, method, count, size=64, pause_ms=0.0, timeout=60.0) -> dict:
    """Both ways: sends messages at a pace and compares what comes back."""
    def messages():
        for number in range(count):
            yield number.to_bytes(4, "big") * (size // 4)
            time.sleep(pause_ms / 1000)

    good = 0
    started = time.monotonic()
    call = CHANNELS[name].stream_stream(method)(messages(), timeout=timeout)
    try:
        for number, message in enumerate(call):
            good += message == number.to_bytes(4, "big") * (size // 4)
    except grpc.RpcError:
        pass
    return {**finished(call, started), "good": good}


def run(command: dict) -> None:
    number, op = command.pop("id"), command.pop("op")
    try:
        answer = globals()[f"op_{op}"](**command)
    except Exception as error:  # the test must hear of it, whatever it is
        answer = {"error": f"{type(error).__name__}: {error}"}
    with OUTPUT:
        print(json.dumps({"id": number, **answer}), flush=True)


def main() -> None:
    for line in sys.stdin:
        threading.Thread(target=run, args=(json.loads(line),), daemon=True).start()


if __name__ == "__main__":
    main()
