//! Errors of the doors in the words of the Graph API.

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use sluice_event::Code;

use super::form::FormError;
use super::intake::{IntakeError, Rejected};
use super::messages::{MESSAGES_MAX, message};
use super::paths::is_graph_shaped;
use super::problem::{CauseTold, Problem};
use super::request_id::RequestId;

/// An error as the Graph API writes it.
#[derive(Debug)]
pub(crate) struct GraphProblem {
    status: StatusCode,
    /// Why the whole request was refused; `None` if its events were counted one by one.
    pub(super) name: Option<&'static str>,
    code: i64,
    subcode: Option<i64>,
    message: String,
    user_message: Option<String>,
    /// As with [`Problem`], and so is the next.
    retry_after_s: Option<u64>,
    cause_is_told: bool,
}

/// Meta's subcode for what a finding says (facts as recorded from Meta's answers).
fn subcode(code: Code) -> i64 {
    match code {
        Code::EventTimeTooOld => 2_804_003,
        Code::EventTimeFuture => 2_804_004,
        Code::PurchaseValueMissing => 2_804_009,
        Code::PurchaseCurrencyMissing => 2_804_010,
        Code::ExtinfoMissing | Code::ExtinfoInvalid => 2_804_043,
        Code::UserDataMissing | Code::UserDataTooBroad => 2_804_050,
        Code::MessagingChannelMissing => 2_804_063,
        Code::MessagingEventName => 2_804_066,
        Code::MessagingAccountMissing => 2_804_079,
        Code::MessagingPageMissing => 2_804_116,
        _ => 2_804_019,
    }
}

impl GraphProblem {
    pub(super) fn no_token() -> Self {
        let message = "An access token is required: use the key of a source";
        Self::token(104, message)
    }

    pub(super) fn unknown_token() -> Self {
        let message = "Invalid OAuth access token: no source has this key";
        Self::token(190, message)
    }

    fn token(code: i64, message: &str) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            name: Some("key_unknown"),
            code,
            subcode: None,
            message: message.to_owned(),
            user_message: None,
            retry_after_s: None,
            cause_is_told: false,
        }
    }

    /// The request is not what it should be.
    fn wrong(message: String) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            name: Some("request_invalid"),
            code: 100,
            subcode: None,
            message,
            user_message: None,
            retry_after_s: None,
            cause_is_told: false,
        }
    }

    /// The events cannot be read; of a form they are the field `data`.
    pub(super) fn unreadable(error: IntakeError, is_json: bool) -> Self {
        let IntakeError::Syntax {
            expected,
            line,
            column,
        } = error
        else {
            return error.into();
        };
        let what = if is_json {
            "the body"
        } else {
            "the field data"
        };
        let help = if is_json {
            "{\"data\": [event, …]}"
        } else {
            "a list of events"
        };
        Self {
            name: Some("json_invalid"),
            ..Self::wrong(format!(
                "{what} is not JSON: expected {expected} at line {line}, column {column}; send {help}"
            ))
        }
    }

    pub(super) fn unknown_dataset() -> Self {
        let message = "Unsupported post request: this source does not send to a dataset of this id";
        Self {
            name: Some("dataset_forbidden"),
            subcode: Some(33),
            ..Self::wrong(message.to_owned())
        }
    }

    /// There is nothing at this path, or not for this method.
    pub(super) fn unknown_path() -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            name: None,
            code: 2_500,
            subcode: None,
            message: "Unknown path components: Sluice takes POST /{version}/{dataset}/events"
                .to_owned(),
            user_message: None,
            retry_after_s: None,
            cause_is_told: false,
        }
    }

    /// No event of the request could be taken.
    pub(super) fn refused(rejected: &[Rejected]) -> Self {
        let first = rejected.first().and_then(|it| it.findings.first());
        let told: Vec<_> = rejected.iter().take(MESSAGES_MAX).map(message).collect();
        Self {
            name: None,
            subcode: first.map(|finding| subcode(finding.code)),
            user_message: Some(told.join("\n")),
            ..Self::wrong("Invalid parameter".to_owned())
        }
    }

    /// The error as a Graph API answer.
    pub(crate) fn answer(self, id: &RequestId) -> Response {
        let mut error = json!({
            "message": self.message,
            "type": if self.subcode == Some(33) { "GraphMethodException" } else { "OAuthException" },
            "code": self.code,
            "is_transient": self.retry_after_s.is_some(),
            "fbtrace_id": id.as_str(),
        });
        if let Some(subcode) = self.subcode {
            error["error_subcode"] = subcode.into();
        }
        if let Some(user_message) = self.user_message {
            error["error_user_title"] = "The events were not taken".into();
            error["error_user_msg"] = user_message.into();
        }
        let mut response = (self.status, Json(json!({ "error": error }))).into_response();
        if let Some(seconds) = self.retry_after_s {
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.cause_is_told {
            response.extensions_mut().insert(CauseTold);
        }
        response
    }
}

/// A problem, as the door at this path writes it.
pub(super) fn in_words_of(path: &str, problem: Problem, id: &RequestId) -> Response {
    if is_graph_shaped(path) {
        GraphProblem::from(problem).answer(id)
    } else {
        problem.into_response()
    }
}

impl From<Problem> for GraphProblem {
    fn from(problem: Problem) -> Self {
        let code = match problem.status {
            // What Meta answers to an app that asks too often.
            StatusCode::TOO_MANY_REQUESTS => 4,
            _ if problem.retry_after_s.is_some() => 2,
            StatusCode::INTERNAL_SERVER_ERROR => 1,
            _ => 100,
        };
        Self {
            status: problem.status,
            name: Some(problem.code),
            code,
            subcode: None,
            message: format!("{}; {}", problem.detail, problem.help),
            user_message: None,
            retry_after_s: problem.retry_after_s,
            cause_is_told: problem.cause_is_told,
        }
    }
}

impl From<IntakeError> for GraphProblem {
    fn from(error: IntakeError) -> Self {
        Problem::from(error).into()
    }
}

impl From<FormError> for GraphProblem {
    fn from(error: FormError) -> Self {
        Self::wrong(error.to_string())
    }
}
