# SPDX-License-Identifier: Apache-2.0
"""Which queue of a tap the kernel puts a frame on, as a test wants it.

Left alone, the kernel sends a connection to the queue that its packets were last written to: a box
with several workers soon gets everything where it belongs. A steering program (TUNSETSTEERINGEBPF),
set through a copy of the box's own descriptor, takes that favour away. A program returns a number;
the kernel takes it modulo the number of queues.
"""

import ctypes
import fcntl
import os
import struct
from pathlib import Path

from framework.process import Failed

Program = list[tuple[int, int, int, int]]  # operation, registers, offset, value: eBPF

TUNGETIFF, TUNSETSTEERINGEBPF = 0x800454D2, 0x800454E0
SYS_BPF, SYS_PIDFD_GETFD = 321, 438  # of x86-64
BPF_PROG_LOAD, BPF_PROG_TYPE_SOCKET_FILTER = 5, 1
CALL, EXIT, MOV_VALUE, MOV, ADD = 0x85, 0x95, 0xB7, 0xBF, 0x0F
LOAD_B, LOAD_H, SHIFT_RIGHT, JUMP_EQUAL = 0x30, 0x28, 0x77, 0x15  # loads are from the frame to r0
R0, R6, R7 = 0, 6, 7
GET_PRANDOM_U32 = 7
DONE = (EXIT, 0, 0, 0)
_libc = ctypes.CDLL(None, use_errno=True)


def _system(what: str, *arguments) -> int:
    result = _libc.syscall(*arguments)
    if result < 0:
        raise Failed(f"{what}: {os.strerror(ctypes.get_errno())}")
    return result


def one_queue(queue: int) -> Program:
    return [(MOV_VALUE, R0, 0, queue), DONE]


def any_queue() -> Program:
    """Another queue for each frame, by chance."""
    return [(CALL, 0, 0, GET_PRANDOM_U32), DONE]


def by_ports(tags: int) -> Program:
    """By the sum of both ports behind so many tags, as a NIC would do it."""
    ip = 14 + 4 * tags

    def add_ports(at: int) -> Program:
        return [(LOAD_H, 0, 0, at), (MOV, R7 | R0 << 4, 0, 0), (LOAD_H, 0, 0, at + 2),
                (ADD, R0 | R7 << 4, 0, 0), DONE]

    return [(MOV, R6 | 1 << 4, 0, 0),  # the frame, where loads look for it
            (LOAD_B, 0, 0, ip), (SHIFT_RIGHT, R0, 0, 4), (JUMP_EQUAL, R0, 5, 6),
            *add_ports(ip + 20), *add_ports(ip + 40)]


def _load(program: Program) -> int:
    code = b"".join(struct.pack("<BBhi", *instruction) for instruction in program)
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


def steer(pid: int, tap: str, program: Program | None) -> None:
    """From now on, a program says where what the kernel sends on a tap of a process goes; None:
    nobody but the kernel."""
    pidfd = os.pidfd_open(pid)
    try:
        fd, loaded = _descriptor(pidfd, pid, tap), _load(program) if program else -1
        try:
            fcntl.ioctl(fd, TUNSETSTEERINGEBPF, struct.pack("i", loaded))
        finally:
            os.close(fd)
            if program:
                os.close(loaded)
    finally:
        os.close(pidfd)
