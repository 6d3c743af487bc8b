//! The names under which `/sandbox` can be reached.
//!
//! A web page can give its own name the address 127.0.0.1 (DNS rebinding). The browser then takes the sandbox
//! for the page's own site and lets the page read every event; only the `Host` header still shows the page's
//! name. So a sandbox on a loopback address shows events to names of this machine and to addresses alone: neither
//! can be rebound.

use std::net::{IpAddr, SocketAddr};

use hyper::Request;
use hyper::header::HOST;
use hyper::http::uri::Authority;

/// Why a request is refused for its `Host`; `None` when it is all right.
pub(crate) fn foreign<B>(request: &Request<B>, listen: SocketAddr) -> Option<&'static str> {
    // On an open address other machines call it by names that are not known here.
    if !listen.ip().is_loopback() {
        return None;
    }
    let header = request.headers().get(HOST).map(|host| host.to_str());
    // HTTP/2 has the name in `:authority`.
    let authority = request.uri().authority().map(Authority::as_str);
    let host = match (authority, header) {
        (Some(host), _) | (None, Some(Ok(host))) => host,
        (None, Some(Err(_))) => "",
        // HTTP/1.0 needs no `Host`, and no browser speaks it.
        (None, None) => return None,
    };
    (!is_of_this_machine(host)).then_some(
        "this name does not stand for this machine: use 127.0.0.1 or localhost, or start the sandbox with \
         --listen on an address of the network",
    )
}

/// Whether a `Host` is an address or a name that stands for this machine (RFC 6761, section 6.3).
fn is_of_this_machine(host: &str) -> bool {
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = without_port.trim_end_matches('.').to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.ends_with(".localhost") || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_to_addresses_and_names_of_this_machine() {
        for (host, is_own) in [
            ("127.0.0.1:8090", true),
            ("127.0.0.1", true),
            ("[::1]:8090", true),
            ("[::1]", true),
            ("localhost:8090", true),
            ("LocalHost.", true),
            ("sandbox.localhost:8090", true),
            ("192.168.0.7:8090", true),
            ("evil.example:8090", false),
            ("evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example:8090", false),
            ("notlocalhost", false),
            ("", false),
        ] {
            assert_eq!(is_of_this_machine(host), is_own, "{host}");
        }
    }
}
