//! The client: one request, one answer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{RequestBuilder, Url, redirect, retry};

use crate::clock;
use crate::destination::{BaseUrl, Destination, Endpoint};
use crate::exchange::{Dated, Exchange, Received, answer};
use crate::lost::Lost;
use crate::tls::{self, Roots};
use crate::token::TokenPlacement;
use crate::version::Version;

/// How long connections and requests may take, and how the client calls itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSettings {
    /// The time for a whole request: connecting, sending, and reading the answer to its end.
    pub timeout: Duration,
    /// The time for connecting, TLS included; at most three quarters of `timeout`. What had no connection must not
    /// be taken for what lost its answer: events that Meta does not deduplicate are sent again only after the
    /// former.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept.
    pub idle_timeout: Duration,
    /// How many unused connections are kept per host. All lanes of a gateway share one host.
    pub idle_connections_max: usize,
    /// `User-Agent`
    pub user_agent: String,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(3),
            idle_timeout: Duration::from_mins(1),
            idle_connections_max: 32,
            user_agent: concat!("sluice/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// The client could not be built.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The user agent cannot be a header.
    #[error("the user agent has characters that a header cannot carry")]
    UserAgent,
    /// No TLS.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// The HTTP library refuses.
    #[error("the HTTP client cannot be set up")]
    Http(#[source] reqwest::Error),
}

/// A client of the Graph API. Cheap to clone; clones share their connections.
///
/// One call sends one request. It never sends a request again by itself, follows no redirect
/// (which would carry the token to another host), and reads no more of an answer than
/// [`ANSWER_BYTES_MAX`](crate::ANSWER_BYTES_MAX).
///
/// Proxies are taken from the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`), except
/// for this very machine, where a sandbox may run.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    /// For hosts out there.
    outside: reqwest::Client,
    /// For this machine.
    loopback: reqwest::Client,
    roots: Roots,
}

impl Client {
    /// A client with these settings.
    pub fn new(settings: &ClientSettings) -> Result<Self, ClientError> {
        let (tls, roots) = tls::config().map_err(ClientError::Tls)?;
        Self::with_tls(settings, &tls, roots)
    }

    pub(crate) fn with_tls(
        settings: &ClientSettings,
        tls: &rustls::ClientConfig,
        roots: Roots,
    ) -> Result<Self, ClientError> {
        let user_agent =
            HeaderValue::from_str(&settings.user_agent).map_err(|_| ClientError::UserAgent)?;
        let builder = || {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .user_agent(user_agent.clone())
                .redirect(redirect::Policy::none())
                .retry(retry::never())
                .referer(false)
                .timeout(settings.timeout)
                .connect_timeout(settings.connect_timeout.min(settings.timeout * 3 / 4))
                .pool_idle_timeout(settings.idle_timeout)
                .pool_max_idle_per_host(settings.idle_connections_max)
                .tcp_nodelay(true)
                .tcp_keepalive(Duration::from_secs(30))
                // Many requests share one connection of HTTP/2; when it dies silently, all of them
                // would wait for their timeouts.
                .http2_keep_alive_interval(Duration::from_secs(15))
                .http2_keep_alive_timeout(Duration::from_secs(5))
        };
        let failed = |error: reqwest::Error| ClientError::Http(error.without_url());
        Ok(Self(Arc::new(Inner {
            outside: builder().build().map_err(failed)?,
            loopback: builder().no_proxy().build().map_err(failed)?,
            roots,
        })))
    }

    /// Whose certificates are trusted; the bundled ones are worth a warning.
    pub fn roots(&self) -> Roots {
        self.0.roots
    }

    /// Sends a [`body`](crate::wire::body) of events to the dataset, once.
    pub async fn send(&self, to: &Destination, body: Bytes) -> Exchange {
        let request = self.post_to(&to.endpoint, &[to.dataset.as_str(), "events"], body);
        self.exchange(request, |received| answer(received, &to.endpoint.token))
            .await
    }

    /// Asks what time it is at Meta, without a token: the bare version is no object, and the error that says so
    /// has a `Date` as every answer. `None` when no answer of the Graph API comes.
    pub async fn time(&self, base_url: &BaseUrl, version: Version) -> Option<Dated> {
        let started = clock::now();
        let url = base_url.join(&[&version.to_string()]);
        let received = Received::from(self.http(base_url).get(url)).await.ok()?;
        Some(Dated {
            date_s: received.date_s()?,
            elapsed: started.elapsed(),
        })
    }

    /// Sends a request, once, and reads its answer.
    pub(crate) async fn exchange<A>(
        &self,
        request: RequestBuilder,
        read: impl FnOnce(Result<&Received, Lost>) -> A,
    ) -> Exchange<A> {
        let started = clock::now();
        let received = Received::from(request).await;
        Exchange::of(&received, started.elapsed(), read)
    }

    /// A request for what is at `path` below the version.
    pub(crate) fn get_from(
        &self,
        endpoint: &Endpoint,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> RequestBuilder {
        let mut url = endpoint.below_version(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.request(reqwest::Method::GET, endpoint, url)
    }

    /// A request that brings JSON to what is at `path` below the version.
    pub(crate) fn post_to(
        &self,
        endpoint: &Endpoint,
        path: &[&str],
        body: Bytes,
    ) -> RequestBuilder {
        self.request(
            reqwest::Method::POST,
            endpoint,
            endpoint.below_version(path),
        )
        .header(CONTENT_TYPE, "application/json")
        .body(body)
    }

    /// The connections for this host.
    pub(crate) fn http(&self, base_url: &BaseUrl) -> &reqwest::Client {
        if base_url.is_loopback() {
            &self.0.loopback
        } else {
            &self.0.outside
        }
    }

    /// A request in the name of the endpoint's token.
    fn request(&self, method: reqwest::Method, to: &Endpoint, mut url: Url) -> RequestBuilder {
        if to.placement == TokenPlacement::Query {
            url.query_pairs_mut()
                .append_pair("access_token", to.token.expose());
        }
        if let Some(secret) = &to.app_secret {
            let proof = secret.appsecret_proof(&to.token);
            url.query_pairs_mut().append_pair("appsecret_proof", &proof);
        }
        let request = self.http(&to.base_url).request(method, url);
        match to.placement {
            TokenPlacement::Query => request,
            TokenPlacement::Header => request.bearer_auth(to.token.expose()),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the libraries' clients: proxies have passwords.
        f.debug_struct("Client")
            .field("roots", &self.0.roots)
            .finish_non_exhaustive()
    }
}
