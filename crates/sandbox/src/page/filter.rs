//! Which of the events the page shows: those of a name, and those with a verdict.

use super::text::{escape, put};
use crate::store::{ReceivedEvent, Stats};
use crate::value::Value;
use crate::wire::pick;

/// The verdicts, as the page calls them.
const VERDICTS: [&str; 3] = ["received", "duplicate", "refused"];

/// What to show; without either, everything.
#[derive(Debug, Default)]
pub(super) struct Filter {
    /// A part of `event_name`, in lower case.
    name: String,
    /// One of [`VERDICTS`].
    verdict: Option<&'static str>,
}

impl Filter {
    /// What the query of the page asks for.
    ///
    /// # Errors
    ///
    /// Which verdicts there are, if the one that is asked for is none.
    pub(super) fn of(query: &[(String, String)]) -> Result<Self, String> {
        let verdict = pick(query, "verdict");
        let verdict = verdict.map(|text| {
            let known = VERDICTS.into_iter().find(|known| *known == text);
            let none = || {
                format!(
                    "there is no verdict {text:?}; there are {}",
                    VERDICTS.join(", ")
                )
            };
            known.ok_or_else(none)
        });
        let name = pick(query, "name").unwrap_or_default();
        Ok(Self {
            name: name.trim().to_lowercase(),
            verdict: verdict.transpose()?,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.name.is_empty() && self.verdict.is_none()
    }

    pub(super) fn shows(&self, received: &ReceivedEvent) -> bool {
        let verdict = match (received.refused.is_some(), received.deduplicated) {
            (true, _) => "refused",
            (false, true) => "duplicate",
            (false, false) => "received",
        };
        if self.verdict.is_some_and(|wanted| wanted != verdict) {
            return false;
        }
        if self.name.is_empty() {
            return true;
        }
        let event = Value::parse(received.event.get().as_bytes()).unwrap_or(Value::Null);
        let name = event.get("event_name").and_then(Value::text);
        name.is_some_and(|name| name.to_lowercase().contains(&self.name))
    }

    /// Whether requests are shown that were refused before their events were looked at.
    pub(super) fn shows_requests(&self) -> bool {
        self.name.is_empty() && self.verdict.is_none_or(|wanted| wanted == "refused")
    }

    /// The fields of the form that sets it.
    pub(super) fn form(&self, html: &mut String) {
        put(
            html,
            format_args!(
                "<label>Event <input name=\"name\" list=\"names\" value=\"{}\" autocomplete=\"off\"></label>\
                 <label>Verdict <select name=\"verdict\"><option value=\"\">any</option>",
                escape(&self.name)
            ),
        );
        for verdict in VERDICTS {
            let selected = if self.verdict == Some(verdict) {
                " selected"
            } else {
                ""
            };
            put(html, format_args!("<option{selected}>{verdict}</option>"));
        }
        html.push_str("</select></label><button>Show</button>");
        if !self.is_empty() {
            html.push_str("<a href=\"/sandbox\">Show all</a>");
        }
    }
}

/// The event names that have arrived, to choose from.
pub(super) fn names(html: &mut String, stats: &Stats) {
    let mut names: Vec<_> = stats
        .by_dataset
        .values()
        .flat_map(|names| names.keys())
        .collect();
    names.sort_unstable();
    names.dedup();
    for name in names.into_iter().take(NAMES_MAX) {
        put(html, format_args!("<option>{}</option>", escape(name)));
    }
}

/// How many names there are to choose from.
const NAMES_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn filter(name: &str, verdict: &str) -> Filter {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        Filter::of(&[pair("name", name), pair("verdict", verdict)]).unwrap()
    }

    #[test]
    fn shows_what_has_the_name_and_the_verdict() {
        let received = |refused: Option<&str>, deduplicated| ReceivedEvent {
            number: 1,
            received_ms: 0,
            dataset: "1".to_owned(),
            version: "v27.0".to_owned(),
            test_event_code: None,
            deduplicated,
            copy_of: None,
            refused: refused.map(str::to_owned),
            refused_for: None,
            event: serde_json::value::RawValue::from_string(r#"{"event_name":"Lead"}"#.to_owned())
                .unwrap(),
            user_data: BTreeMap::new(),
            remarks: Vec::new(),
        };
        let (taken, copy, refused) = (
            received(None, false),
            received(None, true),
            received(Some("why"), false),
        );
        for (name, verdict, expected, requests) in [
            ("", "", [true, true, true], true),
            (" LEA", "", [true, true, true], false),
            ("Purchase", "", [false, false, false], false),
            ("", "received", [true, false, false], false),
            ("lead", "duplicate", [false, true, false], false),
            ("", "refused", [false, false, true], true),
        ] {
            let filter = filter(name, verdict);
            let shown = [&taken, &copy, &refused].map(|event| filter.shows(event));
            assert_eq!(shown, expected, "{name} {verdict}");
            assert_eq!(filter.shows_requests(), requests, "{name} {verdict}");
        }
    }
}
