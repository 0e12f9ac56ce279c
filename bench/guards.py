#!/usr/bin/env python3
"""What do guards cost on a route that no lock and no limit names? Instructions for a hit and for a miss, by callgrind.

bench/guards.py --larder target/release/larder

Larder runs under valgrind with rules that have no guards, and with fifty locks and fifty limits on other routes. Each run
is asked for so many requests and for twice as many; what the second half took is the figure. Noise does not touch it, and
what the kernel does is not in it.
"""

import argparse
import http.client
import http.server
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
from peers import free_port  # noqa: E402

REQUESTS = 1_000
OTHERS = 50
READS = "version: 1\nreads: [{ name: list, match: /rest/v1/properties, ttl: 1h, scope: token }]\n"
LOCK = '- {{ name: pay-{0}, match: "/rest/v1/payments_{0}", methods: [POST], lock: {{ key: "payment:{{lease_id}}" }} }}\n'
LIMIT = '- {{ name: limit-{0}, match: "/rest/v1/other_{0}", by: ip, rate: 100/1m }}\n'


class Origin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 64 * 1024  # head and body in one packet, or each answer waits 40 ms for an acknowledgement

    def do_GET(self):
        body = b'[{"id":1}]'
        self.send_response(200)
        self.send_header("content-type", "application/json; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def instructions(larder, rules, upstream, requests, is_miss):
    """All that one process took from its start to its end."""
    port, said = free_port(), tempfile.TemporaryFile()
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", larder, "serve", "--rules", rules]
    command += ["--upstream", f"http://127.0.0.1:{upstream}", "--listen", f"127.0.0.1:{port}", "--admin", "off"]
    one_worker = {**os.environ, "TOKIO_WORKER_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said, env=one_worker)
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while True:
        try:
            client.connect()
            break
        except OSError:
            if process.poll() is not None:
                said.seek(0)
                sys.exit(said.read().decode(errors="replace"))
            time.sleep(0.1)
    for number in range(requests):
        client.request("GET", f"/rest/v1/properties?select=*&limit=4&offset={number if is_miss else 0}")
        answer = client.getresponse()
        answer.read()
        kind = answer.getheader("cache-status")
        assert answer.status == 200 and (number == 0 or ("fwd=miss" in kind) == is_miss), kind
    process.terminate()
    process.wait()
    said.seek(0)
    return int(re.search(rb"Collected : (\d+)", said.read()).group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--larder", required=True, help="a release binary")
    larder = parser.parse_args().larder
    origin = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Origin)
    threading.Thread(target=origin.serve_forever, daemon=True).start()
    numbers = range(OTHERS)
    guards = "writes:\n" + "".join(map(LOCK.format, numbers)) + "limits:\n" + "".join(map(LIMIT.format, numbers))
    print(f"| instructions for one | no guards | {OTHERS} locks and {OTHERS} limits elsewhere |\n|---|---:|---:|")
    for name, is_miss in [("hit", False), ("miss", True)]:
        took = []
        for text in [READS, READS + guards]:
            with tempfile.NamedTemporaryFile("w", suffix=".yaml") as rules:
                pathlib.Path(rules.name).write_text(text)
                of = [
                    instructions(larder, rules.name, origin.server_port, requests, is_miss)
                    for requests in [REQUESTS, 2 * REQUESTS]
                ]
            took.append((of[1] - of[0]) / REQUESTS)
        print(f"| {name} | {took[0]:,.0f} | {took[1]:,.0f} |", flush=True)


main()
