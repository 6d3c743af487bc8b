//! Reading bodies, encrypted or not, and knowing from which event on they are encrypted with which key.

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::amend;
use super::cipher::{BodyKeys, Opened};
use super::erase;
use crate::types::{BodyKeyId, EventKey};

/// The body of an event, for [`read`]; and when it expires and from which source it is, if it was amended. An amended event's first body is blank,
/// so the second part is read for those alone.
pub(super) const BODY: &str = concat!(
    "SELECT crc, json, key, sealed, (SELECT identity FROM event WHERE event.id = ?1), NULL, NULL
     FROM body WHERE id = ?1 AND NOT ",
    erase::blank!(),
    " UNION ALL
     SELECT crc, json, key, sealed, (SELECT identity FROM event WHERE event.id = ?1), expires_s, action_source
     FROM amendment WHERE event = ?1 AND live = 1"
);

/// The same of the events from a key on, before another one; the last column is the event.
pub(super) const BODIES: &str = concat!(
    "SELECT crc, json, key, sealed, (SELECT identity FROM event WHERE event.id = body.id), NULL, id
     FROM body WHERE id >= ?1 AND id < ?2 AND NOT ",
    erase::blank!(),
    " UNION ALL
     SELECT crc, json, key, sealed, (SELECT identity FROM event WHERE event.id = amendment.event), expires_s, event
     FROM amendment INDEXED BY amendment_live WHERE live = 1 AND event >= ?1 AND event < ?2"
);

/// A body as it was found.
pub(super) enum Body {
    Json(String),
    /// It is not what was written.
    Damaged,
    /// It is encrypted with a key that is not here.
    Locked(BodyKeyId),
}

/// The checksum of a body. The event's key is in it, so that a body in the wrong row is noticed too.
pub(super) fn checksum(key: EventKey, json: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&key.0.to_le_bytes());
    hasher.update(json);
    hasher.finalize()
}

/// Whether a body is what was written.
pub(super) fn is_whole(key: EventKey, crc: i64, json: &[u8]) -> bool {
    crc == i64::from(checksum(key, json))
}

/// Reads a row of [`BODY`].
pub(super) fn read(row: &Row<'_>, event: EventKey, keys: &BodyKeys) -> rusqlite::Result<Body> {
    let crc = row.get(0)?;
    let json = match row.get::<_, Option<u32>>(2)?.map(BodyKeyId) {
        None => Some(row.get_ref(1)?.as_bytes()?)
            .filter(|json| is_whole(event, crc, json))
            .map(<[u8]>::to_vec),
        Some(id) => {
            let sealed = row.get_ref(3)?.as_bytes()?;
            if !is_whole(event, crc, sealed) {
                return Ok(Body::Damaged);
            }
            match keys.open(id, &row.get(4)?, sealed) {
                Opened::Json(json) => Some(json),
                Opened::Damaged => None,
                Opened::Locked => return Ok(Body::Locked(id)),
            }
        }
    };
    // What has the right checksum was a string when it was written.
    let json = json.and_then(|json| String::from_utf8(json).ok());
    Ok(json.map_or(Body::Damaged, Body::Json))
}

/// Notes that from `next_event` on bodies are encrypted with the current key, or with none.
pub(super) fn note_key(
    conn: &Connection,
    next_event: i64,
    keys: &BodyKeys,
) -> rusqlite::Result<()> {
    let last: Option<Option<u32>> = conn
        .query_row(
            "SELECT key FROM encryption ORDER BY from_event DESC LIMIT 1",
            [],
            |row| row.get(0),
        )
        .optional()?;
    let current = keys.current.as_ref().map(|key| key.id().0);
    if last.flatten() == current {
        return Ok(());
    }
    conn.execute(
        "INSERT OR REPLACE INTO encryption (from_event, key) VALUES (?1, ?2)",
        (next_event, current),
    )
    .map(drop)
}

/// A key that bodies of waiting events need and that is not here.
pub(super) fn missing_key(
    conn: &Connection,
    keys: &BodyKeys,
) -> rusqlite::Result<Option<BodyKeyId>> {
    let mut ranges = conn.prepare(
        "SELECT key, from_event, lead(from_event, 1, 9223372036854775807) OVER (ORDER BY from_event)
         FROM encryption",
    )?;
    // The first body of an amended event is blank, and keeps its key for nothing.
    let mut waits = conn.prepare(concat!(
        "SELECT EXISTS (
             SELECT 1 FROM event e JOIN body b ON b.id = e.id
             WHERE e.id >= ?1 AND e.id < ?2 AND b.key = ?3 AND NOT ",
        erase::blank!(),
        " AND NOT EXISTS (SELECT 1 FROM outcome o WHERE o.event = e.id))",
    ))?;
    let amended = amend::body_keys(conn)?;
    if let Some(id) = amended.into_iter().find(|id| keys.of(*id).is_none()) {
        return Ok(Some(id));
    }
    let mut ranges = ranges.query([])?;
    while let Some(range) = ranges.next()? {
        let Some(id) = range.get::<_, Option<u32>>(0)? else {
            continue;
        };
        let (from, to): (i64, i64) = (range.get(1)?, range.get(2)?);
        if keys.of(BodyKeyId(id)).is_some() {
            continue;
        }
        let is_needed: bool = waits.query_row((from, to, id), |row| row.get(0))?;
        if is_needed {
            return Ok(Some(BodyKeyId(id)));
        }
    }
    Ok(None)
}
