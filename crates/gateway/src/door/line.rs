//! JSON as Sluice's own doors answer it: with a line break at the end, so that a terminal's prompt does not stick to
//! it. What the Graph API answers has none.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A value as a line of JSON.
pub(crate) struct Line<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Line<T> {
    fn into_response(self) -> Response {
        // What is answered is our own and has no key that is not a text, so it can be written.
        let mut line = serde_json::to_vec(&self.0).unwrap_or_default();
        line.push(b'\n');
        ([(CONTENT_TYPE, "application/json")], line).into_response()
    }
}
