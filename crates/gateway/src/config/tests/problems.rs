//! What is said, word for word: `problems.txt` is the table.

use super::*;

/// One case of the table: how the text comes from [`LEAST`], and what is said about it.
struct Case<'a> {
    title: &'a str,
    text: String,
    expected: &'a str,
}

impl<'a> Case<'a> {
    fn read(case: &'a str) -> Self {
        let (title, case) = case.split_once('\n').unwrap();
        let (changes, expected) = case.split_once("---\n").unwrap();
        let (mut before, mut text, mut after) = (String::new(), LEAST.to_owned(), String::new());
        for line in changes.lines() {
            match line.split_once(' ').unwrap() {
                ("+", line) => before.extend([line, "\n"]),
                (">", line) => after.extend([line, "\n"]),
                ("~", change) => {
                    let (old, new) = change.split_once(" ⇒ ").unwrap();
                    assert!(text.contains(old), "{title}: {old}");
                    text = text.replace(old, &new.replace("\\n", "\n"));
                }
                ("!", "nothing") => text.clear(),
                ("!", "twice") => after.push_str(LEAST),
                other => panic!("{title}: {other:?}"),
            }
        }
        let text = format!("{before}{text}{after}");
        Self {
            title,
            text,
            expected,
        }
    }
}

#[test]
fn is_said_as_the_table_has_it() {
    let table = include_str!("problems.txt");
    let mut count = 0;
    for case in table.split("=== ").skip(1).map(Case::read) {
        let Case {
            title,
            text,
            expected,
        } = case;
        let said = match parse(&text) {
            Ok(loaded) => loaded.warnings.to_string(),
            Err(problems) => problems.to_string(),
        };
        assert_eq!(said.trim_end(), expected.trim_end(), "{title}\n{said}");
        count += 1;
    }
    assert!(count > 40, "the table was read to its end, {count}");
}

#[test]
fn problems_of_variables_have_their_names() {
    let environment = FixedEnvironment::new()
        .with("SLUICE_SERVER_LISTNE", "geheim")
        .with("SLUICE_GRAPH_TIMEOUT_S", "ten")
        .with("SLUICE_GRAPH_TOKEN", "geheim")
        .with("SLUICE_LOG_COLOUR", "on")
        .with("SLUICE_KEY", "x")
        .with("SLUICE_CONFIG", "x");
    let text = LEAST.replace("META_ACCESS_TOKEN", "SLUICE_GRAPH_TOKEN");
    let problems = parse_with(&text, &environment).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "\
error: timeout_s is a whole number of seconds, found \"ten\"
 --> environment variable SLUICE_GRAPH_TIMEOUT_S (graph.timeout_s)

warning: SLUICE_LOG_COLOUR sets nothing
 --> environment variable SLUICE_LOG_COLOUR
  help: [log] has format, filter

warning: SLUICE_SERVER_LISTNE sets nothing
 --> environment variable SLUICE_SERVER_LISTNE
  help: did you mean SLUICE_SERVER_LISTEN?
"
    );
}

#[test]
fn variables_of_no_section_are_told_when_it_is_plain_what_they_are() {
    let environment = FixedEnvironment::new()
        .with("SLUICE_LISTEN", "127.0.0.1:9")
        .with("SLUICE_SEVER_LISTEN", "127.0.0.1:9")
        .with("SLUICE_DATASETS_1234567890123456_LINGER_MS", "5")
        // Those of scripts, and what Kubernetes makes of a service with this name.
        .with("SLUICE_KEY", "x")
        .with("SLUICE_CONFIG", "x")
        .with("SLUICE_VERSION", "1")
        .with("SLUICE_TOKEN", "x")
        .with("SLUICE_PORT", "tcp://10.0.0.1:80")
        .with("SLUICE_PORT_8080_TCP_ADDR", "10.0.0.1")
        .with("SLUICE_SERVICE_HOST", "10.0.0.1")
        .with("SLUICE_SERVICE_PORT", "8080");
    let warnings = parse_with(LEAST, &environment).unwrap().warnings;
    let said: Vec<_> = warnings
        .iter()
        .map(|it| (it.message.as_str(), it.help.as_deref().unwrap_or_default()))
        .collect();
    assert_eq!(
        said,
        [
            (
                "SLUICE_DATASETS_1234567890123456_LINGER_MS sets nothing",
                "did you mean SLUICE_DATASET_1234567890123456_LINGER_MS?"
            ),
            (
                "SLUICE_LISTEN sets nothing",
                "did you mean SLUICE_SERVER_LISTEN?"
            ),
            (
                "SLUICE_SEVER_LISTEN sets nothing",
                "did you mean SLUICE_SERVER_LISTEN?"
            ),
        ]
    );
}

#[test]
fn a_version_from_the_environment_is_warned_about_too() {
    let environment = FixedEnvironment::new().with("SLUICE_GRAPH_VERSION", "v21.0");
    let warnings = parse_with(LEAST, &environment).unwrap().warnings;
    assert_eq!(
        warnings.to_string(),
        "\
warning: v21.0 ends in 59 days, on 2027-01-21; use v27.0
 --> environment variable SLUICE_GRAPH_VERSION (graph.version)
"
    );
}

#[test]
fn a_file_that_is_no_text_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sluice.toml");
    std::fs::write(&path, b"[server]\n# caf\xe9\n").unwrap();
    let error = Config::load(&path, &FixedEnvironment::new(), NOW_S).unwrap_err();
    let LoadError::Problems(problems) = error else {
        panic!("{error}");
    };
    let problem = problems.iter().next().unwrap();
    assert_eq!((problem.line(), problem.column()), (Some(2), Some(6)));

    std::fs::write(&path, " ".repeat(2 << 20)).unwrap();
    let error = Config::load(&path, &FixedEnvironment::new(), NOW_S).unwrap_err();
    assert!(matches!(error, LoadError::TooLarge(_)));
    let error = Config::load(folder.path(), &FixedEnvironment::new(), NOW_S).unwrap_err();
    assert!(matches!(error, LoadError::Read { .. }));
}

#[test]
fn nothing_that_is_said_commands_the_terminal() {
    let text = with("\"x\\u001b[2J\" = 1\n[server]\nlisten = \"\\u001b[2J\\u202e\"\n");
    let text = text.replace(r#"env = "SLUICE_KEY""#, "file = \"a\\u001b[2J\"");
    let problems = parse(&text).unwrap_err().to_string();
    let secrets = check(
        &text[text.find("\n[[").unwrap()..],
        &FixedEnvironment::new(),
    );
    let secrets = secrets.problems.to_string();
    for said in [problems, secrets] {
        let is_wild = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!said.contains(is_wild), "{said:?}");
    }
}
