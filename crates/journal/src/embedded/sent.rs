//! What was sent lately, counted from the rows of requests.

use std::collections::BTreeMap;

use rusqlite::Connection;
use sluice_event::DatasetId;

use super::row::stored_ms;
use super::terms::{Term, Texts};
use crate::types::SentEvents;

/// Rows that are looked at, the newest first: more than an hour of single events takes.
const ROWS_MAX: usize = 500_000;

/// Rows come in the order in which requests ended, so one that was sent this much earlier, in milliseconds,
/// may stand after one that was sent in time.
const DISORDER_MS: u64 = 10 * 60 * 1_000;

const MINUTE_MS: u64 = 60_000;

/// Counts the events that Meta took since then, or may have taken because no answer of Meta's came. That there
/// was no connection looks the same here.
pub(super) fn since(
    conn: &Connection,
    texts: &Texts,
    since_ms: u64,
) -> rusqlite::Result<Vec<SentEvents>> {
    let mut minutes = BTreeMap::<(Term, u64), u64>::new();
    let mut statement = conn.prepare_cached(
        "SELECT dataset, sent_ms, events,
                verdict IN ('delivered', 'fewer') OR (verdict = 'transient' AND code IS NULL)
         FROM request ORDER BY id DESC LIMIT ?1",
    )?;
    let mut rows = statement.query([ROWS_MAX])?;
    while let Some(row) = rows.next()? {
        let (dataset, sent_ms, events, counts): (Term, i64, u64, bool) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        if sent_ms < stored_ms(since_ms.saturating_sub(DISORDER_MS)) {
            break;
        }
        let sent_ms = u64::try_from(sent_ms).unwrap_or_default();
        if counts && sent_ms >= since_ms {
            let minute_ms = sent_ms - sent_ms % MINUTE_MS;
            *minutes.entry((dataset, minute_ms)).or_default() += events;
        }
    }
    let sent = minutes
        .into_iter()
        .filter_map(|((dataset, minute_ms), events)| {
            Some(SentEvents {
                // A row that names no dataset is in a damaged file only.
                dataset: DatasetId::parse(&texts.get(dataset)).ok()?,
                minute_ms,
                events,
            })
        });
    Ok(sent.collect())
}
