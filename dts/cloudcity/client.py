# SPDX-License-Identifier: Apache-2.0
"""A public terminal: calls to the door manager, their answers in words.

    client.py GetName 1
    client.py SetAccessCode 1 999
    client.py --stdin           calls line by line, all on one connection
"""

import argparse
import sys

import grpc

from cloudcity import messages


def call(channel: grpc.Channel, timeout: float, method: str, door: str = "1",
         argument: str | None = None) -> tuple[bool, str]:
    """Whether the call went well, and what to show."""
    if method not in messages.METHODS:
        return False, f"no such method: {method} (one of {', '.join(messages.METHODS)})"
    request = messages.request(method, int(door), argument)
    try:
        reply = channel.unary_unary(messages.path(method))(request, timeout=timeout)
    except grpc.RpcError as error:
        return False, f"{error.code().name}: {error.details()}"
    return True, messages.describe(method, reply)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", default="10.50.2.10:50051", metavar="ADDRESS:PORT")
    parser.add_argument("--timeout", type=float, default=10.0, metavar="SECONDS")
    parser.add_argument("--stdin", action="store_true", help="read calls from standard input")
    parser.add_argument("call", nargs="*", metavar="METHOD DOOR [ARGUMENT]")
    arguments = parser.parse_args()
    if bool(arguments.call) == arguments.stdin or len(arguments.call) > 3:
        parser.error("give one call, METHOD DOOR [ARGUMENT], or --stdin")
    lines = map(str.split, sys.stdin) if arguments.stdin else [arguments.call]
    good = True
    with grpc.insecure_channel(arguments.server) as channel:
        for line in filter(None, lines):
            good, words = call(channel, arguments.timeout, *line)
            print(words, flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
