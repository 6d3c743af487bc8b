//! The page for people: what arrived, and how it looks.
//!
//! Everything on it was sent by somebody, so every text goes through [`escape`], nothing is written
//! into a script, and the policy forbids whatever is not served from here.

mod filter;
mod rows;
mod text;

use crate::State;
use crate::answer::Reply;
use crate::refused::RefusedRequest;
use crate::store::{ReceivedEvent, Stats};
use crate::wire::{only, pick_number};
use filter::Filter;
use text::{escape, grouped, put};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// How many rows the page shows.
const ROWS_MAX: usize = 100;
/// How many of the newest events a filter looks at.
const FILTERED_MAX: usize = 1_000;

fn asset(kind: &'static str, content: impl Into<bytes::Bytes>) -> Reply {
    let mut reply = Reply::new(200, kind, content);
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ] {
        reply.headers.push((name, value.to_owned()));
    }
    reply
}

pub(crate) fn style() -> Reply {
    asset("text/css; charset=utf-8", STYLE)
}

pub(crate) fn script() -> Reply {
    asset("text/javascript; charset=utf-8", SCRIPT)
}

/// What the page is filled with; events and requests are newest first.
struct Shown {
    stats: Stats,
    faults: serde_json::Value,
    events: Vec<ReceivedEvent>,
    refused: Vec<RefusedRequest>,
    limit: usize,
    filter: Filter,
    /// What sends an event here, as long as none has come.
    invitation: String,
}

/// The page; `limit` shows fewer or more rows.
///
/// # Errors
///
/// What is wrong with the query.
pub(crate) fn page(state: &State, query: &[(String, String)]) -> Result<Reply, String> {
    only(query, &["name", "verdict", "limit"])?;
    let limit: Option<usize> = pick_number(query, "limit")?;
    let limit = limit.unwrap_or(ROWS_MAX).min(1_000);
    // Before the lists: what arrives in between makes the page look once more, and is not missed.
    let counted = state.store.stats();
    let filter = Filter::of(query)?;
    let looked_at = if filter.is_empty() {
        limit
    } else {
        FILTERED_MAX
    };
    let mut events = state.store.received(None, looked_at);
    events.reverse();
    events.retain(|event| filter.shows(event));
    let mut refused = state.store.refused(None, limit);
    refused.reverse();
    // The others are shown by their events.
    refused.retain(|request| request.events == 0 && filter.shows_requests());
    let dataset = state.settings.datasets.first();
    let invitation = state.invitation.get().cloned().unwrap_or_else(|| {
        let dataset = dataset.map_or("<dataset>", String::as_str);
        format!("POST /{}/{dataset}/events", state.settings.version_default)
    });
    let faults = state.faults.list(state.settings.clock.now_ms());
    let faults = serde_json::to_value(faults).unwrap_or_default();
    let shown = Shown {
        stats: counted,
        faults,
        events,
        refused,
        limit,
        filter,
        invitation,
    };
    Ok(asset("text/html; charset=utf-8", render(&shown)))
}

/// Fills the page. The marks are looked for in the page alone, never in what was put into it.
fn render(shown: &Shown) -> String {
    let mut html = String::with_capacity(PAGE.len() + shown.events.len() * 2_000);
    let mut rest = PAGE;
    while let Some((before, after)) = rest.split_once("<!--") {
        let (mark, after) = after.split_once("-->").unwrap_or((after, ""));
        html.push_str(before);
        match mark {
            "revision" => html.push_str(&shown.stats.revision.to_string()),
            "counts" => counts(&mut html, &shown.stats),
            "faults" => fault_list(&mut html, &shown.faults),
            "limit" => html.push_str(&shown.limit.to_string()),
            "filter" => shown.filter.form(&mut html),
            "names" => filter::names(&mut html, &shown.stats),
            "empty" => empty(&mut html, shown),
            "arrived" => rows::rows(&mut html, &shown.events, &shown.refused, shown.limit),
            _ => {}
        }
        rest = after;
    }
    html.push_str(rest);
    html
}

fn counts(html: &mut String, stats: &Stats) {
    for (name, count) in [
        ("requests to /events", stats.requests),
        ("other requests", stats.requests_elsewhere),
        ("refused requests", stats.refused),
        ("events received", stats.events_received),
        ("distinct", stats.distinct),
        ("duplicates", stats.deduplicated),
    ] {
        put(
            html,
            format_args!("<div><dt>{name}</dt><dd>{}</dd></div>", grouped(count)),
        );
    }
    if stats.earlier > 0 {
        let count = grouped(stats.earlier);
        put(
            html,
            format_args!("<div><dt>events of earlier runs</dt><dd>{count}</dd></div>"),
        );
    }
    if stats.ids_forgotten > 0 {
        let count = grouped(stats.ids_forgotten);
        let max = grouped(stats.ids_kept_max as u64);
        put(
            html,
            format_args!(
                "<div><dt>ids forgotten</dt><dd class=\"mild\">{count}</dd></div>\
                 <div><dt>ids kept at most</dt><dd>{max}</dd></div>"
            ),
        );
    }
}

/// What is said in the place of rows.
fn empty(html: &mut String, shown: &Shown) {
    if !(shown.events.is_empty() && shown.refused.is_empty()) {
        return;
    }
    if shown.filter.is_empty() {
        let how = escape(&shown.invitation);
        put(
            html,
            format_args!("<p>Nothing yet. Send an event:</p><pre>{how}</pre>"),
        );
    } else {
        let max = grouped(FILTERED_MAX as u64);
        put(
            html,
            format_args!("<p>None of the newest {max} events is like that.</p>"),
        );
    }
}

fn fault_list(html: &mut String, faults: &serde_json::Value) {
    let faults = faults.as_array().map(Vec::as_slice).unwrap_or_default();
    let active: Vec<_> = faults
        .iter()
        .filter(|fault| fault["active"] == true)
        .collect();
    if active.is_empty() {
        return;
    }
    html.push_str("<section><h2>Faults in force</h2><ul>");
    for fault in active {
        let text = escape(fault["fault"].as_str().unwrap_or_default());
        put(
            html,
            format_args!("<li class=\"mild\"><code>{text}</code></li>"),
        );
    }
    html.push_str("</ul></section>\n");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn received(event: &str) -> ReceivedEvent {
        ReceivedEvent {
            number: 1,
            received_ms: 1_795_435_200_000,
            dataset: "<1>".to_owned(),
            version: "v26.0".to_owned(),
            test_event_code: Some("\"><img src=x>".to_owned()),
            deduplicated: false,
            copy_of: None,
            refused: Some("<b>why</b>".to_owned()),
            refused_for: None,
            event: serde_json::value::RawValue::from_string(event.to_owned()).unwrap(),
            user_data: BTreeMap::new(),
            remarks: vec!["<i>remark</i>".to_owned()],
        }
    }

    fn shown(events: Vec<ReceivedEvent>) -> Shown {
        Shown {
            stats: Stats::default(),
            faults: serde_json::Value::Null,
            events,
            refused: Vec::new(),
            limit: 100,
            filter: Filter::default(),
            invitation: "<kbd>send</kbd>".to_owned(),
        }
    }

    fn refused(number: u64, first_event: u64) -> RefusedRequest {
        RefusedRequest {
            number,
            received_ms: 1_795_435_200_000,
            method: "<em>".to_owned(),
            path: "/v26.0/<s>shop/events".to_owned(),
            refused: "404 803: <q>".to_owned(),
            events: 0,
            first_event,
        }
    }

    #[test]
    fn nothing_that_was_sent_becomes_markup() {
        let evil = "<script>alert(1)</script>'\\\" onload=x <!--events--> & ";
        let event = format!(
            r#"{{"event_name":"{evil}","event_id":"{evil}","action_source":"{evil}",
                "user_data":{{"{evil}":"{evil}","em":["{evil}"]}},"custom_data":{{"{evil}":"{evil}"}}}}"#
        );
        let faults = serde_json::json!([{"fault": "500 on <u>", "active": true}]);
        let html = render(&Shown {
            faults,
            refused: vec![refused(1, 1)],
            filter: Filter::of(&[("name".to_owned(), "\"><var>".to_owned())]).unwrap(),
            ..shown(vec![received(&event)])
        }) + &render(&shown(Vec::new()));
        for bad in [
            "<script>alert",
            "<img",
            "<b>",
            "<i>",
            "<u>",
            "<em>",
            "<s>",
            "<q>",
            "<1>",
            "<kbd>",
            "<var>",
            "<!--",
            "\" onload",
        ] {
            assert!(!html.contains(bad), "{bad}: {html}");
        }
        assert!(html.contains("&lt;script&gt;alert(1)"));
        // One of each of the two pages.
        assert_eq!(html.matches("<script").count(), 2);
    }

    #[test]
    fn shows_how_personal_data_looks() {
        let event = r#"{"event_name":"Lead","user_data":{"em":["a@b.c"],"fbp":"fb.1.1.1"}}"#;
        let html = render(&shown(vec![received(event)]));
        assert!(
            html.contains(r#"<td class="bad">not hashed</td>"#),
            "{html}"
        );
        assert!(html.contains(r#"<td class="good">clear</td>"#), "{html}");
    }

    #[test]
    fn a_copy_leads_to_the_event_that_it_repeats() {
        let event = r#"{"event_name":"Lead","event_id":"a"}"#;
        let copy_of = |by| crate::Original {
            number: 3,
            received_ms: 1_795_435_203_000,
            by,
        };
        for (by, expected) in [
            (
                crate::Sameness::EventId,
                "The same event_name and event_id as",
            ),
            (
                crate::Sameness::Sale,
                "The same sale, by time, item and order or person, as",
            ),
        ] {
            let copy = ReceivedEvent {
                number: 4,
                refused: None,
                copy_of: Some(copy_of(by)),
                ..received(event)
            };
            let html = render(&shown(vec![copy]));
            assert!(html.contains(">duplicate of #3</span>"), "{html}");
            let expected = format!("{expected} <a href=\"#e3\">#3</a> of 2026-11-23 12:00:03 UTC");
            assert!(html.contains(&expected), "{html}");
            assert!(html.contains("id=\"e4\""), "{html}");
        }
    }

    #[test]
    fn says_what_has_no_event_id_and_that_times_are_utc() {
        let html = render(&shown(vec![received(r#"{"event_name":"Lead"}"#)]));
        assert!(html.contains(">no event_id</span>"), "{html}");
        let time = r#"<time datetime="2026-11-23T12:00:00Z">2026-11-23 12:00:00 UTC</time>"#;
        assert!(html.contains(time), "{html}");
        let html = render(&shown(vec![received(r#"{"event_id":"a"}"#)]));
        assert!(!html.contains("no event_id"), "{html}");
    }

    #[test]
    fn refused_requests_stand_where_they_came() {
        let event = |number| ReceivedEvent {
            number,
            ..received("{}")
        };
        let shown = Shown {
            refused: vec![refused(3, 3), refused(2, 2), refused(1, 1)],
            limit: 4,
            ..shown(vec![event(2), event(1)])
        };
        let html = render(&shown);
        let ids: Vec<_> = html
            .split(" id=\"")
            .filter(|rest| rest.starts_with(['e', 'r']))
            .map(|rest| &rest[..2])
            .collect();
        // The oldest is one too many.
        assert_eq!(ids, ["r3", "e2", "r2", "e1"]);
    }

    #[test]
    fn the_script_finds_what_it_renews() {
        let html = render(&shown(vec![received("{}")]));
        for id in [
            "counts", "faults", "names", "nothing", "arrived", "live", "fault", "mend", "clear",
            "said",
        ] {
            assert!(html.contains(&format!("id=\"{id}\"")), "{id}: {html}");
            assert!(SCRIPT.contains(&format!("\"{id}\"")), "{id}");
        }
        assert!(html.contains("data-limit=\"100\"") && html.contains("data-revision=\"0\""));
        // To load the page again would close what somebody reads.
        assert!(!SCRIPT.contains("reload") && !PAGE.contains("refresh"));
    }

    #[test]
    fn the_policy_allows_nothing_from_elsewhere_and_nothing_inline() {
        assert!(!PAGE.contains("style=") && !PAGE.contains("onclick") && !PAGE.contains("://"));
        assert!(POLICY.starts_with("default-src 'none'") && !POLICY.contains("unsafe"));
    }
}
