//! No clear value leaves `sluice check` unless it is asked for, however wrongly an event is written.

use crate::run::{NOW, sluice};

/// Each of these is in the inputs below, and in no output.
const CLEAR: [&str; 9] = [
    "john",
    "doe@example",
    "example.com",
    "4155550123",
    "415 555",
    "Musterstadt",
    "Erika",
    "203.0.113.77",
    "Mozilla/5.0",
];

fn bodies() -> Vec<String> {
    let with = |members: &str| {
        format!(
            r#"{{"event_name":"Lead","event_time":1701234567,"action_source":"other",{members}}}"#
        )
    };
    vec![
        // Good and bad values where they belong.
        with(
            r#""user_data":{"em":["john.doe@example.com","john.doe(at)example.com"],"ph":["+1 415 555 0123","415 555"],
            "ct":"Musterstadt","fn":"Erika","client_ip_address":"203.0.113.77","client_user_agent":"Mozilla/5.0",
            "db":"john","ge":"Erika","country":"Musterstadt","fbc":"john.doe@example.com","fbp":"4155550123",
            "lead_id":"john","madid":"john.doe@example.com","external_id":"john.doe@example.com"}"#,
        ),
        // Values of the wrong type.
        with(r#""user_data":{"em":{"address":"john.doe@example.com"},"ph":[["+14155550123"]],"fn":{"Erika":1}}"#),
        // Keys that are contact data.
        with(r#""user_data":{"john.doe@example.com":"Erika","+1 415 555 0123":true}"#),
        with(r#""john.doe@example.com":1,"user_data":{"em":"john.doe@example.com"}"#),
        with(r#""user_data":{"ph":"14155550123"},"custom_data":{"john.doe@example.com":{"a":1},"x":{"john.doe@example.com":1}}"#),
        with(r#""user_data":{"ph":"14155550123"},"app_data":{"john.doe@example.com":1,"+14155550123":2}"#),
        // Contact data in places that go to Meta in the clear.
        with(r#""event_source_url":"https://shop.example/?email=john.doe@example.com&tel=%2B14155550123","referrer_url":"mailto:john.doe@example.com","user_data":{"em":"john.doe@example.com"}"#),
        with(r#""event_source_url":"john.doe@example.com","user_data":{"em":"john.doe@example.com"}"#),
        with(r#""event_id":"john.doe@example.com","user_data":{"em":"john.doe@example.com"}"#),
        with(r#""event_id":"+1 415 555 0123","user_data":{"em":"john.doe@example.com"}"#),
        with(r#""user_data":{"em":"john.doe@example.com"},"custom_data":{"order_id":"john.doe@example.com","currency":"john.doe@example.com","value":"john.doe@example.com","content_name":"for john.doe@example.com","contents":[{"id":"john.doe@example.com","quantity":"+14155550123"}]}"#),
        with(r#""customer_segmentation":"john.doe@example.com","messaging_channel":"john.doe@example.com","opt_out":"john.doe@example.com","data_processing_options":["john.doe@example.com"],"user_data":"john.doe@example.com""#),
        r#"{"event_name":"john.doe@example.com","event_time":"john.doe@example.com","action_source":"john.doe@example.com","user_data":{}}"#.to_owned(),
        r#"{"email":"john.doe@example.com","phone":"415 555 0123","first_name":"Erika","city":"Musterstadt","fbclid":"john.doe@example.com"}"#.to_owned(),
        // Not JSON at all, with contact data around the place.
        r#"{"user_data":{"em":"john.doe@example.com}"#.to_owned(),
        "john.doe@example.com".to_owned(),
        "\"john.doe@example.com\"".to_owned(),
        "[\"john.doe@example.com\",{\"em\":\"john.doe@example.com\"},".to_owned(),
        "{\"event_name\":\"Lead\"}\njohn.doe@example.com\n".to_owned(),
    ]
}

#[test]
fn clear_values_are_never_printed() {
    for body in bodies() {
        for mode in [
            &[][..],
            &["--json"],
            &["--explain"],
            &["--json", "--explain", "--variants"],
            &["--explain", "--external-id", "as-is"],
        ] {
            let run = sluice(&[&["check", "--now", NOW], mode].concat(), &body);
            assert!(matches!(run.code, Some(0 | 1)), "{body}");
            let output = format!("{}{}", run.stdout, run.stderr);
            assert!(!output.is_empty());
            for clear in CLEAR {
                assert!(
                    !output.contains(clear),
                    "{clear} is in the output for {body}:\n{output}"
                );
            }
        }
    }
}

#[test]
fn they_are_when_asked_for() {
    let body = &bodies()[0];
    let arguments = ["check", "--now", NOW, "--explain", "--show-values"];
    for mode in [&[][..], &["--json"]] {
        let run = sluice(&[&arguments[..], mode].concat(), body);
        assert_eq!(run.code, Some(0));
        for clear in [
            "john.doe@example.com",
            "415 555 0123",
            "Erika",
            "203.0.113.77",
        ] {
            assert!(run.stdout.contains(clear), "{clear}: {}", run.stdout);
        }
    }
}
