//! What a person does about dead events: send them again, or drop them.
//!
//! A gateway may run meanwhile, so transactions are short. It reads which events wait again within a
//! second (`others.rs`).

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::body::is_whole;
use super::erase::blank;
use super::ledger::Books;
use super::low_water;
use super::records::{cause, fact, state};
use super::row::{stored_ms, unless_damaged};
use super::settle::resolve;
use super::tally::{Changes, Counted, Group};
use super::terms::Term;
use super::unreadable::Unreadable;
use crate::error::JournalError;
use crate::filter::{DEAD, EventFilter, PAGE_MAX, Page};
use crate::records::{Dropped, Replayed};
use crate::types::{Cause, EventKey, EventState};

/// Events of one transaction: a gateway that commits at the same time waits for it.
pub(super) const EVENTS_PER_COMMIT: usize = 500;

/// Between two transactions, so that the gateway gets its turn.
pub(super) const PAUSE: Duration = Duration::from_millis(2);

/// Which events to do something about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "one is made for each thing that a person does"
)]
pub enum Selection {
    /// These.
    Keys(Vec<EventKey>),
    /// All that match. A filter that names no state means refused and expired events, not withheld ones.
    Filter(EventFilter),
}

/// A dead event, as far as it matters here.
struct Dead {
    identity: Vec<u8>,
    test_code: Option<Term>,
    group: Group,
    counted: Counted,
    cause: Cause,
    expires_s: i64,
    /// The bytes of the body when the event came; 0 if it was never kept.
    bytes: u64,
}

impl Books {
    /// Makes dead events wait again. Their outcomes are kept as history.
    pub fn replay(&mut self, which: &Selection, now_ms: u64) -> Result<Replayed, JournalError> {
        let keys = self.keys(which)?;
        let mut replay = Replay::of(&self.conn, &keys, now_ms)?;
        self.each(&keys, |conn, keys| replay.act(conn, keys))?;
        Ok(replay.sum())
    }

    /// What [`Books::replay`] would do. Changes nothing.
    pub fn would_replay(
        &mut self,
        which: &Selection,
        now_ms: u64,
    ) -> Result<Replayed, JournalError> {
        let keys = self.keys(which)?;
        let mut replay = Replay::of(&self.conn, &keys, now_ms)?;
        self.each(&keys, |conn, keys| {
            let fates = replay.fates(conn, keys)?;
            replay.count(&fates);
            Ok(())
        })?;
        Ok(replay.sum)
    }

    /// Gives refused and expired events up for good.
    pub fn drop_events(&mut self, which: &Selection, at_ms: u64) -> Result<Dropped, JournalError> {
        let mut sum = Dropped::default();
        let keys = self.keys(which)?;
        self.each(&keys, |conn, keys| {
            in_transaction(conn, |conn| {
                let done = drop_some(conn, keys, at_ms)?;
                sum.dropped += done.dropped;
                sum.not_dead += done.not_dead;
                Ok(())
            })
        })?;
        Ok(sum)
    }

    /// The events that are meant, the newest first: of several with one identity the last one counts.
    pub(super) fn keys(&self, which: &Selection) -> Result<Vec<EventKey>, JournalError> {
        let mut keys = Vec::new();
        match which {
            Selection::Keys(named) => {
                keys.clone_from(named);
                keys.sort_unstable_by_key(|key| std::cmp::Reverse(*key));
            }
            Selection::Filter(filter) => {
                let mut filter = filter.clone();
                if filter.states.is_empty() {
                    filter.states = vec![EventState::Refused, EventState::Expired];
                }
                filter.states.retain(|state| DEAD.contains(state));
                if filter.states.is_empty() {
                    return Ok(keys);
                }
                let mut page = Page {
                    before: None,
                    limit: PAGE_MAX,
                };
                loop {
                    let found = self.search(&filter, page)?;
                    keys.extend(found.rows.iter().map(|event| event.key));
                    page.before = found.next;
                    if page.before.is_none() {
                        break;
                    }
                }
            }
        }
        Ok(keys)
    }

    /// Calls `act` with some keys at a time.
    fn each(
        &mut self,
        keys: &[EventKey],
        mut act: impl FnMut(&mut Connection, &[EventKey]) -> rusqlite::Result<()>,
    ) -> Result<(), JournalError> {
        for keys in keys.chunks(EVENTS_PER_COMMIT) {
            act(&mut self.conn, keys)?;
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}

/// Does something in a transaction that keeps other writers out.
pub(super) fn in_transaction(
    conn: &mut Connection,
    act: impl FnOnce(&Connection) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    act(&transaction)?;
    transaction.commit()
}

fn dead(conn: &Connection, key: EventKey) -> rusqlite::Result<Option<Dead>> {
    conn.prepare_cached(concat!(
        "SELECT e.dataset, e.source, e.name, o.state, o.code, o.subcode, o.text, ",
        fact!("expires_s"),
        ", e.identity, e.test_code, e.bytes
         FROM outcome o JOIN event e ON e.id = o.event WHERE o.event = ?1 AND o.state > 1",
    ))?
    .query_row([key.0], |row| {
        Ok(Dead {
            identity: row.get(8)?,
            test_code: row.get(9)?,
            group: Group::read(row, 0)?,
            counted: Counted::of_state(state(row.get(3)?)).unwrap_or(Counted::Withheld),
            cause: cause(row, 4)?,
            expires_s: row.get(7)?,
            bytes: row.get(10)?,
        })
    })
    .optional()
}

/// What is read of a body to see whether it is whole. Of an encrypted one the checksum is that of the encrypted bytes.
const BODY: &str = concat!(
    "SELECT crc, coalesce(sealed, json) FROM body WHERE id = ?1 AND NOT ",
    blank!(),
    " UNION ALL SELECT crc, coalesce(sealed, json) FROM amendment WHERE event = ?1 AND live = 1"
);

/// Why the body of an event cannot be sent; `None` if it can.
fn flaw_of_body(conn: &Connection, key: EventKey) -> rusqlite::Result<Option<Fate>> {
    let flaw = conn.prepare_cached(BODY)?.query_row([key.0], |row| {
        let bytes = row.get_ref(1)?.as_bytes()?;
        let is_whole = is_whole(key, row.get(0)?, bytes);
        Ok((!is_whole).then_some(Fate::Damaged))
    });
    match flaw {
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(Some(Fate::Gone)),
        // What cannot be read is damage to this event, and no reason to leave the others alone.
        flaw => Ok(unless_damaged(flaw)?.unwrap_or(Some(Fate::Damaged))),
    }
}

/// Events that came after dead ones under the same id and test code: mended successors of refused events. Beside
/// one of them the old event would count twice.
///
/// Identities have no index, so this looks at every later row, once for all the dead events. A gateway goes on
/// meanwhile; what it appended is read in the transaction that acts on it, which then is not much.
struct Twins {
    /// The dead ones with their test codes, by identity.
    dead: HashMap<Vec<u8>, Vec<(EventKey, Option<Term>)>>,
    /// The later ones of each, in order.
    later: HashMap<EventKey, Vec<EventKey>>,
    /// The next row to look at.
    next: EventKey,
}

/// The rows that are looked at. A page at a time: a long read keeps a running gateway's log from being
/// started over.
pub(super) const LATER: &str =
    "SELECT id, identity, test_code FROM event WHERE id >= ?1 ORDER BY id LIMIT 10000";

impl Twins {
    fn of(conn: &Connection, keys: &[EventKey]) -> rusqlite::Result<Self> {
        let mut by_identity: HashMap<_, Vec<_>> = HashMap::new();
        let mut first = None;
        for key in keys {
            if let Some(dead) = dead(conn, *key)? {
                let same = by_identity.entry(dead.identity).or_default();
                same.push((*key, dead.test_code));
                first = first.into_iter().chain([*key]).min();
            }
        }
        Ok(Self {
            dead: by_identity,
            later: HashMap::new(),
            next: first.unwrap_or(EventKey(i64::MAX)),
        })
    }

    /// Reads the rows that came since the last time.
    fn catch_up(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        while self.read_page(conn)? {}
        Ok(())
    }

    /// Whether there was one.
    fn read_page(&mut self, conn: &Connection) -> rusqlite::Result<bool> {
        let before = self.next;
        let mut page = conn.prepare_cached(LATER)?;
        let mut rows = page.query([before.0])?;
        while let Some(row) = rows.next()? {
            let key = EventKey(row.get(0)?);
            self.next = EventKey(key.0 + 1);
            let dead = self.dead.get(row.get_ref(1)?.as_blob().unwrap_or_default());
            for (older, test_code) in dead.into_iter().flatten() {
                if *older < key && *test_code == row.get(2)? {
                    self.later.entry(*older).or_default().push(key);
                }
            }
        }
        Ok(self.next != before)
    }

    /// The newest one of an event that arrived or may still arrive.
    fn successor(&self, conn: &Connection, key: EventKey) -> rusqlite::Result<Option<EventKey>> {
        let mut may_arrive = conn.prepare_cached(MAY_ARRIVE)?;
        for later in self.later.get(&key).into_iter().flatten().rev() {
            if may_arrive.query_row([later.0], |row| row.get(0))? {
                return Ok(Some(*later));
            }
        }
        Ok(None)
    }
}

/// Whether an event is delivered or waits, or has an intent: then it may be at Meta, whatever its state. The
/// state 1 is [`Counted::Delivered`].
const MAY_ARRIVE: &str = "SELECT NOT EXISTS (SELECT 1 FROM outcome WHERE event = ?1 AND state <> 1)
    OR EXISTS (SELECT 1 FROM intent WHERE event = ?1)";

/// What is to become of an event that a person wants to be sent again.
enum Fate {
    Replay(EventKey, Dead),
    TooOld,
    Gone,
    NeverKept,
    Damaged,
    Superseded,
    NotDead,
}

/// Sending events again, the newest first.
pub(super) struct Replay {
    now_ms: u64,
    twins: Twins,
    /// Identities that are sent again, each with its test code: an older event with one of them stays dead.
    taken: HashSet<(Vec<u8>, Option<Term>)>,
    /// A transaction that reads the body of one of these can write no more.
    unreadable: Unreadable,
    sum: Replayed,
}

impl Replay {
    /// Of these events.
    pub(super) fn of(conn: &Connection, keys: &[EventKey], now_ms: u64) -> rusqlite::Result<Self> {
        let mut twins = Twins::of(conn, keys)?;
        twins.catch_up(conn)?;
        Ok(Self {
            now_ms,
            twins,
            taken: HashSet::new(),
            unreadable: Unreadable::default(),
            sum: Replayed::default(),
        })
    }

    /// What became of those so far.
    pub(super) fn sum(&self) -> Replayed {
        self.sum
    }

    /// Sends some of them again, in one transaction.
    pub(super) fn act(&mut self, conn: &mut Connection, keys: &[EventKey]) -> rusqlite::Result<()> {
        // Most of it here, where no gateway waits for it.
        self.twins.catch_up(conn)?;
        self.unreadable.find(conn, BODY, keys.to_vec());
        in_transaction(conn, |conn| {
            self.twins.catch_up(conn)?;
            let fates = self.fates(conn, keys)?;
            replay_some(conn, &fates, self.now_ms)?;
            self.count(&fates);
            Ok(())
        })
    }

    fn fates(&mut self, conn: &Connection, keys: &[EventKey]) -> rusqlite::Result<Vec<Fate>> {
        let now_s = stored_ms(self.now_ms) / 1_000;
        let mut seen = HashSet::new();
        let mut fate = |key: EventKey| -> rusqlite::Result<Fate> {
            let Some(dead) = dead(conn, key)?.filter(|_| seen.insert(key)) else {
                return Ok(Fate::NotDead);
            };
            Ok(if dead.bytes == 0 {
                Fate::NeverKept
            } else if dead.expires_s < now_s {
                Fate::TooOld
            } else if self.unreadable.contains(key) {
                Fate::Damaged
            } else if let Some(fate) = flaw_of_body(conn, key)? {
                fate
            } else if self.twins.successor(conn, key)?.is_some()
                || !self.taken.insert((dead.identity.clone(), dead.test_code))
            {
                Fate::Superseded
            } else {
                Fate::Replay(key, dead)
            })
        };
        keys.iter().map(|key| fate(*key)).collect()
    }

    fn count(&mut self, fates: &[Fate]) {
        for fate in fates {
            let count = match fate {
                Fate::Replay(..) => &mut self.sum.replayed,
                Fate::TooOld => &mut self.sum.too_old,
                Fate::Gone => &mut self.sum.gone,
                Fate::NeverKept => &mut self.sum.never_kept,
                Fate::Damaged => &mut self.sum.damaged,
                Fate::Superseded => &mut self.sum.superseded,
                Fate::NotDead => &mut self.sum.not_dead,
            };
            *count += 1;
        }
    }
}

fn replay_some(conn: &Connection, fates: &[Fate], now_ms: u64) -> rusqlite::Result<()> {
    let mut changes = Changes::default();
    let mut first = None;
    for fate in fates {
        let Fate::Replay(key, dead) = fate else {
            continue;
        };
        conn.prepare_cached(
            "INSERT INTO replay (event, replayed_ms, state, at_ms, request, code, subcode, text)
             SELECT event, ?2, state, at_ms, request, code, subcode, text FROM outcome
             WHERE event = ?1",
        )?
        .execute((key.0, stored_ms(now_ms)))?;
        conn.prepare_cached("DELETE FROM outcome WHERE event = ?1")?
            .execute([key.0])?;
        // A person who sends an event again has decided that it did not arrive.
        resolve(conn, &[*key])?;
        changes.add(now_ms, dead.group, dead.counted, -1);
        first = first.into_iter().chain([*key]).min();
    }
    if let Some(first) = first {
        low_water::lower(conn, first)?;
    }
    changes.write(conn)
}

fn drop_some(conn: &Connection, keys: &[EventKey], at_ms: u64) -> rusqlite::Result<Dropped> {
    let mut done = Dropped::default();
    let mut changes = Changes::default();
    for key in keys {
        let may_drop = |dead: &Dead| matches!(dead.counted, Counted::Refused | Counted::Expired);
        let Some(dead) = dead(conn, *key)?.filter(may_drop) else {
            done.not_dead += 1;
            continue;
        };
        let was = dead.counted.state().map_or("", EventState::name);
        let separator = if dead.cause.text.is_empty() { "" } else { ": " };
        let text = format!(
            "dropped by hand; it was {was}{separator}{}",
            dead.cause.text
        );
        conn.prepare_cached(
            "UPDATE outcome SET state = ?2, at_ms = ?3, text = ?4 WHERE event = ?1",
        )?
        .execute((key.0, Counted::Withheld.number(), stored_ms(at_ms), text))?;
        changes.add(at_ms, dead.group, dead.counted, -1);
        changes.add(at_ms, dead.group, Counted::Withheld, 1);
        done.dropped += 1;
    }
    changes.write(conn)?;
    Ok(done)
}
