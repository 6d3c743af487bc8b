//! Who is at the door: the key of a source, from where its client puts it.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use super::doors::Doors;
use crate::config::Source;
use crate::roster::Snapshot;

/// No source has a key of more bytes.
const KEY_BYTES_MAX: usize = crate::config::SECRET_BYTES_MAX;

/// The key in `Authorization: Bearer KEY`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then_some(key)
}

/// The source whose key a request shows, and what is in force for the request from its beginning to its end.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) source: Arc<Source>,
    pub(crate) snapshot: Arc<Snapshot>,
}

impl Caller {
    /// The one who has this key.
    pub(crate) fn with_key(snapshot: &Arc<Snapshot>, key: &str) -> Option<Self> {
        if key.len() > KEY_BYTES_MAX {
            return None;
        }
        Some(Self {
            source: snapshot.callers.by_key(key)?,
            snapshot: Arc::clone(snapshot),
        })
    }
}

impl Doors {
    /// Counts a request that was refused as a whole: it brought no events that could be counted.
    pub(crate) fn request_refused(&self, caller: Option<&Caller>, code: &str) {
        let source = caller.map(|caller| caller.source.name.as_str());
        self.watch.request_refused(source, code);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_bearer_keys() {
        for (value, expected) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("Bearer", None),
            ("Bearer ", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            assert_eq!(bearer(&headers), expected, "{value}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
