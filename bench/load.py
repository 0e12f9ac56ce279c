"""What does a client send, and what did it cost the server to answer?"""

import base64
import dataclasses
import hashlib
import json
import subprocess

from peers import HERE

CONNECTIONS = 64


def token(claims):
    """A token of the usual shape and length. It is signed by nobody."""
    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    head = part(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    return f"{head}.{part(json.dumps(claims).encode())}.{part(hashlib.sha256(head.encode()).digest())}"


ANON = token({"iss": "supabase", "ref": "abcdefghijklmnopqrst", "role": "anon", "iat": 1700000000, "exp": 2015575999})
USER = token({
    "iss": "https://abcdefghijklmnopqrst.supabase.co/auth/v1", "sub": "6f1d2c3b-4a59-4687-9786-a5b4c3d2e1f0",
    "aud": "authenticated", "exp": 2015575999, "iat": 1700000000, "email": "someone@example.com", "phone": "",
    "app_metadata": {"provider": "email", "providers": ["email"]}, "user_metadata": {"email_verified": True},
    "role": "authenticated", "aal": "aal1", "amr": [{"method": "password", "timestamp": 1700000000}],
    "session_id": "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d", "is_anonymous": False,
})

# about 1.1 KB, as supabase-js sends them
HEADERS = {
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate",
    "Accept-Language": "*",
    "Accept-Profile": "public",
    "apikey": ANON,
    "Authorization": f"Bearer {USER}",
    "Sec-Fetch-Mode": "cors",
    "User-Agent": "node",
    "X-Client-Info": "supabase-js-node/2.50.0",
}

LIST = "/rest/v1/properties?select=*&status=eq.published&order=id"


@dataclasses.dataclass
class Cost:
    """What one run of the load cost the server."""

    requests: int
    failed: int
    cpu_us: float  # of one request
    p50_us: int
    p99_us: int


def drive(peer, *way, seconds):
    """Loads a peer with wrk in one of the ways of requests.lua."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(HERE / "requests.lua")]
    for name, value in HEADERS.items():
        command += ["-H", f"{name}: {value}"]
    command += [f"http://127.0.0.1:{peer.port}", "--", *(str(word) for word in way)]
    before = peer.cpu_seconds()
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    used = peer.cpu_seconds() - before
    result = next(line for line in output.splitlines() if line.startswith("RESULT"))
    requests, failed, p50, p99 = (int(word) for word in result.split()[1:])
    return Cost(requests, failed, used / max(requests, 1) * 1e6, p50, p99)
