//! The rows of the page: events, and requests that were refused before their events were looked at.

use super::text::{amount, escape, grouped, indented, put, put_time, time};
use crate::ids::{Original, Sameness};
use crate::refused::RefusedRequest;
use crate::rules::{Look, look};
use crate::store::ReceivedEvent;
use crate::value::Value;

/// How much of an event's text is shown.
const TEXT_BYTES_MAX: usize = 20_000;

/// Writes the newest `limit` rows; both lists are newest first.
pub(super) fn rows(
    html: &mut String,
    events: &[ReceivedEvent],
    refused: &[RefusedRequest],
    limit: usize,
) {
    let (mut events, mut refused) = (events.iter().peekable(), refused.iter().peekable());
    for _ in 0..limit {
        let newest_event = events.peek().map_or(0, |event| event.number);
        if let Some(request) = refused.next_if(|request| request.first_event > newest_event) {
            one_request(html, request);
        } else if let Some(event) = events.next() {
            one_event(html, event);
        } else {
            break;
        }
    }
}

fn one_request(html: &mut String, request: &RefusedRequest) {
    put(
        html,
        format_args!(
            "<div class=\"row\" id=\"r{}\"><p class=\"head\"><strong class=\"path\">{} {}</strong>",
            request.number,
            escape(&request.method),
            escape(&request.path),
        ),
    );
    put_time(html, request.received_ms);
    put(
        html,
        format_args!(
            "<span class=\"verdict bad\">refused request</span></p>\
             <div class=\"body\"><p class=\"bad\">{}</p></div></div>\n",
            escape(&request.refused),
        ),
    );
}

fn one_event(html: &mut String, received: &ReceivedEvent) {
    let event = Value::parse(received.event.get().as_bytes()).unwrap_or(Value::Null);
    let number = received.number;
    put(
        html,
        format_args!("<details class=\"row\" id=\"e{number}\">"),
    );
    summary(html, received, &event);
    html.push_str("<div class=\"body\">");
    whereabouts(html, received, &event);
    if let Some(refused) = &received.refused {
        put(
            html,
            format_args!("<p class=\"bad\">{}</p>", escape(refused)),
        );
        if let Some(other) = received.refused_for.filter(|other| *other != number) {
            put(
                html,
                format_args!(
                    "<p>The error is about <a href=\"#e{other}\">#{}</a>, which came in the same request: \
                     Meta takes all events of a request or none.</p>",
                    grouped(other)
                ),
            );
        }
    }
    if let Some(original) = &received.copy_of {
        copied(html, original);
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
        format_args!("<pre>{}</pre></div></details>\n", escape(&text)),
    );
}

/// What is to be seen of an event that is not open: one cell a column.
fn summary(html: &mut String, received: &ReceivedEvent, event: &Value<'_>) {
    let number = grouped(received.number);
    put(
        html,
        format_args!(
            "<summary class=\"head\"><span class=\"number\">#{number}</span>\
             <span class=\"name\"><strong>{}</strong>",
            escape(&text(event, "event_name"))
        ),
    );
    if text(event, "event_id").is_empty() {
        html.push_str(" <span class=\"mild\">no event_id</span>");
    }
    if let Some(code) = &received.test_event_code {
        put(
            html,
            format_args!(" <span class=\"mild\">test {}</span>", escape(code)),
        );
    }
    put(
        html,
        format_args!(
            "</span><span class=\"value\">{}</span><span class=\"source\">{}</span>\
             <span class=\"who\">{}</span>",
            escape(&value(event)),
            escape(&text(event, "action_source")),
            escape(&identifiers(event)),
        ),
    );
    put_time(html, received.received_ms);
    match (
        received.refused.is_some(),
        received.refused_for,
        received.copy_of,
    ) {
        (true, Some(other), _) if other != received.number => put(
            html,
            format_args!(
                "<span class=\"verdict mild\">refused with #{}</span>",
                grouped(other)
            ),
        ),
        (true, ..) => html.push_str("<span class=\"verdict bad\">refused</span>"),
        (false, _, Some(original)) => put(
            html,
            format_args!(
                "<span class=\"verdict mild\">duplicate of #{}</span>",
                grouped(original.number)
            ),
        ),
        (false, ..) => html.push_str("<span class=\"verdict good\">received</span>"),
    }
    html.push_str("</summary>\n");
}

fn text(event: &Value<'_>, key: &str) -> String {
    let text = event.given(key).and_then(Value::text_or_number);
    text.unwrap_or_default().into_owned()
}

/// `1,299.90 USD`
fn value(event: &Value<'_>) -> String {
    let custom = event.get("custom_data");
    let value = custom.and_then(|custom| custom.given("value")).map(amount);
    let currency = custom.map(|custom| text(custom, "currency"));
    let parts = [value, currency].into_iter().flatten();
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

/// The keys of `user_data` that say who it was: `em, ph, fbp`.
fn identifiers(event: &Value<'_>) -> String {
    let Some(Value::Object(entries)) = event.get("user_data") else {
        return String::new();
    };
    let given = entries.iter().filter(|(_, value)| *value != Value::Null);
    // Every key but these two is short.
    let name = |key: &str| key.strip_prefix("client_").unwrap_or(key).to_owned();
    let names: Vec<_> = given.map(|(key, _)| name(key)).collect();
    names.join(", ")
}

/// Which event it is, and where it went.
fn whereabouts(html: &mut String, received: &ReceivedEvent, event: &Value<'_>) {
    let id = text(event, "event_id");
    html.push_str("<p>");
    if !id.is_empty() {
        put(html, format_args!("event_id {}, ", escape(&id)));
    }
    put(
        html,
        format_args!(
            "dataset {}, {}</p>",
            escape(&received.dataset),
            escape(&received.version)
        ),
    );
}

/// Of which event it is a copy. The link leads nowhere once that one is no longer on the page.
fn copied(html: &mut String, original: &Original) {
    let same = match original.by {
        Sameness::EventId => "The same event_name and event_id as",
        Sameness::Sale => "The same sale, by time, item and order or person, as",
    };
    let (number, time) = (original.number, time(original.received_ms));
    put(
        html,
        format_args!(
            "<p class=\"mild\">{same} <a href=\"#e{number}\">#{}</a> of {time}: \
             Meta would count the two as one.</p>",
            grouped(number)
        ),
    );
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
