//! The names of requests.

use axum::extract::Request;
use axum::http::HeaderValue;

/// The name of one request, in its answer and in the log: the client's own, or one that is made here.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(super) HeaderValue);

impl RequestId {
    /// The client's own name if it is a sensible one.
    pub(crate) fn of(request: &Request, chance: [u8; 16]) -> Self {
        let is_sensible = |value: &&HeaderValue| {
            (1..=64).contains(&value.len())
                && value
                    .as_bytes()
                    .iter()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        };
        let given = request.headers().get("x-request-id").filter(is_sensible);
        Self(given.cloned().unwrap_or_else(|| {
            let text = format!("{:032x}", u128::from_be_bytes(chance));
            HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("unknown"))
        }))
    }

    /// The name as text.
    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}
