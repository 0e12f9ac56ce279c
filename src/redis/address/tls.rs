//! Whom does larder trust when it speaks TLS with a store, and who does it say it is?

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

use super::AddressError;

/// Files that an address names.
#[derive(Default)]
pub(super) struct Files {
    pub(super) ca: Option<PathBuf>,
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
}

/// The system's roots and, for images without any, Mozilla's.
pub(super) fn usual() -> ClientConfig {
    builder().with_root_certificates(usual_roots()).with_no_client_auth()
}

/// With what the address names; an authority that is named is the only one that is meant.
pub(super) fn config(files: &Files) -> Result<ClientConfig, AddressError> {
    let roots = match &files.ca {
        None => usual_roots(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates("ca", file)? {
                roots.add(authority).map_err(|_unusable| pem("ca", file))?;
            }
            roots
        }
    };
    let builder = builder().with_root_certificates(roots);
    match (&files.cert, &files.key) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(cert), Some(key_file)) => {
            let chain = certificates("cert", cert)?;
            let key = PrivateKeyDer::from_pem_slice(&read("key", key_file)?)
                .map_err(|_unusable| pem("key", key_file))?;
            builder.with_client_auth_cert(chain, key).map_err(|_unusable| pem("key", key_file))
        }
        _ => Err(AddressError::Pair),
    }
}

fn usual_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn builder() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    match ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions() {
        Ok(builder) => builder,
        Err(error) => unreachable!("ring offers TLS 1.2 and 1.3: {error}"),
    }
}

fn certificates(parameter: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, AddressError> {
    let found = CertificateDer::pem_slice_iter(&read(parameter, file)?).collect::<Result<Vec<_>, _>>();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| pem(parameter, file))
}

fn read(parameter: &'static str, file: &Path) -> Result<Vec<u8>, AddressError> {
    fs::read(file).map_err(|error| AddressError::File {
        parameter,
        file: file.to_owned(),
        reason: error.to_string(),
    })
}

fn pem(parameter: &'static str, file: &Path) -> AddressError {
    AddressError::Pem { parameter, file: file.to_owned() }
}
