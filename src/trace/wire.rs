//! How does a collector want to hear of spans? OTLP: protocol buffers of `ExportTraceServiceRequest`.
//!
//! Written by hand: it is a dozen fields, and what could generate them brings forty crates along.

use super::context::Context;

/// On which side of a call a span is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// `SPAN_KIND_SERVER`: a client asks us.
    #[default]
    Server = 2,
    /// `SPAN_KIND_CLIENT`: we ask the upstream.
    Client = 3,
}

/// `STATUS_CODE_ERROR`.
const ERROR: u64 = 2;

/// What is told of one request.
#[derive(Clone, Debug, Default)]
pub struct Span {
    /// Its place in its trace.
    pub context: Context,
    /// Whether it is a request to us, or one of ours.
    pub kind: Kind,
    /// Method and rule: a handful of names.
    pub name: String,
    /// When it came and when the head of its answer was there, in nanoseconds since 1970.
    pub from_to: (u64, u64),
    /// Words about it.
    pub words: Vec<(&'static str, String)>,
    /// The status of its answer; 0 where there was none.
    pub status: u16,
}

/// Everything that a collector is told at once.
pub fn request(spans: &[Span]) -> Vec<u8> {
    let resource = message(|resource| {
        resource.attribute(1, "service.name", "larder");
        resource.attribute(1, "service.version", env!("CARGO_PKG_VERSION"));
    });
    let scoped = message(|scoped| {
        scoped.bytes(1, &message(|scope| scope.bytes(1, b"larder")).0);
        for span in spans {
            scoped.bytes(2, &written(span).0);
        }
    });
    let of_resource = message(|all| {
        all.bytes(1, &resource.0);
        all.bytes(2, &scoped.0);
    });
    message(|request| request.bytes(1, &of_resource.0)).0
}

fn written(span: &Span) -> Message {
    let Context { trace, span: id, parent } = &span.context;
    message(|out| {
        out.bytes(1, trace);
        out.bytes(2, id);
        if *parent != [0; 8] {
            out.bytes(4, parent);
        }
        out.bytes(5, span.name.as_bytes());
        out.number(6, span.kind as u64);
        out.fixed64(7, span.from_to.0);
        out.fixed64(8, span.from_to.1);
        for (name, word) in &span.words {
            out.attribute(9, name, word);
        }
        if span.status != 0 {
            let status = message(|value| value.number(3, u64::from(span.status)));
            out.pair(9, "http.response.status_code", &status);
        }
        if !(1..500).contains(&span.status) {
            out.bytes(15, &message(|status| status.number(3, ERROR)).0);
        }
    })
}

/// A message of protocol buffers, field after field.
#[derive(Default)]
struct Message(Vec<u8>);

fn message(write: impl FnOnce(&mut Message)) -> Message {
    let mut message = Message::default();
    write(&mut message);
    message
}

impl Message {
    /// Seven bits a byte, the lowest first.
    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn tag(&mut self, field: u64, kind: u64) {
        self.varint(field << 3 | kind);
    }

    fn number(&mut self, field: u64, value: u64) {
        self.tag(field, 0);
        self.varint(value);
    }

    fn fixed64(&mut self, field: u64, value: u64) {
        self.tag(field, 1);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.tag(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// `KeyValue { key, value: AnyValue { string_value } }`.
    fn attribute(&mut self, field: u64, key: &str, value: &str) {
        self.pair(field, key, &message(|any| any.bytes(1, value.as_bytes())));
    }

    fn pair(&mut self, field: u64, key: &str, value: &Message) {
        let pair = message(|pair| {
            pair.bytes(1, key.as_bytes());
            pair.bytes(2, &value.0);
        });
        self.bytes(field, &pair.0);
    }
}
