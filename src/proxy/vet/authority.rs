//! Which host does this request mean, and does everything in it agree?

use std::net::Ipv6Addr;

use http::Uri;

use super::fault::Fault;

/// Bytes of a host name with its port: 253 for the name, and room for the rest.
const AUTHORITY_BYTES_MAX: usize = 260;

/// HTTP/1: the Host header rules, and an absolute target must agree with it.
pub(super) fn plain<'a>(uri: &Uri, host: Option<&'a str>, is_tls: bool) -> Result<&'a str, Fault> {
    let host = host.ok_or(Fault::HostMissing)?;
    let Some(target) = uri.authority() else { return Ok(host) };
    let Some(scheme) = uri.scheme_str() else { return Err(Fault::TargetNotPath) };
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return Err(Fault::SchemeUnknown),
    };
    vet_authority(target.as_str())?;
    if !same_authority(target.as_str(), host, default_port) {
        return Err(Fault::HostMisdirected);
    }
    if (scheme == "https") != is_tls {
        return Err(Fault::SchemeMisdirected);
    }
    Ok(host)
}

/// HTTP/2: `:authority` rules; a Host header may only repeat it.
pub(super) fn multiplexed<'a>(uri: &'a Uri, host: Option<&'a str>) -> Result<&'a str, Fault> {
    let default_port = match uri.scheme_str() {
        Some("http") => ":80",
        Some("https") => ":443",
        Some(_) => return Err(Fault::SchemeUnknown),
        None => "",
    };
    let Some(authority) = uri.authority() else { return host.ok_or(Fault::HostMissing) };
    vet_authority(authority.as_str())?;
    if host.is_some_and(|host| !same_authority(authority.as_str(), host, default_port)) {
        return Err(Fault::HostConflict);
    }
    Ok(authority.as_str())
}

fn same_authority(one: &str, other: &str, default_port: &str) -> bool {
    let bare = |authority: &'_ str| authority.len() - default_port_len(authority, default_port);
    one[..bare(one)].eq_ignore_ascii_case(&other[..bare(other)])
}

fn default_port_len(authority: &str, default_port: &str) -> usize {
    if authority.ends_with(default_port) { default_port.len() } else { 0 }
}

/// A name or an address with an optional port, and nothing else.
pub(super) fn vet_authority(authority: &str) -> Result<(), Fault> {
    if authority.len() > AUTHORITY_BYTES_MAX {
        return Err(Fault::HostMalformed);
    }
    let port = if let Some(bracketed) = authority.strip_prefix('[') {
        let (address, rest) = bracketed.split_once(']').ok_or(Fault::HostMalformed)?;
        address.parse::<Ipv6Addr>().map_err(|_| Fault::HostMalformed)?;
        rest
    } else {
        let end = authority.find(':').unwrap_or(authority.len());
        let (name, rest) = authority.split_at(end);
        if name.is_empty() || !name.bytes().all(is_name_byte) {
            return Err(Fault::HostMalformed);
        }
        rest
    };
    if port.is_empty() || port.strip_prefix(':').is_some_and(is_port) {
        return Ok(());
    }
    Err(Fault::HostMalformed)
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn is_port(digits: &str) -> bool {
    digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok_and(|port| port > 0)
}
