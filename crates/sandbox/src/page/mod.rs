//! The page for people: what arrived, and how it looks.
//!
//! Everything on it was sent by somebody, so every text goes through [`escape`], nothing is written
//! into a script, and the policy forbids whatever is not served from here.

use std::borrow::Cow;
use std::fmt::Write;

use crate::State;
use crate::answer::Reply;
use crate::rules::{Look, look};
use crate::store::{ReceivedEvent, Stats};
use crate::value::Value;
use crate::wire::pick;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// How many events the page shows.
const EVENTS_MAX: usize = 100;

/// How much of an event's text it shows.
const TEXT_BYTES_MAX: usize = 20_000;

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

/// The page; `limit` shows fewer or more events.
pub(crate) fn page(state: &State, query: &[(String, String)]) -> Reply {
    let limit = pick(query, "limit").and_then(|text| text.parse().ok());
    let limit = limit.unwrap_or(EVENTS_MAX).min(1_000);
    let counts = state.store.stats();
    let mut events = state.store.received(None, limit);
    events.reverse();
    let faults = state.faults.list(state.settings.clock.now_ms());
    let faults = serde_json::to_value(faults).unwrap_or_default();
    asset(
        "text/html; charset=utf-8",
        render(&counts, &faults, &events),
    )
}

/// Fills the page. The marks are looked for in the page alone, never in what was put into it.
fn render(stats: &Stats, faults: &serde_json::Value, events: &[ReceivedEvent]) -> String {
    let mut html = String::with_capacity(PAGE.len() + events.len() * 2_000);
    let mut rest = PAGE;
    while let Some((before, after)) = rest.split_once("<!--") {
        let (mark, after) = after.split_once("-->").unwrap_or((after, ""));
        html.push_str(before);
        match mark {
            "revision" => html.push_str(&stats.revision.to_string()),
            "counts" => counts(&mut html, stats),
            "faults" => fault_list(&mut html, faults),
            "events" => event_list(&mut html, events),
            _ => {}
        }
        rest = after;
    }
    html.push_str(rest);
    html
}

fn counts(html: &mut String, stats: &Stats) {
    for (name, count) in [
        ("requests", stats.requests),
        ("refused requests", stats.refused),
        ("events received", stats.events_received),
        ("distinct", stats.distinct),
        ("duplicates", stats.deduplicated),
    ] {
        put(
            html,
            format_args!("<div><dt>{name}</dt><dd>{count}</dd></div>"),
        );
    }
    if stats.ids_forgotten > 0 {
        let (count, max) = (stats.ids_forgotten, stats.ids_kept_max);
        put(
            html,
            format_args!(
                "<div><dt>ids forgotten</dt><dd class=\"mild\">{count}</dd></div>\
                 <div><dt>ids kept at most</dt><dd>{max}</dd></div>"
            ),
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

fn event_list(html: &mut String, events: &[ReceivedEvent]) {
    if events.is_empty() {
        html.push_str("<p>Nothing yet. Send events to /v26.0/&lt;dataset&gt;/events.</p>");
    }
    for event in events {
        one_event(html, event);
    }
}

fn one_event(html: &mut String, received: &ReceivedEvent) {
    let event = Value::parse(received.event.get().as_bytes()).unwrap_or(Value::Null);
    let text = |key: &str| {
        let text = event.given(key).and_then(Value::text_or_number);
        escape(&text.unwrap_or_default()).into_owned()
    };
    put(
        html,
        format_args!(
            "<details><summary><strong>{}</strong><span>{}</span><span>{}</span>\
             <span>dataset {}</span><span>{}</span>",
            text("event_name"),
            text("action_source"),
            time(received.received_ms),
            escape(&received.dataset),
            text("event_id"),
        ),
    );
    if let Some(code) = &received.test_event_code {
        put(
            html,
            format_args!("<span class=\"mild\">test {}</span>", escape(code)),
        );
    }
    let state = match (&received.refused, received.deduplicated) {
        (Some(_), _) => "<span class=\"bad\">refused</span>",
        (None, true) => "<span class=\"mild\">duplicate</span>",
        (None, false) => "<span class=\"good\">received</span>",
    };
    html.push_str(state);
    html.push_str("</summary>\n");
    if let Some(refused) = &received.refused {
        put(
            html,
            format_args!("<p class=\"bad\">{}</p>", escape(refused)),
        );
    }
    if !received.remarks.is_empty() {
        html.push_str("<ul>");
        for remark in &received.remarks {
            put(
                html,
                format_args!("<li class=\"mild\">{}</li>", escape(remark)),
            );
        }
        html.push_str("</ul>");
    }
    user_data(html, event.get("user_data"));
    let whole = received.event.get();
    let shown = &whole[..whole.floor_char_boundary(TEXT_BYTES_MAX)];
    let mut text = indented(shown);
    if shown.len() < whole.len() {
        put(&mut text, format_args!("\n… ({} bytes)", whole.len()));
    }
    put(
        html,
        format_args!("<pre>{}</pre></details>\n", escape(&text)),
    );
}

/// JSON with a line for each entry, and otherwise as it was sent: no number or order is changed.
fn indented(json: &str) -> String {
    let mut text = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_text, mut is_escaped) = (0_usize, false, false);
    for letter in json.chars() {
        if in_text {
            in_text = is_escaped || letter != '"';
            is_escaped = !is_escaped && letter == '\\';
            text.push(letter);
            continue;
        }
        match letter {
            ' ' | '\t' | '\r' | '\n' => {}
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut text, depth);
                text.push(letter);
            }
            '{' | '[' | ',' => {
                depth += usize::from(letter != ',');
                text.push(letter);
                line(&mut text, depth);
            }
            ':' => text.push_str(": "),
            letter => {
                in_text = letter == '"';
                text.push(letter);
            }
        }
    }
    text
}

fn line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth));
}

/// Who the event is about, each value with how it looks.
fn user_data(html: &mut String, user_data: Option<&Value<'_>>) {
    let Some(Value::Object(entries)) = user_data else {
        return;
    };
    html.push_str("<table>");
    for (key, value) in entries {
        for item in value.items() {
            let look = look(key, item);
            let class = match look {
                Look::Hashed | Look::Clear => "good",
                Look::NotHashed => "bad",
                Look::Md5 | Look::Empty | Look::Unknown => "mild",
            };
            let text = item.text_or_number().unwrap_or_default();
            put(
                html,
                format_args!(
                    "<tr><th>{}</th><td class=\"{class}\">{}</td><td>{}</td></tr>",
                    escape(key),
                    look.word(),
                    escape(&text),
                ),
            );
        }
    }
    html.push_str("</table>");
}

fn put(html: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    html.write_fmt(text).ok();
}

/// `2026-11-23 12:00:00`, UTC.
fn time(ms: i64) -> String {
    let (days, in_day) = (ms.div_euclid(86_400_000), ms.rem_euclid(86_400_000) / 1_000);
    // Days since 1970 to a date, by eras of 400 years that begin in March.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (in_day / 3_600, in_day / 60 % 60, in_day % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// Text that is safe between tags and in quoted attributes.
fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    Cow::Owned(safe)
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
            event: serde_json::value::RawValue::from_string(event.to_owned()).unwrap(),
            user_data: BTreeMap::new(),
            remarks: vec!["<i>remark</i>".to_owned()],
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
        let html = render(&Stats::default(), &faults, &[received(&event)]);
        for bad in [
            "<script>alert",
            "<img",
            "<b>",
            "<i>",
            "<u>",
            "<1>",
            "<!--",
            "\" onload",
        ] {
            assert!(!html.contains(bad), "{bad}: {html}");
        }
        assert!(html.contains("&lt;script&gt;alert(1)"));
        assert_eq!(html.matches("<script").count(), 1);
    }

    #[test]
    fn shows_how_personal_data_looks() {
        let event = r#"{"event_name":"Lead","user_data":{"em":["a@b.c"],"fbp":"fb.1.1.1"}}"#;
        let html = render(
            &Stats::default(),
            &serde_json::Value::Null,
            &[received(event)],
        );
        assert!(
            html.contains(r#"<td class="bad">not hashed</td>"#),
            "{html}"
        );
        assert!(html.contains(r#"<td class="good">clear</td>"#), "{html}");
    }

    #[test]
    fn the_policy_allows_nothing_from_elsewhere_and_nothing_inline() {
        assert!(!PAGE.contains("style=") && !PAGE.contains("onclick") && !PAGE.contains("://"));
        assert!(POLICY.starts_with("default-src 'none'") && !POLICY.contains("unsafe"));
    }

    #[test]
    fn events_are_shown_as_they_were_sent() {
        let json = r#"{"b":142.50, "a":[1,"x,\"{y"]}"#;
        let expected = "{\n  \"b\": 142.50,\n  \"a\": [\n    1,\n    \"x,\\\"{y\"\n  ]\n}";
        assert_eq!(indented(json), expected);
    }

    #[test]
    fn times() {
        for (ms, expected) in [
            (0, "1970-01-01 00:00:00"),
            (1_795_435_200_000, "2026-11-23 12:00:00"),
            (1_709_210_096_000, "2024-02-29 12:34:56"),
            (-1, "1969-12-31 23:59:59"),
        ] {
            assert_eq!(time(ms), expected);
        }
    }
}
