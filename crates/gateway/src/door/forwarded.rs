//! Whose request it is that a proxy brings. Pure.
//!
//! A proxy writes whom it speaks for into `X-Forwarded-For` or `Forwarded` (RFC 7239), behind what was there before. A
//! stranger can write there, too, so only the end that a trusted proxy wrote is believed: the list is read from the
//! right, as long as the addresses in it are of trusted proxies. The first that is none is the client.
//!
//! A proxy that writes one of the two headers hands the other on as it came. When both are there and do not say the
//! same, nobody knows which is the proxy's, and neither is believed.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::FORWARDED;
use axum::http::{HeaderMap, HeaderName};

use crate::config::Network;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client behind this peer; the peer's own, if it is no trusted proxy or says nothing to believe.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[Network]) -> IpAddr {
    let is_trusted = |address| proxies.iter().any(|network| network.contains(address));
    if !is_trusted(peer) {
        return peer;
    }
    let behind = |hops: Vec<Option<IpAddr>>| {
        let mut nearest = peer;
        for hop in hops.into_iter().rev() {
            // What is no address tells only that there is somebody further behind.
            let Some(address) = hop else { break };
            nearest = address;
            if !is_trusted(address) {
                break;
            }
        }
        nearest
    };
    let in_list = hops(headers, &X_FORWARDED_FOR, |line| {
        line.split(',').map(address).collect()
    });
    let in_elements = hops(headers, &FORWARDED, |line| {
        // In a line with an open quote it is not known what belongs together.
        let elements = parts(line, ',').unwrap_or_else(|| vec![""]);
        let hop = |element| address(for_of(element)?);
        elements.into_iter().map(hop).collect()
    });
    match (in_list.is_empty(), in_elements.is_empty()) {
        (true, true) => peer,
        (false, true) => behind(in_list),
        (true, false) => behind(in_elements),
        (false, false) => {
            let (one, other) = (behind(in_list), behind(in_elements));
            if one == other { one } else { peer }
        }
    }
}

/// The entries of a header, from the first line to the last.
fn hops(
    headers: &HeaderMap,
    name: &HeaderName,
    read: impl Fn(&str) -> Vec<Option<IpAddr>>,
) -> Vec<Option<IpAddr>> {
    let lines = headers.get_all(name).into_iter();
    // A line that is no text has one entry, and that is no address.
    let lines = lines.map(|line| line.to_str().unwrap_or("?"));
    lines.flat_map(read).collect()
}

/// Cuts a text at a separator, but not within a quoted string (RFC 9110, 5.6.4): a client's own `Host` may be quoted in
/// it. `None` if a quote is left open.
fn parts(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut begin) = (Vec::new(), 0);
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if c == separator && !is_quoted => {
                parts.push(&text[begin..at]);
                begin = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    (!is_quoted).then_some(parts)
}

/// An address, perhaps with a port: `203.0.113.7:4711`, `[2001:db8::1]`.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let address = bare.unwrap_or(text).parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|it| it.ip());
    address.or_else(with_port).map(|it| it.to_canonical())
}

/// The value of `for` in an element of `Forwarded`.
fn for_of(element: &str) -> Option<&str> {
    parts(element, ';')?.into_iter().find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn found(peer: &str, lines: &[(&'static str, &str)], proxies: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.append(HeaderName::from_static(name), value);
        }
        let proxies: Vec<Network> = proxies.iter().map(|it| it.parse().unwrap()).collect();
        client(peer.parse().unwrap(), &headers, &proxies).to_string()
    }

    const XFF: &str = "x-forwarded-for";

    #[test]
    fn the_right_end_of_a_trusted_proxy_is_believed() {
        let proxies = ["10.0.0.0/8", "2001:db8:1::/48"];
        for (peer, lines, expected) in [
            // Without a proxy in between, whatever the request says.
            ("203.0.113.9", &[(XFF, "198.51.100.1")][..], "203.0.113.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &[(XFF, "198.51.100.1")], "198.51.100.1"),
            // What the client wrote stands to the left.
            (
                "10.0.0.1",
                &[(XFF, "192.0.2.66, 198.51.100.1")],
                "198.51.100.1",
            ),
            (
                "10.0.0.1",
                &[(XFF, "192.0.2.66"), (XFF, "198.51.100.1")],
                "198.51.100.1",
            ),
            // Proxies behind proxies.
            (
                "10.0.0.1",
                &[(XFF, "192.0.2.66, 198.51.100.1, 10.3.0.1")],
                "198.51.100.1",
            ),
            (
                "::ffff:10.0.0.1",
                &[(XFF, "198.51.100.1,2001:db8:1::7")],
                "198.51.100.1",
            ),
            ("10.0.0.1", &[(XFF, "10.0.0.3, 10.0.0.2")], "10.0.0.3"),
            // Ports, brackets, IPv4 in IPv6.
            ("10.0.0.1", &[(XFF, "198.51.100.1:4711")], "198.51.100.1"),
            ("10.0.0.1", &[(XFF, "[2001:db8::1]:4711")], "2001:db8::1"),
            ("10.0.0.1", &[(XFF, "2001:db8::1")], "2001:db8::1"),
            ("10.0.0.1", &[(XFF, "::ffff:198.51.100.1")], "198.51.100.1"),
            // What is no address hides what is behind it.
            ("10.0.0.1", &[(XFF, "198.51.100.1, unknown")], "10.0.0.1"),
            (
                "10.0.0.1",
                &[(XFF, "198.51.100.1, unknown, 10.0.0.2")],
                "10.0.0.2",
            ),
            ("10.0.0.1", &[(XFF, "198.51.100.1,")], "10.0.0.1"),
            (
                "10.0.0.1",
                &[(XFF, "198.51.100.1"), (XFF, "\u{e9}")],
                "10.0.0.1",
            ),
            // RFC 7239, 7.1 and 4.
            (
                "10.0.0.1",
                &[("forwarded", "for=192.0.2.43, for=198.51.100.17")],
                "198.51.100.17",
            ),
            (
                "10.0.0.1",
                &[("forwarded", "For=\"[2001:db8:cafe::17]:4711\"")],
                "2001:db8:cafe::17",
            ),
            (
                "10.0.0.1",
                &[("forwarded", "for=192.0.2.60;proto=http;by=203.0.113.43")],
                "192.0.2.60",
            ),
            (
                "10.0.0.1",
                &[("forwarded", "proto=http;by=203.0.113.43")],
                "10.0.0.1",
            ),
            ("10.0.0.1", &[("forwarded", "for=_hidden")], "10.0.0.1"),
            // What is quoted is one value: a client's `Host`, as a proxy hands it on.
            (
                "10.0.0.1",
                &[(
                    "forwarded",
                    "proto=http;host=\"a;for=192.0.2.66\";for=198.51.100.1",
                )],
                "198.51.100.1",
            ),
            (
                "10.0.0.1",
                &[(
                    "forwarded",
                    "for=198.51.100.1;host=\"a,for=192.0.2.66\";proto=https",
                )],
                "198.51.100.1",
            ),
            (
                "10.0.0.1",
                &[(
                    "forwarded",
                    "for=198.51.100.1;host=\"a\\\",for=192.0.2.66\"",
                )],
                "198.51.100.1",
            ),
            (
                "10.0.0.1",
                &[("forwarded", "host=\"a, for=198.51.100.1")],
                "10.0.0.1",
            ),
            // One of the two is the client's own.
            (
                "10.0.0.1",
                &[("forwarded", "for=192.0.2.66"), (XFF, "198.51.100.1")],
                "10.0.0.1",
            ),
            (
                "10.0.0.1",
                &[("forwarded", "for=198.51.100.1"), (XFF, "198.51.100.1")],
                "198.51.100.1",
            ),
        ] {
            assert_eq!(found(peer, lines, &proxies), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn without_a_trusted_proxy_nothing_is_believed() {
        let lines = [(XFF, "198.51.100.1"), ("forwarded", "for=198.51.100.1")];
        for peer in ["127.0.0.1", "10.0.0.1", "203.0.113.9"] {
            assert_eq!(found(peer, &lines, &[]), peer);
        }
    }
}
