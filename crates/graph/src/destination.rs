//! Where requests go, and as whom.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;
use sluice_event::DatasetId;

use crate::token::{AccessToken, AppSecret, TokenPlacement};
use crate::version::Version;

/// The Graph API, and all that is needed to ask it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The Graph API, or what stands in its place.
    pub base_url: BaseUrl,
    /// The version that requests ask for.
    pub version: Version,
    /// The token in whose name it is asked.
    pub token: AccessToken,
    /// The secret of the token's app; with it, each request carries `appsecret_proof`.
    pub app_secret: Option<AppSecret>,
    /// Where the token is put.
    pub placement: TokenPlacement,
}

/// A dataset, and the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Where it is, with a token that may send to it.
    pub endpoint: Endpoint,
    /// The dataset (or pixel; they share one kind of id).
    pub dataset: DatasetId,
}

impl Endpoint {
    /// The address of something below the version.
    pub(crate) fn below_version(&self, path: &[&str]) -> Url {
        let version = self.version.to_string();
        let path = path.iter().copied();
        let segments: Vec<_> = std::iter::once(version.as_str()).chain(path).collect();
        self.base_url.join(&segments)
    }
}

/// The part of the address before the version: `https://graph.facebook.com`, or a gateway, a proxy or a
/// sandbox in its place, with a path or without.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

/// The text is no base URL. Says what is wrong, and never repeats it: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBaseUrl {
    /// No URL at all.
    #[error("it is no URL such as https://graph.facebook.com")]
    NotAUrl,
    /// Neither `https` nor `http`.
    #[error("it starts with neither https:// nor http://")]
    Scheme,
    /// User and password in it.
    #[error("it holds a user name or password; tokens have their own setting")]
    Credentials,
    /// A query or fragment in it.
    #[error("it has a query or fragment (? or #); leave that out")]
    Query,
    /// The version in it, which is a setting of its own.
    #[error("it ends in a version; leave that out, the version is a setting of its own")]
    HasVersion,
}

impl BaseUrl {
    /// Reads a base URL; a slash at the end makes no difference.
    pub fn parse(text: &str) -> Result<Self, InvalidBaseUrl> {
        let mut url = Url::parse(text.trim()).map_err(|_| InvalidBaseUrl::NotAUrl)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(InvalidBaseUrl::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidBaseUrl::Credentials);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidBaseUrl::Query);
        }
        let path = url.path().trim_end_matches('/').to_owned();
        let last = path.rsplit('/').next().unwrap_or_default();
        if Version::parse(last).is_some() {
            return Err(InvalidBaseUrl::HasVersion);
        }
        url.set_path(&path);
        Ok(Self(url))
    }

    /// Meta's own: `https://graph.facebook.com`.
    #[expect(
        clippy::missing_panics_doc,
        reason = "the text is a constant, and tested"
    )]
    pub fn meta() -> Self {
        #[expect(clippy::expect_used, reason = "the text is a constant, and tested")]
        Self::parse("https://graph.facebook.com").expect("Meta's address is a base URL")
    }

    /// Whether tokens and events go over a network in the clear: something to warn about.
    pub fn is_in_the_clear(&self) -> bool {
        self.0.scheme() == "http" && !self.is_loopback()
    }

    /// Whether it is this machine. Proxies are not asked for it.
    pub fn is_loopback(&self) -> bool {
        let Some(host) = self.0.host_str() else {
            return false;
        };
        // Without the brackets of an IPv6 address.
        let address = host.trim_start_matches('[').trim_end_matches(']');
        let address = address.parse::<IpAddr>();
        host == "localhost"
            || host.ends_with(".localhost")
            || address.is_ok_and(|address| address.is_loopback())
    }

    /// The address of something below it.
    pub(crate) fn join(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        // Cannot fail: `parse` takes only http and https, which have paths.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_stands_in_front_of_the_version() {
        for (text, shown, joined) in [
            (
                "https://graph.facebook.com",
                "https://graph.facebook.com",
                "https://graph.facebook.com/v27.0/12345/events",
            ),
            (
                " http://127.0.0.1:1234/ ",
                "http://127.0.0.1:1234",
                "http://127.0.0.1:1234/v27.0/12345/events",
            ),
            (
                "https://proxy.example/meta//",
                "https://proxy.example/meta",
                "https://proxy.example/meta/v27.0/12345/events",
            ),
        ] {
            let url = BaseUrl::parse(text).unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(url.join(&["v27.0", "12345", "events"]).as_str(), joined);
        }
        assert_eq!(BaseUrl::meta().to_string(), "https://graph.facebook.com");
    }

    #[test]
    fn refuses_what_would_send_a_token_astray() {
        for (text, expected) in [
            ("graph.facebook.com", InvalidBaseUrl::NotAUrl),
            ("https://", InvalidBaseUrl::NotAUrl),
            ("", InvalidBaseUrl::NotAUrl),
            ("ftp://graph.facebook.com", InvalidBaseUrl::Scheme),
            ("file:///etc/passwd", InvalidBaseUrl::Scheme),
            (
                "https://user:word@proxy.example",
                InvalidBaseUrl::Credentials,
            ),
            ("https://user@proxy.example", InvalidBaseUrl::Credentials),
            (
                "https://proxy.example?access_token=x",
                InvalidBaseUrl::Query,
            ),
            ("https://proxy.example#x", InvalidBaseUrl::Query),
            (
                "https://graph.facebook.com/v27.0/",
                InvalidBaseUrl::HasVersion,
            ),
        ] {
            assert_eq!(BaseUrl::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn knows_this_machine() {
        for (text, is_loopback, is_in_the_clear) in [
            ("http://localhost:80", true, false),
            ("http://sandbox.localhost", true, false),
            ("http://127.8.0.1", true, false),
            ("http://[::1]:1234", true, false),
            ("https://127.0.0.1", true, false),
            ("http://10.0.0.1", false, true),
            ("http://localhost.example", false, true),
            ("https://graph.facebook.com", false, false),
        ] {
            let url = BaseUrl::parse(text).unwrap();
            assert_eq!(url.is_loopback(), is_loopback, "{text}");
            assert_eq!(url.is_in_the_clear(), is_in_the_clear, "{text}");
        }
    }
}
