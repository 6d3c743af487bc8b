//! What the browser knows about the visitor: click id, browser id, address.
//!
//! [`ClickId`] (`fbc`) and [`BrowserId`] (`fbp`) are parsed and built here, [`cookies`] decides which
//! cookies a visit needs, [`ip`] chooses the visitor's address, and [`appendix`] reads the suffix that
//! Meta's parameter builder puts behind all of them. Everything is a pure function: the time and the
//! random number come from the caller.
//!
//! Forms, after Meta's "fbp and fbc Parameters" and the behaviour of its parameter builder:
//!
//! ```text
//! fbc = fb.<subdomain index>.<creation time, ms>.<fbclid>[.<appendix>]
//! fbp = fb.<subdomain index>.<creation time, ms>.<random number>[.<appendix>]
//! ```
//!
//! Unlike Meta's builder we accept an `fbclid` that holds dots: it splits the value from the left and
//! takes an appendix from the right only if it decodes to one.

pub mod appendix;
pub mod cookies;
pub mod ip;

use std::fmt;

use crate::bytes::{self, UnusualInClickId};
use crate::contact::percent_decode;
use crate::limits::FBCLID_BYTES_MAX;

/// Milliseconds since 1970 of 2009-01-01, before any click id: smaller numbers are seconds.
const MS_MIN: u64 = 1_230_768_000_000;

/// The parts that `fbc` and `fbp` have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parts<'a> {
    subdomain_index: u32,
    created: u64,
    payload: &'a str,
    appendix: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn parse(value: &'a str) -> Option<Self> {
        let rest = value.strip_prefix("fb.")?;
        let (subdomain_index, rest) = number(rest)?;
        let (created, rest) = number(rest)?;
        let (payload, appendix) = match memchr::memrchr(b'.', rest.as_bytes()) {
            Some(at) if appendix::is_known(&rest[at + 1..]) => (&rest[..at], Some(&rest[at + 1..])),
            _ => (rest, None),
        };
        (!payload.is_empty()).then_some(Self {
            subdomain_index: u32::try_from(subdomain_index).ok()?,
            created,
            payload,
            appendix,
        })
    }
}

/// The number before the next dot, and what follows the dot.
fn number(text: &str) -> Option<(u64, &str)> {
    // So many digits always fit, and need no check one by one.
    const DIGITS_SAFE: usize = 19;
    let mut number: u64 = 0;
    for (at, byte) in text.bytes().enumerate().take(DIGITS_SAFE + 1) {
        match byte {
            b'0'..=b'9' if at < DIGITS_SAFE => number = number * 10 + u64::from(byte - b'0'),
            b'.' if at > 0 => return Some((number, &text[at + 1..])),
            b'0'..=b'9' => break,
            _ => return None,
        }
    }
    let (digits, rest) = text.split_once('.')?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    Some((digits.parse().ok().filter(|_| is_number)?, rest))
}

/// A click id, the value of `fbc` and of the `_fbc` cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClickId<'a>(Parts<'a>);

impl<'a> ClickId<'a> {
    /// Reads a click id; `None` for a bare `fbclid` and anything else of another form.
    pub fn parse(value: &'a str) -> Option<Self> {
        let parts = Parts::parse(value)?;
        is_fbclid(parts.payload).then_some(Self(parts))
    }

    /// The click id for an `fbclid` that was first seen at `created_ms`.
    ///
    /// `subdomain_index` counts the dots of the cookie's domain; a server without a cookie uses 1.
    /// `None` when the text is no `fbclid`.
    pub fn build(fbclid: &'a str, subdomain_index: u32, created_ms: u64) -> Option<Self> {
        is_fbclid(fbclid).then_some(Self(Parts {
            subdomain_index,
            created: created_ms,
            payload: fbclid,
            appendix: None,
        }))
    }

    /// The `fbclid`, untouched: it is case-sensitive.
    pub fn fbclid(&self) -> &'a str {
        self.0.payload
    }

    /// When the click id was made, in the unit in which it was written (milliseconds, if right).
    pub fn created(&self) -> u64 {
        self.0.created
    }

    /// Whether the time is in milliseconds, as it must be; smaller numbers are seconds.
    pub fn is_in_ms(&self) -> bool {
        self.0.created >= MS_MIN
    }

    /// The number of dots in the domain that the cookie was set on.
    pub fn subdomain_index(&self) -> u32 {
        self.0.subdomain_index
    }

    /// The suffix of Meta's parameter builder.
    pub fn appendix(&self) -> Option<&'a str> {
        self.0.appendix
    }
}

impl fmt::Display for ClickId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            subdomain_index,
            created,
            payload,
            ..
        } = self;
        write!(f, "fb.{subdomain_index}.{created}.{payload}")?;
        match self.appendix {
            Some(appendix) => write!(f, ".{appendix}"),
            None => Ok(()),
        }
    }
}

/// A browser id, the value of `fbp` and of the `_fbp` cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrowserId<'a>(Parts<'a>);

impl<'a> BrowserId<'a> {
    /// Reads a browser id; the last part is a number.
    pub fn parse(value: &'a str) -> Option<Self> {
        let parts = Parts::parse(value)?;
        let is_number = parts.payload.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then_some(Self(parts))
    }

    /// The random number.
    pub fn number(&self) -> &'a str {
        self.0.payload
    }

    /// When it was made, in the unit in which it was written (milliseconds, if right).
    pub fn created(&self) -> u64 {
        self.0.created
    }

    /// The suffix of Meta's parameter builder.
    pub fn appendix(&self) -> Option<&'a str> {
        self.0.appendix
    }
}

/// A new browser id, as the `_fbp` cookie holds it.
pub fn mint_browser_id(subdomain_index: u32, now_ms: u64, random: u32) -> String {
    // Meta's builder draws from 0 to 2147483647.
    format!("fb.{subdomain_index}.{now_ms}.{}", random & 0x7fff_ffff)
}

/// Whether a text may be an `fbclid`: base64url, dots tolerated, of at most 500 bytes.
pub fn is_fbclid(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= FBCLID_BYTES_MAX
        && bytes::is_free::<UnusualInClickId>(text.as_bytes())
}

/// The `fbclid` of a visit: from the page's address, else from the referrer's.
pub fn fbclid_of(url: Option<&str>, referrer: Option<&str>) -> Option<String> {
    [url, referrer]
        .into_iter()
        .flatten()
        .find_map(|address| query_value(address, "fbclid"))
        .filter(|fbclid| is_fbclid(fbclid))
}

/// The first value of a query parameter, decoded. Works on anything with a `?`, scheme or not.
pub(crate) fn query_value(address: &str, name: &str) -> Option<String> {
    let (_, query) = address.split_once('?')?;
    let query = query.split('#').next().unwrap_or_default();
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, value)| percent_decode(key) == name && !value.is_empty())
        .map(|(_, value)| percent_decode(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_click_ids_with_and_without_appendix() {
        let plain = ClickId::parse("fb.1.1554763741205.AbC").unwrap();
        assert_eq!((plain.fbclid(), plain.appendix()), ("AbC", None));
        for suffix in ["AQQCAQMC", "BA"] {
            let value = format!("fb.1.1554763741205.AbC.{suffix}");
            let click = ClickId::parse(&value).unwrap();
            assert_eq!((click.fbclid(), click.appendix()), ("AbC", Some(suffix)));
            assert_eq!(click.to_string(), value);
        }
    }

    #[test]
    fn keeps_dots_inside_an_fbclid() {
        let click = ClickId::parse("fb.1.1554763741205.Ab.C_d.ef.AQQCAQMC").unwrap();
        assert_eq!(click.fbclid(), "Ab.C_d.ef");
        assert_eq!(click.appendix(), Some("AQQCAQMC"));
    }

    #[test]
    fn reads_numbers_of_any_length() {
        for (text, expected) in [
            ("1.x", Some((1, "x"))),
            ("1554763741205.", Some((1_554_763_741_205, ""))),
            (
                "9999999999999999999.x",
                Some((9_999_999_999_999_999_999, "x")),
            ),
            ("18446744073709551615.x", Some((u64::MAX, "x"))),
            ("18446744073709551616.x", None),
            ("000000000000000000000001.x", Some((1, "x"))),
            ("0000000000000000000000+1.x", None),
            (".x", None),
            ("12", None),
            ("1a.x", None),
        ] {
            assert_eq!(number(text), expected, "{text}");
        }
    }

    #[test]
    fn tells_seconds_from_milliseconds() {
        assert!(!ClickId::parse("fb.1.1554763741.AbC").unwrap().is_in_ms());
        assert!(ClickId::parse("fb.1.1554763741205.AbC").unwrap().is_in_ms());
    }

    #[test]
    fn refuses_other_forms() {
        for value in [
            "IwAR2F4-dbP0",
            "fb.1.123.",
            "fb1.1.123.abc",
            "fb.1b.123.abc",
            "fb.1.123aa.abc",
            "fb.000000.123_1.test",
            "fb.1.123",
            "FB.1.123.abc",
            "fb.1.123.a b",
            "fb.1.123.a@b.c",
            "",
        ] {
            assert_eq!(ClickId::parse(value), None, "{value}");
        }
        assert_eq!(BrowserId::parse("fb.1.1700000000000.abc"), None);
        assert_eq!(
            BrowserId::parse("fb.1.1700000000000.1098115397.Bg")
                .unwrap()
                .number(),
            "1098115397"
        );
    }

    #[test]
    fn builds_what_it_reads() {
        let click = ClickId::build("IwAR2F4-dbP0", 1, 1_709_136_167_115).unwrap();
        assert_eq!(click.to_string(), "fb.1.1709136167115.IwAR2F4-dbP0");
        assert_eq!(ClickId::parse(&click.to_string()), Some(click));
        assert!(ClickId::build(&"x".repeat(501), 1, 0).is_none());
    }

    #[test]
    fn finds_the_fbclid_of_a_visit() {
        let page = "https://shop.example.com/?utm_source=fb&fbclid=test123#top";
        assert_eq!(
            fbclid_of(Some(page), Some("example.com?fbclid=456test")).as_deref(),
            Some("test123")
        );
        assert_eq!(
            fbclid_of(
                Some("https://shop.example.com/"),
                Some("example.com?fbclid=456test")
            )
            .as_deref(),
            Some("456test")
        );
        assert_eq!(fbclid_of(None, Some("https://example.com/fbclid=1")), None);
    }
}
