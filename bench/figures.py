"""Which figures are measured, and against which bars?"""

import contextlib
import dataclasses
import functools
import http.client
import random
import selectors
import socket
import statistics
import time

from load import CONNECTIONS, HEADERS, LIST, drive
from peers import asked, has_nginx

SIZES = {"1 KB": 4, "16 KB": 64, "256 KB": 1024}  # rows
KEYS_MANY, KEYS_FEW = 1_000_000, 1_000
TABLE_ENTRIES = 100_000
IDLE_CONNECTIONS = 10_000
PLANNING_US = 1.5
WRITES = 5_000
COLD_CALLERS, COLD_ORIGIN_MS = 64, 250


@dataclasses.dataclass
class Row:
    """A line of the table."""

    figure: str
    larder: str
    peer: str
    result: str
    bar: str
    kept: bool


class Bench:
    """How long, how often, who, and where progress is told."""

    def __init__(self, peers, rounds, seconds, tell, against_itself):
        self.peers, self.rounds, self.seconds, self.tell = peers, rounds, seconds, tell
        self.against_itself = against_itself

    def rounds_of(self, contenders):
        """Runs every contender once a round, in another order each time; costs by name."""
        costs = {name: [] for name in contenders}
        for number in range(1, self.rounds + 1):
            order = list(contenders)
            random.shuffle(order)
            for name in order:
                cost = contenders[name]()
                costs[name].append(cost)
                self.tell(f"round {number}/{self.rounds} {name}: {cost.cpu_us:.1f} µs CPU a request, "
                          f"{cost.requests / self.seconds:,.0f} req/s, {cost.failed} failed")
        return costs


def compared(figure, costs, subject, peer, bar):
    """A row from the costs of two contenders: the median of the ratios of each round."""
    ratios = [ours.cpu_us / theirs.cpu_us for ours, theirs in zip(costs[subject], costs[peer])]
    ratio = statistics.median(ratios)
    failed = sum(cost.failed for cost in costs[subject] + costs[peer])

    def median(name):
        return f"{statistics.median(cost.cpu_us for cost in costs[name]):.1f} µs"

    result = f"{ratio:.2f}× ({min(ratios):.2f}–{max(ratios):.2f})" + (f", {failed} failed" if failed else "")
    return Row(figure, median(subject), median(peer), result, f"≤ {bar}×", ratio <= bar and failed == 0)


def hits(bench):
    """A hit in memory, against a bare hyper server that answers the same bytes."""
    for size, rows in SIZES.items():
        path = f"{LIST}&limit={rows}"
        with bench.peers.origin() as origin, bench.peers.bare_server(rows) as bare:
            subject = bench.peers.bare_server(rows) if bench.against_itself else bench.peers.larder(origin)
            with subject as larder:
                larder.ask(path, HEADERS)
                filled = asked(origin)
                costs = bench.rounds_of({
                    f"hit {size}, {larder.name}": lambda: drive(larder, "same", path, seconds=bench.seconds),
                    f"hit {size}, bare": lambda: drive(bare, "same", path, seconds=bench.seconds),
                })
                if asked(origin) != filled:
                    bench.tell(f"NOT ALL HITS: the origin was asked {asked(origin) - filled} times")
                bar = 1.2 if rows == SIZES["256 KB"] else 1.3
                yield compared(f"hit, {size}", costs, f"hit {size}, {larder.name}", f"hit {size}, bare", bar)


NGINX_BARS = {"1 KB": 0.55, "16 KB": 0.6, "256 KB": 0.75}


def shared(bench):
    """A hit in Redis, against a bare hyper server that gets the same bytes from one, and against nginx with srcache
    where that is installed; Redis's share counts."""
    for size, rows in SIZES.items():
        path = f"{LIST}&limit={rows}"
        peers = bench.peers
        with peers.origin() as origin, peers.redis() as ours, peers.redis() as theirs:
            # with so little memory of its own, every answer comes from Redis
            with peers.larder(origin, "1KiB", ours) as larder, peers.bare_redis(theirs, rows) as bare:
                until_hit(larder, path)
                contenders = {f"hit in Redis {size}, {name}": peer for name, peer in (("larder", larder), ("bare", bare))}
                with contextlib.ExitStack() as more:
                    if has_nginx():
                        nginx = more.enter_context(peers.nginx(origin, more.enter_context(peers.redis())))
                        nginx.ask(path, HEADERS)
                        contenders[f"hit in Redis {size}, nginx"] = nginx
                    filled = asked(origin)
                    costs = bench.rounds_of({
                        name: functools.partial(drive, peer, "same", path, seconds=bench.seconds)
                        for name, peer in contenders.items()
                    })
                    if asked(origin) != filled:
                        bench.tell(f"NOT ALL HITS: the origin was asked {asked(origin) - filled} times")
                    larder_name = f"hit in Redis {size}, larder"
                    yield compared(f"hit in Redis, {size}", costs, larder_name, f"hit in Redis {size}, bare", 1.2)
                    if len(contenders) > 2:
                        yield compared(f"hit in Redis, {size}, nginx + srcache", costs, larder_name,
                                       f"hit in Redis {size}, nginx", NGINX_BARS[size])


def tier(bench):
    """A hit in memory with a Redis behind it, against a bare hyper server that answers the same bytes."""
    for size, rows in SIZES.items():
        path = f"{LIST}&limit={rows}"
        peers = bench.peers
        with peers.origin() as origin, peers.redis() as redis, peers.bare_server(rows) as bare:
            with peers.larder(origin, redis=redis) as larder:
                until_hit(larder, path)
                costs = bench.rounds_of({
                    f"hit above Redis {size}, larder": lambda: drive(larder, "same", path, seconds=bench.seconds),
                    f"hit above Redis {size}, bare": lambda: drive(bare, "same", path, seconds=bench.seconds),
                })
                yield compared(f"hit in memory above Redis, {size}", costs, f"hit above Redis {size}, larder",
                               f"hit above Redis {size}, bare", 1.3)


def writes(bench):
    """What a write through one of three proxies waits longer for than one through a proxy of its own."""
    path = f"{LIST}&limit=4"
    peers = bench.peers
    with peers.origin() as origin, peers.redis() as redis, peers.larder(origin) as alone:
        with peers.larder(origin, redis=redis) as one, peers.larder(origin, redis=redis) as two, \
                peers.larder(origin, redis=redis) as three:
            for larder in (alone, one, two, three):
                until_hit(larder, path)
            write_all_ms(one, WRITES // 10)
            ours, theirs = write_all_ms(one, WRITES), write_all_ms(alone, WRITES)
    added = {name: ours[name] - theirs[name] for name in ours}
    bench.tell(f"{WRITES:,} writes: among three p50 {ours['p50']:.2f}, p99 {ours['p99']:.2f} ms; "
               f"alone p50 {theirs['p50']:.2f}, p99 {theirs['p99']:.2f} ms")
    yield Row("write through one of three proxies", f"{ours['p50']:.2f} ms, p99 {ours['p99']:.2f} ms",
              f"alone {theirs['p50']:.2f} ms, p99 {theirs['p99']:.2f} ms",
              f"+{added['p50']:.2f} ms, p99 +{added['p99']:.2f} ms", "< 1 ms, < 5 ms",
              added["p50"] < 1 and added["p99"] < 5)


def write_all_ms(peer, count):
    """Writes one after another on one connection; the middle and the slow end of their times."""
    connection = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=30)
    times = []
    for number in range(count):
        begun = time.monotonic()
        connection.request("PATCH", f"/rest/v1/properties?id=eq.{number}", b'{"status":"draft"}', HEADERS)
        response = connection.getresponse()
        response.read()
        times.append((time.monotonic() - begun) * 1000)
        if response.status != 204:
            raise SystemExit(f"a write was answered {response.status}")
    connection.close()
    times.sort()
    return {"p50": times[count // 2], "p99": times[count * 99 // 100]}


def until_hit(larder, path):
    """The store is connected to beside the start."""
    deadline = time.monotonic() + 10
    while "hit" not in larder.ask(path, HEADERS)[1].get("cache-status", ""):
        if time.monotonic() > deadline:
            raise SystemExit("nothing becomes a hit")


def misses(bench):
    """A miss that is stored, against a proxy that only forwards."""
    for size, rows in SIZES.items():
        path = f"{LIST}&limit={rows}&offset="
        with bench.peers.origin() as origin, bench.peers.bare_proxy(origin) as bare:
            # smaller than what is stored in all rounds, so that making room is part of the cost
            subject = bench.peers.bare_proxy(origin) if bench.against_itself else bench.peers.larder(origin, "256MiB")
            with subject as larder:
                begin = iter(range(10**7, 10**9, 10**7))  # no number is asked for twice

                def ask(peer):
                    return drive(peer, "onwards", path, next(begin), seconds=bench.seconds)

                costs = bench.rounds_of({
                    f"miss {size}, {larder.name}": lambda: ask(larder),
                    f"miss {size}, bare": lambda: ask(bare),
                })
                yield compared(f"miss, {size}", costs, f"miss {size}, {larder.name}", f"miss {size}, bare", 1.3)


def planning(bench):
    """To decide what a read needs, in a process of its own."""
    told = bench.peers.planning_ns()
    for name, ns in told.items():
        bench.tell(f"planning, {name}: {ns} ns")
    new = told["new-target"]
    yield Row("plan a read, its caller known", f"{new / 1000:.2f} µs", "", f"{told['remembered'] / 1000:.2f} µs if it came before",
              f"≤ {PLANNING_US} µs", new <= PLANNING_US * 1000)


def cold(bench):
    """So many callers of one key that nobody has asked for, and a slow origin."""
    with bench.peers.origin(COLD_ORIGIN_MS) as origin, bench.peers.larder(origin) as larder:
        slowest, requests = [], []
        for number in range(bench.rounds):
            before = asked(origin)
            slowest.append(all_at_once(larder, f"{LIST}&limit=4&offset={number}"))
            requests.append(asked(origin) - before)
            bench.tell(f"cold key, {COLD_CALLERS} callers: {requests[-1]} origin requests, "
                       f"the last answer after {slowest[-1]:.0f} ms")
    kept = max(requests) == 1 and max(slowest) <= 300
    result = f"{max(requests)} origin request, last answer {max(slowest):.0f} ms"
    yield Row(f"{COLD_CALLERS} callers of a cold key", result, f"origin {COLD_ORIGIN_MS} ms", "", "1, ≤ 300 ms", kept)


def all_at_once(peer, path):
    """Sends one request on each of many open connections; ms until the last has its answer."""
    request = raw(peer, path)
    callers = [socket.create_connection(("127.0.0.1", peer.port)) for _ in range(COLD_CALLERS)]
    waiting = selectors.DefaultSelector()
    begun = time.monotonic()
    for caller in callers:
        caller.sendall(request)
        waiting.register(caller, selectors.EVENT_READ, bytearray())
    while waiting.get_map():
        for key, _ in waiting.select(timeout=10):
            received = key.fileobj.recv(65536)
            key.data.extend(received)
            if not received or is_whole(key.data):
                waiting.unregister(key.fileobj)
                key.fileobj.close()
                if not bytes(key.data).startswith(b"HTTP/1.1 200"):
                    raise SystemExit(f"a caller got {bytes(key.data[:200])!r}")
    return (time.monotonic() - begun) * 1000


def is_whole(data):
    """Both framings end in what no JSON list goes on with."""
    head, _, body = bytes(data).partition(b"\r\n\r\n")
    if b"chunked" in head.lower():
        return body.endswith(b"0\r\n\r\n")
    return body.endswith(b"]")


def growth(bench):
    """A hit on a random key among a million, against one among a thousand."""
    path = f"{LIST}&limit=4&offset="
    with bench.peers.origin() as origin, bench.peers.larder(origin) as few, bench.peers.larder(origin) as many:
        fill(bench, few, path, KEYS_FEW)
        fill(bench, many, path, KEYS_MANY)
        bench.tell(f"{KEYS_MANY:,} entries take {many.resident_mib():,.0f} MiB")
        filled = asked(origin)

        def ask(peer, keys):
            return drive(peer, "random", path, keys, random.randrange(10**6), seconds=bench.seconds)

        costs = bench.rounds_of({
            "hit among 1 M": lambda: ask(many, KEYS_MANY),
            "hit among 1 k": lambda: ask(few, KEYS_FEW),
        })
        missed = asked(origin) - filled
        if missed:
            bench.tell(f"NOT ALL HITS: the origin was asked {missed} times")
        memory = f"{many.resident_mib():,.0f} MiB"
        row = compared("hit, 1 M entries against 1 k", costs, "hit among 1 M", "hit among 1 k", 1.6)
        yield dataclasses.replace(row, larder=f"{row.larder}, {memory}")


def fill(bench, peer, path, keys):
    before = time.monotonic()
    cost = drive(peer, "fill", path, keys, seconds=600)
    bench.tell(f"filled {keys:,} keys in {time.monotonic() - before:.1f} s, {cost.failed} failed")


def invalidation(bench):
    """What a write that empties a table of many entries takes longer than one that empties none."""
    path = f"{LIST}&limit=4&offset="
    with bench.peers.origin() as origin, bench.peers.larder(origin) as larder:
        extra = []
        for number in range(1, bench.rounds + 1):
            fill(bench, larder, path, TABLE_ENTRIES)
            empty = min(write_ms(larder, "profiles") for _ in range(20))
            full = write_ms(larder, "properties")
            again = larder.ask(f"{path}{TABLE_ENTRIES // 2}", HEADERS)[1].get("cache-status", "")
            if "hit" in again:
                raise SystemExit(f"an entry survived the write: {again}")
            extra.append(full - empty)
            bench.tell(f"round {number}/{bench.rounds}: a write on {TABLE_ENTRIES:,} entries {full:.2f} ms, "
                       f"on none {empty:.2f} ms")
    middle = statistics.median(extra)
    result = f"+{middle:.2f} ms ({min(extra):.2f}–{max(extra):.2f})"
    yield Row(f"invalidate a table of {TABLE_ENTRIES:,} entries", result, "a write that finds none", "", "< 1 ms",
              middle < 1)


def write_ms(peer, table):
    begun = time.monotonic()
    status, _, _ = peer.ask(f"/rest/v1/{table}?id=eq.1", HEADERS, "PATCH", b'{"status":"draft"}')
    taken = (time.monotonic() - begun) * 1000
    if status != 204:
        raise SystemExit(f"a write was answered {status}")
    return taken


def idle(bench):
    """What idle connections hold, after one answer each."""
    path = f"{LIST}&limit=4"
    with bench.peers.origin() as origin, bench.peers.bare_server(4) as bare, bench.peers.larder(origin) as larder:
        held = {peer.name: hold(peer, path) for peer in (larder, bare)}
    ours, theirs = held["larder"], held[bare.name]
    bench.tell(f"{IDLE_CONNECTIONS:,} idle connections: {ours:.0f} MiB, bare {theirs:.0f} MiB")
    yield Row(f"{IDLE_CONNECTIONS:,} idle connections", f"{ours:.0f} MiB", f"{theirs:.0f} MiB",
              f"{ours / theirs:.2f}×", "< 200 MiB", ours < 200)


def hold(peer, path):
    """Opens the connections, asks once on each, and weighs the server while all are open."""
    callers = []
    for number in range(IDLE_CONNECTIONS):
        # a connection that never asks would be closed before the last one is open
        caller = socket.create_connection(("127.0.0.1", peer.port))
        caller.sendall(raw(peer, path))
        received = bytearray()
        while not is_whole(received):
            part = caller.recv(65536)
            if not part:
                raise SystemExit(f"{peer.name} closed connection {number}")
            received += part
        callers.append(caller)
    weight, open_now = settled_mib(peer), peer.open_files()
    for caller in callers:
        caller.close()
    if open_now < IDLE_CONNECTIONS:
        raise SystemExit(f"{peer.name} holds {open_now} files: some connections are closed already")
    return weight


def settled_mib(peer):
    """What it weighs once that does not change any more."""
    weights = []
    while len(weights) < 3 or max(weights[-3:]) - min(weights[-3:]) > 0.5:
        time.sleep(0.2)
        weights.append(peer.resident_mib())
    return weights[-1]


def raw(peer, path):
    """A GET as bytes."""
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{peer.port}", *(f"{k}: {v}" for k, v in HEADERS.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


FIGURES = {"hits": hits, "shared": shared, "tier": tier, "writes": writes, "misses": misses, "planning": planning, "cold": cold, "growth": growth,
           "invalidation": invalidation, "idle": idle}
assert CONNECTIONS == 64, "requests.lua waits for that many answers"
