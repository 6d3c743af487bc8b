//! Which version of the Graph API serves a request.

use sluice_graph::{Version, VersionWarning};

/// Whether a part of a path is meant as a version.
pub(crate) fn is_version(segment: &str) -> bool {
    let mut bytes = segment.bytes();
    bytes.next() == Some(b'v') && bytes.next().is_some_and(|byte| byte.is_ascii_digit())
}

/// The version that serves a request for `segment`. A version that has ended is served as the oldest
/// one that has not; one that is not there yet is not served at all.
pub(crate) fn served(segment: &str, now_s: i64) -> Option<Version> {
    let wanted = Version::parse(segment)?;
    if wanted > Version::NEWEST {
        return None;
    }
    let is_usable = |version: Version| {
        !matches!(
            version.warning(now_s),
            Some(VersionWarning::Ended { .. } | VersionWarning::Unknown { .. })
        )
    };
    if is_usable(wanted) {
        return Some(wanted);
    }
    (1..=u16::MAX)
        .filter_map(|major| Version::parse(&format!("v{major}.0")))
        .take_while(|version| *version <= Version::NEWEST)
        .find(|version| *version >= wanted && is_usable(*version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ended_versions_are_served_by_the_oldest_usable_one() {
        // 2026-11-23: v20.0 ended in September, v21.0 ends in January.
        const NOW_S: i64 = 1_795_435_200;
        for (wanted, expected) in [
            ("v27.0", Some("v27.0")),
            ("v26.0", Some("v26.0")),
            ("v21.0", Some("v21.0")),
            ("v20.0", Some("v21.0")),
            ("v16.0", Some("v21.0")),
            ("v2.12", Some("v21.0")),
            ("v28.0", None),
            ("v1", None),
        ] {
            let served = served(wanted, NOW_S).map(|version| version.to_string());
            assert_eq!(served.as_deref(), expected, "{wanted}");
        }
        assert!(is_version("v2.12") && !is_version("video") && !is_version(""));
    }
}
