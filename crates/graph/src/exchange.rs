//! What came back from a request, with everything around the answer.

use std::time::Duration;

use jiff::fmt::rfc2822;
use reqwest::RequestBuilder;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use crate::answer::Answer;
use crate::lost::Lost;
use crate::token::AccessToken;
use crate::usage::{UsageHeader, Usages};
use crate::version::Version;

/// How much of an answer is read, in bytes. Meta's have a few hundred.
pub const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// The header in which the Graph API says which version answered.
const API_VERSION: &str = "facebook-api-version";

/// One request and its answer: to events, or to what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange<A = Answer> {
    /// What came back; of an answer to events, [`verdict`](crate::verdict) says what it means.
    pub answer: A,
    /// How much of each allowance is used, the worst of all headers.
    pub usage: Usages,
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
        Self::of(&Err(Lost::GivenUp), elapsed, |_| {
            Answer::Lost(Lost::GivenUp)
        })
    }
}

impl<A> Exchange<A> {
    pub(crate) fn of(
        received: &Result<Received, Lost>,
        elapsed: Duration,
        read: impl FnOnce(Result<&Received, Lost>) -> A,
    ) -> Self {
        let received = received.as_ref();
        let heard = received.ok();
        Self {
            answer: read(received.map_err(|lost| *lost)),
            usage: heard.map_or_else(Usages::default, |it| usage(&it.headers)),
            retry_after_s: heard.and_then(Received::retry_after_s),
            served: heard.and_then(|it| text(&it.headers, API_VERSION).and_then(Version::parse)),
            date_s: heard.and_then(Received::date_s),
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

/// The answer to a request with events, without the token in its texts.
pub(crate) fn answer(received: Result<&Received, Lost>, token: &AccessToken) -> Answer {
    let read = |received: &Received, body: &[u8]| {
        // Only the Graph API says so of itself; its answers have more shapes than its reference lists.
        if received.headers.contains_key(API_VERSION) {
            Answer::read_any(received.status, body)
        } else {
            Answer::read(received.status, body)
        }
    };
    answer_by(received, token, read)
}

/// The same of a request to anything else at the Graph API, which answers in any shape.
pub(crate) fn any_answer(received: Result<&Received, Lost>, token: &AccessToken) -> Answer {
    answer_by(received, token, |received, body| {
        Answer::read_any(received.status, body)
    })
}

fn answer_by(
    received: Result<&Received, Lost>,
    token: &AccessToken,
    read: impl FnOnce(&Received, &[u8]) -> Answer,
) -> Answer {
    let answer = match received {
        Ok(received) => match &received.body {
            Ok(body) => read(received, body),
            // These two say all by their status, and mostly come from proxies whose pages are of no interest.
            Err(_) if matches!(received.status, 413 | 429) => Answer::Other {
                status: received.status,
            },
            Err(lost) => Answer::Lost(*lost),
        },
        Err(lost) => Answer::Lost(lost),
    };
    answer.without(token)
}

/// An answer as it came over the wire.
pub(crate) struct Received {
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) body: Result<Vec<u8>, Lost>,
}

impl Received {
    pub(crate) fn retry_after_s(&self) -> Option<u64> {
        retry_after_s(&self.headers)
    }

    /// The `Date` of an answer of the Graph API, and not of something on the way to it.
    pub(crate) fn date_s(&self) -> Option<u64> {
        let is_metas = || {
            let body = self.body.as_deref().unwrap_or_default();
            let answer = Answer::read(self.status, body);
            matches!(answer, Answer::Success(_) | Answer::Error(_))
        };
        date_s(&self.headers).filter(|_| self.headers.contains_key(API_VERSION) || is_metas())
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

fn usage(headers: &HeaderMap) -> Usages {
    UsageHeader::ALL
        .iter()
        .flat_map(|(header, name)| {
            let values = headers.get_all(*name).into_iter();
            values.filter_map(|value| Some(header.read(value.to_str().ok()?)))
        })
        .fold(Usages::default(), Usages::worse)
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
    use crate::usage::{Usage, UseCase};

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
        assert_eq!(usage(&headers).of(UseCase::Events), expected);
    }
}
