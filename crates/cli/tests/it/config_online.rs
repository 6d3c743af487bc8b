//! `sluice config check --online`, with the sandbox in the place of Meta.

use std::fs;

use crate::run::{Run, sluice_in};
use crate::server::Server;

const DATASET: &str = "1234567890123456";
const BUSINESS: &str = "9876543210987";

fn meta() -> Server {
    let tokens = [
        "good-geheim",
        "old-geheim=expired",
        "poor-geheim=wrong-permission",
    ];
    let tokens = tokens.iter().flat_map(|token| ["--token", token]);
    let mut arguments = vec!["sandbox", "--listen", "127.0.0.1:0"];
    arguments.extend(tokens);
    arguments.extend(["--dataset", DATASET, "--business-id", BUSINESS]);
    Server::start(&arguments)
}

/// Checks a configuration with this token for this id.
fn check(meta: &str, dataset: &str, token: &str, arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        r#"
[graph]
base_url = "{meta}"
[[dataset]]
id = "{dataset}"
access_token = {{ env = "TOKEN" }}
[[source]]
name = "shop-backend"
kind = "api"
key = {{ env = "KEY" }}
datasets = ["{dataset}"]
"#
    );
    fs::write(folder.path().join("sluice.toml"), text).unwrap();
    let variables = [("TOKEN", token), ("KEY", "a-key-of-some-length")];
    let arguments = [&["config", "check", "--online"], arguments].concat();
    let run = sluice_in(folder.path(), &variables, &arguments);
    assert!(!run.stdout.contains("geheim") && !run.stderr.contains("geheim"));
    run
}

#[test]
fn says_how_token_and_dataset_stand() {
    let meta = meta();
    let run = check(&meta.base, DATASET, "good-geheim", &[]);
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (Some(0), ""),
        "{}",
        run.stdout
    );
    let expected = "\
Graph API   1234567890123456
            token: valid of kind SYSTEM_USER without an end; ads_management, business_management, public_profile
            the id is that of the dataset \"Sandbox dataset 1234567890123456\", and the token can read it

sluice.toml can be used
";
    assert!(run.stdout.ends_with(expected), "{}", run.stdout);
    // Nothing was sent.
    assert_eq!(meta.json("/sandbox/stats")["requests"], 0);
}

#[test]
fn says_what_is_wrong_in_words() {
    let meta = meta();
    for (dataset, token, code, expected) in [
        (
            DATASET,
            "old-geheim",
            1,
            "error: the access token is not valid",
        ),
        (
            DATASET,
            "other-geheim",
            1,
            "error: the access token is not valid",
        ),
        (
            DATASET,
            "poor-geheim",
            1,
            "warning: the access token has neither ads_management nor business_management",
        ),
        (
            BUSINESS,
            "good-geheim",
            1,
            "error: the id is that of the business",
        ),
        (
            "1234567890123450",
            "good-geheim",
            1,
            "error: Meta takes no events for 1234567890123450 from this token: it knows no dataset with this id",
        ),
    ] {
        let run = check(&meta.base, dataset, token, &[]);
        assert_eq!(run.code, Some(code), "{token} {dataset}: {}", run.stdout);
        assert!(run.stdout.contains(expected), "{expected}: {}", run.stdout);
    }
    let run = check(&meta.base, BUSINESS, "good-geheim", &["--json"]);
    assert_eq!(run.code, Some(1));
    let report = &run.json()[0];
    assert_eq!(report["usable"], false);
    assert_eq!(report["meta"][0]["dataset"], BUSINESS);
    assert_eq!(report["meta"][0]["remarks"][0]["severity"], "error");
}

#[test]
fn no_answer_is_no_yes() {
    // Nothing listens there.
    let run = check("http://127.0.0.1:1", DATASET, "good-geheim", &[]);
    assert_eq!(run.code, Some(1), "{}", run.stdout);
    assert!(
        run.stdout
            .ends_with("sluice.toml is right, but the Graph API does not say yes, 1 error\n"),
        "{}",
        run.stdout
    );
}
