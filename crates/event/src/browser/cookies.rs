//! Which `_fbc` and `_fbp` cookies a visit needs.
//!
//! Follows the request algorithm of Meta's parameter builder: keep what is valid, mint what is
//! missing, replace a click id only when the visit brings another one.

use std::net::IpAddr;

use super::appendix::{Appendix, Change};
use super::ip::Marker;
use super::{appendix, is_fbclid, query_value};

/// How long both cookies live, in seconds: 90 days.
pub const MAX_AGE_S: u32 = 90 * 24 * 3_600;

/// A URL parameter that carries a click id.
#[derive(Debug, Clone, Copy)]
pub struct ClickParameter<'a> {
    /// The parameter's name in the URL.
    pub query: &'a str,
    /// Put before the value when several parameters make up one click id; empty for `fbclid`.
    pub prefix: &'a str,
}

/// The one parameter that Meta uses.
pub const FBCLID: ClickParameter<'static> = ClickParameter {
    query: "fbclid",
    prefix: "",
};

/// What one page view brings with it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Visit<'a> {
    /// The host asked for, with or without scheme and port.
    pub host: &'a str,
    /// The page's address or its query, `?` included.
    pub url: Option<&'a str>,
    /// The `Referer` header.
    pub referrer: Option<&'a str>,
    /// The `_fbc` cookie.
    pub fbc: Option<&'a str>,
    /// The `_fbp` cookie.
    pub fbp: Option<&'a str>,
}

/// How cookies are made.
#[derive(Debug, Clone, Copy)]
pub struct Minting<'a> {
    /// Domains that cookies may be set on; empty: guessed from the host.
    pub domains: &'a [&'a str],
    /// The parameters that make up a click id.
    pub parameters: &'a [ClickParameter<'a>],
    /// Now, in milliseconds since 1970.
    pub now_ms: u64,
    /// A random number for a new browser id.
    pub random: u32,
    /// Who signs the values; `None` writes the documented form without an appendix.
    pub marker: Option<Marker<'a>>,
}

/// A cookie to be set, for [`MAX_AGE_S`] and path `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie {
    /// `_fbc` or `_fbp`.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// The domain to set it on.
    pub domain: String,
}

/// The cookies that the visit's answer should set; none when all is well already.
pub fn cookies(visit: Visit<'_>, minting: Minting<'_>) -> Vec<Cookie> {
    let domain = cookie_domain(visit.host, minting.domains);
    let index = subdomain_index(&domain);
    let mut cookies = Vec::new();
    let mut set = |name, value| {
        cookies.push(Cookie {
            name,
            value,
            domain: domain.clone(),
        });
    };

    let payload = click_payload(visit, minting.parameters);
    let kept = visit
        .fbc
        .and_then(|cookie| Kept::read(cookie, payload.as_deref()));
    match (kept, payload) {
        (Some(kept), payload) if payload.as_deref().is_none_or(|new| new == kept.payload) => {
            if let Some(value) = kept.completed(minting) {
                set("_fbc", value);
            }
        }
        (kept, Some(payload)) => {
            let change = if kept.is_some() {
                Change::Modified
            } else {
                Change::NetNew
            };
            let value = format!("fb.{index}.{}.{payload}", minting.now_ms);
            set("_fbc", signed(value, change, minting));
        }
        (_, None) => {}
    }

    if let Some(kept) = visit.fbp.and_then(|cookie| Kept::read(cookie, None)) {
        if let Some(value) = kept.completed(minting) {
            set("_fbp", value);
        }
    } else {
        let value = super::mint_browser_id(index, minting.now_ms, minting.random);
        set("_fbp", signed(value, Change::NetNew, minting));
    }
    cookies
}

/// A cookie that is valid and stays.
struct Kept<'a> {
    value: &'a str,
    payload: &'a str,
    has_appendix: bool,
}

impl<'a> Kept<'a> {
    /// Reads a cookie by the builder's rule: four parts, or five with an appendix.
    ///
    /// A payload with dots breaks that rule, so it counts only if it is the visit's own `fbclid`.
    fn read(value: &'a str, expected: Option<&str>) -> Option<Self> {
        let parts: Vec<&str> = value.splitn(4, '.').collect();
        let [prefix, index, created, rest] = parts[..] else {
            return None;
        };
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if prefix != "fb" || !is_number(index) || !is_number(created) || rest.is_empty() {
            return None;
        }
        let (payload, has_appendix) = match rest.rsplit_once('.') {
            Some((payload, suffix)) if appendix::is_known(suffix) => (payload, true),
            _ => (rest, false),
        };
        let is_whole = !payload.is_empty() && (!payload.contains('.') || expected == Some(payload));
        is_whole.then_some(Self {
            value,
            payload,
            has_appendix,
        })
    }

    /// The value with the signature that it lacks, if one is wanted.
    fn completed(&self, minting: Minting<'_>) -> Option<String> {
        (!self.has_appendix && minting.marker.is_some())
            .then(|| signed(self.value.to_owned(), Change::Unchanged, minting))
    }
}

fn signed(value: String, change: Change, minting: Minting<'_>) -> String {
    match minting.marker {
        Some(marker) => {
            let appendix = Appendix::for_version(marker.language, change, marker.version);
            format!("{value}.{appendix}")
        }
        None => value,
    }
}

/// The click id that the visit's parameters make up: from the page's address, else the referrer's.
fn click_payload(visit: Visit<'_>, parameters: &[ClickParameter<'_>]) -> Option<String> {
    let parts: Vec<String> = parameters
        .iter()
        .filter_map(|parameter| {
            let value = [visit.url, visit.referrer]
                .into_iter()
                .flatten()
                .find_map(|address| query_value(address, parameter.query))?;
            Some(if parameter.prefix.is_empty() {
                value
            } else {
                format!("{}_{value}", parameter.prefix)
            })
        })
        .collect();
    let payload = parts.join("_");
    is_fbclid(&payload).then_some(payload)
}

/// The domain to set cookies on: the listed one that the host belongs to, else the host without its
/// first label. An address is its own domain.
pub fn cookie_domain(host: &str, domains: &[&str]) -> String {
    let host = bare_host(host);
    if is_address(&host) {
        return host;
    }
    let listed = domains
        .iter()
        .map(|domain| bare_host(domain))
        .find(|domain| {
            host == *domain
                || host
                    .strip_suffix(domain.as_str())
                    .is_some_and(|rest| rest.ends_with('.'))
        });
    listed.unwrap_or_else(|| match host.split_once('.') {
        Some((_, parent)) if parent.contains('.') => parent.to_owned(),
        _ => host.clone(),
    })
}

/// The number of dots in a cookie's domain; 0 for an address.
pub fn subdomain_index(domain: &str) -> u32 {
    if is_address(domain) {
        return 0;
    }
    u32::try_from(domain.matches('.').count()).unwrap_or(u32::MAX)
}

fn is_address(host: &str) -> bool {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>()
        .is_ok()
}

/// The host alone, in lower case: no scheme, no path, no port.
fn bare_host(host: &str) -> String {
    let host = host.split_once("://").map_or(host, |(_, rest)| rest);
    let host = host.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match (host.find(']'), host.rsplit_once(':')) {
        (Some(end), _) => &host[..=end],
        (None, Some((name, _))) if !name.contains(':') => name,
        _ => host,
    };
    host.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::super::appendix::Language;
    use super::*;

    const NOW_MS: u64 = 1_709_136_167_115;
    const RANDOM: u32 = 42;

    fn run(
        visit: Visit<'_>,
        domains: &[&str],
        parameters: &[ClickParameter<'_>],
    ) -> Vec<(&'static str, String, String)> {
        let minting = Minting {
            domains,
            parameters,
            now_ms: NOW_MS,
            random: RANDOM,
            marker: Some(Marker {
                language: Language::Node,
                version: "1.0.0",
            }),
        };
        cookies(visit, minting)
            .into_iter()
            .map(|cookie| (cookie.name, cookie.value, cookie.domain))
            .collect()
    }

    fn both(index: u32, payload: &str, domain: &str) -> Vec<(&'static str, String, String)> {
        vec![
            (
                "_fbc",
                format!("fb.{index}.{NOW_MS}.{payload}.AQQCAQAA"),
                domain.to_owned(),
            ),
            (
                "_fbp",
                format!("fb.{index}.{NOW_MS}.{RANDOM}.AQQCAQAA"),
                domain.to_owned(),
            ),
        ]
    }

    #[test]
    fn sets_cookies_on_the_listed_domain_or_the_parent() {
        let url = Some("/?fbclid=abcd");
        let lists: [&[&str]; 2] = [
            &["example.com", "test.com"],
            &["https://example.com:8080", "http://test.com"],
        ];
        for domains in lists {
            for host in ["a.builder.example.com:8080", "http://a.builder.example.com"] {
                let visit = Visit {
                    host,
                    url,
                    ..Visit::default()
                };
                assert_eq!(
                    run(visit, domains, &[FBCLID]),
                    both(1, "abcd", "example.com")
                );
            }
        }
        let visit = Visit {
            host: "a.builder.example.com",
            url,
            ..Visit::default()
        };
        assert_eq!(
            run(visit, &[], &[FBCLID]),
            both(2, "abcd", "builder.example.com")
        );
        for (host, domain) in [
            ("127.0.0.1:8080", "127.0.0.1"),
            ("[::1]:8080", "[::1]"),
            ("localhost", "localhost"),
        ] {
            let visit = Visit {
                host,
                url,
                ..Visit::default()
            };
            assert_eq!(run(visit, &[], &[FBCLID]), both(0, "abcd", domain));
        }
    }

    #[test]
    fn keeps_completes_and_replaces_click_ids() {
        let fbp = Some("fb.1.123.123456.BA");
        let new =
            |kind: &str, payload: &str| Some(format!("fb.1.{NOW_MS}.{payload}.AQQ{kind}AQAA"));
        for (fbc, url, expected) in [
            (
                "fb.1.123.abc",
                "?fbclid=abc",
                Some("fb.1.123.abc.AQQAAQAA".to_owned()),
            ),
            ("fb.1.123.abc", "?fbclid=def", new("D", "def")),
            ("fb.1.123.abc.BA", "?fbclid=abc", None),
            ("fb.1.123.abc.BA", "", None),
            ("fb.1.123.a.b.c.BA", "?fbclid=a.b.c", None),
            ("fb.1.123.abc.invalid", "?fbclid=abc", new("C", "abc")),
            ("fb.1.123.", "?fbclid=abc", new("C", "abc")),
            ("fb1.1.123.abc", "?fbclid=abc", new("C", "abc")),
            ("fb.1b.123.", "?fbclid=abc", new("C", "abc")),
            ("fb.1.123aa.abc", "?fbclid=abc", new("C", "abc")),
            ("fb.000000.123_1.test", "?fbclid=abc", new("C", "abc")),
        ] {
            let visit = Visit {
                host: "example.com",
                url: Some(url),
                fbc: Some(fbc),
                fbp,
                ..Visit::default()
            };
            let set = run(visit, &[], &[FBCLID]);
            assert_eq!(
                set.first().map(|cookie| cookie.1.clone()),
                expected,
                "{fbc} {url}"
            );
            assert!(set.len() < 2, "a valid _fbp stays");
        }
    }

    #[test]
    fn the_page_wins_over_the_referrer() {
        for (url, referrer, payload) in [
            (None, Some("example.com?fbclid=test123"), "test123"),
            (
                Some("?fbclid=test123"),
                Some("https://example.com/?fbclid=456test"),
                "test123",
            ),
        ] {
            let visit = Visit {
                host: "[::1]:8080",
                url,
                referrer,
                ..Visit::default()
            };
            assert_eq!(run(visit, &[], &[FBCLID]), both(0, payload, "[::1]"));
        }
    }

    #[test]
    fn several_parameters_make_up_one_click_id() {
        let parameters = [
            FBCLID,
            ClickParameter {
                query: "query",
                prefix: "test",
            },
        ];
        let visit = Visit {
            host: "example.com",
            url: Some("?fbclid=test123&query=placeholder"),
            ..Visit::default()
        };
        assert_eq!(
            run(visit, &[], &parameters)[0].1,
            format!("fb.1.{NOW_MS}.test123_test_placeholder.AQQCAQAA")
        );
    }

    #[test]
    fn writes_the_documented_form_without_a_marker() {
        let minting = Minting {
            domains: &[],
            parameters: &[FBCLID],
            now_ms: NOW_MS,
            random: RANDOM,
            marker: None,
        };
        let visit = Visit {
            host: "shop.example.com",
            url: Some("?fbclid=NEW"),
            fbc: Some("fb.1.1700000000000.OLD"),
            fbp: Some("fb.1.1700000000000.1098115397"),
            ..Visit::default()
        };
        let set = cookies(visit, minting);
        assert_eq!(set.len(), 1);
        assert_eq!(set[0].value, format!("fb.1.{NOW_MS}.NEW"));
        let same = Visit {
            url: Some("?fbclid=OLD"),
            ..visit
        };
        assert!(cookies(same, minting).is_empty());
    }
}
