//! The host of an address: whether it can be one, and whether it is one of the web.

use std::net::{IpAddr, Ipv6Addr};

use crate::browser::ip;
use crate::normalize;

/// Top-level domains that are not in the web (RFC 2606, 6761, 6762, 8375, and what networks at home use).
/// `example` is not among them: it is what documents show.
const NOT_OF_WEB: [&str; 10] = [
    "corp",
    "home",
    "internal",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "onion",
    "test",
];

/// Whether an authority without its user, `shop.example:8443`, is a host and a port.
pub(super) fn is_host(authority: &str) -> bool {
    let Some((name, port)) = split(authority) else {
        return false;
    };
    let is_port = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_host = if authority.starts_with('[') {
        name.parse::<Ipv6Addr>().is_ok()
    } else {
        is_name(name)
    };
    is_port && is_host
}

/// The name and the port, which may be empty. An IPv6 address stands in brackets, with colons in it.
fn split(authority: &str) -> Option<(&str, &str)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, behind) = rest.split_once(']')?;
        let port = behind
            .strip_prefix(':')
            .or(behind.is_empty().then_some(""))?;
        return Some((address, port));
    }
    Some(authority.split_once(':').unwrap_or((authority, "")))
}

/// Labels of letters, digits, hyphens and underscores, with dots between them. Letters of other scripts are
/// how browsers show such a host. A word for nothing is a template that was never filled in.
fn is_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        !label.is_empty()
            && label.chars().all(|c| {
                c.is_ascii_alphanumeric()
                    || matches!(c, '-' | '_')
                    || (!c.is_ascii() && c.is_alphanumeric())
                    || unicode_normalization::char::is_combining_mark(c)
            })
    };
    name.split('.').all(is_label) && !normalize::is_nothing(name)
}

/// Whether the authority is that of a host that everybody can ask for: a domain, or a public address.
pub(super) fn is_public(authority: &str) -> bool {
    let Some((name, _)) = split(authority) else {
        return false;
    };
    if let Ok(address) = name.parse::<IpAddr>() {
        return ip::is_public(address);
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    name.rsplit_once('.')
        .is_some_and(|(_, last)| is_of_web(last.as_bytes()))
}

fn is_of_web(last_label: &[u8]) -> bool {
    !NOT_OF_WEB
        .iter()
        .any(|known| known.as_bytes().eq_ignore_ascii_case(last_label))
}

/// Whether a host needs no closer look: a domain of the web in ASCII, without a port.
pub(super) fn is_plain(authority: &[u8]) -> bool {
    let Some(dot) = memchr::memrchr(b'.', authority) else {
        return false;
    };
    let last = &authority[dot + 1..];
    let mut before = b'.';
    let is_name = authority.iter().all(|&byte| {
        let is_empty_label = byte == b'.' && before == b'.';
        before = byte;
        !is_empty_label && (byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
    });
    is_name && last.len() > 1 && last.iter().all(u8::is_ascii_alphabetic) && is_of_web(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_hosts_from_other_text() {
        for host in [
            "shop.example",
            "shop.example:8443",
            "shop.example.",
            "shop.example:",
            "a-b.shop_1.example",
            "bücher.example",
            "xn--bcher-kva.example",
            "ไทย.example",
            "localhost:3000",
            "host",
            "203.0.113.7",
            "203.0.113.7:80",
            "[2001:db8::1]",
            "[2001:db8::1]:443",
            "com.example.app",
        ] {
            assert!(is_host(host), "{host}");
        }
        for host in [
            "",
            "<your-domain.com>",
            "{{domain}}",
            "${domain}",
            "%7B%7Bdomain%7D%7D",
            "[domain]",
            "undefined",
            "null",
            "None:443",
            "(not set)",
            "shop..example",
            ".example",
            "shop.example:https",
            "shop.example:123456",
            "shop example",
            "shop,example",
            "\"shop.example\"",
            "shop.example]",
            "[::1",
            "a=b",
            "shop.example;x",
        ] {
            assert!(!is_host(host), "{host}");
        }
    }

    #[test]
    fn knows_what_is_not_of_the_web() {
        for host in [
            "shop.example",
            "shop.example:8443",
            "8.8.8.8",
            "[2606:4700::1]",
            "com.example.app",
        ] {
            assert!(is_public(host), "{host}");
        }
        for host in [
            "localhost",
            "localhost:3000",
            "10.0.0.1",
            "192.168.1.5:8080",
            "127.0.0.1",
            "[::1]:80",
            "shop",
            "web:3000",
            "shop.local",
            "shop.TEST",
            "printer.lan",
            "api.internal.",
            "x.localhost",
        ] {
            assert!(!is_public(host), "{host}");
        }
        for host in [
            "shop.example",
            "www.shop.co.uk",
            "shop.com",
            "shop.lan",
            "a..com",
            "10.0.0.1",
            "shop.test",
        ] {
            if is_plain(host.as_bytes()) {
                assert!(is_host(host) && is_public(host), "{host}");
            }
        }
        assert!(is_plain(b"www.shop.com") && is_plain(b"shop.example") && !is_plain(b"shop.lan"));
    }
}
