//! Is an upstream believed whose certificate proves nothing? K19 and K20 of the faults that an upstream can have.

#![allow(clippy::disallowed_methods, reason = "a test owns its threads")]
#![allow(clippy::unwrap_used, reason = "a test fails where what it takes for granted is not so")]

#[allow(dead_code, reason = "this test brings an upstream of its own")]
mod started;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, thread};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use started::Larder;

/// What a certificate says, and who says so.
#[derive(Clone, Copy)]
struct Claim {
    what: &'static str,
    name: &'static str,
    years: (i32, i32),
    is_vouched_for: bool,
    /// Certificates beside it that have nothing to do with it.
    besides: usize,
}

const GOOD: Claim =
    Claim { what: "good", name: "localhost", years: (2020, 4000), is_vouched_for: true, besides: 0 };

/// An authority that only those trust who are told to.
struct Authority {
    file: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let file = std::env::temp_dir().join(format!("larder-authority-{}.pem", std::process::id()));
        fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { file, issuer: Issuer::new(params, key) }
    }

    fn issue(&self, claim: Claim) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![claim.name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(claim.years.0, 1, 1);
        params.not_after = date_time_ymd(claim.years.1, 1, 1);
        let made = if claim.is_vouched_for {
            params.signed_by(&key, &self.issuer).unwrap()
        } else {
            params.self_signed(&key).unwrap()
        };
        let chain: Vec<CertificateDer<'static>> =
            std::iter::repeat_n(made.der().clone(), 1 + claim.besides).collect();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        builder.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap()
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _gone = fs::remove_file(&self.file);
    }
}

/// An upstream that shows this certificate, and counts the bytes of requests that reach it. It ends with the process.
fn upstream(config: ServerConfig) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let (config, heard) = (Arc::new(config), Arc::new(AtomicUsize::new(0)));
    let hears = Arc::clone(&heard);
    thread::spawn(move || {
        for client in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, client.unwrap());
            let hears = Arc::clone(&hears);
            thread::spawn(move || {
                let mut request = [0; 4096];
                while let Ok(bytes @ 1..) = stream.read(&mut request) {
                    hears.fetch_add(bytes, Ordering::Relaxed);
                    let answer =
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n[]";
                    if stream.write_all(answer.as_bytes()).and_then(|()| stream.flush()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, heard)
}

fn get(larder: &Larder) -> String {
    let mut stream = TcpStream::connect(larder.address.strip_prefix("http://").unwrap()).unwrap();
    write!(stream, "GET /rest/v1/todos HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn k19_and_k20_nothing_is_sent_to_an_upstream_that_proves_nothing() {
    let authority = Authority::new();
    let claims = [
        GOOD,
        Claim { what: "expired", years: (2020, 2021), ..GOOD },
        Claim { what: "not yet valid", years: (3000, 4000), ..GOOD },
        Claim { what: "of another name", name: "elsewhere.example", ..GOOD },
        Claim { what: "vouched for by itself", is_vouched_for: false, ..GOOD },
        Claim { what: "a chain of 100 that leads nowhere", is_vouched_for: false, besides: 99, ..GOOD },
    ];
    let trusted = authority.file.to_str().unwrap();
    for claim in claims {
        let (address, heard) = upstream(authority.issue(claim));
        let larder = Larder::start("rules.yaml", &address, &[("SSL_CERT_FILE", trusted)]);
        let (answer, is_good) = (get(&larder), claim.what == GOOD.what);
        let expected = if is_good { "HTTP/1.1 200" } else { "HTTP/1.1 502" };
        assert!(answer.starts_with(expected), "{}: {answer}", claim.what);
        assert_eq!(heard.load(Ordering::Relaxed) > 0, is_good, "{}", claim.what);
        if !is_good {
            assert!(answer.contains("LARDER502") && !answer.contains("certificate"), "{answer}");
            larder.until_logged("invalid peer certificate");
        }
    }

    // and the same authority is not believed by who was not told of it
    let (address, heard) = upstream(authority.issue(GOOD));
    let larder = Larder::start("rules.yaml", &address, &[]);
    assert!(get(&larder).starts_with("HTTP/1.1 502"));
    assert_eq!(heard.load(Ordering::Relaxed), 0);
}
