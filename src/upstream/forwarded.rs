//! Whom does the upstream believe to be asking: `X-Forwarded-*`?
//!
//! What a client says about itself is believed only if it comes from a trusted
//! proxy; from anybody else every header of this kind is replaced. The client's
//! address is the rightmost one that no trusted proxy wrote about itself.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue};

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Everything by which servers let themselves be told who asks and how; only trusted proxies may say it.
static CLAIMS: [HeaderName; 17] = [
    FOR,
    PROTO,
    HOST,
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-prefix"),
    HeaderName::from_static("x-forwarded-scheme"),
    HeaderName::from_static("x-forwarded-server"),
    HeaderName::from_static("x-forwarded-ssl"),
    HeaderName::from_static("x-forwarded-path"),
    HeaderName::from_static("forwarded"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-client-ip"),
    HeaderName::from_static("x-cluster-client-ip"),
    HeaderName::from_static("x-host"),
    HeaderName::from_static("x-original-host"),
    HeaderName::from_static("true-client-ip"),
    HeaderName::from_static("cf-connecting-ip"),
];

/// How a request reached us.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// The other end of the connection.
    pub peer: IpAddr,
    /// Whether the connection is encrypted.
    pub is_tls: bool,
    /// The host that the client meant; empty if it did not say.
    pub authority: &'a str,
}

/// A range of addresses, such as `10.0.0.0/8` or `::1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    base: u128,
    mask: u128,
}

/// An entry of `--trusted-proxies` that is no address and no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address or a range such as 10.0.0.0/8")]
pub struct BadNetwork(pub String);

/// The proxies whose `X-Forwarded-*` headers are believed.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    networks: Vec<Network>,
}

impl TrustedProxies {
    /// Reads addresses and ranges; the first that cannot be read is the error.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, BadNetwork> {
        let networks = entries.into_iter().map(|entry| {
            let entry = entry.trim();
            Network::parse(entry).ok_or_else(|| BadNetwork(entry.to_owned()))
        });
        Ok(TrustedProxies { networks: networks.collect::<Result<_, _>>()? })
    }

    /// Whether this address is a trusted proxy's.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = bits(address);
        self.networks.iter().any(|network| address & network.mask == network.base)
    }

    /// The address of the client: the peer's, or, behind trusted proxies, the rightmost address in
    /// `X-Forwarded-For` that is not one of theirs. What cannot be read ends the search at the last hop known.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut known = peer.to_canonical();
        let lines = headers.get_all(&FOR);
        let mut hops = lines.iter().rev().flat_map(|line| line.as_bytes().rsplit(|&byte| byte == b','));
        while self.contains(known) {
            match hops.next().and_then(address) {
                Some(earlier) => known = earlier,
                None => break,
            }
        }
        known
    }

    /// Rewrites `X-Forwarded-For`, `-Proto` and `-Host` for the upstream, and removes what strangers claim.
    pub fn tell_upstream(&self, arrival: Arrival<'_>, headers: &mut HeaderMap) {
        let peer = arrival.peer.to_canonical();
        if !self.contains(peer) {
            for name in &CLAIMS {
                headers.remove(name);
            }
        }
        let mut hops: Vec<u8> = Vec::new();
        for line in headers.get_all(&FOR) {
            hops.extend_from_slice(line.as_bytes());
            hops.extend_from_slice(b", ");
        }
        hops.extend_from_slice(peer.to_string().as_bytes());
        // Header values and an address joined by legal bytes are a header value.
        if let Ok(hops) = HeaderValue::from_bytes(&hops) {
            headers.insert(FOR, hops);
        }
        let proto = if arrival.is_tls { "https" } else { "http" };
        headers.entry(PROTO).or_insert(HeaderValue::from_static(proto));
        if let Ok(host) = HeaderValue::from_str(arrival.authority)
            && !host.is_empty()
        {
            headers.entry(HOST).or_insert(host);
        }
    }
}

impl Network {
    fn parse(entry: &str) -> Option<Self> {
        let (address, length) = match entry.split_once('/') {
            Some((address, length)) => (address.parse().ok()?, Some(length.parse::<u32>().ok()?)),
            None => (entry.parse::<IpAddr>().ok()?, None),
        };
        let (own_bits, mapped_bits) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let length = length.unwrap_or(own_bits);
        if length > own_bits {
            return None;
        }
        let mask = u128::MAX.checked_shl(128 - mapped_bits - length).unwrap_or(0);
        Some(Network { base: bits(address) & mask, mask })
    }
}

/// An address as 128 bits; IPv4 where IPv6 keeps a place for it, so that both forms compare equal.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// One hop of `X-Forwarded-For`; some proxies add the port.
fn address(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim();
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    let address = bare.parse().or_else(|_| hop.parse::<SocketAddr>().map(|hop| hop.ip())).ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted(entries: &str) -> TrustedProxies {
        TrustedProxies::parse(entries.split_whitespace()).unwrap()
    }

    fn map(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for &(name, value) in lines {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn ranges() {
        let cases = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.1.2.3/8", "10.9.9.9", true),
            ("10.0.0.0/8", "::ffff:10.0.0.1", true),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "::1", true),
            ("::1", "::1", true),
            ("::1", "::2", false),
            ("fd00::/8", "fd12::1", true),
            ("192.168.1.1", "192.168.1.1", true),
            ("192.168.1.1/32", "192.168.1.2", false),
        ];
        for (range, address, inside) in cases {
            assert_eq!(trusted(range).contains(address.parse().unwrap()), inside, "{range} {address}");
        }
        for bad in ["10.0.0.0/33", "::/129", "10.0.0/8", "host", "", "10.0.0.0/", "10.0.0.0/-1", "/8"] {
            assert_eq!(TrustedProxies::parse([bad]).unwrap_err(), BadNetwork(bad.to_owned()));
        }
    }

    #[test]
    fn the_client_is_the_rightmost_that_is_not_trusted() {
        let proxies = trusted("10.0.0.0/8 fd00::/8");
        type Case = (&'static str, &'static [&'static str], &'static str);
        let cases: &[Case] = &[
            ("9.9.9.9", &[], "9.9.9.9"),
            ("9.9.9.9", &["1.1.1.1"], "9.9.9.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["1.1.1.1"], "1.1.1.1"),
            ("10.0.0.1", &["6.6.6.6, 1.1.1.1"], "1.1.1.1"),
            ("10.0.0.1", &["6.6.6.6, 1.1.1.1, 10.0.0.2"], "1.1.1.1"),
            ("10.0.0.1", &["6.6.6.6", "1.1.1.1 ,10.0.0.2"], "1.1.1.1"),
            ("10.0.0.1", &["1.1.1.1", "10.0.0.3"], "1.1.1.1"),
            ("10.0.0.1", &["10.0.0.4, 10.0.0.3"], "10.0.0.4"),
            ("10.0.0.1", &["1.1.1.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["1.1.1.1, "], "10.0.0.1"),
            ("10.0.0.1", &["1.1.1.1:4711"], "1.1.1.1"),
            ("fd00::1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("fd00::1", &["[2001:db8::1]"], "2001:db8::1"),
            ("::ffff:10.0.0.1", &["::ffff:1.1.1.1"], "1.1.1.1"),
        ];
        for (peer, lines, client) in cases {
            let mut headers = HeaderMap::new();
            for line in *lines {
                headers.append(FOR, HeaderValue::from_static(line));
            }
            let found = proxies.client(peer.parse().unwrap(), &headers);
            assert_eq!(found, client.parse::<IpAddr>().unwrap(), "{peer} {lines:?}");
        }
    }

    #[test]
    fn what_strangers_claim_is_replaced() {
        let mut headers = map(&[
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-host", "evil"),
            ("x-forwarded-proto", "gopher"),
            ("x-forwarded-prefix", "/evil"),
            ("forwarded", "for=evil"),
            ("x-real-ip", "127.0.0.1"),
            ("true-client-ip", "127.0.0.1"),
            ("x-a", "1"),
        ]);
        let arrival = Arrival { peer: "9.9.9.9".parse().unwrap(), is_tls: true, authority: "api.test" };
        trusted("10.0.0.0/8").tell_upstream(arrival, &mut headers);
        let expected = map(&[
            ("x-a", "1"),
            ("x-forwarded-for", "9.9.9.9"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "api.test"),
        ]);
        assert_eq!(headers, expected);
    }

    #[test]
    fn trap_101_what_trusted_proxies_say_is_kept_and_our_hop_added() {
        let mut headers = map(&[
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "10.0.0.9"),
            ("x-forwarded-host", "api.test"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=1.1.1.1"),
        ]);
        let arrival = Arrival { peer: "::ffff:10.0.0.1".parse().unwrap(), is_tls: false, authority: "inner" };
        trusted("10.0.0.0/8").tell_upstream(arrival, &mut headers);
        let expected = map(&[
            ("x-forwarded-for", "1.1.1.1, 10.0.0.9, 10.0.0.1"),
            ("x-forwarded-host", "api.test"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=1.1.1.1"),
        ]);
        assert_eq!(headers, expected);
    }

    #[test]
    fn a_host_that_was_not_said_is_not_made_up() {
        let mut headers = HeaderMap::new();
        let arrival = Arrival { peer: "9.9.9.9".parse().unwrap(), is_tls: false, authority: "" };
        TrustedProxies::default().tell_upstream(arrival, &mut headers);
        assert_eq!(headers, map(&[("x-forwarded-for", "9.9.9.9"), ("x-forwarded-proto", "http")]));
    }
}
