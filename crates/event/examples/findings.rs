//! Prints `docs/findings.md`, the list of every finding, from the rules themselves.
//!
//! `cargo run -p sluice-event --example findings > docs/findings.md`

#![expect(
    clippy::print_stdout,
    reason = "printing is all that this program does"
)]

use sluice_event::{Code, Severity};

const HEAD: &str = "\
# Findings

A finding is one problem or remark about an event. It has a **code**, which is stable: programs may rely on it. It has
a **path**, the place in the event, such as `custom_data.contents[1].id`; what is missing is reported at the object
that lacks it. It has a **message**, which says what was found, and a **help** text, which says what would be right.
Messages are for people and may change. No finding holds a value from `user_data` or anything that looks like contact
data.

Within a severity, codes stand in the order in which an event meets the rules. \"Source\" is where a rule comes from;
`Sluice` means that the rule is ours.

This page is written by `cargo run -p sluice-event --example findings`. Please change the rules in
`crates/event/src/code.rs`, not this page.
";

/// Each severity with its heading and what it means.
const SEVERITIES: [(Severity, &str, &str); 4] = [
    (
        Severity::Error,
        "Errors",
        "The event cannot be sent: it means nothing without what is missing, or Meta is known to refuse it.",
    ),
    (
        Severity::Repaired,
        "Repaired",
        "Something was changed or left out. The rest of the event is sent.",
    ),
    (
        Severity::Warning,
        "Warnings",
        "The event is sent as it is, but will be worth less than it could be.",
    ),
    (Severity::Hint, "Hints", "Worth knowing."),
];

fn main() {
    print!("{HEAD}");
    for (severity, heading, meaning) in SEVERITIES {
        let rows: Vec<Code> = Code::ALL
            .iter()
            .copied()
            .filter(|code| code.severity() == severity)
            .collect();
        println!("\n## {heading}\n");
        println!("Severity `{severity}`, {} codes.\n{meaning}\n", rows.len());
        println!("| code | help | source |");
        println!("|---|---|---|");
        for code in rows {
            let help = code.help().replace('|', "\\|");
            println!("| `{code}` | {help} | {} |", code.source());
        }
    }
}
