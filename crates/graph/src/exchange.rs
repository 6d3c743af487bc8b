//! What came back from a request, with everything around the answer.

use std::time::Duration;

use jiff::fmt::rfc2822;
use reqwest::RequestBuilder;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::answer::Answer;
use crate::destination::Destination;
use crate::lost::Lost;
use crate::usage::{Usage, UsageHeader};
use crate::version::Version;

/// How much of an answer is read, in bytes. Meta's have a few hundred.
pub const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// The header in which the Graph API says which version answered.
const API_VERSION: &str = "facebook-api-version";

/// One request with events, and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// What came back; [`verdict`](crate::verdict) says what it means.
    pub answer: Answer,
    /// How much of the allowance is used, the worst of all headers.
    pub usage: Usage,
    /// `Retry-After`, in seconds from the answer on. A server may write anything there: the caller
    /// decides on a limit.
    pub retry_after_s: Option<u64>,
    /// The version that Meta really served (`facebook-api-version`): another one than was asked for
    /// when that has ended.
    pub served: Option<Version>,
    /// The `Date` of the answer, in Unix seconds; `None` if it is not the Graph API's: a proxy's clock may
    /// be wrong.
    pub date_s: Option<u64>,
    /// From the call to the end of the answer.
    pub elapsed: Duration,
}

/// What time it is at Meta: the `Date` of an answer, and how long the exchange took within which it was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dated {
    /// Unix seconds, rounded down.
    pub date_s: u64,
    /// From the call to the end of the answer.
    pub elapsed: Duration,
}

impl Exchange {
    /// A request whose answer is not waited for any longer. It may have arrived all the same.
    pub fn given_up(elapsed: Duration) -> Self {
        Self {
            answer: Answer::Lost(Lost::GivenUp),
            date_s: None,
            usage: Usage::default(),
            retry_after_s: None,
            served: None,
            elapsed,
        }
    }

    pub(crate) fn new(
        received: Result<Received, Lost>,
        to: &Destination,
        elapsed: Duration,
    ) -> Self {
        // Only the Graph API says so of itself; its answers have more shapes than its reference lists.
        let is_metas = |headers: &HeaderMap| headers.contains_key(API_VERSION);
        let (answer, headers) = match received {
            Ok(Received {
                status,
                headers,
                body,
            }) => {
                let answer = match body {
                    Ok(body) if is_metas(&headers) => Answer::read_any(status, &body),
                    Ok(body) => Answer::read(status, &body),
                    // These two say all by their status, and mostly come from proxies whose pages are
                    // of no interest.
                    Err(_) if matches!(status, 413 | 429) => Answer::Other { status },
                    Err(lost) => Answer::Lost(lost),
                };
                (answer, headers)
            }
            Err(lost) => (Answer::Lost(lost), HeaderMap::new()),
        };
        let date_s = date_s(&headers).filter(|_| is_of_the_graph_api(&answer, &headers));
        Self {
            answer: answer.without(&to.token),
            usage: usage(&headers),
            retry_after_s: retry_after_s(&headers),
            served: served(&headers),
            date_s,
            elapsed,
        }
    }

    /// What time it was at Meta, if the answer is Meta's and says so.
    pub fn dated(&self) -> Option<Dated> {
        Some(Dated {
            date_s: self.date_s?,
            elapsed: self.elapsed,
        })
    }
}

fn served(headers: &HeaderMap) -> Option<Version> {
    text(headers, API_VERSION).and_then(Version::parse)
}

/// Whether the Graph API answered, and not something on the way to it.
fn is_of_the_graph_api(answer: &Answer, headers: &HeaderMap) -> bool {
    headers.contains_key(API_VERSION) || matches!(answer, Answer::Success(_) | Answer::Error(_))
}

/// An answer as it came over the wire.
pub(crate) struct Received {
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) body: Result<Vec<u8>, Lost>,
}

impl Received {
    /// The version of the Graph API that answered, if it says so.
    pub(crate) fn served(&self) -> Option<Version> {
        served(&self.headers)
    }

    pub(crate) fn retry_after_s(&self) -> Option<u64> {
        retry_after_s(&self.headers)
    }

    /// The `Date` of an answer of the Graph API.
    pub(crate) fn date_s(&self) -> Option<u64> {
        let answer = Answer::read(self.status, self.body.as_deref().ok()?);
        date_s(&self.headers).filter(|_| is_of_the_graph_api(&answer, &self.headers))
    }

    /// Sends the request and reads the answer, up to [`ANSWER_BYTES_MAX`].
    pub(crate) async fn from(request: RequestBuilder) -> Result<Self, Lost> {
        let response = request.send().await;
        let mut response = response.map_err(|error| Lost::before_the_answer(&error))?;
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        let body = read(&mut response).await;
        Ok(Self {
            status,
            headers,
            body,
        })
    }
}

/// Counts while reading: what is too long is never in memory.
async fn read(response: &mut reqwest::Response) -> Result<Vec<u8>, Lost> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > ANSWER_BYTES_MAX => {
                return Err(Lost::TooLarge);
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => return Err(Lost::within_the_answer(&error)),
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn usage(headers: &HeaderMap) -> Usage {
    UsageHeader::ALL
        .iter()
        .flat_map(|(header, name)| {
            let values = headers.get_all(*name).into_iter();
            values.filter_map(|value| Some(header.read(value.to_str().ok()?)))
        })
        .fold(Usage::default(), Usage::worse)
}

/// Seconds, or a date (RFC 9110). A date is compared with the server's own `Date`, so neither clock
/// needs to be right.
fn retry_after_s(headers: &HeaderMap) -> Option<u64> {
    let value = text(headers, RETRY_AFTER.as_str())?;
    if let Ok(seconds) = value.parse() {
        return Some(seconds);
    }
    Some(unix_s(value)?.saturating_sub(date_s(headers)?))
}

/// When the server says that it answered.
fn date_s(headers: &HeaderMap) -> Option<u64> {
    unix_s(text(headers, DATE.as_str())?)
}

/// A date as HTTP writes it, in Unix seconds.
fn unix_s(date: &str) -> Option<u64> {
    let timestamp = rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
    timestamp.as_second().try_into().ok()
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &'static str)| {
            let name = HeaderName::from_static(name);
            (name, HeaderValue::from_static(value))
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        const DATE: (&str, &str) = ("date", "Mon, 23 Nov 2026 12:00:00 GMT");
        for (value, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Mon, 23 Nov 2026 12:01:30 GMT", Some(90)),
            ("Mon, 23 Nov 2026 11:00:00 GMT", Some(0)),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            let headers = headers(&[DATE, ("retry-after", value)]);
            assert_eq!(retry_after_s(&headers), expected, "{value}");
        }
        let dateless = headers(&[("retry-after", "Mon, 23 Nov 2026 12:01:30 GMT")]);
        assert_eq!(retry_after_s(&dateless), None);
        assert_eq!(retry_after_s(&HeaderMap::new()), None);
    }

    #[test]
    fn usage_is_the_worst_of_all_headers() {
        let headers = headers(&[
            ("x-app-usage", r#"{"call_count":28}"#),
            ("x-app-usage", r#"{"call_count":81}"#),
            (
                "x-ad-account-usage",
                r#"{"acc_id_util_pct":9.67,"reset_time_duration":100}"#,
            ),
            ("x-page-usage", "no JSON"),
        ]);
        let expected = Usage {
            percent: 81,
            regain_s: Some(100),
        };
        assert_eq!(usage(&headers), expected);
    }
}
