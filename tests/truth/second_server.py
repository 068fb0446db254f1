#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does a server of another make (python3-h2) decode the same? second_server.py TRUTH FROM-TO

TRUTH writes down what its servers got and decoded; here the same bytes go to h2, which is told the
same SETTINGS where the client acknowledges them."""
import pathlib
import subprocess
import sys
import tempfile

import h2.config
import h2.connection
import h2.events
from hpack import NeverIndexedHeaderTuple

MAGIC = 24
SETTINGS, ACK = 4, 1
WINDOW = 2**30
# Limits that the bytes were not written for, since nothing is answered here.
IGNORED = {3, 4}


def frames(data):
    at = MAGIC
    yield data[:at]
    while at < len(data):
        end = at + 9 + int.from_bytes(data[at:at + 3], 'big')
        yield data[at:end]
        at = end


def settings_of(path):
    for line in path.read_text().splitlines():
        words = [int(word) for word in line.split()]
        yield {key: value for key, value in zip(words[::2], words[1::2]) if key not in IGNORED}


def block(kind, event):
    lines = [b'%c %d\n' % (kind, event.stream_id)]
    for field in event.headers:
        never = b'!' if isinstance(field, NeverIndexedHeaderTuple) else b''
        lines.append(b'\t' + never + field[0] + b': ' + field[1] + b'\n')
    return event.stream_id, b''.join(lines)


def decode(data, announced):
    config = h2.config.H2Configuration(client_side=False, header_encoding=None,
                                       validate_inbound_headers=False,
                                       normalize_inbound_headers=False)
    conn = h2.connection.H2Connection(config)
    conn.initiate_connection()
    conn.decoder.max_header_list_size = 1 << 20
    got = []
    for frame in frames(data):
        if frame[3] == SETTINGS and frame[4] & ACK and len(frame) == 9:
            for key, value in next(announced).items():
                if key == 1:
                    conn.decoder.max_allowed_table_size = min(value, 4096)
            continue
        for event in conn.receive_data(frame):
            if isinstance(event, h2.events.RequestReceived):
                got.append(block(ord('H'), event))
                stream = conn.streams[event.stream_id]
                stream._inbound_window_manager.window_opened(WINDOW)
            elif isinstance(event, h2.events.TrailersReceived):
                got.append(block(ord('T'), event))
            elif isinstance(event, h2.events.DataReceived):
                conn.increment_flow_control_window(max(1, event.flow_controlled_length))
    return got


def main():
    truth, seeds = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([truth, '--seeds', seeds, '--dump', folder], check=True)
        failed = compared = 0
        for path in sorted(pathlib.Path(folder).glob('*.bytes')):
            want = path.with_suffix('.calls').read_bytes()
            reset = {int(word) for word in path.with_suffix('.reset').read_text().split()}
            try:
                blocks = decode(path.read_bytes(), settings_of(path.with_suffix('.settings')))
                # The first server did not look at what came on a stream that it had reset.
                got = b''.join(text for stream, text in blocks if stream not in reset or text in want)
            except Exception as error:  # whatever it is, the server could not read it
                got = repr(error).encode()
            compared += 1
            if got != want:
                failed += 1
                print(f'FAIL {path.stem}: {got[-300:]}')
    print(f'{compared} connections, {failed} failed')
    return 0 if compared and not failed else 1


if __name__ == '__main__':
    sys.exit(main())
