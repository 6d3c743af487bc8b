//! Versions of the Graph API, and when they end.

use std::fmt;

use jiff::civil::Date;

/// A version such as `v25.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    major: u16,
    minor: u16,
}

/// The last day of each version, from Meta's changelog of the Graph API; empty: not announced.
/// The Conversions API follows this table, not that of the Marketing API. That of v26.0 is inferred: a version
/// lasts for two years after the next one has come, and v27.0 came on 2026-11-04.
const ENDS: [(u16, &str); 12] = [
    (16, "2025-05-14"),
    (17, "2025-09-12"),
    (18, "2026-01-26"),
    (19, "2026-05-21"),
    (20, "2026-09-24"),
    (21, "2027-01-21"),
    (22, "2027-05-20"),
    (23, "2027-10-08"),
    (24, "2028-02-18"),
    (25, "2028-07-29"),
    (26, "2028-11-04"),
    (27, ""),
];

/// How long before its end a version is warned about, in days.
const WARN_DAYS: i32 = 90;

/// What there is to say about a version. As a sentence: `v21.0 ends in 59 days, on 2027-01-21; use
/// v27.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionWarning {
    /// It has ended: Meta serves another one in its place.
    Ended {
        /// Which.
        version: Version,
        /// Days since then.
        days: i32,
        /// Its last day.
        on: Date,
    },
    /// It ends soon.
    Ends {
        /// Which.
        version: Version,
        /// Days until then; 0: today.
        days: i32,
        /// Its last day.
        on: Date,
    },
    /// It is not in the table: older than all of it, or newer.
    Unknown {
        /// Which.
        version: Version,
    },
}

impl Version {
    /// The newest version that is known here.
    pub const NEWEST: Version = Version {
        major: 27,
        minor: 0,
    };

    /// Reads `v25.0`.
    pub fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.strip_prefix('v')?.split_once('.')?;
        let number = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| is_number)
        };
        Some(Self {
            major: number(major)?,
            minor: number(minor)?,
        })
    }

    /// What there is to say about the version on a day; `None` when all is well. For a look once a day.
    pub fn warning(self, unix_s: i64) -> Option<VersionWarning> {
        let today = jiff::Timestamp::from_second(unix_s).map_or(Date::MAX, |now| {
            jiff::tz::Offset::UTC.to_datetime(now).date()
        });
        let known = ENDS
            .iter()
            .find(|(major, _)| *major == self.major && self.minor == 0);
        let Some((_, end)) = known else {
            return Some(VersionWarning::Unknown { version: self });
        };
        let version = self;
        let on: Date = end.parse().ok()?;
        match today.until(on).ok()?.get_days() {
            days @ ..0 => Some(VersionWarning::Ended {
                version,
                days: -days,
                on,
            }),
            days @ 0..=WARN_DAYS => Some(VersionWarning::Ends { version, days, on }),
            _ => None,
        }
    }
}

impl fmt::Display for VersionWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |days: i32| if days == 1 { "" } else { "s" };
        match *self {
            VersionWarning::Ended { version, days, on } => write!(
                f,
                "{version} ended {days} day{} ago, on {on}, and Meta serves another version in its place",
                plural(days)
            )?,
            VersionWarning::Ends {
                version,
                days: 0,
                on,
            } => write!(f, "{version} ends today, {on}")?,
            VersionWarning::Ends { version, days, on } => {
                write!(f, "{version} ends in {days} day{}, on {on}", plural(days))?;
            }
            VersionWarning::Unknown { version } => {
                write!(f, "{version} is not a version that this Sluice knows")?;
            }
        }
        write!(f, "; use {}", Version::NEWEST)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        assert_eq!(Version::parse("v27.0"), Some(Version::NEWEST));
        assert_eq!(Version::NEWEST.to_string(), "v27.0");
        for text in [
            "26.0", "v26", "v26.", "v.0", "v+1.0", "v26.0.1", "V26.0", "",
        ] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }

    #[test]
    fn warns_before_and_after_the_end() {
        // 2026-11-23, 12:00 UTC.
        const NOW_S: i64 = 1_795_435_200;
        for (text, expected) in [
            ("v27.0", None),
            ("v26.0", None),
            ("v25.0", None),
            ("v22.0", None),
            (
                "v21.0",
                Some("v21.0 ends in 59 days, on 2027-01-21; use v27.0"),
            ),
            (
                "v20.0",
                Some(
                    "v20.0 ended 60 days ago, on 2026-09-24, and Meta serves another version in its \
                     place; use v27.0",
                ),
            ),
            (
                "v15.0",
                Some("v15.0 is not a version that this Sluice knows; use v27.0"),
            ),
            (
                "v25.1",
                Some("v25.1 is not a version that this Sluice knows; use v27.0"),
            ),
        ] {
            let warning = Version::parse(text).unwrap().warning(NOW_S);
            let said = warning.map(|warning| warning.to_string());
            assert_eq!(said.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn counts_the_last_days_singly() {
        // 2027-01-21, 12:00 UTC, the last day of v21.0.
        const LAST_S: i64 = 1_795_435_200 + 59 * 86_400;
        for (day, expected) in [
            (-1, "v21.0 ends in 1 day, on 2027-01-21; use v27.0"),
            (0, "v21.0 ends today, 2027-01-21; use v27.0"),
            (
                1,
                "v21.0 ended 1 day ago, on 2027-01-21, and Meta serves another version in its place; \
                 use v27.0",
            ),
        ] {
            let version = Version::parse("v21.0").unwrap();
            let warning = version.warning(LAST_S + day * 86_400).unwrap();
            assert_eq!(warning.to_string(), expected);
        }
    }

    #[test]
    fn the_table_ends_with_the_newest_version() {
        assert!(ENDS.is_sorted_by_key(|(major, _)| *major));
        assert_eq!(
            ENDS.last().map(|(major, _)| *major),
            Some(Version::NEWEST.major)
        );
    }
}
