//! `sluice config check`.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use crate::run::{Run, sluice, sluice_in_colour, sluice_with};
use crate::server::Server;

const GOOD: &str = r#"
[[dataset]]
id = "1234567890123456"
name = "Shop"
access_token = { command = ["echo", "EAABgeheim"] }
[[source]]
name = "shop-backend"
kind = "api"
key = { command = ["echo", "geheim-and-long-enough"] }
datasets = ["1234567890123456"]
"#;

/// Checks a file of this text; its path is shown as `sluice.toml`.
fn check(text: &str, arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sluice.toml");
    fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    let mut run = sluice(
        &[&["config", "check", "--config", path], arguments].concat(),
        "",
    );
    run.stdout = run.stdout.replace(path, "sluice.toml");
    assert!(!run.stdout.contains("geheim") && !run.stderr.contains("geheim"));
    run
}

#[test]
fn says_what_would_run() {
    let run = check(GOOD, &[]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        run.stdout,
        "\
listens on  http://127.0.0.1:8080
admin       http://127.0.0.1:8081
journal     ./sluice-data, bodies are kept for 30 days
sends to    https://graph.facebook.com
dataset     1234567890123456 Shop
            v27.0; token: command echo
source      shop-backend → 1234567890123456
            api; key: command echo

sluice.toml can be used
"
    );
}

#[test]
fn says_everything_that_is_wrong() {
    let text = format!("[server]\nlistne = \"geheim\"\nlisten = \"0.0.0.0:80\"\n{GOOD}");
    let run = check(&text.replace("\"api\"", "\"apo\""), &[]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""));
    assert_eq!(
        run.stdout,
        r#"error: [server] has no key listne
 --> sluice.toml:2:1 (server.listne)
  |
2 | listne = …
  | ^^^^^^
  help: did you mean listen?

error: kind is "api", found "apo"
  --> sluice.toml:11:8 (source[0].kind)
   |
11 | kind = "apo"
   |        ^^^^^
  help: did you mean "api"?

sluice.toml cannot be used, 2 errors
"#
    );
}

#[test]
fn reads_the_secrets() {
    let text = GOOD.replace("[\"echo\", \"EAABgeheim\"]", "[\"false\", \"geheim\"]");
    let run = check(&text, &[]);
    assert_eq!(run.code, Some(1));
    assert_eq!(
        run.stdout,
        "\
error: command false failed: exit status: 1
 --> sluice.toml:5:16 (dataset[0].access_token)
  |
5 | access_token = { command = […, …] }
  |                ^^^^^^^^^^^^^^^^^^^^

sluice.toml cannot be used, 1 error
"
    );
}

#[test]
fn reads_the_secrets_whatever_else_is_wrong() {
    let text = GOOD.replace("[\"echo\", \"EAABgeheim\"]", "[\"false\", \"geheim\"]");
    let run = check(&text.replace("\"api\"", "\"apo\""), &["--json"]);
    let report = &run.json()[0];
    let problems = report["problems"].as_array().unwrap();
    let keys: Vec<_> = problems.iter().map(|it| &it["key"]).collect();
    assert_eq!(keys, ["dataset[0].access_token", "source[0].kind"]);
    let run = check(&GOOD.replace("name = \"Shop\"\n", ""), &[]);
    assert!(run.stdout.lines().all(|line| line.trim_end() == line));
}

#[test]
fn answers_programs_in_json() {
    let run = check(GOOD, &["--json"]);
    assert_eq!(run.code, Some(0));
    let report = &run.json()[0];
    assert_eq!(report["usable"], true);
    assert_eq!(report["runs"]["datasets"][0], "1234567890123456");
    assert_eq!(report["problems"].as_array().unwrap().len(), 0);

    let run = check("[server]\nlisten = 80\n", &["--json"]);
    assert_eq!(run.code, Some(1));
    let report = &run.json()[0];
    assert_eq!(
        (report["usable"].as_bool(), report["errors"].as_u64()),
        (Some(false), Some(3))
    );
    assert!(report["runs"].is_null());
    let problem = &report["problems"][0];
    assert_eq!(problem["key"], "server.listen");
    assert_eq!(
        (problem["line"].as_u64(), problem["column"].as_u64()),
        (Some(2), Some(10))
    );
}

#[test]
fn a_file_that_cannot_be_read_is_another_matter() {
    let run = sluice(&["config", "check", "--config", "/nowhere/sluice.toml"], "");
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(
        run.stderr
            .starts_with("error: reading /nowhere/sluice.toml: No such file")
    );

    // There is none in the folder of these tests.
    let run = sluice(&["config", "check"], "");
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(
        run.stderr
            .starts_with("error: there is no sluice.toml in this folder\nhelp: ")
    );
}

#[test]
fn serve_refuses_with_the_same_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sluice.toml");
    fs::write(&path, GOOD.replace("\"api\"", "\"apo\"")).unwrap();
    let path = path.to_str().unwrap();
    let run = sluice(&["serve", "--config", path], "");
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    let lines: Vec<_> = run.stderr.lines().collect();
    assert_eq!(lines[0], "error: kind is \"api\", found \"apo\"");
    assert_eq!(
        lines.last().unwrap(),
        &format!("error: {path} cannot be used: 1 error")
    );
}

/// What `serve` says of a configuration with which it does not start.
fn serve(text: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sluice.toml");
    // No journal can be where a file is.
    let journal = path.display();
    let text = format!(
        "server.listen = \"127.0.0.1:0\"\nadmin.listen = \"127.0.0.1:0\"\njournal.path = \"{journal}\"\n{text}"
    );
    fs::write(&path, text).unwrap();
    let run = sluice(&["serve", "--config", path.to_str().unwrap()], "");
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(!run.stderr.contains("geheim"), "{}", run.stderr);
    run.stderr
}

#[test]
fn serve_refuses_an_access_token_for_a_key() {
    let said = serve(&GOOD.replace("geheim-and-long-enough", "EAABgeheim"));
    let expected =
        "error: source shop-backend has the access token of dataset 1234567890123456 for its key";
    assert_eq!(said.lines().next(), Some(expected), "{said}");
}

#[test]
fn serve_warns_of_a_key_that_can_be_guessed() {
    let doubt = "the key has fewer than 16 characters and can be guessed";
    let said = serve(&GOOD.replace("geheim-and-long-enough", "geheim"));
    assert!(
        said.contains(doubt) && said.contains("shop-backend"),
        "{said}"
    );
    assert!(!serve(GOOD).contains(doubt));
}

#[test]
fn serve_warns_of_every_file_with_a_secret_that_all_users_can_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let file = |name: &str, secret: &str, mode| {
        let path = folder.path().join(name);
        fs::write(&path, secret).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        format!("file = \"{}\"", path.display())
    };
    for mode in [0o644, 0o600] {
        let token = file("token", "EAABgeheim", mode);
        let key = file("key", &"0a".repeat(32), mode);
        let text = GOOD.replace("command = [\"echo\", \"EAABgeheim\"]", &token);
        let said = serve(&format!(
            "journal.encryption_key = {{ {key} }}\njournal.encryption_key_previous = {{ {key} }}\n{text}"
        ));
        let warnings =
            said.matches("a file with a secret can be read by every user of this machine");
        assert_eq!(
            warnings.count(),
            if mode == 0o644 { 3 } else { 0 },
            "{said}"
        );
        let is_named = said.contains("previous encryption key of the journal");
        assert_eq!(is_named, mode == 0o644, "{said}");
    }
}

#[test]
fn colours_are_for_people() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sluice.toml");
    fs::write(&path, "[sever]\n").unwrap();
    let run = sluice_in_colour(&["config", "check", "--config", path.to_str().unwrap()], "");
    assert!(
        run.stdout.contains("\u{1b}[1m\u{1b}[31merror\u{1b}[0m: "),
        "{:?}",
        run.stdout
    );
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let variables = [("SLUICE_CONFIG", ""), ("SLUICE_JOURNAL_PATH", "")];
    let run = sluice_with(&variables, &["config", "check"], "");
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("there is no sluice.toml"),
        "{}",
        run.stderr
    );
    let run = sluice_with(&variables, &["audit"], "");
    assert!(
        run.stderr.contains("no journal in ./sluice-data") && run.stderr.contains("--journal DIR"),
        "{}",
        run.stderr
    );
}

#[test]
fn serving_without_a_file_goes_nowhere_but_into_the_sandbox() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    let variables = [
        ("SLUICE_GRAPH_BASE_URL", "http://127.0.0.1:9"),
        ("SLUICE_SERVER_LISTEN", "127.0.0.1:0"),
        ("SLUICE_ADMIN_LISTEN", "127.0.0.1:0"),
        ("SLUICE_JOURNAL_PATH", journal.to_str().unwrap()),
    ];
    let run = sluice_with(&variables, &["serve"], "");
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(
        run.stderr.contains("SLUICE_GRAPH_BASE_URL"),
        "{}",
        run.stderr
    );
    assert!(!journal.exists());
}

#[test]
fn a_trial_takes_its_key_from_a_variable_and_does_not_show_it() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    let variables = [
        ("SLUICE_SERVER_LISTEN", "127.0.0.1:0"),
        ("SLUICE_ADMIN_LISTEN", "127.0.0.1:0"),
        ("SLUICE_JOURNAL_PATH", journal.to_str().unwrap()),
        ("SLUICE_SOURCE_DEFAULT_KEY", "geheim-and-long-enough"),
    ];
    let server = Server::start_with(&variables, &["serve"]);
    let is_known = |key: &str| {
        let path = format!("/v27.0/1234567890123456/events?access_token={key}");
        let (_, answer) = server.http("POST", &path, r#"{"data":[]}"#);
        !answer.contains("\"code\":190")
    };
    assert!(is_known("geheim-and-long-enough"));
    assert!(!is_known("another-key-that-is-long"));
    let (code, printed) = server.stop();
    assert_eq!(code, Some(0), "{printed}");
    assert!(!printed.contains("geheim"), "{printed}");
    let line = "Authorization: Bearer $SLUICE_SOURCE_DEFAULT_KEY\"";
    assert!(printed.contains(line), "{printed}");
}

#[test]
fn a_trial_shows_its_metrics_where_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("journal");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let variables = [
        ("SLUICE_SERVER_LISTEN", "127.0.0.1:0"),
        ("SLUICE_ADMIN_LISTEN", taken.as_str()),
        ("SLUICE_JOURNAL_PATH", journal.to_str().unwrap()),
    ];
    let (code, printed) = Server::start_with(&variables, &["serve"]).stop();
    assert_eq!(code, Some(0), "{printed}");
    let metrics = printed.lines().find(|line| line.contains("metrics"));
    let metrics = metrics.unwrap_or_default();
    let is_elsewhere = metrics.contains("http://127.0.0.1:") && !metrics.contains(&taken);
    assert!(is_elsewhere, "{printed}");
}

#[test]
fn a_socket_that_is_handed_over_has_to_be_one() {
    let run = sluice_with(&[("LISTEN_FDS", "1")], &["serve"], "");
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    let said = "socket 1 of those in LISTEN_FDS is no TCP socket that listens";
    assert!(run.stderr.contains(said), "{}", run.stderr);
}
