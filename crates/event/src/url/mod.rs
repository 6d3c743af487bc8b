//! Page addresses: whole, and without contact data.

mod host;

use crate::bytes::{self, UnusualInWord};
use crate::contact::{has_email, is_contact, percent_decode};
use crate::contact_key;
use crate::contact_names::Says;
use crate::digest;
use crate::limits::URL_BYTES_MAX;

/// What became of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cleaned {
    /// It is sent as it came.
    Unchanged,
    /// A missing scheme was added, or spaces were encoded.
    Completed,
    /// Contact data was removed.
    Freed,
}

/// Appends the address as it may be sent; `None` when it is none.
///
/// Query parameters that hold an e-mail address, an international phone number or, by their name,
/// contact data are removed; so are a user name before the host, and a path or fragment that holds an
/// address, or such a number between its slashes. Everything else stays byte for byte, Meta's appendix
/// at the end included.
pub(crate) fn clean(url: &str, out: &mut String) -> Option<Cleaned> {
    let url = url.trim();
    let is_odd = |c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER;
    if url.len() > URL_BYTES_MAX || url.chars().any(is_odd) {
        return None;
    }
    let mut cleaned = Cleaned::Unchanged;
    let (mut scheme, mut rest) = match url.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest),
        _ => {
            let rest = url.strip_prefix("//").unwrap_or(url);
            cleaned = Cleaned::Completed;
            ("https", rest)
        }
    };
    // A setting that holds `https://shop.example`, behind another `https://`.
    while let Some((second, inner)) = rest.split_once("://")
        && ["http", "https"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(second))
    {
        (scheme, rest) = (second, inner);
        cleaned = Cleaned::Completed;
    }
    let (rest, fragment) = split_before(rest, '#');
    let (rest, query) = split_before(rest, '?');
    let (authority, path) = split_before(rest, '/');
    let host = authority.rsplit('@').next().unwrap_or_default();
    let has_port = || {
        host.split_once(':')
            .is_some_and(|(_, port)| !port.is_empty())
    };
    let could_be_word = cleaned == Cleaned::Completed && !host.contains('.') && !has_port();
    if could_be_word || !host::is_host(host) || has_email(host) {
        return None;
    }

    let start = out.len();
    out.push_str(scheme);
    out.push_str("://");
    out.push_str(host);
    let mut is_freed = host.len() < authority.len();
    if has_contact(path) {
        out.push('/');
        is_freed = true;
    } else {
        out.push_str(path);
    }
    is_freed |= push_query(query, out);
    if has_contact(fragment) {
        is_freed = true;
    } else {
        out.push_str(fragment);
    }
    if out[start..].contains(' ') {
        let encoded = out[start..].replace(' ', "%20");
        out.truncate(start);
        out.push_str(&encoded);
        cleaned = Cleaned::Completed;
    }
    if out.len() - start > URL_BYTES_MAX {
        out.truncate(start);
        return None;
    }
    Some(if is_freed { Cleaned::Freed } else { cleaned })
}

/// Whether an address may go as it is, by a look at its bytes alone, as most may.
pub(crate) fn is_plain(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://") else {
        return false;
    };
    let (host_and_path, query) = match memchr::memchr(b'?', rest.as_bytes()) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let bytes = host_and_path.as_bytes();
    let host = &bytes[..memchr::memchr(b'/', bytes).unwrap_or(bytes.len())];
    url.len() <= URL_BYTES_MAX
        && bytes::is_free::<UnusualInWord>(rest.as_bytes())
        && host::is_plain(host)
        && !has_contact_key(query)
}

/// Whether the host of a cleaned address is one of the web.
pub(crate) fn is_public(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (rest, _) = split_before(rest, '#');
    let (rest, _) = split_before(rest, '?');
    let (authority, _) = split_before(rest, '/');
    host::is_public(authority)
}

/// Whether the name of a parameter in a query says that contact data is in it.
fn has_contact_key(query: &str) -> bool {
    let mut start = 0;
    let mut is_key = false;
    for (at, byte) in query.bytes().enumerate() {
        match byte {
            b'?' | b'&' | b'=' => {
                if is_key && is_contact_name(&query[start..at]) {
                    return true;
                }
                is_key = byte != b'=';
                start = at + 1;
            }
            _ => {}
        }
    }
    is_key && is_contact_name(&query[start..])
}

fn is_contact_name(name: &str) -> bool {
    contact_key::of_name(name).is_some_and(is_meant)
}

/// Appends the query without the parameters that hold contact data; tells whether there were any.
fn push_query(query: &str, out: &mut String) -> bool {
    let Some(pairs) = query.strip_prefix('?') else {
        return false;
    };
    let start = out.len();
    let mut is_freed = false;
    let mut separator = '?';
    for pair in pairs.split('&') {
        if is_contact_pair(pair) {
            is_freed = true;
        } else {
            out.push(separator);
            out.push_str(pair);
            separator = '&';
        }
    }
    if is_freed && out.len() == start + 1 {
        out.truncate(start);
    }
    is_freed
}

fn is_contact_pair(pair: &str) -> bool {
    let Some((key, value)) = pair.split_once('=') else {
        return is_clear(pair);
    };
    if value.is_empty() {
        return is_clear(key);
    }
    names_contact(key, value) || has_email(pair) || is_clear(value) || is_clear(key)
}

/// Whether the name of a parameter says that its value is contact data, which it can be.
pub(crate) fn names_contact(key: &str, value: &str) -> bool {
    let says = contact_key::of_name(&percent_decode(key)).filter(|says| is_meant(*says));
    says.is_some_and(|says| {
        digest::recognize(value).is_none() && contact_key::can_be_text(says, &percent_decode(value))
    })
}

/// Whether the name of a parameter says enough. A bare `name` is that of a product as often as a person's.
fn is_meant(says: Says) -> bool {
    !matches!(says, Says::BareName | Says::NamePart)
}

/// Whether a path or a fragment holds contact data.
fn has_contact(part: &str) -> bool {
    has_email(part)
        || part
            .split(['/', '#', '=', '&', ';', ':', ','])
            .any(is_clear)
}

/// Whether a text of an address is contact data, as it stands or encoded. A phone number's `+` is often left
/// unencoded, where decoding makes it a space.
fn is_clear(text: &str) -> bool {
    is_contact(text)
        || is_contact(&percent_decode(text))
        || text
            .strip_prefix('+')
            .is_some_and(|rest| is_contact(&format!("+{}", percent_decode(rest))))
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

fn split_before(text: &str, separator: char) -> (&str, &str) {
    match text.find(separator) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_contact_data_and_nothing_else() {
        for (url, expected, cleaned) in [
            (
                "https://shop.example/ok?a=1&b=2#top",
                "https://shop.example/ok?a=1&b=2#top",
                Cleaned::Unchanged,
            ),
            (
                "http://host/p?x=1.AQQCAQMC",
                "http://host/p?x=1.AQQCAQMC",
                Cleaned::Unchanged,
            ),
            (
                "https://shop.example/?email=john%40example.com&o=7",
                "https://shop.example/?o=7",
                Cleaned::Freed,
            ),
            (
                "https://shop.example/?o=7&next=john@example.com",
                "https://shop.example/?o=7",
                Cleaned::Freed,
            ),
            (
                "https://shop.example/t?phone=6505551212",
                "https://shop.example/t",
                Cleaned::Freed,
            ),
            (
                "https://shop.example/t?c=+16505551212",
                "https://shop.example/t",
                Cleaned::Freed,
            ),
            (
                "https://shop.example/u/john@example.com/x?o=1",
                "https://shop.example/?o=1",
                Cleaned::Freed,
            ),
            (
                "https://shop.example/#john@example.com",
                "https://shop.example/",
                Cleaned::Freed,
            ),
            (
                "https://shop.example/tel/+49-151-23456789?o=1",
                "https://shop.example/?o=1",
                Cleaned::Freed,
            ),
            (
                "https://shop.example/tel:%2B4915123456789/x",
                "https://shop.example/",
                Cleaned::Freed,
            ),
            (
                "https://shop.example/p#+4915123456789",
                "https://shop.example/p",
                Cleaned::Freed,
            ),
            (
                "https://shop.example/p?x=+49%20151%2023456789",
                "https://shop.example/p",
                Cleaned::Freed,
            ),
            (
                "https://shop.example/c++/news+2026-11-26?q=red+20261126",
                "https://shop.example/c++/news+2026-11-26?q=red+20261126",
                Cleaned::Unchanged,
            ),
            (
                "https://john:secret@shop.example/",
                "https://shop.example/",
                Cleaned::Freed,
            ),
            (
                "shop.example/a b",
                "https://shop.example/a%20b",
                Cleaned::Completed,
            ),
            (
                "android-app://com.google.android.gm/",
                "android-app://com.google.android.gm/",
                Cleaned::Unchanged,
            ),
            (
                "http://localhost:3000/",
                "http://localhost:3000/",
                Cleaned::Unchanged,
            ),
        ] {
            let mut out = String::from("before ");
            assert_eq!(clean(url, &mut out), Some(cleaned), "{url}");
            assert_eq!(out, format!("before {expected}"));
        }
    }

    #[test]
    fn keeps_hashed_parameters() {
        let url = format!("https://shop.example/?em={}", "a1".repeat(32));
        assert_eq!(clean(&url, &mut String::new()), Some(Cleaned::Unchanged));
    }

    #[test]
    fn plain_addresses_are_those_that_stay_unchanged() {
        for url in [
            "https://shop.example/ok?a=1&b=2",
            "https://shop.example/?email=x",
            "https://shop.example/?a=john%40example.com",
            "https:///x.y",
            "https://localhost/",
            "https://shop.example/a b",
            "https://shop.example/\"",
        ] {
            if is_plain(url) {
                let mut out = String::new();
                assert_eq!(clean(url, &mut out), Some(Cleaned::Unchanged), "{url}");
                assert_eq!(out, url);
            }
        }
        assert!(is_plain("https://shop.example/ok?a=1&b=2"));
        assert!(!is_plain("https://shop.example/?email=x"));
    }

    #[test]
    fn refuses_what_is_no_address() {
        for url in [
            "",
            "/checkout",
            "thank-you",
            "https://",
            "https:///x",
            "a\u{0}b.example",
        ] {
            assert_eq!(clean(url, &mut String::new()), None, "{url}");
        }
    }
}
