//! What a path says: which door it is, and how that door speaks.

use axum::http::StatusCode;

use super::problem::Problem;

/// A short name for a path: metrics must not have a label for every path that is tried.
pub(crate) fn door_name(path: &str) -> &'static str {
    match path {
        "/v1/events" | "/v1/events/" => "events",
        "/healthz" | "/hub/health" | "/hub/health/" | "/readyz" => "operations",
        _ if !path.trim_end_matches('/').ends_with("/events") => "other",
        _ if path.starts_with("/capi/") => "capi",
        _ => "graph",
    }
}

/// Whether a door of this name takes events, and asks for a key.
pub(crate) fn takes_events(door: &str) -> bool {
    matches!(door, "events" | "capi" | "graph")
}

/// Nothing is at this path.
pub(crate) fn no_door(path: &str) -> Problem {
    let help = match path {
        "/metrics" => "metrics are at the admin listener: see admin.listen",
        _ => {
            "send events to POST /v1/events, or to POST /{version}/{dataset}/events as to the Graph API"
        }
    };
    Problem::new(
        StatusCode::NOT_FOUND,
        "path_unknown",
        "there is no door at this path",
        help,
    )
}

/// Whether errors at this path are written as the Graph API writes them.
pub(crate) fn is_graph_shaped(path: &str) -> bool {
    is_of_the_graph_api(path) || path.starts_with("/capi/")
}

/// Whether a path begins with a version of the Graph API, such as `/v26.0`, or without one with an id. Meta's
/// SDKs take any JSON without `error` for success, so they have to be refused in their own way.
pub(crate) fn is_of_the_graph_api(path: &str) -> bool {
    is_versioned(path) || is_number(path.split('/').nth(1).unwrap_or_default())
}

/// Whether a path begins with a version of the Graph API.
pub(crate) fn is_versioned(path: &str) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    let numbers = first.strip_prefix('v').and_then(|it| it.split_once('.'));
    numbers.is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}

pub(crate) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
