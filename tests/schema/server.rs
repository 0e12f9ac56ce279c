//! Servers that speak just enough of PostgreSQL's protocol to go wrong in a certain way.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A server that speaks no TLS and has an answer to each message.
pub(crate) fn answering(answers: Vec<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut asked = [0_u8; 1024];
            let _gone = stream.read(&mut asked).and_then(|_| stream.write_all(b"N"));
            answer(&mut stream, &answers);
        }
    });
    address
}

fn answer(stream: &mut (impl Read + Write), answers: &[Vec<u8>]) {
    let mut asked = [0_u8; 1024];
    for answer in answers {
        let _gone =
            stream.read(&mut asked).and_then(|_| stream.write_all(answer)).and_then(|()| stream.flush());
    }
    let _gone = stream.read(&mut asked);
}

/// A certificate for `localhost` that nobody vouches for but itself.
pub(crate) struct Certified {
    pub(crate) pem: String,
    config: Arc<ServerConfig>,
}

impl Certified {
    pub(crate) fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key)
            })
            .expect("a server with a certificate");
        Self { pem: made.cert.pem(), config: Arc::new(config) }
    }

    /// A server that speaks TLS and has an answer to each message.
    pub(crate) fn answering(&self, answers: Vec<Vec<u8>>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let config = Arc::clone(&self.config);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut asked = [0_u8; 8];
                let _gone = stream.read(&mut asked).and_then(|_| stream.write_all(b"S"));
                let connection = ServerConnection::new(Arc::clone(&config)).expect("a connection");
                answer(&mut StreamOwned::new(connection, stream), &answers);
            }
        });
        format!("localhost:{port}")
    }
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a short message");
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

/// A refusal.
pub(crate) fn error(state: &str, words: &str) -> Vec<u8> {
    message(b'E', format!("SFATAL\0VFATAL\0C{state}\0M{words}\0\0").as_bytes())
}

/// Lets anybody in and has one row to show: its version.
pub(crate) fn old_server() -> Vec<Vec<u8>> {
    let column =
        [b"server_version\0".as_slice(), &[0; 6], &25_u32.to_be_bytes(), &[0xff; 6], &[0; 2]].concat();
    let shown = [
        message(b'T', &[&1_u16.to_be_bytes()[..], &column].concat()),
        message(b'D', &[&1_u16.to_be_bytes()[..], &4_u32.to_be_bytes(), b"12.9"].concat()),
        message(b'C', b"SHOW\0"),
        message(b'Z', b"I"),
    ];
    vec![[message(b'R', &[0; 4]), message(b'Z', b"I")].concat(), shown.concat()]
}
