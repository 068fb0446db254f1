# SPDX-License-Identifier: Apache-2.0
"""Which queue of a tap the kernel puts a frame on, as a test wants it.

Left alone, the kernel sends a connection to the queue that its packets were last written to: a box
with several workers soon gets everything where it belongs. A steering program (TUNSETSTEERINGEBPF),
set through a copy of the box's own descriptor, takes that favour away.
"""

import ctypes
import fcntl
import os
import struct
from pathlib import Path

from framework.process import Failed

ANY = -1  # another queue for each frame, by chance

TUNGETIFF, TUNSETSTEERINGEBPF = 0x800454D2, 0x800454E0
SYS_BPF, SYS_PIDFD_GETFD = 321, 438  # of x86-64
BPF_PROG_LOAD, BPF_PROG_TYPE_SOCKET_FILTER = 5, 1
CALL, EXIT, MOV_R0 = 0x85, 0x95, 0xB7
GET_PRANDOM_U32 = 7
_libc = ctypes.CDLL(None, use_errno=True)


def _system(what: str, *arguments) -> int:
    result = _libc.syscall(*arguments)
    if result < 0:
        raise Failed(f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def _program(queue: int) -> int:
    """A program that returns the queue (the kernel takes it modulo their number)."""
    first = (CALL, GET_PRANDOM_U32) if queue == ANY else (MOV_R0, queue)
    code = b"".join(struct.pack("<BBhi", op, 0, 0, value) for op, value in (first, (EXIT, 0)))
    instructions = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(b"Apache-2.0")
    attributes = struct.pack("<IIQQ", BPF_PROG_TYPE_SOCKET_FILTER, len(code) // 8,
                             ctypes.addressof(instructions), ctypes.addressof(licence))
    buffer = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
    return _system("bpf", SYS_BPF, BPF_PROG_LOAD, buffer, len(buffer))


def _descriptor(pidfd: int, pid: int, tap: str) -> int:
    """A copy of a descriptor that a process has of a tap."""
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        if os.readlink(entry) != "/dev/net/tun":
            continue
        fd = _system("pidfd_getfd", SYS_PIDFD_GETFD, pidfd, int(entry.name), 0)
        try:
            answer = fcntl.ioctl(fd, TUNGETIFF, bytes(40))
        except OSError:  # not bound to a tap
            answer = b""
        if answer[:16].rstrip(b"\0").decode() == tap:
            return fd
        os.close(fd)
    raise Failed(f"process {pid} has no tap {tap}")


def steer(pid: int, tap: str, queue: int) -> None:
    """From now on, what the kernel sends on a tap of a process goes to one queue, or to ANY."""
    pidfd = os.pidfd_open(pid)
    try:
        fd, program = _descriptor(pidfd, pid, tap), _program(queue)
        try:
            fcntl.ioctl(fd, TUNSETSTEERINGEBPF, struct.pack("i", program))
        finally:
            os.close(fd)
            os.close(program)
    finally:
        os.close(pidfd)
