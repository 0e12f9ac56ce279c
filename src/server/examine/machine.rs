//! Ports, open files, memory and the certificate for clients.

use std::net::{SocketAddr, TcpListener};

use crate::doctor::{Finding, Machine};

use super::super::settings::Settings;
use super::super::tls::Tls;
use super::super::{files, ram};

/// Looks at them; ports are taken and given back where nobody listens yet.
pub(super) fn look(settings: &Settings, listens: Option<&[(&'static str, SocketAddr)]>) -> Vec<Finding> {
    let mut found = match listens {
        Some(listens) => listens
            .iter()
            .map(|(setting, address)| Machine::Listens { setting, address: address.to_string() })
            .collect(),
        None => [Some(("--listen", settings.listen)), settings.admin.map(|address| ("--admin", address))]
            .into_iter()
            .flatten()
            .map(|(setting, address)| port(setting, address))
            .collect::<Vec<_>>(),
    };
    let connections = u64::try_from(settings.max_connections).unwrap_or(u64::MAX);
    found.push(Machine::of_files(files::openable().unwrap_or(u64::MAX), connections));
    found.push(Machine::of_memory(settings.memory.0, ram::memory()));
    if let Some(files) = &settings.tls {
        found.push(match Tls::load(files) {
            Ok(_) => Machine::Certificate,
            Err(error) => Machine::CertificateBad { why: error.to_string() },
        });
    }
    found.into_iter().map(Finding::Machine).collect()
}

fn port(setting: &'static str, address: SocketAddr) -> Machine {
    match TcpListener::bind(address) {
        Ok(_given_back) => Machine::PortFree { setting, address: address.to_string() },
        Err(error) => Machine::PortTaken { setting, address: address.to_string(), why: error.to_string() },
    }
}
