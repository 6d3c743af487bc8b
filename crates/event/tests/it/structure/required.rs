//! What every event needs, and when it has to come.

use sluice_event::{Moment, Rules};

use super::{Row, assert_codes, assert_sent, of_person, patched, seal_value, website};
use crate::support::{NOW, NOW_S, seal_at};

const DAY_S: i64 = 86_400;

#[test]
fn required_fields_are_missed_by_name() {
    let rows: &[Row<'_>] = &[
        (r"{}", &[]),
        (r#"{"event_name":null}"#, &["event_name_missing"]),
        (r#"{"event_name":""}"#, &["event_name_missing"]),
        (r#"{"event_name":"  "}"#, &["event_name_missing"]),
        (
            r#"{"event_name":["Purchase"]}"#,
            &["event_name_missing", "value_type"],
        ),
        (r#"{"event_time":null}"#, &["event_time_missing"]),
        (r#"{"event_time":"yesterday"}"#, &["event_time_invalid"]),
        (r#"{"event_time":true}"#, &["event_time_invalid"]),
        (r#"{"event_time":-5}"#, &["event_time_invalid"]),
        (r#"{"event_id":null}"#, &["event_id_missing"]),
        (r#"{"event_id":""}"#, &["event_id_missing"]),
        (r#"{"event_id":{}}"#, &["event_id_missing", "value_type"]),
        (r#"{"action_source":null}"#, &["action_source_missing"]),
        (
            r#"{"action_source":"teapot"}"#,
            &["action_source_missing", "action_source_unknown"],
        ),
        (
            r#"{"user_data":null}"#,
            &["client_user_agent_missing", "user_data_missing"],
        ),
        (
            r#"{"user_data":"em"}"#,
            &[
                "client_user_agent_missing",
                "user_data_missing",
                "value_type",
            ],
        ),
        (
            r#"{"custom_data":null}"#,
            &["purchase_currency_missing", "purchase_value_missing"],
        ),
        (
            r#"{"custom_data":[1]}"#,
            &[
                "purchase_currency_missing",
                "purchase_value_missing",
                "value_type",
            ],
        ),
    ];
    assert_codes(&website(), rows);
}

#[test]
fn names_are_standard_custom_or_none() {
    let fifty = format!(r#"{{"event_name":"{}"}}"#, "x".repeat(50));
    let longer = format!(r#"{{"event_name":"{}"}}"#, "x".repeat(51));
    let umlauts = format!(r#"{{"event_name":"{}"}}"#, "ü".repeat(50));
    let document = format!(r#"{{"event_name":"{}"}}"#, "x".repeat(257));
    let rows: &[Row<'_>] = &[
        (r#"{"event_name":"Lead"}"#, &[]),
        (r#"{"event_name":"PageView"}"#, &[]),
        (r#"{"event_name":" Lead "}"#, &[]),
        (r#"{"event_name":"SalonBooked"}"#, &[]),
        (r#"{"event_name":"lead"}"#, &["event_name_case"]),
        (r#"{"event_name":"add_to_cart"}"#, &["event_name_case"]),
        (&fifty, &[]),
        (&umlauts, &[]),
        (&longer, &["event_name_long"]),
        (&document, &["event_name_invalid"]),
        (r#"{"event_name":"a\nb"}"#, &["event_name_invalid"]),
        (
            r#"{"event_name":"john@example.com"}"#,
            &["event_name_invalid"],
        ),
    ];
    assert_codes(&of_person(r#"{"em":"john@example.com"}"#), rows);
}

/// Meta takes events for 7 days, those of physical stores for 62; nothing from the future.
#[test]
fn times_outside_the_window_are_refused() {
    let rows: &[(&str, i64, &[&str])] = &[
        ("phone_call", 0, &[]),
        ("phone_call", DAY_S, &[]),
        ("phone_call", DAY_S + 1, &["event_time_late"]),
        ("phone_call", 7 * DAY_S, &["event_time_late"]),
        ("phone_call", 7 * DAY_S + 1, &["event_time_too_old"]),
        ("physical_store", 7 * DAY_S + 1, &[]),
        ("physical_store", 62 * DAY_S, &[]),
        ("physical_store", 62 * DAY_S + 1, &["event_time_too_old"]),
        ("phone_call", -1, &["event_time_clamped"]),
        ("phone_call", -600, &["event_time_clamped"]),
        ("phone_call", -601, &["event_time_future"]),
        ("physical_store", -601, &["event_time_future"]),
    ];
    let base = of_person(r#"{"em":"john@example.com"}"#);
    for (source, age_s, expected) in rows {
        let time = NOW_S - age_s;
        let patch = format!(r#"{{"action_source":"{source}","event_time":{time}}}"#);
        let outcome = seal_value(&patched(&base, &patch));
        assert_eq!(outcome.codes(), *expected, "{source}, {age_s} s ago");
        if let Some(sealed) = outcome.sealed {
            assert_eq!(
                sealed.event_time(),
                time.min(NOW_S),
                "{source}, {age_s} s ago"
            );
        }
    }
}

/// Refused for a clock that is wrong, an event would be lost.
#[test]
fn no_time_is_refused_by_a_clock_in_doubt() {
    let base = of_person(r#"{"em":"john@example.com"}"#);
    let in_doubt = Moment {
        in_doubt: true,
        ..NOW
    };
    for (age_s, expected, sent_age_s) in [
        (7 * DAY_S, "event_time_late", 7 * DAY_S),
        (7 * DAY_S + 1, "event_time_unproven", 7 * DAY_S + 1),
        (900 * DAY_S, "event_time_unproven", 900 * DAY_S),
        (-600, "event_time_clamped", 0),
        (-601, "event_time_unproven", -601),
        (-900 * DAY_S, "event_time_unproven", -900 * DAY_S),
    ] {
        let patch = format!(r#"{{"event_time":{}}}"#, NOW_S - age_s);
        let text = patched(&base, &patch).to_string();
        let outcome = seal_at(&text, &Rules::default(), in_doubt);
        assert_eq!(outcome.codes(), [expected], "{age_s} s ago");
        let sent = outcome.sealed.expect("it is taken").event_time();
        assert_eq!(sent, NOW_S - sent_age_s, "{age_s} s ago");
    }
}

#[test]
fn times_come_in_many_shapes() {
    let base = of_person(r#"{"em":"john@example.com"}"#);
    let rows: &[Row<'_>] = &[
        (r#"{"event_time":1789999940}"#, &[]),
        (r#"{"event_time":"1789999940"}"#, &[]),
        (r#"{"event_time":1789999940.0}"#, &[]),
        (r#"{"event_time":1789999940.25}"#, &["event_time_unit"]),
        (r#"{"event_time":1789999940123}"#, &["event_time_unit"]),
        (r#"{"event_time":"1789999940123"}"#, &["event_time_unit"]),
        (r#"{"event_time":1789999940123456}"#, &["event_time_unit"]),
        (r#"{"event_time":"2026-09-21T14:12:20Z"}"#, &[]),
        (r#"{"event_time":"2026-09-21T16:12:20+02:00"}"#, &[]),
        (r#"{"event_time":"2026-09-21 14:12:20 UTC"}"#, &[]),
        (r#"{"event_time":"Mon, 21 Sep 2026 14:12:20 GMT"}"#, &[]),
    ];
    assert_codes(&base, rows);
    let sent: Vec<_> = rows
        .iter()
        .map(|(patch, _)| (*patch, "1789999940"))
        .collect();
    assert_sent(&base, "/event_time", &sent);

    assert_codes(
        &base,
        &[
            (
                r#"{"event_time":"2026-09-21T14:12:20"}"#,
                &["event_time_no_zone"],
            ),
            (
                r#"{"event_time":"2026-09-21 14:12"}"#,
                &["event_time_no_zone"],
            ),
            (r#"{"event_time":"2026-09-21"}"#, &["event_time_no_zone"]),
            (
                r#"{"event_time":"2026-13-01T00:00:00Z"}"#,
                &["event_time_invalid"],
            ),
            (r#"{"event_time":"14:12"}"#, &["event_time_invalid"]),
        ],
    );
}

#[test]
fn action_sources_are_read_by_name_and_by_common_words() {
    let base = of_person(r#"{"em":"john@example.com","client_user_agent":"Mozilla/5.0"}"#);
    for (word, expected, codes) in [
        ("phone_call", "phone_call", &[][..]),
        ("email", "email", &[]),
        ("chat", "chat", &[]),
        ("other", "other", &[]),
        ("offline", "physical_store", &["action_source_unknown"]),
        ("POS", "physical_store", &["action_source_unknown"]),
        ("Phone_Call", "phone_call", &["action_source_unknown"]),
        ("crm", "system_generated", &["action_source_unknown"]),
    ] {
        let outcome = seal_value(&patched(&base, &format!(r#"{{"action_source":"{word}"}}"#)));
        assert_eq!(outcome.codes(), codes, "{word}");
        assert_eq!(outcome.json()["action_source"], expected, "{word}");
    }
}

/// An event that names no source shows it by its fields, before the default is taken.
#[test]
fn a_missing_action_source_is_read_off_the_fields() {
    let base = patched(
        &of_person(r#"{"em":"john@example.com"}"#),
        r#"{"action_source":null}"#,
    );
    assert_sent(
        &base,
        "/action_source",
        &[
            (r"{}", r#""website""#),
            (
                r#"{"event_source_url":"https://shop.example/"}"#,
                r#""website""#,
            ),
            (
                r#"{"custom_data":{"event_source":"crm"}}"#,
                r#""system_generated""#,
            ),
            (
                r#"{"app_data":{"advertiser_tracking_enabled":0,"extinfo":["i2","","","","17.1","","","","","","","","","","",""]}}"#,
                r#""app""#,
            ),
            (
                r#"{"event_name":"LeadSubmitted","messaging_channel":"messenger","user_data":{"page_id":"1","page_scoped_user_id":"2"}}"#,
                r#""business_messaging""#,
            ),
        ],
    );
}

/// Documented as required, but the endpoint does without: so a warning, and the event goes.
#[test]
fn website_events_are_warned_about_what_they_lack() {
    let rows: &[Row<'_>] = &[
        (
            r#"{"event_source_url":null}"#,
            &["event_source_url_missing"],
        ),
        (
            r#"{"user_data":{"client_user_agent":null}}"#,
            &["client_user_agent_missing"],
        ),
        (
            r#"{"event_source_url":null,"user_data":{"client_user_agent":null}}"#,
            &["client_user_agent_missing", "event_source_url_missing"],
        ),
        (r#"{"event_source_url":"/thanks"}"#, &["url_invalid"]),
        (
            r#"{"event_source_url":"shop.example/thanks"}"#,
            &["url_invalid"],
        ),
        (r#"{"referrer_url":"https://search.example/?q=shoes"}"#, &[]),
        (r#"{"referrer_url":"about blank"}"#, &["url_invalid"]),
    ];
    assert_codes(&website(), rows);
}
