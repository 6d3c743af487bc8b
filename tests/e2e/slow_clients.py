#!/usr/bin/env python3
"""Slow, idle and broken clients: each gets a clear answer or is cut off, memory stays flat, and others stay quick.

Ten thousand idle connections and crowds of slow ones are held while requests of every wrong kind come in, round after
round, and a normal client goes on beside them. A twin gateway gets the same normal load and no crowd.
"""

import contextlib
import gzip
import json
import resource
import selectors
import socket
import time
import zlib

from harness import prove
from load import Steady, percentile
from processes import DATASET, Gateway, Late, Sandbox, rss_kib, until

READ_TIMEOUT_S = 4
IDLE_TIMEOUT_S = 25
DECODED_MAX = 32 << 20
BODY_MAX = 8 << 20
RATE = 100
# What a connection may cost that waits, and bodies that are in memory at the same time.
IDLE_KIB_MAX = 24
BODIES_MIB_MAX = 192
FLAT_MIB_MAX = 32
# Normal requests beside the crowd: so fast, or at most so many times what a gateway without a crowd takes meanwhile.
P99_MS_MAX = 100
RATIO_MAX = 2.0


def body(proof):
    idle = 2_000 if proof.quick else 10_000
    rounds = 2 if proof.quick else 4
    raise_limit(proof, idle + 2_000)
    sandbox = Sandbox(proof)
    gateway = Gateway(
        proof, sandbox, log="debug",
        server={"read_timeout_s": READ_TIMEOUT_S, "idle_timeout_s": IDLE_TIMEOUT_S, "body_bytes_max": BODY_MAX,
                "decoded_bytes_max": DECODED_MAX},
    )
    gateway.start()
    pid = gateway.process.pid
    twin = Gateway(proof, sandbox, name="twin")
    twin.start()
    load, twin_load = Steady(gateway, RATE, threads=4), Steady(twin, RATE, threads=4, prefix="twin")
    quiet = time.monotonic()
    until(lambda: len(load.samples) > RATE * (3 if proof.quick else 10), 60, "a quiet while")
    first = rss_kib(pid)[0]
    crowd_began = time.monotonic()

    held, after, answers, stages, each = [], [], {}, {}, None
    for number in range(1, rounds + 1):
        begin = time.monotonic()
        connections = [connect(gateway.port) for _ in range(idle)]
        until(lambda: open_connections(gateway) >= idle, 30, "all idle connections are accepted")
        held.append(rss_kib(pid)[0])
        each = each or (held[0] - first) / idle
        slow = Slow(gateway, 50 if proof.quick else 200)
        stages[f"round {number}: connecting"] = begin, time.monotonic()
        for case in CASES:
            begin = time.monotonic()
            wrong(proof, gateway, case, answers)
            stages[f"round {number}: {case[0]}"] = begin, time.monotonic()
        begin = time.monotonic()
        streams(proof, gateway, answers)
        stages[f"round {number}: streams"] = begin, time.monotonic()
        slow.end(proof)
        # Nobody has to close what idles.
        until(lambda: open_connections(gateway) < 50, IDLE_TIMEOUT_S + 30, "idle connections are closed", 0.2)
        closed = sum(is_closed(connection) for connection in connections)
        proof.equal(closed, idle, "idle connections that were closed by the gateway")
        for connection in connections:
            connection.close()
        after.append(rss_kib(pid)[0])
        proof.note(f"round {number}: memory {held[-1] // 1024} MiB with the idle ones, {after[-1] // 1024} in the end")
    crowd_ended = time.monotonic()
    proof.equal(gateway.process.child.poll(), None, "the process lives")
    proof.check(each <= IDLE_KIB_MAX, f"an idle connection costs at most {IDLE_KIB_MAX} KiB, not {each:.1f}")
    proof.figure("rounds, wrong requests each", f"{rounds}, {len(CASES) + 8}")
    proof.figure("idle connections", idle)
    proof.figure("KiB each", round(each, 2))

    for steady in (load, twin_load):
        steady.stop()
        proof.check(not steady.failed, f"normal requests are all taken; {len(steady.failed)} not: {steady.failed[:3]}")
    before, during, beside = (
        [it * 1_000 for it in steady.between(begin, end)]
        for steady, begin, end in [
            (load, quiet, crowd_began), (load, crowd_began, crowd_ended), (twin_load, crowd_began, crowd_ended),
        ]
    )
    for name, values in [("before", before), ("meanwhile", during), ("meanwhile, at the twin", beside)]:
        proof.figure(f"normal requests {name}", len(values))
        proof.figure(f"normal requests {name}: p50, p99 ms",
                     f"{percentile(values, 0.5):.1f}, {percentile(values, 0.99):.1f}")
    p99, p99_max = percentile(during, 0.99), max(P99_MS_MAX, RATIO_MAX * percentile(beside, 0.99))
    proof.check(p99 <= p99_max, f"p99 of normal requests meanwhile is at most {p99_max:.0f} ms, not {p99:.0f}")
    slowest = max(stages, key=lambda stage: max(load.between(*stages[stage]), default=0))
    proof.figure("slowest normal request: ms, beside",
                 f"{max(load.between(*stages[slowest])) * 1_000:.0f}, {slowest}")
    last, peak = rss_kib(pid)
    # The allocator may keep what the first crowd took; later ones have to do with that.
    for name, sizes in [("with the crowd", held), ("after it", after)]:
        mib = [size // 1024 for size in sizes]
        most = held[0] // 1024 + FLAT_MIB_MAX
        proof.check(max(mib) <= most, f"memory {name} is flat from round to round: {mib} MiB, at most {most}")
        proof.figure(f"memory {name}, MiB", ", ".join(map(str, mib)))
    peak_max = first // 1024 + idle * IDLE_KIB_MAX // 1024 + BODIES_MIB_MAX + FLAT_MIB_MAX
    proof.check(peak <= peak_max * 1024, f"memory stays below {peak_max} MiB, not {peak // 1024}")
    proof.figure("memory at first, most, at last, MiB", f"{first // 1024}, {peak // 1024}, {last // 1024}")
    proof.figure("memory allowed, MiB", peak_max)
    proof.figure("answers to wrong requests", ", ".join(f"{number} x {it}" for it, number in sorted(answers.items())))
    for one in (twin, gateway):
        one.drained(60)
        proof.equal(one.stop(), 0, "the exit code after SIGTERM")
    audit = gateway.audit()
    proof.check(audit["balanced"], f"the books balance: {audit}")
    lost = load.ids - sandbox.ids().keys()
    proof.check(not lost, f"every acknowledged event arrived; {len(lost)} did not")
    proof.figure("acknowledged and lost", len(lost))


def raise_limit(proof, wanted):
    """Descriptors for this process and, by inheritance, for the gateway."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
    except (ValueError, OSError):
        proof.skip(f"{wanted} open files are needed, the limit is {hard}")


def connect(port):
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    return connection


def open_connections(gateway):
    line = next(line for line in gateway.metrics().splitlines() if line.startswith("sluice_connections "))
    return int(line.split()[1])


def is_closed(connection):
    connection.settimeout(5)
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


def head(gateway, path="/v1/events", method="POST", **headers):
    lines = [f"{method} {path} HTTP/1.1", "Host: shop.example", f"Authorization: Bearer {gateway.key}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def status_of(connection, seconds):
    """The status of the answer; None when the connection ends without one."""
    connection.settimeout(seconds)
    answer = b""
    with contextlib.suppress(ConnectionError):
        while b"\r\n" not in answer:
            piece = connection.recv(65_536)
            if not piece:
                break
            answer += piece
    return int(answer.split()[1]) if answer.startswith(b"HTTP/1.1 ") else None


def posted(content, **headers):
    """A whole request with this body."""
    def request(gateway):
        return head(gateway, Content_Type="application/json", Content_Length=len(content), **headers) + content
    return request


def deep(levels):
    return b'{"event_name":"Lead","custom_data":' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"


def bomb(megabytes):
    """Gzip of nothing but spaces: a thousandth of its size."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([*(packer.compress(b" " * (1 << 20)) for _ in range(megabytes)), packer.flush()])


GOOD = json.dumps({
    "event_name": "Lead", "event_time": int(time.time()), "action_source": "website",
    "event_source_url": "https://shop.example/", "user_data": {"client_user_agent": "Mozilla/5.0",
                                                               "client_ip_address": "203.0.113.7"},
}).encode()

def packed(content):
    return posted(gzip.compress(content), Content_Encoding="gzip")


GRAPH = f"/v26.0/{DATASET}/events"

# What it is, what is sent, and which answers are right.
CASES = [
    ("broken gzip", posted(b"\x1f\x8b\x08 this is no gzip", Content_Encoding="gzip"), {400}),
    ("torn gzip", posted(gzip.compress(GOOD * 100)[:-9], Content_Encoding="gzip"), {400}),
    ("text that is called gzip", posted(GOOD, Content_Encoding="gzip"), {400}),
    ("gzip bomb, 1 GiB", posted(bomb(1_024), Content_Encoding="gzip"), {413}),
    ("an event of 16 million values, packed",
     packed(b'{"event_name":"Lead","user_data":{"em":[' + b"1," * 16_000_000 + b"1]}}"), {422}),
    ("4 million lines, packed", packed(b"{}\n" * 4_000_000), {413}),
    ("a text with a list of 4 million events, packed", packed(b'{"data":"[' + b"{}," * 4_000_000 + b'{}]"}'), {413}),
    ("4 million members beside the events, packed", packed(b'{"data":[' + b'],"a":[' * 4_000_000 + b"]}"), {400}),
    ("a zstd window of 128 MiB", posted(b"\x28\xb5\x2f\xfd\x00\x88\x11\x00\x00{}", Content_Encoding="zstd"), {400}),
    ("broken zstd", posted(b"\x28\xb5\x2f\xfd garbage", Content_Encoding="zstd"), {400}),
    ("unknown encoding", posted(GOOD, Content_Encoding="br"), {415}),
    ("two encodings", posted(gzip.compress(GOOD), Content_Encoding="gzip, gzip"), {415}),
    ("empty body", posted(b""), {400}),
    ("no JSON", posted(b"hello"), {400}),
    ("torn JSON", posted(GOOD[:-2]), {400}),
    ("two documents glued together", posted(GOOD[:-1] + b"]" + GOOD), {400}),
    ("an empty list", posted(b"[]"), {400}),
    ("a number", posted(b"42"), {400, 422}),
    ("null", posted(b"null"), {400, 422}),
    ("a text", posted(b'"event"'), {400, 422}),
    ("wrong types everywhere",
     posted(b'{"event_name":[1],"event_time":{},"user_data":"x","custom_data":7,"action_source":null}'), {422}),
    ("user_data of lists in lists", posted(b'{"event_name":"Lead","user_data":{"em":[[[{}]]],"ph":{"a":[]}}}'), {422}),
    ("10 levels more than allowed", posted(deep(150)), {400, 422}),
    ("100,000 levels", posted(deep(100_000)), {400, 422}),
    ("a million open brackets", posted(b"[" * 1_000_000), {400, 422}),
    ("invalid UTF-8", posted(b'{"event_name":"Lea\xff\xfe","user_data":{"em":"\xc3\x28"}}'), {400, 422}),
    ("UTF-16", posted(GOOD.decode().encode("utf-16")), {400, 422}),
    ("a NUL", posted(b'{"event_name":"\x00"}'), {400, 422}),
    ("half a surrogate", posted(rb'{"event_name":"\ud800","user_data":{}}'), {400, 422}),
    ("a number with 100,000 digits", posted(b'{"event_time":' + b"9" * 100_000 + b"}"), {400, 422}),
    ("10,001 events", posted(b"[" + b",".join([b"{}"] * 10_001) + b"]"), {413}),
    ("an event of 7 MB", posted(b'{"event_name":"' + b"x" * 7_000_000 + b'"}'), {400, 413, 422}),
    ("100 MB declared", lambda gateway: head(gateway, Content_Length=100_000_000), {413}),
    ("18 exabytes declared", lambda gateway: head(gateway, Content_Length=18_446_744_073_709_551_615),
     {400, 413, 431}),
    ("a length that is none", lambda gateway: head(gateway, Content_Length="many"), {400}),
    ("two lengths", lambda gateway: head(gateway, Content_Length="5", content_length="6") + b"hello!", {400}),
    ("length and chunks",
     lambda gateway: head(gateway, Content_Length="5", Transfer_Encoding="chunked") + b"0\r\n\r\n", {400}),
    ("no length at all", lambda gateway: head(gateway), {400, 411}),
    ("a chunk size that is none", lambda gateway: head(gateway, Transfer_Encoding="chunked") + b"zz\r\n", {400}),
    ("no key", lambda _: b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", {401}),
    ("a wrong key", lambda _: b"POST /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\n"
     b"Content-Length: 2\r\n\r\n{}", {401}),
    ("another method", lambda gateway: head(gateway, method="DELETE"), {405}),
    ("another path", lambda gateway: head(gateway, path="/v1/nothing", Content_Length=2) + b"{}", {404}),
    ("an unknown parameter", lambda gateway: head(gateway, path="/v1/events?x=1", Content_Length=2) + b"{}", {400}),
    ("no form as multipart",
     lambda gateway: head(gateway, GRAPH, Content_Type="multipart/form-data", Content_Length=5) + b"hello", {400}),
    ("a form without data",
     lambda gateway: head(gateway, GRAPH, Content_Type="application/x-www-form-urlencoded", Content_Length=3) + b"a=b",
     {400}),
    ("a path of 64 KB", lambda gateway: head(gateway, path="/" + "a" * 65_000), {404, 414, 431}),
    ("1,000 headers", lambda _: b"GET /healthz HTTP/1.1\r\n" + b"a: b\r\n" * 1_000 + b"\r\n", {400, 431}),
    ("a header of 1 MB", lambda _: b"GET /healthz HTTP/1.1\r\na: " + b"b" * 1_000_000 + b"\r\n\r\n", {400, 431, None}),
    ("no HTTP", lambda _: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS?\r\n\r\n", {400, None}),
    ("another protocol", lambda _: b"SSH-2.0-OpenSSH_9.6\r\n\r\n", {400, None}),
    ("HTTP/2 at once", lambda _: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 505, None}),
]


def wrong(proof, gateway, case, answers):
    """Sends something wrong, and looks at the answer."""
    name, request, right = case
    with connect(gateway.port) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(request(gateway))
        try:
            status = status_of(connection, READ_TIMEOUT_S + 10)
        except TimeoutError:
            status = "nothing"
    count(answers, status)
    proof.check(status in right, f"{name}: answered {status}, not {right}")


def count(answers, status):
    key = str(status or "closed")
    answers[key] = answers.get(key, 0) + 1


def streams(proof, gateway, answers):
    """Wrong in how it is sent."""
    def case(name, right, act):
        with connect(gateway.port) as connection:
            status = act(connection)
        count(answers, status)
        proof.check(status in right, f"{name}: answered {status}, not {right}")

    def whole(request, pieces):
        """All of a body, sent before anybody looks for the answer; many clients are like that."""
        def act(connection):
            connection.settimeout(20)
            try:
                connection.sendall(request)
                for piece in pieces:
                    connection.sendall(piece)
            except ConnectionError:
                return "a reset"
            return status_of(connection, 10)
        return act

    spaces = b" " * 1_000_000
    chunk = b"F4240\r\n" + spaces + b"\r\n"
    hundred_mb = head(gateway, Content_Length=100_000_000)
    in_chunks = head(gateway, Transfer_Encoding="chunked")
    stranger = hundred_mb.replace(gateway.key.encode(), b"x")

    def endless(connection):
        """Chunks without end: cut off at some point."""
        connection.settimeout(20)
        connection.sendall(in_chunks)
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 1_000:
                connection.sendall(chunk)
                sent += 1
        proof.check(sent < 400, f"a body without end is cut off, {sent} MB were taken")
        return status_of(connection, 10)

    def half_closed(connection):
        """The client has said all and listens: that is a proper request. Often, because it is a race."""
        statuses = set()
        for _ in range(20):
            with connect(gateway.port) as another:
                another.sendall(posted(GOOD)(gateway))
                another.shutdown(socket.SHUT_WR)
                statuses.add(status_of(another, 10))
        connection.close()
        return 202 if statuses == {202} else next(status for status in statuses if status != 202)

    def half_closed_early(connection):
        connection.sendall(head(gateway, Content_Length=1_000) + b'{"event')
        connection.shutdown(socket.SHUT_WR)
        return status_of(connection, 10)

    def pipelined(connection):
        """A good request, and garbage behind it: the good one is answered."""
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" + b"\x00\xff garbage \r\n\r\n" * 50)
        return status_of(connection, 10)

    def expecting(connection):
        """It asks before it sends too much, and is told at once."""
        connection.sendall(head(gateway, Expect="100-continue", Content_Length=100_000_000))
        return status_of(connection, 10)

    case("100 MB", {413}, whole(hundred_mb, [spaces] * 100))
    case("100 MB from a stranger", {401}, whole(stranger, [spaces] * 100))
    case("100 MB in chunks", {413}, whole(in_chunks, [*[chunk] * 100, b"0\r\n\r\n"]))
    case("chunks without end", {413, None}, endless)
    case("half closed, complete", {202}, half_closed)
    case("half closed, torn", {400, None}, half_closed_early)
    case("garbage behind a request", {200}, pipelined)
    case("100 MB announced", {413}, expecting)


class Slow:
    """Clients that send a byte now and then: half of them stay in the head, half in the body."""

    def __init__(self, gateway, count):
        self.gateway = gateway
        self.began = time.monotonic()
        self.selector = selectors.DefaultSelector()
        self.kinds = {}
        for index in range(count):
            connection = connect(gateway.port)
            connection.sendall(head(gateway, Content_Length=5_000) if index % 2 else b"POST /v1/events HTTP/1.1\r\nA: ")
            connection.setblocking(False)
            self.selector.register(connection, selectors.EVENT_READ)
            self.kinds[connection] = "body" if index % 2 else "head"
        self.statuses = {"body": {}, "head": {}}

    def end(self, proof):
        """Goes on until every one was answered or cut off."""
        deadline = self.began + max(READ_TIMEOUT_S, IDLE_TIMEOUT_S) + 15
        while self.kinds and time.monotonic() < deadline:
            for key, _ in self.selector.select(0.05):
                self.answered(key.fileobj)
            for connection in self.kinds:
                with contextlib.suppress(BlockingIOError, ConnectionError):
                    connection.send(b" " if self.kinds[connection] == "body" else b"a")
            time.sleep(0.2)
        if self.kinds:
            raise Late(f"{len(self.kinds)} slow clients are neither answered nor cut off")
        seconds = time.monotonic() - self.began
        proof.equal(set(self.statuses["body"]), {408}, "the answer to slow bodies")
        proof.check(set(self.statuses["head"]) <= {408, None}, f"slow heads end: {self.statuses['head']}")
        proof.figure("slow clients are gone after, s", round(seconds, 1))

    def answered(self, connection):
        self.selector.unregister(connection)
        kind = self.kinds.pop(connection)
        connection.setblocking(True)
        status = status_of(connection, 5)
        self.statuses[kind][status] = self.statuses[kind].get(status, 0) + 1
        connection.close()


if __name__ == "__main__":
    prove(__doc__, body)
