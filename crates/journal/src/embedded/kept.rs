//! Reading what is kept of events, by their keys: for a look at the original of a copy.

use rusqlite::Connection;

use super::body::{self, Body};
use super::cipher::BodyKeys;
use super::row::unless_damaged;
use crate::types::EventKey;

/// The JSON of each event; `None` where it is deleted, damaged or locked.
pub(super) fn jsons(
    conn: &Connection,
    events: &[EventKey],
    keys: &BodyKeys,
) -> rusqlite::Result<Vec<Option<String>>> {
    let mut bodies = conn.prepare_cached(body::BODY)?;
    let mut json = |event: &EventKey| {
        let body = bodies.query_row([event.0], |row| body::read(row, *event, keys));
        Ok(match unless_damaged(body)? {
            Some(Body::Json(json)) => Some(json),
            None | Some(Body::Damaged | Body::Locked(_)) => None,
        })
    };
    events.iter().map(&mut json).collect()
}
