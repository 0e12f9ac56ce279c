"""A collector of traces that knows OTLP from its own definitions.

Prints its port, and then every span that it is sent as a line of JSON. Whatever is not OTLP over HTTP, in protocol
buffers, is refused with 400. It ends with its standard input. See tests/traces.rs.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


def words(attributes):
    told = {}
    for pair in attributes:
        told[pair.key] = getattr(pair.value, pair.value.WhichOneof("value"))
    return told


class Collector(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            assert self.path == "/v1/traces", self.path
            assert self.headers["content-type"] == "application/x-protobuf", self.headers["content-type"]
            request = ExportTraceServiceRequest.FromString(body)
            for of_resource in request.resource_spans:
                for scoped in of_resource.scope_spans:
                    for span in scoped.spans:
                        assert len(span.trace_id) == 16 and len(span.span_id) == 8
                        assert not list(UnknownFieldSet(span)), "a field that no span has"
                        told = {
                            "service": words(of_resource.resource.attributes),
                            "scope": scoped.scope.name,
                            "trace": span.trace_id.hex(),
                            "span": span.span_id.hex(),
                            "parent": span.parent_span_id.hex(),
                            "name": span.name,
                            "kind": span.kind,
                            "nanos": span.end_time_unix_nano - span.start_time_unix_nano,
                            "began": span.start_time_unix_nano,
                            "words": words(span.attributes),
                            "status": span.status.code,
                            "authorization": self.headers["authorization"],
                        }
                        print(json.dumps(told), flush=True)
            status, answer = 200, ExportTraceServiceResponse().SerializeToString()
        except Exception as error:
            print(json.dumps({"refused": repr(error)}), flush=True)
            status, answer = 400, b""
        self.send_response(status)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
print(server.server_address[1], flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
