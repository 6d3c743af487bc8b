//! Secrets: read from everywhere, shown nowhere.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::*;
use crate::config::secret_file;
use crate::config::{Ink, SECRET_BYTES_MAX, Secret, SecretError, SecretRef};

const SECRET: &str = "EAABgeheim0123456789";

fn env(name: &str) -> SecretRef {
    SecretRef::Env(name.to_owned())
}

fn shell(script: &str) -> SecretRef {
    SecretRef::Command(["sh", "-c", script].map(str::to_owned).to_vec())
}

#[test]
fn reads_from_the_environment() {
    let environment = FixedEnvironment::new()
        .with("TOKEN", " EAAB \n")
        .with("EMPTY", " ")
        .with("BYTES", OsStr::from_bytes(b"EA\xff"))
        .with("LINES", "a\nb");
    let read = |name| env(name).read(&environment);
    assert_eq!(read("TOKEN").unwrap().expose(), "EAAB");
    assert!(matches!(read("EMPTY"), Err(SecretError::Empty)));
    assert!(matches!(read("BYTES"), Err(SecretError::NotText)));
    assert!(matches!(read("LINES"), Err(SecretError::SeveralLines)));
    let missing = read("MISSING").unwrap_err();
    assert_eq!(
        env("MISSING").explain(&missing),
        "environment variable MISSING is not set"
    );
}

#[test]
fn reads_from_files_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let secret = SecretRef::File(path.clone());
    let environment = FixedEnvironment::new();
    assert!(matches!(
        secret.read(&environment),
        Err(SecretError::Read(_))
    ));
    assert_eq!(secret.modified(), None);

    std::fs::write(&path, "first\r\n").unwrap();
    assert_eq!(secret.read(&environment).unwrap().expose(), "first");
    let first = secret.modified().unwrap();

    std::fs::write(&path, "second").unwrap();
    let later = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    std::fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(later)
        .unwrap();
    assert_eq!(secret.read(&environment).unwrap().expose(), "second");
    assert_ne!(secret.modified(), Some(first));

    std::fs::write(&path, b"\xff\xfe").unwrap();
    assert!(matches!(
        secret.read(&environment),
        Err(SecretError::NotText)
    ));
    std::fs::write(&path, "\n\n").unwrap();
    assert!(matches!(secret.read(&environment), Err(SecretError::Empty)));
    std::fs::write(&path, "x".repeat(SECRET_BYTES_MAX + 1)).unwrap();
    assert!(matches!(
        secret.read(&environment),
        Err(SecretError::TooLarge)
    ));
    std::fs::write(&path, "x".repeat(SECRET_BYTES_MAX * 100)).unwrap();
    assert!(matches!(
        secret.read(&environment),
        Err(SecretError::TooLarge)
    ));
}

#[test]
fn a_file_that_has_no_end_is_none_and_a_pipe_is_waited_for() {
    let environment = FixedEnvironment::new();
    let endless = SecretRef::File("/dev/zero".into());
    assert!(matches!(
        endless.read(&environment),
        Err(SecretError::TooLarge)
    ));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let nobody = secret_file::content(&path, Duration::from_millis(1));
    assert!(matches!(nobody, Err(SecretError::Timeout)));
    let writer = {
        let path = path.clone();
        std::thread::spawn(move || std::fs::write(path, "EAAB\n").unwrap())
    };
    let secret = SecretRef::File(path).read(&environment).unwrap();
    assert_eq!(secret.expose(), "EAAB");
    writer.join().unwrap();
}

#[test]
fn a_file_that_every_user_can_read_is_doubtful() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "EAABgeheim").unwrap();
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    };
    let secret = SecretRef::File(path.clone());
    for (of_folder, of_file, is_open) in [
        (0o755, 0o644, true),
        (0o711, 0o604, true),
        (0o755, 0o640, false),
        (0o755, 0o600, false),
        // Nobody else gets to the file.
        (0o750, 0o644, false),
    ] {
        mode(folder.path(), of_folder);
        mode(&path, of_file);
        let modes = format!("{of_folder:o} {of_file:o}");
        assert_eq!(secret.open_file().is_some(), is_open, "{modes}");
        let in_file = format!("file = \"{}\"", path.display());
        let text = LEAST.replace("env = \"META_ACCESS_TOKEN\"", &in_file);
        let environment = FixedEnvironment::new().with("SLUICE_KEY", "a-key-of-some-length");
        let checked = check(&text, &environment);
        let said: Vec<_> = checked
            .problems
            .iter()
            .map(|it| it.message.as_str())
            .collect();
        let expected = "a file with a secret can be read by every user of this machine";
        assert_eq!(said == [expected], is_open, "{modes}: {said:?}");
        assert!(checked.config.is_some(), "it is a warning");
    }
}

#[test]
fn reads_what_a_command_prints() {
    let environment = FixedEnvironment::new();
    let read = |secret: &SecretRef| secret.read(&environment);
    assert_eq!(read(&shell("echo EAAB")).unwrap().expose(), "EAAB");
    assert!(matches!(read(&shell("true")), Err(SecretError::Empty)));
    assert!(matches!(
        read(&shell("yes")),
        Err(SecretError::Failed { .. } | SecretError::SeveralLines)
    ));

    let failing = shell("echo EAAB; echo EAAB >&2; exit 3");
    let error = read(&failing).unwrap_err();
    assert_eq!(failing.explain(&error), "command sh failed: exit status: 3");
    let failing = shell("echo EAAB; echo a >&2; echo permission denied >&2; exit 3");
    let error = read(&failing).unwrap_err();
    assert_eq!(
        failing.explain(&error),
        "command sh failed: exit status: 3; it said: permission denied"
    );
    let nothing = shell("true");
    let error = read(&nothing).unwrap_err();
    assert_eq!(nothing.explain(&error), "the output of command sh is empty");
    let missing = SecretRef::Command(vec!["/nowhere/vault".to_owned()]);
    assert!(matches!(read(&missing), Err(SecretError::Run(_))));
    assert!(matches!(
        read(&SecretRef::Command(vec![])),
        Err(SecretError::Empty)
    ));
}

#[test]
fn is_not_shown_by_itself() {
    let secret = Secret::new(SECRET);
    let literal = SecretRef::Literal(secret.clone());
    let command = shell(&format!("echo {SECRET}"));
    for shown in [
        format!("{secret:?}"),
        format!("{literal:?} {literal}"),
        format!(
            "{command} {command:?} {}",
            command.explain(&SecretError::Timeout)
        ),
    ] {
        assert!(!shown.contains("geheim"), "{shown}");
    }
    assert_eq!(secret, Secret::new(SECRET));
    assert_ne!(secret, Secret::new("EAAB"));
}

#[test]
fn a_key_that_can_be_guessed_is_an_error_where_other_machines_try_it() {
    let text = r#"
[[dataset]]
id = "1234567890123456"
access_token = { env = "TOKEN" }
[[source]]
name = "one"
kind = "api"
key = { env = "ONE" }
datasets = ["1234567890123456"]
"#;
    let environment = FixedEnvironment::new()
        .with("TOKEN", "EAAB")
        .with("ONE", "geheim");
    assert!(check(text, &environment).config.is_some());
    let public = format!("[server]\nlisten = \"0.0.0.0:8080\"\n{text}");
    let checked = check(&public, &environment);
    assert!(checked.config.is_none());
    let said = checked.problems.to_string();
    assert!(
        said.contains("error: the key has fewer than 16 characters and can be guessed"),
        "{said}"
    );
}

#[test]
fn unreadable_secrets_are_told_with_their_place() {
    let text = r#"
[[dataset]]
id = "1234567890123456"
access_token = { env = "META_ACCESS_TOKEN" }
app_secret = { env = "META_APP_SECRET" }
[[source]]
name = "one"
kind = "api"
key = { env = "ONE" }
datasets = ["1234567890123456"]
[[source]]
name = "two"
kind = "api"
key = { env = "TWO" }
datasets = ["1234567890123456"]
[[source]]
name = "three"
kind = "api"
key = { env = "THREE" }
datasets = ["1234567890123456"]
"#;
    let environment = FixedEnvironment::new()
        .with("META_ACCESS_TOKEN", "EA geheim")
        .with("ONE", "geheim")
        .with("TWO", "geheim")
        .with("THREE", "gehéim");
    let checked = check(text, &environment);
    assert!(checked.config.is_none());
    assert_eq!(
        checked.problems.to_string(),
        r#"error: this is no access token: character 3 is a space, a quote, a control character or not ASCII
 --> sluice.toml:4:16 (dataset[0].access_token)
  |
4 | access_token = { env = "META_ACCESS_TOKEN" }
  |                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

error: environment variable META_APP_SECRET is not set
 --> sluice.toml:5:14 (dataset[0].app_secret)
  |
5 | app_secret = { env = "META_APP_SECRET" }
  |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^

warning: the key has fewer than 16 characters and can be guessed
 --> sluice.toml:9:7 (source[0].key)
  |
9 | key = { env = "ONE" }
  |       ^^^^^^^^^^^^^^^
  help: make one with `openssl rand -hex 24`

warning: the key has fewer than 16 characters and can be guessed
  --> sluice.toml:14:7 (source[1].key)
   |
14 | key = { env = "TWO" }
   |       ^^^^^^^^^^^^^^^
  help: make one with `openssl rand -hex 24`

error: key is the same secret as source[0].key
  --> sluice.toml:14:7 (source[1].key)
   |
14 | key = { env = "TWO" }
   |       ^^^^^^^^^^^^^^^
  help: give each source a key of its own, and no one's access token

error: a key has ASCII letters, digits and marks, and no spaces
  --> sluice.toml:19:7 (source[2].key)
   |
19 | key = { env = "THREE" }
   |       ^^^^^^^^^^^^^^^^^
  help: make one with `openssl rand -hex 24`
"#
    );
}

#[test]
fn two_sources_with_one_key_are_one_error() {
    let second = r#"
[[source]]
name = "other"
kind = "api"
key = { env = "SLUICE_KEY" }
datasets = ["1234567890123456"]
"#;
    let environment = FixedEnvironment::new()
        .with("META_ACCESS_TOKEN", "EAABgeheim")
        .with("SLUICE_KEY", "geheim-and-long-enough");
    let problems = check(&format!("{LEAST}{second}"), &environment).problems;
    let said: Vec<_> = problems.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(said, ["key is the same as source[0].key"]);
    // An access token is no key, even where it stands in the same place.
    let text = LEAST.replace("SLUICE_KEY", "META_ACCESS_TOKEN");
    let problems = check(&text, &environment).problems.to_string();
    let message = "key is the same secret as dataset[0].access_token";
    assert!(problems.contains(message), "{problems}");
}

/// Wherever in the file a token ends up by mistake, nothing that is said shows it.
#[test]
fn is_never_shown_wherever_it_stands() {
    for line in [
        format!("access_token = \"{SECRET}\""),
        format!("acess_token = \"{SECRET}\""),
        format!("access_token = {SECRET}"),
        format!("access_token = \"{SECRET}"),
        format!("access_token = '{SECRET}"),
        format!("access_token = '''\n{SECRET}"),
        format!("access_token = \"\"\"\n{SECRET}\n\"\"\""),
        format!("access_token \"{SECRET}\""),
        format!("access_token: {SECRET}"),
        format!("access_token = {{ env = \"{SECRET}-\" }}"),
        format!("access_token = {{ value = \"{SECRET}\" }}"),
        format!("access_token = {{ env = \"A\", value = \"{SECRET}\" }}"),
        format!("access_token = {{ command = \"echo {SECRET}\", }}"),
        format!("access_token = [\"{SECRET}\"]"),
        format!("access_token = [\n\"{SECRET}\"\n]"),
        format!("access_token = [\n{SECRET}\n]"),
        format!("access_token = 7 # {SECRET}"),
        format!("linger_ms = \"no\" # {SECRET}"),
        format!("key = \"{SECRET}\""),
        format!("[dataset.access_token]\nvalue = \"{SECRET}\""),
        format!("[dataset.access_token]\nenv = 7 # {SECRET}"),
        format!("# {SECRET}\u{1}"),
        format!("app_secret = \"${{{SECRET}\""),
        format!("x = \"https://graph.facebook.com?access_token={SECRET}\""),
        SECRET.to_owned(),
        format!("\"{SECRET}\""),
    ] {
        let before = "[[dataset]]\nid = \"1234567890123456\"\n";
        for text in [
            format!("{before}{line}"),
            format!("{before}{line}\n{LEAST}"),
        ] {
            let shown = match parse(&text) {
                Ok(loaded) => format!("{loaded:?}"),
                Err(problems) => format!("{problems}{:?}", problems.iter().collect::<Vec<_>>()),
            };
            assert!(!shown.contains("geheim"), "{text}\n{shown}");
        }
    }
    let environment = FixedEnvironment::new()
        .with("SLUICE_GRAPH_ACCESS_TOKEN", SECRET)
        .with(
            "SLUICE_GRAPH_BASE_URL",
            format!("https://x?access_token={SECRET}"),
        );
    let problems = parse_with(LEAST, &environment).unwrap_err();
    assert_eq!(problems.iter().count(), 2);
    assert!(!format!("{problems:?}").contains("geheim"), "{problems}");
}

proptest! {
    /// Whatever a person does to a file, it is answered, and every mark lies under its line.
    #[test]
    fn any_text_is_answered(
        text in "(\\PC|[\n\t\"'=\\[\\]{}#.,0-9a-z_ ]){0,200}",
        cut in 0..LEAST.len(),
    ) {
        let text = format!("{}{text}{}", &LEAST[..cut], &LEAST[cut..]);
        if let Err(problems) = parse(&text) {
            prop_assert!(!problems.is_empty());
            for problem in &problems {
                let shown = problem.render(problems.file(), |_: Ink, text| text.to_owned());
                prop_assert!(shown.ends_with('\n'));
            }
        }
    }
}

#[test]
fn secrets_are_looked_at_whatever_else_is_wrong() {
    let environment = FixedEnvironment::new().with("SLUICE_KEY", "a-key-of-some-length");
    let checked = check(&with("[server]\nlisten = \"nowhere\"\n"), &environment);
    let said: Vec<_> = checked.problems.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(said, ["server.listen", "dataset[0].access_token"]);
    assert!(checked.config.is_none());

    let environment = environment.with("META_ACCESS_TOKEN", "EAAGtoken");
    assert!(check(&with(""), &environment).config.is_some());
}

/// Rotation: each of several keys lets the source in, wherever it is.
#[test]
fn a_source_may_have_several_keys() {
    let with_keys = |keys: &str| LEAST.replace("{ env = \"SLUICE_KEY\" }", keys);
    let text = with_keys("[\n  { env = \"SLUICE_KEY\" },\n  { file = \"/run/keys/next\" },\n]");
    let config = parse(&text).unwrap().config;
    let places: Vec<_> = config.sources[0].keys().iter().collect();
    let next = SecretRef::File("/run/keys/next".into());
    assert_eq!(places, [&env("SLUICE_KEY"), &next]);
    let one = parse(&with_keys("[{ env = \"SLUICE_KEY\" }]"))
        .unwrap()
        .config;
    assert_eq!(one.sources[0].keys(), [env("SLUICE_KEY")]);

    let many = format!("[{}]", "{ env = \"A\" }, ".repeat(9));
    for (keys, expected) in [
        ("[]", "key is one secret or a list of 1 to 8, found 0"),
        (
            many.as_str(),
            "key is one secret or a list of 1 to 8, found 9",
        ),
        ("[{ env = \"A\" }, 7]", "key says where the secret is"),
        (
            "[{ env = \"A\" }, { env = \"A\" }]",
            "key is the same as source[0].key[0]",
        ),
    ] {
        let problems = parse(&with_keys(keys)).unwrap_err();
        let messages: Vec<_> = problems.iter().map(|it| it.message.as_str()).collect();
        assert_eq!(messages, [expected], "{keys}");
    }
}

#[test]
fn each_of_several_keys_is_checked_and_named() {
    let text = LEAST.replace(
        "{ env = \"SLUICE_KEY\" }",
        "[{ env = \"FIRST\" }, { env = \"SECOND\" }, { env = \"GONE\" }]",
    );
    let other = "[[source]]\nname = \"app\"\nkind = \"api\"\nkey = [{ env = \"APP\" }]\n\
                 datasets = [\"1234567890123456\"]\n";
    let environment = FixedEnvironment::new()
        .with("META_ACCESS_TOKEN", "EAABToken")
        .with("FIRST", "a-key-of-the-shop-of-today")
        .with("SECOND", "a-key-of-the-shop-of-today")
        .with("APP", "a-key-of-the-shop-of-today");
    let checked = check(&format!("{text}{other}"), &environment);
    let said = checked.problems.iter().map(|it| {
        let (severity, path, message) = (it.severity.name(), &it.path, &it.message);
        format!("{severity}: {path}: {message}")
    });
    assert_eq!(
        said.collect::<Vec<_>>(),
        [
            "warning: source[0].key[1]: key is the same secret as source[0].key[0]",
            "error: source[0].key[2]: environment variable GONE is not set",
            "error: source[1].key[0]: key is the same secret as source[0].key[0]",
        ]
    );
}

/// A list over several lines has lines without a key, whose values nothing vouches for.
#[test]
fn no_excerpt_shows_a_key_of_a_list() {
    let text = LEAST.replace(
        "{ env = \"SLUICE_KEY\" }",
        &format!("[\n  \"{SECRET}\",\n  \"{SECRET}2\", 7,\n]"),
    );
    let problems = parse(&text).unwrap_err();
    assert!(problems.count(crate::config::Severity::Error) > 0);
    let shown = problems.to_string();
    assert!(
        !shown.contains(SECRET) && !shown.contains("geheim"),
        "{shown}"
    );
}
