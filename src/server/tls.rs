//! How do clients speak TLS? With the certificate on disk, read again when it changes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use tokio_rustls::TlsAcceptor;

use super::settings::TlsFiles;

/// In order of preference.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The certificate in use; clones share it.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ArcSwap<ServerConfig>>,
}

/// A certificate or key that cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The file is missing, or not ours to read.
    #[error("cannot read `{path}`")]
    Read { path: PathBuf, source: io::Error },
    /// The file is not PEM.
    #[error("`{path}` is not PEM")]
    Pem { path: PathBuf, source: pem::Error },
    /// PEM of something else.
    #[error("`{path}` holds no certificate (hint: it begins with -----BEGIN CERTIFICATE-----)")]
    CertificateMissing { path: PathBuf },
    /// PEM of something else, or a key with a passphrase.
    #[error("`{path}` holds no private key (hint: a key with a passphrase must be decrypted first)")]
    KeyMissing { path: PathBuf },
    /// Both are there and do not fit.
    #[error(
        "`{cert}` and `{key}` cannot be used together (hint: the first certificate must belong to the key)"
    )]
    Refused { cert: PathBuf, key: PathBuf, source: rustls::Error },
}

impl Tls {
    /// Reads certificate and key.
    pub fn load(files: &TlsFiles) -> Result<Tls, TlsError> {
        Ok(Tls { config: Arc::new(ArcSwap::from_pointee(read(files)?)) })
    }

    /// Reads them again for new connections; on an error the old ones stay.
    pub fn reload(&self, files: &TlsFiles) -> Result<(), TlsError> {
        self.config.store(Arc::new(read(files)?));
        Ok(())
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.load_full())
    }
}

fn read(files: &TlsFiles) -> Result<ServerConfig, TlsError> {
    let TlsFiles { cert, key } = files;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes(cert)?).collect();
    let chain = chain.map_err(|source| TlsError::Pem { path: cert.clone(), source })?;
    if chain.is_empty() {
        return Err(TlsError::CertificateMissing { path: cert.clone() });
    }
    let private = match PrivateKeyDer::from_pem_slice(&bytes(key)?) {
        Ok(private) => private,
        Err(pem::Error::NoItemsFound) => return Err(TlsError::KeyMissing { path: key.clone() }),
        Err(source) => return Err(TlsError::Pem { path: key.clone(), source }),
    };
    let refused = |source| TlsError::Refused { cert: cert.clone(), key: key.clone(), source };
    // Named, because another crate in the tree may bring a second provider and then none is the default.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config =
        builder.map_err(refused)?.with_no_client_auth().with_single_cert(chain, private).map_err(refused)?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(config)
}

fn bytes(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}
