//! Does larder get in by TLS and by a socket, and only where it should?

use larder::redis::Value;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::servers::{Folder, Server, free_port};
use crate::{becomes_up, command, store};

/// Certificates of an authority of its own, in files.
struct Certificates {
    folder: Folder,
    authority: String,
    server: (String, String),
    client: (String, String),
}

impl Certificates {
    fn new() -> Self {
        let folder = Folder::new();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = folder.write("ca.pem", &params.self_signed(&key).unwrap().pem());
        let issuer = Issuer::new(params, key);
        let issue = |name: &str, names: &[&str]| {
            let names = names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(names).unwrap();
            params.distinguished_name.push(DnType::CommonName, name);
            let made = params.signed_by(&key, &issuer).unwrap();
            let file = |kind: &str, pem: &str| folder.write(&format!("{name}.{kind}"), pem);
            (file("pem", &made.pem()), file("key", &key.serialize_pem()))
        };
        let server = issue("server", &["localhost"]);
        let client = issue("client", &["larder"]);
        Self { folder, authority, server, client }
    }
}

#[tokio::test]
async fn tls_is_spoken_with_whom_the_address_trusts() {
    let files = Certificates::new();
    let port = free_port();
    let text = port.to_string();
    let (cert, key) = &files.server;
    let tls = ["--tls-port", &text, "--tls-cert-file", cert, "--tls-key-file", key];
    let more = ["--port", "0", "--save", "", "--tls-ca-cert-file", &files.authority];
    let _server = Server::start(port, &[&tls[..], &more].concat());

    let (cert, key) = &files.client;
    let (ca, mine) = (format!("ca={}", files.authority), format!("cert={cert}&key={key}"));
    let right = store(&format!("rediss://localhost:{port}?{ca}&{mine}"));
    becomes_up(&right).await;
    assert!(right.one(&command(&["SET", "a", "b"])).await.is_ok());
    let channel = right.listen(&["news"], |_| {}).await.unwrap();
    assert!(channel.one(&command(&["PING"])).await.is_ok());

    let wrong = [
        ("without a certificate of one's own", format!("rediss://localhost:{port}?{ca}")),
        ("authorities of the system", format!("rediss://localhost:{port}?{mine}")),
        ("another name than the certificate's", format!("rediss://127.0.0.1:{port}?{ca}&{mine}")),
        ("no TLS at all", format!("redis://localhost:{port}")),
    ];
    let stores = wrong.map(|(why, url)| (why, store(&url)));
    for (why, store) in stores {
        // a connection of its own is tried at once, and again
        for _ in 0..2 {
            assert!(store.listen(&["news"], |_| {}).await.is_err(), "{why}");
        }
        assert!(!store.is_up(), "{why}");
    }
    assert!(right.is_up() && files.folder.0.exists());
}

#[tokio::test]
async fn a_socket_leads_to_a_database() {
    let folder = Folder::new();
    let path = folder.0.join("redis.sock");
    let _server = Server::start(0, &["--port", "0", "--save", "", "--unixsocket", &path.to_string_lossy()]);
    let [first, second] = [0, 1].map(|db| store(&format!("redis+unix://{}?db={db}", path.display())));
    becomes_up(&first).await;
    becomes_up(&second).await;
    first.one(&command(&["SET", "a", "b"])).await.unwrap();
    let size = async |store: &larder::redis::Redis| store.one(&command(&["DBSIZE"])).await.unwrap().1;
    assert_eq!(size(&first).await, Value::Int(1));
    assert_eq!(size(&second).await, Value::Int(0));
}
