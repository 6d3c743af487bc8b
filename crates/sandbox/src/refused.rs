//! What the sandbox refused: every request that it answered with an error of its own judgement, on
//! whatever path of the Graph API. What a scripted fault or the call limit answers is no refusal.

use std::borrow::Cow;
use std::collections::VecDeque;

use serde::Serialize;

use crate::answer::GraphError;
use crate::arrival::Arrival;

/// How many refused requests are listed.
pub(crate) const LISTED_MAX: usize = 1_000;

/// How long a part of a path may be. A token that was pasted into the path is longer, and is cut to
/// a beginning that is good for nothing.
const PART_CHARS_MAX: usize = 40;
const PART_CHARS_SHOWN: usize = 8;

/// How long a path and a text may be.
const PATH_BYTES_MAX: usize = 300;
const TEXT_BYTES_MAX: usize = 1_000;

/// A request that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedRequest {
    /// Counts every request that was ever refused, from 1.
    pub number: u64,
    /// When, in milliseconds since 1970.
    pub received_ms: i64,
    /// The method, such as `POST`.
    pub method: String,
    /// The path without its query, where the token may be; parts that are too long for an id are cut.
    pub path: String,
    /// The answer: status, code and subcode, and what it said.
    pub refused: String,
    /// How many of its events are in the list of what arrived: all, if it was one of them that was
    /// refused, and none if the request was refused before they were looked at.
    pub events: usize,
    /// The number of the first of them; without any, the number of the event that came next.
    pub first_event: u64,
}

/// Why a request is refused, and its events, if it was they that were looked at.
#[derive(Debug)]
pub(crate) struct Refusal<'a> {
    pub(crate) error: GraphError,
    pub(crate) events: Option<RefusedEvents<'a>>,
}

/// The events of a refused request.
#[derive(Debug)]
pub(crate) struct RefusedEvents<'a> {
    pub(crate) arrival: Arrival<'a>,
    pub(crate) count: usize,
    /// The place of the one that the error is about.
    pub(crate) place: Option<usize>,
}

impl From<GraphError> for Box<Refusal<'_>> {
    fn from(error: GraphError) -> Self {
        let events = None;
        Box::new(Refusal { error, events })
    }
}

/// A request as it is written down.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) now_ms: i64,
}

/// The newest refused requests.
#[derive(Debug)]
pub(crate) struct Refused {
    list: VecDeque<RefusedRequest>,
    next_number: u64,
}

impl Refused {
    pub(crate) fn new(next_number: u64) -> Self {
        Self {
            list: VecDeque::new(),
            next_number,
        }
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.next_number
    }

    /// Lists a request; returns what its error says, for its events.
    pub(crate) fn add(
        &mut self,
        asked: Asked<'_>,
        error: &GraphError,
        events: usize,
        first_event: u64,
    ) -> String {
        let text = text(error);
        self.list.push_back(RefusedRequest {
            number: self.next_number,
            received_ms: asked.now_ms,
            method: asked.method.to_owned(),
            path: cut(&without_long_parts(asked.path, asked.path), PATH_BYTES_MAX),
            refused: cut(&without_long_parts(&text, asked.path), TEXT_BYTES_MAX),
            events,
            first_event,
        });
        self.next_number += 1;
        if self.list.len() > LISTED_MAX {
            self.list.pop_front();
        }
        text
    }

    /// Up to `max` requests after a number, oldest first; without a number, the newest.
    pub(crate) fn page(&self, after: Option<u64>, max: usize) -> Vec<RefusedRequest> {
        let newest = self.next_number.saturating_sub(1);
        let after = after.unwrap_or(newest.saturating_sub(max as u64));
        let later = self.list.iter().filter(|request| request.number > after);
        later.take(max).cloned().collect()
    }
}

fn text(error: &GraphError) -> String {
    let mut text = error.label();
    let (title, message) = error.for_user.clone().unwrap_or_default();
    for part in [error.message.as_ref(), &title, &message] {
        if !part.is_empty() {
            text = format!("{text}: {part}");
        }
    }
    text
}

/// The text, with the long parts of the path cut wherever they stand in it.
fn without_long_parts<'t>(text: &'t str, path: &str) -> Cow<'t, str> {
    let is_long = |part: &&str| part.chars().count() > PART_CHARS_MAX;
    let mut safe = Cow::Borrowed(text);
    for part in path.split('/').filter(is_long) {
        let shown: String = part.chars().take(PART_CHARS_SHOWN).collect();
        safe = Cow::Owned(safe.replace(part, &format!("{shown}…")));
    }
    safe
}

fn cut(text: &str, bytes_max: usize) -> String {
    let shown = &text[..text.floor_char_boundary(bytes_max)];
    let end = if shown.len() < text.len() { "…" } else { "" };
    format!("{shown}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(path: &str) -> Asked<'_> {
        Asked {
            method: "GET",
            path,
            now_ms: 0,
        }
    }

    #[test]
    fn a_token_in_the_path_is_cut_wherever_it_stands() {
        let token = format!("EAAB{}", "secret".repeat(30));
        let path = format!("/v26.0/{token}/{token}");
        let mut refused = Refused::new(1);
        let error = GraphError::new(404, 2500, format!("Unknown path components: {path}"));
        refused.add(asked(&path), &error, 0, 1);
        let listed = &refused.page(None, 1)[0];
        assert_eq!(listed.path, "/v26.0/EAABsecr…/EAABsecr…");
        assert_eq!(
            listed.refused,
            "404 2500: Unknown path components: /v26.0/EAABsecr…/EAABsecr…"
        );
    }

    #[test]
    fn the_list_is_bounded_and_its_texts_are() {
        let mut refused = Refused::new(1);
        let path = "/ä".repeat(5_000);
        let error = GraphError::new(400, 100, "ö".repeat(5_000));
        for _ in 0..=LISTED_MAX {
            refused.add(asked(&path), &error, 0, 1);
        }
        let listed = refused.page(Some(0), usize::MAX);
        assert_eq!((listed.len(), listed[0].number), (LISTED_MAX, 2));
        assert!(listed[0].path.len() <= PATH_BYTES_MAX + "…".len());
        assert!(listed[0].refused.len() <= TEXT_BYTES_MAX + "…".len());
        assert_eq!(refused.page(None, 2)[0].number, LISTED_MAX as u64);
    }
}
