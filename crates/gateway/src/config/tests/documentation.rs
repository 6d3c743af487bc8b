//! The tables of `docs/configuration.md` are made from the rows: with `SLUICE_WRITE_DOCS` set, this writes them.

use std::fs;

use crate::config::key::{Key, Kind, Pattern, Section};
use crate::config::keys::SECTIONS;
use crate::config::scalar::grouped;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");

const HEADER: &str = "| key | default | values | a change takes effect | meaning |";
const COLUMNS: &str = "|---|---|---|---|---|";

#[test]
fn has_a_table_of_every_section() {
    let page = fs::read_to_string(PAGE).unwrap();
    let mut written = page.clone();
    for section in SECTIONS {
        let heading = format!("\n## `{}`\n", section.header());
        let (before, after) = written.split_once(&heading).expect(&heading);
        let (text, table) = after.split_once(HEADER).expect(&heading);
        let (_, rest) = table.split_once("\n\n").expect(&heading);
        assert!(!text.contains("\n## "), "{heading} has no table");
        written = format!("{before}{heading}{text}{}\n{rest}", table_of(section));
    }
    if std::env::var_os("SLUICE_WRITE_DOCS").is_some() {
        fs::write(PAGE, written).unwrap();
        return;
    }
    for (found, expected) in page.lines().zip(written.lines()) {
        assert_eq!(
            found, expected,
            "set SLUICE_WRITE_DOCS to write the tables anew"
        );
    }
    assert_eq!(page, written);
}

fn table_of(section: &Section) -> String {
    let rows = section.all_keys().map(|key| row(section, key));
    format!("{HEADER}\n{COLUMNS}\n{}", rows.collect::<String>())
}

fn row(section: &Section, key: &Key) -> String {
    let name = key.name;
    if section.inherits(key) {
        return format!("| `{name}` | | | at once | as in `[graph]` |\n");
    }
    let default = match (key.default, &key.kind) {
        (None, _) => String::new(),
        (Some(default), Kind::Number(..) | Kind::Flag) => format!("`{default}` "),
        (Some(default), _) => format!("`\"{default}\"` "),
    };
    let takes_effect = if key.needs_restart {
        "with a restart"
    } else {
        "at once"
    };
    let needed = if key.needed.is_some() { "needed: " } else { "" };
    format!(
        "| `{name}` | {default}| {} | {takes_effect} | {needed}{} |\n",
        values(key),
        key.meaning
    )
}

fn values(key: &Key) -> String {
    let words = |words: &[&str]| format!("`\"{}\"`", words.join("\"`, `\""));
    match key.kind {
        Kind::Number(min, max) if key.unit() == Some("bytes") => {
            format!("{} to {}", size(min), size(max))
        }
        Kind::Number(min, max) => format!("{min} to {}", grouped(max).replace('_', ",")),
        Kind::Flag => "`true`, `false`".to_owned(),
        Kind::Words(list) => words(list),
        Kind::Text(form) => match form.pattern() {
            Pattern::Words(list) => words(list),
            Pattern::Regex(_) => form.says().split_once(' ').unwrap().1.to_owned(),
        },
        Kind::Ids => "a list of their ids".to_owned(),
        Kind::Networks => "a list of addresses and networks".to_owned(),
        Kind::Command => "a program and its arguments".to_owned(),
        Kind::Secret(_) => "[where it is](#secrets)".to_owned(),
        Kind::Secrets(_) => "[where it is](#secrets), or a list of it".to_owned(),
        Kind::Table(section) => format!("`{}`", section.about),
    }
}

/// `8 MiB`: bounds are whole numbers of a unit.
fn size(bytes: u64) -> String {
    for (unit, name) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
        if bytes.is_multiple_of(1 << unit) {
            return format!("{} {name}", bytes >> unit);
        }
    }
    format!("{bytes} bytes")
}
