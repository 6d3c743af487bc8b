//! Why there is no answer: the connection, not Meta.
//!
//! The errors of the HTTP library carry the URL, and the URL may carry the token. So nothing of them
//! goes further than this file: they are reduced to a few words of our own.

use std::error::Error;
use std::io;

/// No answer came, or not all of it.
///
/// Except after [`Lost::Connect`], Meta may have taken the events all the same ([`Arrival`](crate::Arrival)).
/// Sending the same bytes again is right nevertheless where Meta keeps one of two events with the same name
/// and `event_id`, which it does not for business messaging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Lost {
    /// No whole answer within the time for a request.
    #[error("no answer in time")]
    Timeout,
    /// There was no connection, so nothing was sent.
    #[error("no connection: {0}")]
    Connect(ConnectFailure),
    /// The connection broke before an answer came, or what came is no HTTP.
    #[error("the connection broke before an answer came")]
    Reset,
    /// The connection broke in the middle of the answer.
    #[error("the connection broke in the middle of the answer")]
    Torn,
    /// The answer is longer than [`ANSWER_BYTES_MAX`](crate::ANSWER_BYTES_MAX); the rest was not read.
    #[error("the answer is too long to be one of the Graph API")]
    TooLarge,
    /// The caller did not wait for the answer any longer.
    #[error("the gateway stopped before an answer came")]
    GivenUp,
}

/// Why there was no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ConnectFailure {
    /// The host's name has no address.
    #[error("the host's name cannot be resolved")]
    Dns,
    /// Nothing listens there.
    #[error("refused")]
    Refused,
    /// No way there.
    #[error("the network or host is unreachable")]
    Unreachable,
    /// No answer came in the time for connecting.
    #[error("nobody answered in time")]
    Timeout,
    /// The certificate is not trusted, has expired, or is that of another host.
    #[error("the certificate is not trusted")]
    Certificate,
    /// No common TLS, or no TLS at all on the other side.
    #[error("TLS failed")]
    Tls,
    /// Anything else, such as a proxy that does not let the request through.
    #[error("it could not be made")]
    Other,
}

impl Lost {
    /// What to do about it, for people.
    pub fn help(self) -> &'static str {
        match self {
            Lost::Connect(ConnectFailure::Dns) => {
                "check base_url and this machine's DNS; it is sent again by itself"
            }
            Lost::Connect(ConnectFailure::Certificate) => {
                "a proxy that reads along needs its certificate in the system's store (or in the \
                 file that SSL_CERT_FILE names), and this machine's clock must be right; it is sent \
                 again by itself"
            }
            Lost::Connect(_) => {
                "check base_url, the firewall and the proxy (HTTPS_PROXY); it is sent again by itself"
            }
            Lost::Timeout | Lost::Reset | Lost::Torn | Lost::GivenUp => {
                "nothing: it is sent again by itself"
            }
            Lost::TooLarge => "check base_url, and proxies on the way; it is sent again by itself",
        }
    }

    /// What an error before the answer's head means.
    pub(crate) fn before_the_answer(error: &reqwest::Error) -> Self {
        // First: a connection that takes too long is a timeout as well.
        if error.is_connect() {
            Lost::Connect(ConnectFailure::of(error))
        } else if error.is_timeout() {
            Lost::Timeout
        } else {
            Lost::Reset
        }
    }

    /// What an error within the answer's body means.
    pub(crate) fn within_the_answer(error: &reqwest::Error) -> Self {
        if error.is_timeout() {
            Lost::Timeout
        } else {
            Lost::Torn
        }
    }
}

impl ConnectFailure {
    fn of(error: &reqwest::Error) -> Self {
        if error.is_dns() {
            return Self::Dns;
        }
        let known =
            std::iter::successors(error.source(), |&cause| beneath(cause)).filter_map(|cause| {
                let tls = cause.downcast_ref().map(Self::of_tls);
                tls.or_else(|| Self::of_io(cause.downcast_ref::<io::Error>()?.kind()))
            });
        let timed_out = error.is_timeout().then_some(Self::Timeout);
        known.last().or(timed_out).unwrap_or(Self::Other)
    }

    fn of_tls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(_) => Self::Certificate,
            _ => Self::Tls,
        }
    }

    fn of_io(kind: io::ErrorKind) -> Option<Self> {
        match kind {
            io::ErrorKind::ConnectionRefused => Some(Self::Refused),
            io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable => Some(Self::Unreachable),
            io::ErrorKind::TimedOut => Some(Self::Timeout),
            _ => None,
        }
    }
}

/// The cause of an error. What an I/O error wraps is not its source, but the source of its source.
fn beneath<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let wrapped = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    wrapped.map_or_else(|| error.source(), |wrapped| Some(wrapped))
}
