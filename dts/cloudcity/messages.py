# SPDX-License-Identifier: Apache-2.0
"""The messages of cloudcity.proto, compiled when they are first needed.

Nothing generated is kept: protoc (of python3-grpc-tools) makes a descriptor set in a temporary
folder, and protobuf makes the classes from that.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PROTO = Path(__file__).with_name("cloudcity.proto")
SERVICE = "cloudcity.DoorManager"


def _load() -> descriptor_pool.DescriptorPool:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "cloudcity.pb"
        subprocess.run(
            [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={PROTO.parent}",
             f"--descriptor_set_out={out}", PROTO.name],
            check=True,
        )
        files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return pool


_POOL = _load()
_FACTORY = message_factory.MessageFactory(_POOL)
_METHODS = {method.name: method for method in _POOL.FindServiceByName(SERVICE).methods}

METHODS = tuple(_METHODS)


def path(method: str) -> str:
    """The :path of a DoorManager method."""
    return f"/{SERVICE}/{method}"


def request_class(method: str):
    return _FACTORY.GetPrototype(_METHODS[method].input_type)


def reply_class(method: str):
    return _FACTORY.GetPrototype(_METHODS[method].output_type)


def request(method: str, door: int = 1, argument: str | None = None) -> bytes:
    """A serialised request; `argument` is the access code or the description of the fault."""
    message = request_class(method)(door_id=door)
    if method == "SetAccessCode":
        message.access_code = int(argument or 0)
    elif method == "RequestMaintenance":
        message.description = argument or ""
    return message.SerializeToString()


def describe(method: str, reply: bytes) -> str:
    """A reply in the words that a terminal shows."""
    message = reply_class(method).FromString(reply)
    if method == "GetName":
        return f"Door name is: {message.name}"
    if method == "GetLocation":
        return f"Door location is lat = {message.lat} long = {message.long}"
    if method == "GetStatus":
        state = "OPEN" if message.state else "CLOSED"
        return f"Door is {state}, access code {message.access_code}"
    return message.message
