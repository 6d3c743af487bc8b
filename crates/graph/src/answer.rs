//! What came back: a success, an error of the Graph API, or something else altogether.

use serde_json::Value;

use crate::lost::Lost;
use crate::token::AccessToken;

/// How many characters of a text of Meta's are kept. Its own are a sentence or two.
const TEXT_CHARS_MAX: usize = 2_000;

/// An answer to a request that carried events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Meta took the request.
    Success(Success),
    /// The Graph API said no. Also with HTTP status 200: the body decides.
    Error(GraphError),
    /// No answer of the Graph API: an HTML page of a proxy, a torn body, nothing.
    Other {
        /// The HTTP status.
        status: u16,
    },
    /// No answer, or not all of it.
    Lost(Lost),
}

/// A success.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Success {
    /// How many events Meta says it received. App installs and attribution events are answered in
    /// other shapes, without it.
    pub events_received: Option<u64>,
    /// Warnings; normally none.
    pub messages: Vec<String>,
    /// Meta's name for the request, for its support.
    pub fbtrace_id: Option<String>,
}

/// An error of the Graph API.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GraphError {
    /// The HTTP status.
    pub status: u16,
    /// `code`
    pub code: i64,
    /// `error_subcode`
    pub subcode: Option<i64>,
    /// `message`: generic, in English.
    pub message: String,
    /// `error_user_title` and `error_user_msg`: localised, and the only text that tells much.
    pub user_message: Option<String>,
    /// `is_transient`: whether Meta itself says that trying again helps.
    pub is_transient: bool,
    /// `fbtrace_id`
    pub fbtrace_id: Option<String>,
    /// The places of offending events that the error names, counted from 0.
    pub indexes: Vec<usize>,
    /// `type` is `GraphMethodException`: the error is about the request, not about what is in it. A wrong
    /// `appsecret_proof` is such a one: code 100 without a subcode, as for an event that is wrong.
    pub is_about_request: bool,
}

impl Answer {
    /// Reads the answer to a request with events, by its body; the status counts only where the body says
    /// nothing. A success has one of the shapes that the reference of `/events` lists: JSON of any other is
    /// that of something else, such as a proxy under maintenance, and delivers nothing.
    pub fn read(status: u16, body: &[u8]) -> Self {
        match Self::read_any(status, body) {
            Answer::Success(success) if success.events_received.is_none() => {
                let body = serde_json::from_slice::<Value>(body).unwrap_or_default();
                let is_metas = body.get("success") == Some(&Value::Bool(true))
                    || body.get("claims").is_some_and(Value::is_array)
                    || success.fbtrace_id.is_some();
                if is_metas {
                    Answer::Success(success)
                } else {
                    Answer::Other { status }
                }
            }
            answer => answer,
        }
    }

    /// Reads an answer that is known to be the Graph API's, whatever was asked.
    pub(crate) fn read_any(status: u16, body: &[u8]) -> Self {
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return Answer::Other { status };
        };
        match body.get("error") {
            None => {}
            Some(error) if is_of_a_proxy(status, error) => return Answer::Other { status },
            Some(error) => return Answer::Error(graph_error(status, error)),
        }
        if !(200..300).contains(&status) || !body.is_object() {
            return Answer::Other { status };
        }
        if body.get("success") == Some(&Value::Bool(false)) {
            return Answer::Other { status };
        }
        let messages = body.get("messages").and_then(Value::as_array);
        Answer::Success(Success {
            events_received: body.get("events_received").and_then(Value::as_u64),
            messages: messages
                .into_iter()
                .flatten()
                .filter_map(|message| Some(kept(message.as_str()?)))
                .collect(),
            fbtrace_id: text(&body, "fbtrace_id"),
        })
    }

    /// The answer without the token in its texts. Meta repeats a token that it cannot read ("Malformed
    /// access token …"), and texts of answers go into the journal and the log.
    pub(crate) fn without(mut self, token: &AccessToken) -> Self {
        match &mut self {
            Answer::Success(success) => {
                for message in &mut success.messages {
                    token.strike_from(message);
                }
            }
            Answer::Error(error) => {
                token.strike_from(&mut error.message);
                if let Some(message) = &mut error.user_message {
                    token.strike_from(message);
                }
            }
            Answer::Other { .. } | Answer::Lost(_) => {}
        }
        self
    }
}

/// The text of a field, as much as is kept of it.
pub(crate) fn text(object: &Value, key: &str) -> Option<String> {
    object.get(key)?.as_str().map(kept)
}

fn kept(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

fn number(object: &Value, key: &str) -> Option<i64> {
    let value = object.get(key)?;
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// Other programs too put what went wrong under `error`: as a text, without a code, or with the HTTP status
/// for a code. Meta's errors have a `type` or an `fbtrace_id`, and codes of their own.
fn is_of_a_proxy(status: u16, error: &Value) -> bool {
    let is_unnamed = error.get("type").is_none() && error.get("fbtrace_id").is_none();
    match number(error, "code") {
        None => true,
        Some(code) => is_unnamed && status >= 400 && code == i64::from(status),
    }
}

fn graph_error(status: u16, error: &Value) -> GraphError {
    let message = text(error, "message").unwrap_or_default();
    let parts = [
        text(error, "error_user_title"),
        text(error, "error_user_msg"),
    ];
    let user_message = parts.into_iter().flatten().collect::<Vec<_>>().join(": ");
    let mut indexes = indexes_in(&message);
    indexes.extend(indexes_in(&user_message));
    indexes.extend(blamed(error));
    indexes.sort_unstable();
    indexes.dedup();
    GraphError {
        status,
        code: number(error, "code").unwrap_or_default(),
        subcode: number(error, "error_subcode"),
        message,
        user_message: (!user_message.is_empty()).then_some(user_message),
        is_transient: error.get("is_transient") == Some(&Value::Bool(true)),
        fbtrace_id: text(error, "fbtrace_id"),
        indexes,
        is_about_request: error.get("type").and_then(Value::as_str) == Some("GraphMethodException"),
    }
}

/// The numbers in every `data[3]` or `['data'][3]` of a text; `custom_data[3]` is another list.
fn indexes_in(text: &str) -> Vec<usize> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices("data")
        .filter(|(at, _)| !text[..*at].ends_with(is_word))
        .filter_map(|(at, word)| {
            let rest = text[at + word.len()..].trim_start_matches(['\'', '"', ']']);
            let digits = rest.strip_prefix('[')?;
            let end = digits.find(']')?;
            digits[..end].parse().ok()
        })
        .collect()
}

/// The places that `error_data.blame_field_specs` names: lists of path segments. `error_data` may be
/// an object, or a string that holds one.
fn blamed(error: &Value) -> Vec<usize> {
    let parsed;
    let data = match error.get("error_data") {
        Some(Value::String(text)) => {
            let Ok(value) = serde_json::from_str::<Value>(text) else {
                return Vec::new();
            };
            parsed = value;
            &parsed
        }
        Some(data) => data,
        None => return Vec::new(),
    };
    let specs = data.get("blame_field_specs").and_then(Value::as_array);
    specs
        .into_iter()
        .flatten()
        .filter_map(Value::as_array)
        .flat_map(|path| {
            let after_data = match path.as_slice() {
                [Value::String(first), second, ..] if first == "data" => match second {
                    Value::Number(number) => {
                        number.as_u64().and_then(|index| index.try_into().ok())
                    }
                    Value::String(text) => text.parse().ok(),
                    _ => None,
                },
                _ => None,
            };
            let in_text = path.first().and_then(Value::as_str).map(indexes_in);
            after_data.into_iter().chain(in_text.into_iter().flatten())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(body: &str) -> GraphError {
        match Answer::read(400, body.as_bytes()) {
            Answer::Error(error) => error,
            answer => panic!("{answer:?}"),
        }
    }

    #[test]
    fn reads_a_success() {
        let body = br#"{"events_received":3,"messages":["m"],"fbtrace_id":"A1"}"#;
        let expected = Success {
            events_received: Some(3),
            messages: vec!["m".to_owned()],
            fbtrace_id: Some("A1".to_owned()),
        };
        assert_eq!(Answer::read(200, body), Answer::Success(expected));
    }

    #[test]
    fn the_body_decides_before_the_status() {
        assert!(matches!(
            Answer::read(200, br#"{"error":{"code":190}}"#),
            Answer::Error(_)
        ));
        for (status, body) in [
            (200, &b"<html>busy</html>"[..]),
            (502, b""),
            (200, br#"{"events_recei"#),
            (500, br#"{"events_received":1}"#),
            (200, br#"{"success":false}"#),
            (200, b"[]"),
            // Somebody else's: an API in the way that is under maintenance.
            (200, b"{}"),
            (200, br#"{"status":"maintenance"}"#),
            (404, br#"{"error":"Not Found"}"#),
            (
                404,
                br#"{"error":{"code":404,"message":"no","status":"NOT_FOUND"}}"#,
            ),
            (
                404,
                br#"{"error":{"message":"no such route","status":404}}"#,
            ),
        ] {
            assert_eq!(Answer::read(status, body), Answer::Other { status });
        }
    }

    #[test]
    fn finds_the_index_wherever_meta_writes_it() {
        for body in [
            r#"{"error":{"code":100,"message":"Invalid parameter data[7].user_data"}}"#,
            r#"{"error":{"code":100,"error_user_msg":"The parameter ['data'][7]['value'] is wrong"}}"#,
            r#"{"error":{"code":100,"error_data":{"blame_field_specs":[["data","7","value"]]}}}"#,
            r#"{"error":{"code":100,"error_data":"{\"blame_field_specs\":[[\"data[7]\"]]}"}}"#,
            r#"{"error":{"code":100,"error_data":{"blame_field_specs":[["data",7]]}}}"#,
        ] {
            assert_eq!(error(body).indexes, [7], "{body}");
        }
        for body in [
            r#"{"error":{"code":100,"message":"metadata[x] of data"}}"#,
            r#"{"error":{"code":100,"error_user_msg":"custom_data[0].contents, user_data][1] and metadata[2]"}}"#,
            r#"{"error":{"code":100,"error_data":"no JSON"}}"#,
        ] {
            assert_eq!(error(body).indexes, [0; 0], "{body}");
        }
    }

    #[test]
    fn takes_codes_as_numbers_or_text() {
        let error = error(r#"{"error":{"code":"100","error_subcode":33,"is_transient":true}}"#);
        assert_eq!(
            (error.code, error.subcode, error.is_transient),
            (100, Some(33), true)
        );
    }
}
