//! Secrets that are read again: which, and what takes effect.

use std::fs;
use std::path::Path;

use sluice_event::DatasetId;
use sluice_graph::AccessToken;

use super::*;
use crate::config::FixedEnvironment;
use crate::config::tests::LEAST;

const FIRST: &str = "1234567890123456";
const SECOND: &str = "2345678901234567";

/// Two datasets and two sources, with secrets in the files `first`, `second`, `shop` and `app`.
fn write_secrets(folder: &Path) {
    for name in ["first", "second", "shop", "app"] {
        fs::write(folder.join(name), format!("{name}-secret-of-the-test")).unwrap();
    }
}

fn roster(folder: &Path, second: &str) -> Result<Roster, RosterError> {
    roster_at("127.0.0.1:8080", folder, second)
}

fn roster_at(listen: &str, folder: &Path, second: &str) -> Result<Roster, RosterError> {
    let path = folder.display();
    let text = format!(
        r#"
        [server]
        listen = "{listen}"
        [[dataset]]
        id = "{FIRST}"
        access_token = {{ file = "{path}/first" }}
        [[dataset]]
        id = "{SECOND}"
        access_token = {second}
        [[source]]
        name = "shop"
        kind = "api"
        key = {{ file = "{path}/shop" }}
        datasets = ["{FIRST}"]
        [[source]]
        name = "app"
        kind = "api"
        key = {{ file = "{path}/app" }}
        datasets = ["{SECOND}"]
        "#
    );
    let environment = FixedEnvironment::new();
    let loaded = Config::parse("test.toml", &text, &environment, 0);
    let config = loaded.unwrap_or_else(|problems| panic!("{problems}"));
    Roster::read(config.config, Arc::new(environment))
}

fn from_file(folder: &Path) -> String {
    format!("{{ file = \"{}/second\" }}", folder.display())
}

/// The same with an app secret in the file `of-the-app`, which is written.
fn with_app_secret(folder: &Path) -> String {
    fs::write(folder.join("of-the-app"), "0123456789abcdef").unwrap();
    let path = folder.display();
    let token = from_file(folder);
    format!("{token}\napp_secret = {{ file = \"{path}/of-the-app\" }}")
}

fn from_shell(script: &str) -> String {
    format!("{{ command = [\"sh\", \"-c\", '{script}'] }}")
}

/// Whose key this is.
fn owner(roster: &Roster, key: &str) -> Option<String> {
    let source = roster.now().callers.by_key(key);
    source.map(|source| source.name.to_string())
}

fn token(roster: &Roster, dataset: &str) -> AccessToken {
    let now = roster.now();
    let dataset = DatasetId::parse(dataset).unwrap();
    let reachable = now.destinations.of(&dataset).unwrap();
    reachable.destination.endpoint.token.clone()
}

fn told(reading: Reading) -> Vec<String> {
    let errors = reading.into_iter().filter_map(|read| read.result.err());
    errors.map(|error| error.with_reason()).collect()
}

/// How many secrets were read, and how many of them are others than before. All of them can be used.
fn counted(reading: Reading) -> (usize, usize) {
    let read = reading.into_iter().map(|read| read.result);
    let read = read.collect::<Result<Vec<_>, _>>().unwrap();
    (
        read.len(),
        read.iter().filter(|is_other| **is_other).count(),
    )
}

#[test]
fn every_secret_that_cannot_be_read_is_named_and_the_others_take_effect() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_secrets(folder);
    let roster = roster(folder, &from_file(folder)).unwrap();
    fs::remove_file(folder.join("first")).unwrap();
    fs::write(folder.join("second"), "no token").unwrap();
    fs::write(folder.join("shop"), "").unwrap();
    fs::write(folder.join("app"), "the-new-key-of-the-app").unwrap();
    for reading in [roster.refresh(true), roster.refresh_files()] {
        let told = told(reading);
        let named = [
            format!("access token of dataset {FIRST} ("),
            format!("access token of dataset {SECOND} ("),
            "key of source shop (".to_owned(),
        ];
        assert_eq!(told.len(), named.len(), "{told:?}");
        for (told, named) in told.iter().zip(&named) {
            assert!(told.starts_with(named), "{told}");
            assert!(!told.contains("no token"), "{told}");
        }
    }
    assert_eq!(
        owner(&roster, "the-new-key-of-the-app").as_deref(),
        Some("app")
    );
    assert_eq!(owner(&roster, "app-secret-of-the-test"), None);
    // What cannot be read leaves in force what was known.
    assert_eq!(
        owner(&roster, "shop-secret-of-the-test").as_deref(),
        Some("shop")
    );
    let known = AccessToken::new("second-secret-of-the-test".to_owned());
    assert_eq!(token(&roster, SECOND), known.unwrap());
}

#[test]
fn a_token_takes_effect_when_the_app_secret_beside_it_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_secrets(folder);
    let second = with_app_secret(folder);
    let roster = roster(folder, &second).unwrap();
    fs::write(folder.join("second"), "EAANew").unwrap();
    fs::remove_file(folder.join("of-the-app")).unwrap();
    let told = told(roster.refresh_files());
    assert!(
        matches!(&told[..], [one] if one.starts_with("app secret of dataset")),
        "{told:?}"
    );
    assert_eq!(
        token(&roster, SECOND),
        AccessToken::new("EAANew".to_owned()).unwrap()
    );
}

#[test]
fn a_changed_file_runs_no_command() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_secrets(folder);
    let runs = folder.join("runs");
    let script = format!("echo run >> {}; echo EAAB", runs.display());
    let roster = roster(folder, &from_shell(&script)).unwrap();
    let count = || fs::read_to_string(&runs).unwrap().lines().count();
    assert_eq!(count(), 1);
    assert_eq!(counted(roster.refresh_files()), (3, 0));
    assert_eq!(counted(roster.refresh(true)), (3, 0));
    assert_eq!(count(), 1);
    for command in roster.commands() {
        assert_eq!(counted(roster.refresh_command(&command)), (1, 0));
    }
    assert_eq!(count(), 2);
}

#[test]
fn keys_may_change_places_but_two_sources_never_have_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_secrets(folder);
    let roster = roster(folder, &from_file(folder)).unwrap();
    fs::write(folder.join("shop"), "app-secret-of-the-test").unwrap();
    fs::write(folder.join("app"), "shop-secret-of-the-test").unwrap();
    assert_eq!(counted(roster.refresh_files()), (4, 2));
    assert_eq!(
        owner(&roster, "app-secret-of-the-test").as_deref(),
        Some("shop")
    );
    assert_eq!(
        owner(&roster, "shop-secret-of-the-test").as_deref(),
        Some("app")
    );

    fs::write(folder.join("shop"), "shop-secret-of-the-test").unwrap();
    fs::write(folder.join("second"), "EAANew").unwrap();
    let told = told(roster.refresh_files());
    assert_eq!(told, ["sources app and shop have the same key"]);
    assert_eq!(
        owner(&roster, "app-secret-of-the-test").as_deref(),
        Some("shop")
    );
    assert_eq!(
        owner(&roster, "shop-secret-of-the-test").as_deref(),
        Some("app")
    );
    assert_eq!(
        token(&roster, SECOND),
        AccessToken::new("EAANew".to_owned()).unwrap()
    );
}

#[test]
fn a_key_is_no_token() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_secrets(folder);
    let second = with_app_secret(folder);
    for (same, what) in [
        ("first", format!("access token of dataset {FIRST}")),
        ("second", format!("access token of dataset {SECOND}")),
        ("of-the-app", format!("app secret of dataset {SECOND}")),
    ] {
        write_secrets(folder);
        let running = roster(folder, &second).unwrap();
        let secret = fs::read_to_string(folder.join(same)).unwrap();
        fs::write(folder.join("shop"), &secret).unwrap();
        let expected = format!("source shop has the {what} for its key");
        let refused = roster(folder, &second).err().unwrap();
        assert_eq!(refused.to_string(), expected);

        fs::write(folder.join("app"), "the-new-key-of-the-app").unwrap();
        assert_eq!(told(running.refresh_files()), [expected]);
        assert_eq!(owner(&running, &secret), None);
        assert_eq!(
            owner(&running, "shop-secret-of-the-test").as_deref(),
            Some("shop")
        );
        assert_eq!(
            owner(&running, "the-new-key-of-the-app").as_deref(),
            Some("app")
        );
    }
}

#[test]
fn a_new_token_that_is_a_key_is_refused_and_the_key_stays() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_secrets(folder);
    let roster = roster(folder, &from_file(folder)).unwrap();
    let known = token(&roster, SECOND);
    fs::write(folder.join("second"), "app-secret-of-the-test").unwrap();
    let expected = format!("source app has the access token of dataset {SECOND} for its key");
    assert_eq!(told(roster.refresh_files()), [expected]);
    assert_eq!(token(&roster, SECOND), known);
    assert_eq!(
        owner(&roster, "app-secret-of-the-test").as_deref(),
        Some("app")
    );
    // Datasets may share a token.
    fs::write(folder.join("second"), "first-secret-of-the-test").unwrap();
    assert_eq!(counted(roster.refresh_files()), (4, 1));
    assert_eq!(token(&roster, SECOND), token(&roster, FIRST));
}

#[test]
fn what_a_command_says_of_a_known_secret_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_secrets(folder);
    // Neither is long, and neither has digits: only that they are known tells what they are.
    fs::write(folder.join("shop"), "kurz-und-gut").unwrap();
    let script = format!(
        "test -e {}/ok && echo EAAB && exit; echo no kurz-und-gut for EAAB >&2; exit 3",
        folder.display()
    );
    let said = "said: no … for EAAB";
    let error = roster(folder, &from_shell(&script)).err().unwrap();
    assert!(
        error.with_reason().contains(said),
        "{}",
        error.with_reason()
    );

    fs::write(folder.join("ok"), "").unwrap();
    let roster = roster(folder, &from_shell(&script)).unwrap();
    fs::remove_file(folder.join("ok")).unwrap();
    let command = Arc::clone(&roster.commands()[0]);
    let told = told(roster.refresh_command(&command));
    let said = "said: no … for …";
    assert!(told[0].contains(said), "{told:?}");
}

#[test]
fn a_short_key_is_taken_only_where_no_other_machine_can_try_it() {
    let folder = tempfile::tempdir().unwrap();
    write_secrets(folder.path());
    let second = from_file(folder.path());
    fs::write(folder.path().join("shop"), "15-characters..").unwrap();
    for (listen, is_taken) in [
        ("127.0.0.1:8080", true),
        ("[::1]:8080", true),
        ("0.0.0.0:8080", false),
        ("203.0.113.7:8080", false),
        ("[::]:8080", false),
    ] {
        let roster = roster_at(listen, folder.path(), &second);
        let doubts = roster.as_ref().map(|roster| roster.doubts().len());
        assert_eq!(doubts.ok(), is_taken.then_some(1), "{listen}");
    }
    fs::write(folder.path().join("shop"), "sixteen-letters.").unwrap();
    let roster = roster_at("0.0.0.0:8080", folder.path(), &second).unwrap();
    fs::write(folder.path().join("shop"), "short").unwrap();
    let said = told(roster.refresh_files());
    assert_eq!(
        said,
        [
            "key of source shop: the key has fewer than 16 characters and can be guessed; make one with `openssl rand -hex 24`"
        ]
    );
    assert_eq!(owner(&roster, "sixteen-letters."), Some("shop".to_owned()));
    assert_eq!(owner(&roster, "short"), None);
}

/// [`LEAST`], with these keys of its source.
fn with_keys(keys: &str) -> String {
    LEAST.replace("{ env = \"SLUICE_KEY\" }", keys)
}

fn parsed(text: &str) -> Config {
    let loaded = Config::parse("test.toml", text, &FixedEnvironment::new(), 0);
    loaded
        .unwrap_or_else(|problems| panic!("{problems}"))
        .config
}

#[test]
fn each_of_several_keys_lets_a_source_in_and_one_that_is_removed_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = folder.path().join(name);
        fs::write(&path, format!("key-of-the-shop-{name}")).unwrap();
        format!("{{ file = \"{}\" }}", path.display())
    };
    let (old, new) = (file("old"), file("new"));
    let roster = Roster::for_tests(&with_keys(&old));
    let may_come = |name: &str| owner(&roster, &format!("key-of-the-shop-{name}")).is_some();
    for (keys, expected) in [
        (old.clone(), [true, false]),
        (format!("[{old}, {new}]"), [true, true]),
        (new.clone(), [false, true]),
    ] {
        roster.apply(parsed(&with_keys(&keys))).unwrap();
        assert_eq!(["old", "new"].map(may_come), expected, "{keys}");
    }
    // Both may hold the same for a while.
    roster
        .apply(parsed(&with_keys(&format!("[{old}, {new}]"))))
        .unwrap();
    fs::write(folder.path().join("old"), "key-of-the-shop-new").unwrap();
    assert_eq!(told(roster.refresh_files()), Vec::<String>::new());
    assert_eq!(["old", "new"].map(may_come), [false, true]);
}

#[test]
fn another_configuration_is_put_in_force_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| format!("{{ file = \"{}\" }}", folder.path().join(name).display());
    let roster = Roster::for_tests(LEAST);
    let source = |name: &str, key: &str| {
        format!(
            "[[source]]\nname = \"{name}\"\nkind = \"api\"\nkey = {key}\ndatasets = [\"{FIRST}\"]\n"
        )
    };
    let refused = |text: &str| {
        let errors = roster.apply(parsed(text)).unwrap_err();
        assert_eq!(roster.now().generation, 1, "nothing has changed");
        assert_eq!(
            owner(&roster, "key-of-the-shop-0123456789").as_deref(),
            Some("shop")
        );
        let errors = errors.iter().map(RosterError::with_reason);
        errors.collect::<Vec<_>>()
    };
    // Every secret that cannot be read is named.
    let both = format!(
        "{LEAST}{}{}",
        source("a", &file("a")),
        source("b", &file("b"))
    );
    let errors = refused(&both);
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(
        errors[0].starts_with("key of source a (") && errors[1].starts_with("key of source b (")
    );
    // A key of two sources is refused, of one that is new and one that is known too.
    for name in ["a", "b"] {
        fs::write(folder.path().join(name), "key-of-the-shop-0123456789").unwrap();
    }
    let clash = format!("{LEAST}{}", source("a", &file("a")));
    assert_eq!(refused(&clash), ["sources shop and a have the same key"]);
    // Another name with the same key takes the place of the old one.
    let renamed = LEAST
        .replace("\"shop\"", "\"store\"")
        .replace("{ env = \"SLUICE_KEY\" }", &file("a"));
    roster.apply(parsed(&renamed)).unwrap();
    assert_eq!(
        owner(&roster, "key-of-the-shop-0123456789").as_deref(),
        Some("store")
    );
    assert_eq!(roster.now().generation, 2);
    // What is known stays in force, whatever has become of its file.
    fs::remove_file(folder.path().join("a")).unwrap();
    fs::write(folder.path().join("b"), "a-key-of-another-source").unwrap();
    roster
        .apply(parsed(&format!("{renamed}{}", source("b", &file("b")))))
        .unwrap();
    assert_eq!(
        owner(&roster, "key-of-the-shop-0123456789").as_deref(),
        Some("store")
    );
    assert_eq!(
        owner(&roster, "a-key-of-another-source").as_deref(),
        Some("b")
    );
}
