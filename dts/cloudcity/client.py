# SPDX-License-Identifier: Apache-2.0
"""A public terminal: one call to the door manager, its answer in words.

    client.py GetName 1
    client.py SetAccessCode 1 999
"""

import argparse
import sys

import grpc

from cloudcity import messages


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", default="10.50.2.10:50051", metavar="ADDRESS:PORT")
    parser.add_argument("--timeout", type=float, default=10.0, metavar="SECONDS")
    parser.add_argument("method", choices=messages.METHODS)
    parser.add_argument("door", type=int)
    parser.add_argument("argument", nargs="?", help="access code, or what is broken")
    arguments = parser.parse_args()
    request = messages.request(arguments.method, arguments.door, arguments.argument)
    with grpc.insecure_channel(arguments.server) as channel:
        call = channel.unary_unary(messages.path(arguments.method))
        try:
            reply = call(request, timeout=arguments.timeout)
        except grpc.RpcError as error:
            print(f"{error.code().name}: {error.details()}")
            return 1
    print(messages.describe(arguments.method, reply))
    return 0


if __name__ == "__main__":
    sys.exit(main())
