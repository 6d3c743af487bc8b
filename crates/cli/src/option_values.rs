//! The values of options that several commands take, and how they are read.

use jiff::Timestamp;
use sluice_event::{ActionSource, Country};

/// Reads `--country`.
pub(crate) fn country(text: &str) -> Result<Country, &'static str> {
    Country::parse(text).ok_or("no country of ISO 3166-1; use a code such as de, or a name")
}

/// Reads `--action-source`; the words that events may use are understood here too.
pub(crate) fn action_source(text: &str) -> Result<ActionSource, String> {
    let source = ActionSource::from_name(text).or_else(|| ActionSource::from_alias(text));
    source.ok_or_else(|| {
        let names: Vec<_> = ActionSource::ALL.map(ActionSource::name).into();
        format!("use one of {}", names.join(", "))
    })
}

/// Reads `--now`, in milliseconds since 1970.
pub(crate) fn time(text: &str) -> Result<u64, &'static str> {
    let timestamp = match text.parse() {
        Ok(unix_s) => Timestamp::from_second(unix_s).ok(),
        Err(_) => text.parse().ok(),
    };
    timestamp
        .and_then(|timestamp| u64::try_from(timestamp.as_millisecond()).ok())
        .ok_or("use Unix seconds, such as 1701234567, or RFC 3339, such as 2023-11-29T05:09:27Z")
}

/// A time in the past, as `--since` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// So many milliseconds ago.
    Ago(u64),
    /// At this time, in milliseconds since 1970.
    At(u64),
}

impl Since {
    /// In milliseconds since 1970.
    pub(crate) fn unix_ms(self, now_ms: u64) -> u64 {
        match self {
            Since::Ago(ms) => now_ms.saturating_sub(ms),
            Since::At(unix_ms) => unix_ms,
        }
    }
}

/// Reads `--since`: a length of time, or a time.
pub(crate) fn since(text: &str) -> Result<Since, &'static str> {
    if let Some(seconds) = length_s(text) {
        return Ok(Since::Ago(seconds * 1_000));
    }
    time(text)
        .map(Since::At)
        .map_err(|_| "use a length such as 30m, 24h or 7d, Unix seconds, or RFC 3339")
}

/// Reads a length of time, in seconds.
pub(crate) fn length(text: &str) -> Result<u64, &'static str> {
    length_s(text).ok_or("use a length such as 30m or 2h")
}

fn length_s(text: &str) -> Option<u64> {
    let units = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];
    let (unit, seconds) = units.iter().find(|(unit, _)| text.ends_with(*unit))?;
    let count = text.strip_suffix(*unit)?.parse::<u32>().ok()?;
    Some(u64::from(count) * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_forms_of_time() {
        for (text, expected) in [
            ("1701234567", Some(1_701_234_567_000)),
            ("2023-11-29T05:09:27Z", Some(1_701_234_567_000)),
            ("2023-11-29T06:09:27.5+01:00", Some(1_701_234_567_500)),
            ("0", Some(0)),
            ("-1", None),
            ("2023-11-29", None),
            ("2023-11-29T05:09:27", None),
            ("99999999999999999", None),
            ("now", None),
            ("", None),
        ] {
            assert_eq!(time(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn reads_lengths_of_time_and_times() {
        for (text, expected) in [
            ("90s", Some(Since::Ago(90_000))),
            ("30m", Some(Since::Ago(1_800_000))),
            ("24h", Some(Since::Ago(86_400_000))),
            ("7d", Some(Since::Ago(604_800_000))),
            ("1701234567", Some(Since::At(1_701_234_567_000))),
            ("2023-11-29T05:09:27Z", Some(Since::At(1_701_234_567_000))),
            ("7w", None),
            ("d", None),
            ("-1h", None),
            ("yesterday", None),
        ] {
            assert_eq!(since(text).ok(), expected, "{text}");
        }
        assert_eq!(Since::Ago(10).unix_ms(7), 0);
    }

    #[test]
    fn action_sources_have_their_common_words_too() {
        assert_eq!(action_source("website"), Ok(ActionSource::Website));
        assert_eq!(action_source("POS"), Ok(ActionSource::PhysicalStore));
        assert!(action_source("teapot").is_err());
    }
}
