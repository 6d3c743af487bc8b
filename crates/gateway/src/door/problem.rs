//! Errors of the doors, as RFC 9457 problem details: what is wrong, and what would be right.

use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use sluice_journal::JournalError;

use super::body::BodyError;
use super::line::Line;

/// When to come back after a 503, in seconds.
const RETRY_AFTER_S: u64 = 5;

/// An error of a door.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    /// Stable, for programs.
    pub(crate) code: &'static str,
    /// What was wrong, for people.
    pub(crate) detail: String,
    /// What would be right.
    pub(crate) help: &'static str,
    /// Why it is so is in the log already, and told once for all requests.
    pub(crate) cause_is_told: bool,
    /// When to come back, in seconds, if the same request may go through later.
    pub(crate) retry_after_s: Option<u64>,
}

/// Goes with a response whose cause is in the log already: no line is written about the response itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CauseTold;

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<String>,
        help: &'static str,
    ) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            help,
            cause_is_told: false,
            retry_after_s: (status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER_S),
        }
    }

    /// The same, where the log has told the cause.
    pub(crate) fn of_told_cause(self) -> Self {
        Self {
            cause_is_told: true,
            ..self
        }
    }

    /// There is no key where one is looked for.
    pub(crate) fn no_key() -> Self {
        Self::key("the request has no key")
    }

    /// No source has this key.
    pub(crate) fn unknown_key() -> Self {
        Self::key("no source has this key")
    }

    fn key(detail: &'static str) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "key_unknown",
            detail,
            "send the key of a source as `Authorization: Bearer KEY`",
        )
    }

    /// The path is right, and its method is not.
    pub(crate) fn method(help: &'static str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_wrong",
            "this door does not take this method",
            help,
        )
    }

    /// The gateway is stopping.
    pub(crate) fn stopping() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "stopping",
            "the gateway is stopping",
            "send the same request again later",
        )
    }

    /// A defect of ours. Nothing of it is shown.
    pub(crate) fn defect() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "defect",
            "a defect in Sluice",
            "please report it, with the request id",
        )
    }

    /// The caller has brought too much, and has to wait.
    pub(crate) fn too_much(detail: impl Into<String>, wait: Duration) -> Self {
        // Rounded up: who comes too early only waits again.
        let wait_s = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self {
            retry_after_s: Some(wait_s.max(1)),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_exceeded",
                detail,
                "send the same request again after as many seconds as Retry-After says",
            )
        }
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        let (status, code, help) = match error {
            BodyError::TooLarge { .. }
            | BodyError::TooLargeUnpacked { .. }
            | BodyError::LargerThanRoom { .. } => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "send fewer events in a request",
            ),
            BodyError::TooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "body_too_slow",
                "send the body at once",
            ),
            BodyError::Torn => (
                StatusCode::BAD_REQUEST,
                "body_torn",
                "send as many bytes as Content-Length says",
            ),
            BodyError::TornChunks => (
                StatusCode::BAD_REQUEST,
                "body_torn",
                "end the body with a chunk of no bytes: 0, CRLF, CRLF",
            ),
            BodyError::Chunk => (
                StatusCode::BAD_REQUEST,
                "body_torn",
                "write each chunk as its length in hexadecimal digits, CRLF, that many bytes, CRLF",
            ),
            BodyError::NoRoom => (
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "send the same request again later",
            ),
            BodyError::Encoding => (
                StatusCode::BAD_REQUEST,
                "encoding_invalid",
                "compress the body as Content-Encoding says, or leave the header out",
            ),
            BodyError::UnknownEncoding => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "encoding_unknown",
                "use gzip, zstd or no compression",
            ),
        };
        Self::new(status, code, error.to_string(), help)
    }
}

impl From<&JournalError> for Problem {
    /// The cause is in the log; the client learns that nothing was kept, and that it may try again.
    fn from(error: &JournalError) -> Self {
        let detail = match error {
            JournalError::Displaced(_) => {
                "the gateway's journal was removed or replaced while it runs, so no event is taken"
            }
            _ => "the events could not be written to disk, so none was taken",
        };
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "journal_unavailable",
            detail,
            "send the same request again later; copies are recognised",
        )
        .of_told_cause()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": format!("urn:sluice:problem:{}", self.code),
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
            "help": self.help,
        });
        let mut response = (self.status, Line(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.cause_is_told {
            response.extensions_mut().insert(CauseTold);
        }
        response
    }
}
