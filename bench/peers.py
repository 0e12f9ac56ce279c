"""Who is measured, how is it started, and how much of the processor has it used?"""

import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def build(larder):
    """Builds the peers, and larder where no binary of it is given. Returns their paths by name."""
    benches = ["bare_server", "bare_redis", "bare_proxy", "origin", "planning"]
    targets = [word for name in benches for word in ("--bench", name)]
    if larder is None:
        targets += ["--bin", "larder"]
    command = ["cargo", "build", "--release", "--locked", "--message-format=json-render-diagnostics", *targets]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    messages = (json.loads(line) for line in built.stdout.splitlines() if line.startswith("{"))
    paths = {m["target"]["name"]: m["executable"] for m in messages if m.get("executable")}
    if larder is not None:
        paths["larder"] = larder
    return paths


class Peer:
    """A server that was started here, on a port of its own. Use it with `with`."""

    def __init__(self, name, command, port, behind=None):
        self.name, self.command, self.port = name, [str(part) for part in command], port
        self.behind = behind  # what it uses costs too

    def __enter__(self):
        # a log that nobody reads would fill a pipe and stop the server
        self.said = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=self.said)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                self.said.seek(0)
                said = self.said.read().decode(errors="replace")
                sys.exit(f"{self.name} ended at once: {' '.join(self.command)}\n{said}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                time.sleep(0.01)
        sys.exit(f"{self.name} does not listen on port {self.port}")

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.said.close()

    def cpu_seconds(self):
        """utime and stime of all its threads, and of whoever is behind it."""
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()
        own = (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND
        return own + (self.behind.cpu_seconds() if self.behind else 0)

    def resident_mib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def ask(self, path, headers=None, method="GET", body=None):
        """One request on a connection of its own. Returns status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        answer = response.status, headers, response.read()
        connection.close()
        return answer


NGINX_NEEDS = ["ndk_http_module.so", "ngx_http_lua_module.so", "ngx_http_srcache_filter_module.so"]
LUA_REDIS = pathlib.Path("/usr/share/lua/5.1/nginx/redis.lua")


def has_nginx():
    """Whether nginx can be a cache above Redis here (Debian: nginx-extras and lua-nginx-redis)."""
    modules = pathlib.Path("/usr/lib/nginx/modules")
    return bool(shutil.which("nginx")) and LUA_REDIS.exists() and all((modules / name).exists() for name in NGINX_NEEDS)


class Peers:
    """Makes them, from the binaries that were built."""

    def __init__(self, binaries):
        self.binaries = binaries

    def planning_ns(self):
        """Nanoseconds of a plan, by whether its target was asked for before."""
        said = subprocess.run([self.binaries["planning"]], check=True, stdout=subprocess.PIPE, text=True).stdout
        return {name: int(value) for name, value in (line.split() for line in said.splitlines())}

    def origin(self, delay_ms=0):
        port = free_port()
        return Peer("origin", [self.binaries["origin"], port, delay_ms], port)

    def bare_server(self, rows):
        port = free_port()
        return Peer("bare server", [self.binaries["bare_server"], port, rows], port)

    def bare_proxy(self, origin):
        port = free_port()
        return Peer("bare proxy", [self.binaries["bare_proxy"], port, origin.port], port)

    def redis(self):
        port = free_port()
        command = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"]
        return Peer("redis", command, port)

    def bare_redis(self, redis, rows):
        port = free_port()
        return Peer("bare redis", [self.binaries["bare_redis"], port, redis.port, rows], port, behind=redis)

    def nginx(self, origin, redis):
        port, folder = free_port(), tempfile.mkdtemp(prefix="larder-bench-")
        known = {"folder": folder, "origin": origin.port, "port": port, "redis": redis.port}
        text = (HERE / "nginx.conf").read_text()
        for name, value in known.items():
            text = text.replace(f"$({name})", str(value))
        path = pathlib.Path(folder) / "nginx.conf"
        path.write_text(text)
        return Peer("nginx", ["nginx", "-p", "/usr/share/nginx", "-c", path], port, behind=redis)

    def larder(self, origin, memory="4GiB", redis=None):
        port, admin = free_port(), free_port()
        command = [self.binaries["larder"], "serve", "--rules", HERE / "rules.yaml"]
        command += ["--upstream", f"http://127.0.0.1:{origin.port}", "--memory", memory]
        command += ["--listen", f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{admin}"]
        if redis:
            command += ["--store", f"redis://127.0.0.1:{redis.port}/0"]
        return Peer("larder", command, port, behind=redis)


def asked(origin):
    """How many requests have reached the origin."""
    return int(origin.ask("/requests")[2])
