//! Posting JSON to something that is not the Graph API, such as a Sluice gateway: with the same
//! connections, certificates, proxies and limits, and as little trust in the other side.

use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;

use crate::client::Client;
use crate::destination::BaseUrl;
use crate::exchange::Received;
use crate::lost::Lost;
use crate::token::AccessToken;

/// An answer as it came. Nothing is known about what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After`, in seconds from the answer on.
    pub retry_after_s: Option<u64>,
    /// The body, of at most [`ANSWER_BYTES_MAX`](crate::ANSWER_BYTES_MAX) bytes.
    pub body: Vec<u8>,
}

impl Client {
    /// Posts a JSON body to `path` below the base URL, once, with the token as `Authorization: Bearer`.
    ///
    /// # Errors
    ///
    /// [`Lost`] when there is no whole answer.
    pub async fn post_json(
        &self,
        base_url: &BaseUrl,
        path: &[&str],
        query: &[(&str, &str)],
        bearer: &AccessToken,
        body: Bytes,
    ) -> Result<Posted, Lost> {
        let mut url = base_url.join(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let request = self
            .http(base_url)
            .post(url)
            .bearer_auth(bearer.expose())
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let received = Received::from(request).await?;
        Ok(Posted {
            status: received.status,
            retry_after_s: received.retry_after_s(),
            body: received.body?,
        })
    }
}
