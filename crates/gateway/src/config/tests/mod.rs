//! Whole configurations, from text to what is used or said.

use super::{Checked, Config, FixedEnvironment, LoadError, Loaded, Problems};

mod changes;
mod documentation;
mod problems;
mod schema;
mod secrets;
mod values;

/// 2026-11-23, 12:00 UTC.
const NOW_S: i64 = 1_795_435_200;

/// The least that can be used.
pub(crate) const LEAST: &str = r#"
[[dataset]]
id = "1234567890123456"
access_token = { env = "META_ACCESS_TOKEN" }
[[source]]
name = "shop"
kind = "api"
key = { env = "SLUICE_KEY" }
datasets = ["1234567890123456"]
"#;

fn parse(text: &str) -> Result<Loaded, Problems> {
    parse_with(text, &FixedEnvironment::new())
}

fn parse_with(text: &str, environment: &FixedEnvironment) -> Result<Loaded, Problems> {
    Config::parse("sluice.toml", text, environment, NOW_S)
}

fn check(text: &str, environment: &FixedEnvironment) -> Checked {
    Config::check_text("sluice.toml", text, environment, NOW_S)
}

/// [`LEAST`] with other sections in front.
fn with(sections: &str) -> String {
    format!("{sections}{LEAST}")
}
