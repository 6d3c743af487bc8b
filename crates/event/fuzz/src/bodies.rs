//! What the fuzz targets do with their bytes.
//!
//! Plain functions, so that the tests of the crate run them as well (`tests/it/fuzz_bodies.rs`): on
//! the committed corpus, on random bytes and on mutated seeds, with a stable compiler.

use sluice_event::browser::appendix::{self, Appendix, Language};
use sluice_event::browser::{self, BrowserId, ClickId, cookies, ip};
use sluice_event::json::{self, Kind, Raw};
use sluice_event::{
    ActionSource, Context, Country, Event, Findings, Form, Moment, Rules, SealedEvent, Severity,
    UserField, batch, limits, normalize as normalize_value, variants,
};

/// 2026-09-21T14:13:20Z.
const NOW_S: i64 = 1_790_000_000;

const MOMENT: Moment = Moment {
    unix_ms: 1_790_000_000_500,
    in_doubt: false,
    entropy: [7; 10],
};

/// A body of any layout: what is sealed is JSON, and sealing it again changes nothing.
pub fn parse_seal(data: &[u8]) {
    // From the bytes themselves, so that a seed is a body and nothing else.
    let choice = data.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte));
    let rules = Rules {
        default_country: Country::parse(["", "de", "us", "br"][usize::from(choice & 3)]),
        default_action_source: ActionSource::ALL
            [usize::from(choice >> 2) % ActionSource::ALL.len()],
        variants: choice & 0x80 != 0,
        ..Rules::default()
    };
    let text = batch::text_of(data);
    let _ = batch::read(&text, |mut item| {
        let event = item.event;
        let sealed = event.and_then(|event| event.seal(&rules, MOMENT, &mut item.findings));
        assert!(item.findings.iter().count() <= limits::FINDINGS_MAX);
        assert_eq!(sealed.is_none(), item.findings.has_error());
        if let Some(sealed) = sealed {
            check_sealed(sealed.json(), &rules);
        }
    });
}

fn check_sealed(sealed: &str, rules: &Rules) {
    let read = serde_json::from_str::<serde_json::Value>(sealed);
    assert!(read.is_ok(), "{:?}: {sealed}", read.err());
    // Limits count what comes in; what is near them may be beyond them the second time.
    if sealed.len() > limits::URL_BYTES_MAX {
        return;
    }
    let mut findings = Findings::new();
    let event = Event::parse(sealed, &mut findings);
    let again = event.and_then(|event| event.seal(rules, MOMENT, &mut findings));
    let again = again.unwrap_or_else(|| panic!("refused: {findings:#?}\n{sealed}"));
    assert_eq!(again.json(), sealed);
    let reopened = SealedEvent::reopen(sealed);
    assert!(reopened.is_ok(), "{reopened:?}\n{sealed}");
    for finding in &findings {
        // A U+FFFD goes on as it came, and is said each time.
        let is_new = finding.code.name() != "text_damaged";
        assert!(
            !is_new || finding.severity() > Severity::Repaired,
            "{finding:?}\n{sealed}"
        );
    }
}

/// `field country value`: what is normalised has the form that it is hashed in.
pub fn normalize(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.splitn(3, ' ');
    let Some(field) = parts.next().and_then(UserField::from_name) else {
        return;
    };
    let country = parts.next().and_then(Country::parse);
    let value = parts.next().unwrap_or_default();
    let context = Context {
        country,
        now_s: NOW_S,
        external_id: sluice_event::ExternalId::Hash,
    };
    let Ok(normalized) = normalize_value(field, value, &context) else {
        return;
    };
    let text = normalized.text.as_str();
    assert!(!text.is_empty());
    assert_eq!(
        normalized.hash.is_some(),
        field.form() != Form::Clear,
        "{field} {value:?}"
    );
    for other in variants(field, value, text) {
        assert!(
            !other.is_empty() && other.as_str() != text,
            "{field} {value:?}"
        );
    }
    // Senders that normalise before us mean the same person. A number less its `+` is another one
    // to whoever reads it as a national number, and control characters are no part of any value.
    if field != UserField::Ph && !value.chars().any(char::is_control) {
        let again = normalize_value(field, text, &context).map(|again| again.text.to_string());
        assert_eq!(again.ok().as_deref(), Some(text), "{field} {value:?}");
    }
}

/// Host, URL, referrer, `_fbc`, `_fbp` and addresses, one a line.
pub fn click_ids(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let line = |at| text.lines().nth(at);
    for value in text.lines() {
        if let Some(click) = ClickId::parse(value) {
            assert!(browser::is_fbclid(click.fbclid()));
            let written = click.to_string();
            assert_eq!(ClickId::parse(&written), Some(click), "{value}");
        }
        if let Some(browser) = BrowserId::parse(value) {
            assert!(browser.number().bytes().all(|byte| byte.is_ascii_digit()));
        }
        if let Some(appendix) = Appendix::parse(value) {
            assert_eq!(appendix.to_string(), value);
        }
        assert!(value.starts_with(appendix::strip(value)));
        if let Some(address) = ip::parse(value) {
            assert_eq!(ip::parse(&address.to_string()), Some(address), "{value}");
        }
    }
    let marker = ip::Marker {
        language: Language::Node,
        version: "1.3.2",
    };
    for marker in [None, Some(marker)] {
        let seen = ip::Seen {
            cookie: line(3),
            forwarded_for: line(1),
            peer: line(0),
        };
        if let Some(chosen) = ip::choose(seen, marker) {
            let address = ip::parse(&chosen).expect("it was chosen as an address");
            assert!(ip::is_public(address), "{chosen}");
        }
        let visit = cookies::Visit {
            host: line(0).unwrap_or_default(),
            url: line(1),
            referrer: line(2),
            fbc: line(3),
            fbp: line(4),
        };
        let minting = cookies::Minting {
            domains: &["example.com"],
            parameters: &[cookies::FBCLID],
            now_ms: MOMENT.unix_ms,
            random: 42,
            marker,
        };
        for cookie in cookies::cookies(visit, minting) {
            // A kept cookie gets a signature at most: what is wrong with it was so before.
            let own = if cookie.name == "_fbc" {
                visit.fbc
            } else {
                visit.fbp
            };
            let is_kept = own.is_some_and(|own| !own.is_empty() && cookie.value.starts_with(own));
            let is_read = match cookie.name {
                "_fbc" => ClickId::parse(&cookie.value).is_some(),
                _ => BrowserId::parse(&cookie.value).is_some(),
            };
            // An `fbclid` that ends like a signature is read as one: nothing tells the two apart.
            let is_signed_by_chance =
                marker.is_none() && appendix::strip(&cookie.value) != cookie.value;
            assert!(
                is_read || is_kept || is_signed_by_chance,
                "{} = {}",
                cookie.name,
                cookie.value
            );
        }
    }
}

/// JSON: read as `serde_json` reads it, and written so that both read it again.
pub fn json_reader(data: &[u8]) {
    let text = batch::text_of(data);
    let ours = Raw::parse(&text);
    let theirs = serde_json::from_str::<serde_json::Value>(&text);
    match (ours, theirs) {
        (Ok(raw), Ok(value)) => {
            assert_eq!(rebuilt(raw), value);
            let (mut compact, mut clean) = (String::new(), String::new());
            json::write_compact(&mut compact, raw);
            json::write_clean(&mut clean, raw);
            for written in [compact, clean] {
                let again =
                    Raw::parse(&written).unwrap_or_else(|error| panic!("{error}: {written}"));
                assert_eq!(rebuilt(again), value);
            }
        }
        // Half surrogates and numbers beyond a float cost a value here, the document there.
        (Ok(raw), Err(error)) => {
            let error = error.to_string();
            let is_forgiven = ["surrogate", "hex escape", "out of range", "recursion limit"];
            assert!(
                is_forgiven.iter().any(|flaw| error.contains(flaw)),
                "{error}: {text}"
            );
            walk(raw);
            let mut clean = String::new();
            json::write_clean(&mut clean, raw);
            assert!(Raw::parse(&clean).is_ok(), "{clean}");
        }
        (Err(error), Ok(_)) => {
            assert!(error.to_string().contains("nesting"), "{error}: {text}");
        }
        (Err(error), Err(_)) => {
            let (line, column) = error.line_column(&text);
            assert!(line >= 1 && column >= 1);
        }
    }
}

fn rebuilt(raw: Raw<'_>) -> serde_json::Value {
    match raw.kind() {
        Kind::Text => raw.as_text().expect("a text").into_owned().into(),
        Kind::Array => raw.items().map(rebuilt).collect(),
        Kind::Object => {
            let members = raw.members();
            members
                .map(|(key, value)| (key.into_owned(), rebuilt(value)))
                .collect()
        }
        _ => serde_json::from_str(raw.text()).expect("a scalar"),
    }
}

fn walk(raw: Raw<'_>) {
    raw.as_text();
    raw.items().for_each(walk);
    raw.members().for_each(|(_, value)| walk(value));
}
