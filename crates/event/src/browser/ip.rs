//! The visitor's address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::appendix::{self, Appendix, Change, Language};

/// Reads an address as a sender writes it: with an appendix, in brackets, with a port, spaces round it.
pub fn parse(value: &str) -> Option<IpAddr> {
    let value = value.trim();
    if let Ok(address) = value.parse() {
        return Some(unmap(address));
    }
    let bare = appendix::strip(value);
    if let Ok(address) = bare.parse() {
        return Some(unmap(address));
    }
    let host = match bare.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        // One colon is a port behind an IPv4 address; more belong to IPv6, which parsed above.
        None => {
            bare.rsplit_once(':')
                .filter(|(host, _)| !host.contains(':'))?
                .0
        }
    };
    host.parse().ok().map(unmap)
}

/// An IPv4 address written as IPv6 (`::ffff:203.0.113.7`) is the IPv4 address.
fn unmap(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// Whether the address can be that of a visitor: not private, not local, not reserved for other uses.
///
/// Wider than Meta's parameter builder, which knows 10/8, 172.16/12, 192.168/16, 127/8, 169.254/16,
/// `::1`, `fe80` and `fc00/7` only: we also leave out multicast, broadcast, unspecified, `0/8` and
/// carrier-grade NAT (100.64/10, RFC 6598), which name no one. Documentation ranges pass, as there.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    let is_shared = first == 100 && (64..128).contains(&second);
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || first == 0
        || first >= 240
        || is_shared)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    !(address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local())
}

/// Who marks a chosen address with an appendix.
#[derive(Debug, Clone, Copy)]
pub struct Marker<'a> {
    /// The language of the library.
    pub language: Language,
    /// Its version, three numbers.
    pub version: &'a str,
}

/// What a request says about the visitor's address.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen<'a> {
    /// The `_fbi` cookie, written by a script in the page. Only to be honoured by configuration:
    /// the visitor can write it.
    pub cookie: Option<&'a str>,
    /// The `X-Forwarded-For` header. Only to be honoured behind a proxy that sets it.
    pub forwarded_for: Option<&'a str>,
    /// The peer of the connection.
    pub peer: Option<&'a str>,
}

/// Chooses the visitor's address: public only, IPv6 before IPv4, the cookie before the request.
///
/// The result is the text for `client_ip_address`. It keeps the cookie's own appendix; without one
/// it gets an appendix when there is a `marker`.
pub fn choose(seen: Seen<'_>, marker: Option<Marker<'_>>) -> Option<String> {
    let public = |text: &str| parse(text).filter(|address| is_public(*address));
    let cookie = seen.cookie.map(str::trim);
    let from_cookie = cookie.and_then(public);
    let first_forwarded = seen
        .forwarded_for
        .and_then(|list| list.split(',').next())
        .and_then(public);
    let from_request = first_forwarded.or_else(|| seen.peer.and_then(public));

    let candidates = [
        from_cookie.filter(IpAddr::is_ipv6).map(|ip| (ip, true)),
        from_request.filter(IpAddr::is_ipv6).map(|ip| (ip, false)),
        from_cookie.map(|ip| (ip, true)),
        from_request.map(|ip| (ip, false)),
    ];
    let (address, is_cookie) = candidates.into_iter().flatten().next()?;
    let own = cookie
        .filter(|_| is_cookie)
        .and_then(|text| text.rsplit_once('.'))
        .filter(|(_, suffix)| appendix::is_known(suffix))
        .map(|(_, suffix)| suffix.to_owned());
    let change = match (is_cookie, from_request) {
        (false, _) => Change::Unchanged,
        (true, Some(_)) => Change::Modified,
        (true, None) => Change::NetNew,
    };
    let written = marker
        .map(|marker| Appendix::for_version(marker.language, change, marker.version).to_string());
    Some(match own.or(written) {
        Some(appendix) => format!("{address}.{appendix}"),
        None => address.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_senders_write() {
        for (value, expected) in [
            ("2001:4860:4860::8888.AQQAAQMC", "2001:4860:4860::8888"),
            ("168.212.226.204.AQQAAQMC", "168.212.226.204"),
            ("168.212.226.204.Bg", "168.212.226.204"),
            (" 8.8.8.8 ", "8.8.8.8"),
            ("8.8.8.8:443", "8.8.8.8"),
            ("[2001:4860:4860::8888]:443", "2001:4860:4860::8888"),
            ("::ffff:8.8.8.8", "8.8.8.8"),
        ] {
            assert_eq!(parse(value), expected.parse().ok(), "{value}");
        }
        for value in [
            "256.256.256.256",
            "8.8.8",
            "",
            "localhost",
            "8.8.8.8.8",
            "::1::2",
        ] {
            assert_eq!(parse(value), None, "{value}");
        }
    }

    #[test]
    fn knows_public_addresses() {
        let is_public = |text: &str| is_public(text.parse().unwrap());
        for text in [
            "8.8.8.8",
            "203.0.113.7",
            "2001:4860:4860::8888",
            "172.32.0.1",
            "100.128.0.1",
        ] {
            assert!(is_public(text), "{text}");
        }
        for text in [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
        ] {
            assert!(!is_public(text), "{text}");
        }
    }

    #[test]
    fn chooses_as_metas_parameter_builder() {
        const V6: &str = "2001:4860:4860::8888";
        const OTHER_V6: &str = "2606:4700:4700::1111";
        let marker = Marker {
            language: Language::Node,
            version: "1.0.0",
        };
        let marked_v6 = format!("{V6}.AQ");
        for (cookie, forwarded_for, peer, expected) in [
            (
                Some(V6),
                Some("8.8.8.8"),
                None,
                Some(format!("{V6}.AQQDAQAA")),
            ),
            (
                Some(&*marked_v6),
                Some("8.8.8.8"),
                None,
                Some(marked_v6.clone()),
            ),
            (
                Some("1.1.1.1"),
                Some(OTHER_V6),
                None,
                Some(format!("{OTHER_V6}.AQQAAQAA")),
            ),
            (
                Some("1.1.1.1"),
                None,
                None,
                Some("1.1.1.1.AQQCAQAA".to_owned()),
            ),
            (
                Some("10.0.0.1"),
                Some("8.8.8.8"),
                Some("192.168.0.1"),
                Some("8.8.8.8.AQQAAQAA".to_owned()),
            ),
            (Some("10.0.0.1"), Some("bogus"), Some("127.0.0.1"), None),
            (
                None,
                Some("10.0.0.1, 8.8.8.8"),
                Some("9.9.9.9"),
                Some("9.9.9.9.AQQAAQAA".to_owned()),
            ),
        ] {
            let seen = Seen {
                cookie,
                forwarded_for,
                peer,
            };
            assert_eq!(choose(seen, Some(marker)), expected, "{seen:?}");
        }
        let seen = Seen {
            peer: Some("8.8.8.8"),
            ..Seen::default()
        };
        assert_eq!(choose(seen, None).as_deref(), Some("8.8.8.8"));
    }
}
