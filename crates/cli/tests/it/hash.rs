//! `sluice hash`.

use serde_json::{Value, json};

use crate::run::{sluice, sluice_head};

const JOHN: &str = "855f96e983f1f8e8be944692b6f719fd54329826cb62e98015efee8e2e071dd4";
const MARY: &str = "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec";
const BERLIN: &str = "2f9fbc550b12cbc0e6242384cc472bd1e4f058a8b773f189f7acb86d202655ce";

#[test]
fn values_stand_in_columns() {
    let run = sluice(&["hash", "em", " John@Example.com ", MARY, "a@b.co"], "");
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    let expected = format!(
        "john@example.com  {JOHN}
(hashed before)   {MARY}
a@b.co            80305c9bb1bb2480e03894350e0a8a366dcbdeb302e69e0817aa0743abd77054
"
    );
    assert_eq!(run.stdout, expected);
}

#[test]
fn what_is_left_out_says_why() {
    let run = sluice(&["hash", "email", "nope"], "");
    assert_eq!((run.code, &*run.stderr), (Some(1), ""));
    let expected = "(left out)
  em_invalid: em holds a text of 4 characters that cannot be used; left out
  help: an e-mail address looks like name@domain.tld
";
    assert_eq!(run.stdout, expected);
}

#[test]
fn fields_in_the_clear_have_no_hash() {
    let run = sluice(&["hash", "client_ip_address", "8.8.8.8"], "");
    assert_eq!(run.stdout, "8.8.8.8  sent in the clear\n");
    let run = sluice(&["hash", "currency", " eur", "--json"], "");
    let expected = json!({"field":"currency","normalized":"EUR","sha256":null});
    assert_eq!(run.json(), [expected]);
}

#[test]
fn a_country_helps_a_phone_number() {
    let run = sluice(
        &["hash", "phone", "030 1234567", "--country", "Germany"],
        "",
    );
    assert_eq!(run.code, Some(0));
    assert_eq!(run.stdout, format!("49301234567  {BERLIN}\n"));
}

#[test]
fn variants_are_the_other_hashes() {
    let run = sluice(&["hash", "fn", "Mary-Ann", "--variants", "--json"], "");
    let answer = &run.json()[0];
    assert_eq!(answer["normalized"], "maryann");
    assert_eq!(answer["variants"][0]["normalized"], "mary-ann");
    let run = sluice(&["hash", "fn", "Mary-Ann", "--variants"], "");
    let lines: Vec<_> = run.stdout.lines().collect();
    assert!(lines[0].starts_with("maryann   "), "{lines:?}");
    assert!(lines[1].starts_with("mary-ann  ") && lines[1].ends_with("  variant"));
}

#[test]
fn wrong_usage_ends_with_2_and_a_suggestion() {
    let run = sluice(&["hash", "emial", "x"], "");
    assert_eq!((run.code, &*run.stdout), (Some(2), ""));
    assert!(
        run.stderr.contains("did you mean email (em)?"),
        "{}",
        run.stderr
    );
    for arguments in [
        &["hash"][..],
        &["hash", "em"],
        &["hash", "em", "x", "--jsonl"],
        &["hash", "em", "x", "--country", "Atlantis"],
        &["hsah", "em", "x"],
        &[],
    ] {
        assert_eq!(sluice(arguments, "").code, Some(2), "{arguments:?}");
    }
}

#[test]
fn a_value_in_the_place_of_the_field_is_not_repeated() {
    for value in ["john@example.com", "+491701234567", "Erika"] {
        let run = sluice(&["hash", value, "em"], "");
        assert_eq!((run.code, &*run.stdout), (Some(2), ""));
        assert!(!run.stderr.contains(value), "{}", run.stderr);
        for expected in [
            "error: FIELD is neither a field of user_data nor currency\nhelp: FIELD comes first, then its values; ",
            "; the fields are em (email), ph (phone), ",
        ] {
            assert!(run.stderr.contains(expected), "{}", run.stderr);
        }
    }
}

#[test]
fn lines_are_answered_in_order() {
    let input = format!(
        r#"{{"field":"ph","value":"030 1234567","country":"de"}}
{{"field":"em","value":"nope"}}
{{"value":16505551212,"field":"phone","country":null}}
{{"field":"ln","value":"{MARY}"}}
{{"field":"fbp","value":"fb.1.1701234567000.123456789","id":17}}
{{"field":"em"}}
{{"field":"em","value":["a@b.co"]}}
{{"field":"em","value":"a@b.co","country":"Atlantis"}}"#
    );
    let run = sluice(&["hash", "--jsonl"], input);
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    let answers = run.json();
    let short: Vec<_> = answers
        .iter()
        .map(|answer| {
            let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            let hash = text(&answer["sha256"]);
            [
                text(&answer["field"]),
                text(&answer["normalized"]),
                hash.chars().take(4).collect(),
                text(&answer["finding"]["code"]),
            ]
        })
        .collect();
    assert_eq!(
        short,
        [
            ["ph", "49301234567", "2f9f", "-"],
            ["em", "-", "-", "em_invalid"],
            ["ph", "16505551212", "e323", "ph_no_country"],
            ["ln", MARY, "6915", "-"],
            ["fbp", "fb.1.1701234567000.123456789", "-", "-"],
            ["em", "-", "-", "value_empty"],
            ["em", "-", "-", "value_type"],
            ["em", "a@b.co", "8030", "country_unknown"],
        ]
    );
    // Nulls are written, so that every answer has the same three keys.
    assert_eq!(
        answers[1],
        json!({"field":"em","normalized":null,"sha256":null,"finding":{
            "code":"em_invalid","severity":"repaired",
            "message":"em holds a text of 4 characters that cannot be used; left out",
            "help":"an e-mail address looks like name@domain.tld",
        }})
    );
}

#[test]
fn a_line_that_is_not_understood_is_answered_too() {
    let input = "{\"field\":\"em\",\"value\":\"a@b.co\"}\n\nnope\n{\"field\":\"emial\",\"value\":\"x\"}\n{\"value\":1}\n[]\n{\"field\":\"em\",\"value\":\"a@b.co\"}\n";
    let run = sluice(&["hash", "--jsonl"], input);
    assert_eq!((run.code, &*run.stderr), (Some(1), ""));
    let answers = run.json();
    let codes: Vec<_> = answers
        .iter()
        .map(|answer| answer["finding"]["code"].as_str().unwrap_or("-"))
        .collect();
    assert_eq!(
        codes,
        [
            "-",
            "json_invalid",
            "json_invalid",
            "field_unknown",
            "field_unknown",
            "json_invalid",
            "-"
        ]
    );
    assert_eq!(answers[3]["field"], "emial");
    assert_eq!(answers[3]["finding"]["help"], "did you mean email (em)?");
    assert_eq!(answers[1]["field"], Value::Null);
}

#[test]
fn many_lines_stay_in_step() {
    let line = |at| format!("{{\"field\":\"external_id\",\"value\":{at}}}");
    let input = (1..=20_000).map(line).collect::<Vec<_>>().join("\n");
    let run = sluice(&["hash", "--jsonl"], &input);
    assert_eq!(run.code, Some(0));
    let answers = run.json();
    assert_eq!(answers.len(), 20_000);
    for (at, answer) in answers.iter().enumerate() {
        assert_eq!(answer["normalized"], (at + 1).to_string());
    }
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let input = "{\"field\":\"em\",\"value\":\"a@b.co\"}\n".repeat(50_000);
    let run = sluice_head(&["hash", "--jsonl"], input.as_bytes());
    assert_eq!((run.code, &*run.stderr), (Some(0), ""));
    assert!(run.stdout.ends_with("}\n"));
}
