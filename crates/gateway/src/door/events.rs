//! `POST /v1/events`: the native door, for backends.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sluice_event::batch::Beside;
use sluice_event::{DatasetId, Finding};

use super::auth::{self, Caller};
use super::body::{self, BodyLimits};
use super::doors::Doors;
use super::intake::{Receipt, Rejected};
use super::line::Line;
use super::problem::Problem;
use super::remarks::Warning;
use super::request_id::RequestId;
use crate::config::Source;

/// Takes events.
pub(crate) async fn post(
    State(doors): State<Arc<Doors>>,
    axum::Extension(id): axum::Extension<RequestId>,
    request: Request,
) -> Response {
    let mut caller = None;
    match take(&doors, request, &id, &mut caller).await {
        Ok(response) => response,
        Err(problem) => {
            doors.request_refused(caller.as_ref(), problem.code);
            problem.into_response()
        }
    }
}

/// Takes the events of a request; `known` is set as soon as it is known whose they are.
async fn take(
    doors: &Doors,
    request: Request,
    id: &RequestId,
    known: &mut Option<Caller>,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let key = auth::bearer(&head.headers).ok_or_else(Problem::no_key)?;
    let caller = Caller::with_key(&doors.now(), key).ok_or_else(Problem::unknown_key)?;
    *known = Some(caller.clone());
    doors.are_asked();
    doors.admit(&caller)?;
    let options = Options::read(head.uri.query().unwrap_or_default(), &caller.source)?;
    let limits = BodyLimits::of(&caller.snapshot.config.server);
    let received = body::receive(&head.headers, body, limits, &doors.room_of(&caller)).await?;
    let sealed = doors.seal(received, &caller).await?;
    let route = sealed.route(&caller, options.datasets, options.test_code.as_deref())?;
    let outcome = doors.keep(sealed, &route, id).await?;
    let is_anything_taken = outcome.accepted + outcome.duplicates > 0;
    let status = if is_anything_taken {
        StatusCode::ACCEPTED
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    Ok((status, Line(ReceiptBody::of(&outcome))).into_response())
}

/// What the query of a request may say.
#[derive(Debug)]
struct Options {
    datasets: Vec<DatasetId>,
    test_code: Option<String>,
}

impl Options {
    fn read(query: &str, source: &Source) -> Result<Self, Problem> {
        let mut wanted = BTreeSet::new();
        let mut test_code = None;
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "dataset" => {
                    wanted.insert(value.into_owned());
                }
                key if Beside::of(key) == Some(Beside::TestEventCode) => {
                    test_code = Some(value.into_owned());
                }
                _ => {
                    return Err(Problem::new(
                        StatusCode::BAD_REQUEST,
                        "parameter_unknown",
                        "the query has a parameter that this door does not know",
                        "use `dataset` and `test_event_code`, or none",
                    ));
                }
            }
        }
        let mut datasets = source.datasets.clone();
        if !wanted.is_empty() {
            datasets.retain(|dataset| wanted.contains(dataset.as_str()));
            if datasets.len() < wanted.len() {
                return Err(Problem::new(
                    StatusCode::FORBIDDEN,
                    "dataset_forbidden",
                    "this source does not send to that dataset",
                    "name a dataset that the configuration lists for the source",
                ));
            }
        }
        Ok(Self {
            datasets,
            test_code,
        })
    }
}

/// Rejected events that an answer lists. Three bytes of a body make one, and a listed one is 190 bytes and more.
const REJECTED_MAX: usize = 1_000;

/// The body of an answer.
#[derive(Serialize)]
struct ReceiptBody<'a> {
    accepted: usize,
    duplicates: usize,
    rejected: Vec<RejectedEvent<'a>>,
    /// How many more were rejected.
    #[serde(skip_serializing_if = "is_none")]
    rejected_unlisted: usize,
    warnings: Vec<Remark<'a>>,
}

#[derive(Serialize)]
struct RejectedEvent<'a> {
    index: usize,
    event_id: Option<&'a str>,
    findings: Vec<Told<'a>>,
}

/// A finding about one event.
#[derive(Serialize)]
struct Told<'a> {
    severity: &'static str,
    code: &'static str,
    path: &'a str,
    message: &'a str,
    help: &'static str,
}

/// A finding about several accepted events, and the first of them.
#[derive(Serialize)]
struct Remark<'a> {
    events: usize,
    index: usize,
    severity: &'static str,
    code: &'static str,
    path: &'a str,
    message: &'a str,
    help: &'static str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

impl<'a> ReceiptBody<'a> {
    fn of(outcome: &'a Receipt) -> Self {
        Self {
            accepted: outcome.accepted,
            duplicates: outcome.duplicates,
            rejected: outcome
                .rejected
                .iter()
                .take(REJECTED_MAX)
                .map(RejectedEvent::of)
                .collect(),
            rejected_unlisted: outcome.rejected.len().saturating_sub(REJECTED_MAX),
            warnings: outcome.warnings.iter().map(Remark::of).collect(),
        }
    }
}

impl<'a> RejectedEvent<'a> {
    fn of(rejected: &'a Rejected) -> Self {
        Self {
            index: rejected.index,
            event_id: rejected.event_id.as_deref(),
            findings: rejected.findings.iter().map(Told::of).collect(),
        }
    }
}

impl<'a> Told<'a> {
    fn of(finding: &'a Finding) -> Self {
        Self {
            severity: finding.severity().name(),
            code: finding.code.name(),
            path: finding.path.as_str(),
            message: &finding.message,
            help: finding.help(),
        }
    }
}

impl<'a> Remark<'a> {
    fn of(warning: &'a Warning) -> Self {
        Self {
            events: warning.events,
            index: warning.index,
            severity: warning.code.severity().name(),
            code: warning.code.name(),
            path: &warning.path,
            message: &warning.message,
            help: warning.code.help(),
        }
    }
}
