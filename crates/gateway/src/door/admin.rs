//! The admin listener: how the gateway is doing, for those who run it. It asks for no key, so by default only
//! this machine reaches it, and it looks at the name by which it was called.
//!
//! A page of the web can give its own name the address of this machine (DNS rebinding), and the visitor's browser
//! then lets that page read what is answered here. The name is still in `Host`, so only names that no page of the
//! web can have are answered.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::answer::answered;
use super::doors::Doors;
use super::health;
use super::peers::Entered;
use super::problem::Problem;
use super::request_id::RequestId;
use super::server::{Service, Timeouts};

/// Connections of those who run the gateway, at the same time.
pub(crate) const CONNECTIONS_MAX: usize = 64;

/// The admin listener's pages.
pub(crate) struct Admin {
    doors: Arc<Doors>,
    router: Router,
}

impl Admin {
    pub(crate) fn new(doors: Arc<Doors>) -> Self {
        let router = Router::new()
            .route("/healthz", get(health::alive))
            .route("/readyz", get(health::lanes))
            .route("/metrics", get(health::metrics))
            .fallback(unknown_path)
            .method_not_allowed_fallback(wrong_method)
            .with_state(Arc::clone(&doors));
        Self { doors, router }
    }
}

impl Service for Admin {
    async fn answer(&self, mut request: Request) -> Response {
        let id = RequestId::of(&request, self.doors.clock.chance());
        request.extensions_mut().insert(id.clone());
        let response = if is_called_by_a_local_name(&request) {
            let answered = answered(self.router.clone(), request).await;
            answered.unwrap_or_else(IntoResponse::into_response)
        } else {
            wrong_host().into_response()
        };
        self.doors.finish("operations", &id, response)
    }

    fn timeouts(&self) -> Timeouts {
        self.doors.timeouts()
    }

    /// Its places are few, and for those who run the gateway.
    fn enter(&self, address: IpAddr) -> Option<Entered> {
        self.doors.peers.enter(address)
    }

    fn is_full(&self) {}

    /// Those are no clients: the metric counts connections of the doors.
    fn connections(&self, _change: i64) {}
}

async fn unknown_path() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "path_unknown",
        "there is no such page",
        "the admin listener has /metrics, /readyz and /healthz; events go to server.listen",
    )
}

async fn wrong_method() -> Problem {
    Problem::method("the admin listener's pages take GET and HEAD")
}

fn wrong_host() -> Problem {
    Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        "host_wrong",
        "the admin listener does not answer to this name",
        "ask for it by its IP address, localhost, a name without a dot, or one that ends in .local, .internal or .home.arpa",
    )
}

/// Whether the request asks for a name that no page of the web has. HTTP/1.0 knows no names, and no browser
/// speaks it.
fn is_called_by_a_local_name(request: &Request) -> bool {
    let in_uri = Uri::authority(request.uri()).map(Authority::as_str);
    let in_head = || request.headers().get(HOST).map(|host| host.to_str().ok());
    match in_uri.map(Some).or_else(in_head) {
        Some(name) => name.is_some_and(is_local),
        None => true,
    }
}

/// Ends of names that the web's DNS does not have (RFC 6761, 6762, 8375, and ICANN for `internal`).
const LOCAL_ENDS: [&str; 4] = [".localhost", ".local", ".internal", ".home.arpa"];

/// Names under [`LOCAL_ENDS`], IP addresses, and names of one word: no domain of the web is without a dot, and
/// networks of containers name machines so.
fn is_local(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host().trim_end_matches('.');
    let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let name = name.to_ascii_lowercase();
    let is_word = !name.is_empty() && !name.contains('.');
    is_address || is_word || LOCAL_ENDS.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_no_page_of_the_web_has_are_answered() {
        for (host, expected) in [
            ("127.0.0.1:8081", true),
            ("127.0.0.1", true),
            ("10.0.3.7:8081", true),
            ("[::1]:8081", true),
            ("[fd00::7]", true),
            ("localhost:8081", true),
            ("LOCALHOST", true),
            ("sluice.localhost:8081", true),
            ("sluice:8081", true),
            ("my_sluice:8081", true),
            ("sluice.shop.svc.cluster.local:8081", true),
            ("ip-10-0-3-7.eu-west-1.compute.internal:8081", true),
            ("Box.home.arpa.:8081", true),
            ("evil.example", false),
            ("evil.example:8081", false),
            ("evil.example.:8081", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example", false),
            ("localhost@evil.example", false),
            ("notlocalhost.com", false),
            ("internal.evil.example", false),
            ("evil.notlocal", false),
            ("", false),
            (":8081", false),
            ("a b", false),
        ] {
            assert_eq!(is_local(host), expected, "{host:?}");
        }
    }
}
