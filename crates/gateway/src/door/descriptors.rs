//! File descriptors: connections may take only those that the journal and the way to Meta do not need.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// File descriptors that connections leave to the journal, requests to Meta, and the rest.
const RESERVED: u64 = 256;

/// How many of the configured connections there may be. Raises the limit of open files of the
/// process as far as the system lets it; where that is not far enough, a line of the log says so.
pub(crate) fn connections_max(configured: usize) -> usize {
    let limit = raised();
    let allowed = allowed(limit, configured);
    if allowed < configured {
        warn!(
            open_files_max = limit,
            connections_max = allowed,
            configured,
            "the limit of open files is too low for server.connections_max; raise LimitNOFILE (ulimit -n)"
        );
    }
    allowed
}

/// The process may have this many files open.
fn raised() -> Option<u64> {
    let found = getrlimit(Resource::Nofile);
    let highest = Rlimit {
        current: found.maximum,
        maximum: found.maximum,
    };
    match setrlimit(Resource::Nofile, highest) {
        Ok(()) => found.maximum,
        Err(_) => found.current,
    }
}

/// `None` is no limit.
fn allowed(limit: Option<u64>, configured: usize) -> usize {
    let Some(limit) = limit else {
        return configured;
    };
    let allowed = limit - RESERVED.min(limit / 2);
    usize::try_from(allowed).map_or(configured, |allowed| allowed.clamp(1, configured))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_to_the_rest() {
        for (limit, configured, expected) in [
            (None, 20_000, 20_000),
            (Some(65_536), 20_000, 20_000),
            (Some(20_256), 20_000, 20_000),
            (Some(20_255), 20_000, 19_999),
            (Some(1_024), 20_000, 768),
            (Some(64), 20_000, 32),
            (Some(0), 20_000, 1),
        ] {
            assert_eq!(allowed(limit, configured), expected, "{limit:?}");
        }
    }
}
