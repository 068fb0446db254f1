# SPDX-License-Identifier: Apache-2.0
"""Calls and their verdicts."""

from hyperframe.frame import DataFrame

from case import CONF, Case
from http2 import SERVICE, answer, call, data, denial, headers, request, shortest
from talk import SCALE, Talk


def allowed_call():
    case = Case("allowed_call")
    talk = Talk(case)
    talk.begin()
    talk.allowed(1)
    talk.allowed(3, "GetLocation", b"\x0d\x00\x00\x00\x00")
    talk.close()
    return case


def denied(name, link):
    """A denied call between two allowed ones; then all numbers are translated."""
    case = Case(name, link)
    talk = Talk(case)
    talk.begin()
    talk.allowed(1)
    talk.refused(call(3, "SetAccessCode"), denial(3, 0))
    talk.allowed(5, "GetLocation", b"\x0d\x00\x00\x00\x00")
    talk.refused(call(7, "GetStatus"), denial(7, 1))
    talk.close()
    return case


def denied_unfinished():
    """The denied request goes on after its header block: RST_STREAM(NO_ERROR) follows the reply."""
    case = Case("denied_unfinished")
    talk = Talk(case)
    talk.begin()
    talk.refused(headers(1, request(SERVICE + "SetAccessCode")), denial(1, 0, rst=True))
    talk.allowed(3)
    return case


def table_shift():
    """A denied block that changes the table: from there on the client's indices mean nothing to
    the server, and blocks are encoded anew (first a table of size 0, then literals only)."""
    case = Case("table_shift")
    talk = Talk(case)
    talk.begin()
    fields = ((4, SERVICE + "GetName"), (1, "door:50051"), (31, "application/grpc"))
    first = b"\x83\x86"
    for index, value in fields:
        first += bytes([0x40 | index, len(value)]) + value.encode()
    first += b"\x40\x02te\x08trailers"
    body = data(1, b"\x08\x01", end=True)[9:]

    def request_of(stream, block):
        return headers(stream, block) + DataFrame(stream, body, flags=["END_STREAM"]).serialize()

    talk.send("c", request_of(1, first))
    talk.answered(1)
    # The denied path goes in first: then 63 te, 64 content-type, 65 authority, 66 the first path.
    path = (SERVICE + "SetAccessCode").encode()
    talk.refused(request_of(3, b"\x83\x86\x44" + bytes([len(path)]) + path + b"\xc1\xc0\xbf"),
                denial(3, 0))
    literals = b"\x83\x86"
    for index, value in fields:
        literals += (bytes([index]) if index < 15 else bytes([15, index - 15])) + shortest(value)
    literals += b"\x00" + shortest("te") + shortest("trailers")
    for stream, update in ((5, b"\x20"), (7, b"")):
        talk.send("c", request_of(stream, b"\x83\x86\xc2\xc1\xc0\xbf"),
                  delivered=request_of(stream, update + literals))
        talk.answered(stream)
    talk.close()
    return case


def second_version():
    """What has been judged is what is sent again, whatever the client now says it was."""
    case = Case("second_version")
    talk = Talk(case)
    talk.begin()
    first = call(1, "GetLocation")
    second = call(1, "SetSecretss")
    assert len(first) == len(second)
    talk.tick("c")
    sent, _ = talk.both("c", "PA", first, first)
    case.through("c", sent)
    talk.tick("c")
    sent, _ = talk.both("c", "PA", second, second)
    _, got = talk.both("c", "PA", first, first)
    case.enter("c", sent, "absorb_rebuilt")
    case.leave("s", got)
    talk.sent["c"] += len(first)
    talk.seen["c"] += len(first)
    talk.answered(1)
    talk.close()
    return case


def cut_header():
    """A call cut inside a frame header: no byte of it goes on before it has been judged."""
    case = Case("cut_header")
    talk = Talk(case)
    talk.begin()
    whole = call(1, "GetName")
    talk.held(whole[:5])
    talk.tick("c")
    sent, _ = talk.both("c", "PA", whole[5:], b"")
    _, got = talk.both("c", "PA", b"", whole)
    case.enter("c", sent, "absorb_rebuilt")
    case.leave("s", got)
    talk.sent["c"] += len(whole) - 5
    talk.seen["c"] += len(whole)
    # All of it but the message, which its sender alone can send again.
    message = 7
    talk.own(len(whole) - message, back=message)
    talk.answered(1)
    bad = call(3, "SetAccessCode")
    talk.held(bad[:60])
    talk.refused(bad[60:], denial(3, 0))
    talk.close()
    return case


def passive(name, mode, reason):
    """Nothing is changed in a mode that only looks, whatever it would have said."""
    case = Case(name, conf=CONF.replace("port = 50051;", f'port = 50051; mode = "{mode}";'))
    talk = Talk(case)
    talk.begin()
    talk.allowed(1)
    talk.send("c", call(3, "SetAccessCode"))
    talk.send("s", answer(3, b"\x0a\x02ok"))
    talk.send("c", call(5, "GetStatus")[:60])
    talk.close()
    case.stats.pop("allowed")
    case.count(**reason)
    return case


def unlisted_source():
    """A source that no rule lists: its SYN goes nowhere."""
    case = Case("unlisted_source", conf=CONF.replace("10.11.0.0/16", "10.99.0.0/16"))
    talk = Talk(case)
    talk.tick("c")
    options = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (talk.ts["c"], 0)), ("NOP", None)]
    syn = talk.tcp("c", "S", 0, 0, options=options + [("WScale", SCALE)], window=64240)
    case.enter("c", syn, "drop_unlisted")
    case.enter("c", syn, "drop_unlisted")
    return case
