//! Damaged bytes: a bad event harms only itself.

use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};
use tempfile::TempDir;

use super::super::writer::Writer;
use super::super::{schema, upkeep};
use super::{audit, by_hour, in_one_group, keep_open, open};
use crate::testing::{
    HOUR_MS, T0_MS, drain, entries, key, keys, lane, limits, received, rejection, replays, report,
};
use crate::{
    Appended, Books, Embedded, EventFilter, EventKey, EventState, Journal as _, JournalError,
    Options, Outcome, Page, RejectionFilter, Replayed, RequestFilter, Selection,
};

const PAGE: Page = Page {
    before: None,
    limit: 100,
};

/// Of the file.
const PAGE_BYTES: usize = 16_384;

#[tokio::test]
async fn a_damaged_body_is_withheld_and_its_neighbours_go_out() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let appended = journal.append(entries(0..10)).await.unwrap();
    let other = Connection::open(folder.path().join("journal.db")).unwrap();
    let damages = [
        "UPDATE body SET json = replace(json, 'Purchase', 'Pvrchase') WHERE id = ?1",
        "UPDATE body SET json = CAST(x'7bff7d' AS TEXT) WHERE id = ?1",
        "UPDATE body SET crc = crc + 4294967296 WHERE id = ?1",
        "DELETE FROM body WHERE id = ?1",
        // The body of another event.
        "UPDATE body SET (crc, json) = (SELECT crc, json FROM body WHERE id = 10) WHERE id = ?1",
    ];
    for (index, damage) in damages.iter().enumerate() {
        other.execute(damage, [key(appended[index]).0]).unwrap();
    }
    let problems = Books::open(folder.path()).unwrap().check().unwrap();
    assert_eq!(problems.len(), 4, "{problems:?}");

    // A lease of damaged events only is none: the next ones come in their place.
    let lease = journal.lease(&lane(0), limits(3)).await.unwrap();
    assert_eq!(lease.events[0].key, key(appended[5]));
    drop(lease);
    assert_eq!(
        drain(&journal, &lane(0), &Outcome::Delivered).await.len(),
        5
    );
    let tally = audit(folder.path()).tally;
    assert_eq!((tally.delivered, tally.withheld), (5, 5));
    let books = Books::open(folder.path()).unwrap();
    let dead = books.search(&EventFilter::dead(), PAGE).unwrap().rows;
    assert!(dead.iter().all(|event| event.state == EventState::Withheld));
    // As of the lease: retention counts from it.
    assert!(dead.iter().all(|event| event.at_ms == Some(T0_MS)));
    assert!(
        dead.iter()
            .all(|event| event.cause.text.contains("damaged"))
    );
    assert_eq!(books.event(dead[4].key).unwrap().unwrap().json, None);

    // Not even by name are they sent again.
    let keys = dead.iter().map(|event| event.key).collect();
    let mut books = books;
    let replayed = books
        .replay(&Selection::Keys(keys), T0_MS + HOUR_MS)
        .unwrap();
    let expected = Replayed {
        damaged: 4,
        gone: 1,
        ..Replayed::default()
    };
    assert_eq!(replayed, expected);
    assert_eq!(audit(folder.path()).tally.withheld, 5);
}

#[tokio::test]
async fn a_byte_that_rotted_in_the_file_is_noticed() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..10)).await.unwrap();
    journal.close().await.unwrap();
    let path = folder.path().join("journal.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let json = bytes
        .windows(10)
        .rposition(|window| window == b"\"currency\"")
        .unwrap();
    bytes[json + 13] ^= 1;
    std::fs::write(&path, bytes).unwrap();

    let journal = open(folder.path());
    assert_eq!(
        drain(&journal, &lane(0), &Outcome::Delivered).await.len(),
        9
    );
    assert_eq!(audit(folder.path()).tally.withheld, 1);
    let books = Books::open(folder.path()).unwrap();
    let dead = books.search(&EventFilter::dead(), PAGE).unwrap().rows;
    assert_eq!(dead[0].at_ms, Some(T0_MS));
}

#[tokio::test]
async fn a_log_without_its_file_is_not_taken_for_a_leftover() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..10)).await.unwrap();
    let killed = super::crash::copy(&journal, folder.path()).await;
    let file = killed.path().join("journal.db");
    let log = killed.path().join("journal.db-wal");
    let bytes = std::fs::read(&log).unwrap();
    assert!(!bytes.is_empty());
    for is_gone in [false, true] {
        std::fs::write(&file, "").unwrap();
        if is_gone {
            std::fs::remove_file(&file).unwrap();
        }
        let error = Embedded::open(killed.path(), Options::default());
        let error = error.err().unwrap();
        assert!(error.to_string().contains("journal.db-wal"), "{error}");
        assert_eq!(std::fs::read(&log).unwrap(), bytes);
    }
}

/// Every page of a journal, one at a time: the file is refused, or the damage is named.
#[tokio::test]
async fn an_overwritten_page_is_named_whichever_it_is() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..600)).await.unwrap();
    drain(&journal, &lane(0), &Outcome::Delivered).await;
    journal.append(entries(600..700)).await.unwrap();
    journal.close().await.unwrap();
    let whole = std::fs::read(folder.path().join("journal.db")).unwrap();
    let (mut refused, mut named) = (0, 0);
    for page in (0..whole.len()).step_by(PAGE_BYTES) {
        let end = page + PAGE_BYTES;
        let half = page + PAGE_BYTES / 2;
        for (from, filler) in [(page, 0xff), (page, 0), (half, 0xff), (half, b'7')] {
            // Rows stand at the end of a page: without any there, nothing is lost.
            if whole[from..end].iter().all(|byte| *byte == 0) {
                continue;
            }
            let copy = TempDir::new().unwrap();
            let mut bytes = whole.clone();
            bytes[from..end].fill(filler);
            std::fs::write(copy.path().join("journal.db"), &bytes).unwrap();
            let Ok(mut books) = Books::open(copy.path()) else {
                refused += 1;
                continue;
            };
            let problems = books.check().unwrap();
            assert!(!problems.is_empty(), "from {from}: {filler}");
            named += 1;
            let said = match books.audit() {
                Ok(audit) => audit.problems,
                Err(error) => vec![error.to_string()],
            };
            let is_raw = |line: &String| line.contains("column type") || line.contains("index:");
            assert!(!said.iter().any(is_raw), "{said:?}");
        }
    }
    assert!(
        refused > 0 && named > 40,
        "{refused} refused, {named} named"
    );
}

/// A page of an open journal that cannot be read.
pub(super) struct DamagedPage {
    file: ManuallyDrop<File>,
    /// Where it begins in the file, in bytes.
    at: u64,
    was: [u8; 64],
    /// The first row on it, unless it is the first page of its table.
    first: Option<EventKey>,
    /// The last row on it; `None` if it has none.
    last: Option<EventKey>,
    /// Whether the table has no other page.
    pub(super) is_only_one: bool,
    other: Connection,
}

/// Overwrites the head of the page with a table's first rows, as a failing disk does.
pub(super) async fn damage_first_rows(
    journal: &Embedded,
    folder: &Path,
    table: &str,
) -> DamagedPage {
    damage_rows(journal, folder, table, |_| 0).await
}

/// The same of the page that is chosen, by its number, among as many as a table has.
pub(super) async fn damage_rows(
    journal: &Embedded,
    folder: &Path,
    table: &str,
    choose: impl Fn(usize) -> usize,
) -> DamagedPage {
    // Everything into the file, and the log empty.
    let log = schema::wal_path(&journal.shared.path);
    let truncate = move |writer: &mut Writer| {
        upkeep::truncate_wal(&mut writer.conn).unwrap() && upkeep::bytes_of(&log) == 0
    };
    assert!(journal.on_writer(truncate).await);
    let path = folder.join("journal.db");
    let other = Connection::open(&path).unwrap();
    let leaves = "SELECT pageno, ncell FROM dbstat
         WHERE name = ?1 AND pagetype = 'leaf' ORDER BY path";
    let leaves: Vec<(u64, i64)> = other
        .prepare(leaves)
        .unwrap()
        .query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let chosen = choose(leaves.len());
    let before: i64 = leaves[..chosen].iter().map(|(_, rows)| rows).sum();
    let (page, rows) = leaves[chosen];
    let row = |number: i64| {
        let row = format!("SELECT rowid FROM {table} ORDER BY rowid LIMIT 1 OFFSET ?1 - 1");
        let row = other.query_row(&row, [number], |row| row.get(0).map(EventKey));
        row.optional().unwrap()
    };
    let mut page = DamagedPage {
        file: keep_open(File::options().read(true).write(true).open(&path).unwrap()),
        at: (page - 1) * PAGE_BYTES as u64,
        was: [0; 64],
        first: (chosen > 0).then(|| row(before + 1)).flatten(),
        last: row(before + rows),
        is_only_one: leaves.len() == 1,
        other,
    };
    page.file.read_exact_at(&mut page.was, page.at).unwrap();
    page.write(&[0xff; 64]);
    page
}

impl DamagedPage {
    /// Whether the row of an event is, or would be, on it.
    pub(super) fn has(&self, key: EventKey) -> bool {
        let is_before = self.first.is_some_and(|first| key < first);
        self.is_only_one || !is_before && self.last.is_some_and(|last| key <= last)
    }

    /// Makes it as it was.
    pub(super) fn repair(&self) {
        self.write(&self.was);
    }

    fn write(&self, head: &[u8]) {
        self.file.write_all_at(head, self.at).unwrap();
        // What another connection wrote makes the writer read pages again; SQLite does not write what is there.
        let touch = "INSERT INTO mark VALUES ('test', 1)
             ON CONFLICT DO UPDATE SET value = value + 1";
        self.other.execute(touch, []).unwrap();
    }
}

#[tokio::test]
async fn a_copy_of_a_damaged_event_is_taken_anew_and_harms_nobody_beside_it() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..600)).await.unwrap();
    damage_first_rows(&journal, folder.path(), "event").await;
    let (copy, new) = in_one_group(
        &journal,
        journal.append(entries(0..1)),
        journal.append(entries(600..601)),
    )
    .await;
    assert_eq!(copy.unwrap(), [Appended::New(EventKey(601))]);
    assert_eq!(new.unwrap(), [Appended::New(EventKey(602))]);
    // From now on that one is the original.
    let again = journal.append(entries(0..1)).await.unwrap();
    assert_eq!(again, [Appended::Copy(EventKey(601))]);
}

#[tokio::test]
async fn events_on_a_damaged_page_do_not_keep_back_the_others() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..600)).await.unwrap();
    damage_first_rows(&journal, folder.path(), "event").await;
    let sent = drain(&journal, &lane(0), &Outcome::Delivered).await;
    assert!((100..600).contains(&sent.len()), "{}", sent.len());
    assert!(sent[0].key > EventKey(1));
    assert_eq!(journal.waiting(&lane(0)), crate::Waiting::default());
}

#[tokio::test]
async fn what_meets_a_damaged_page_fails_alone() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..10)).await.unwrap();
    let mut lease = journal.lease(&lane(0), limits(3)).await.unwrap();
    let first = report(keys(&lease), &Outcome::Delivered);
    journal.settle(&mut lease, first).await.unwrap();
    let mut lease = journal.lease(&lane(0), limits(3)).await.unwrap();
    damage_first_rows(&journal, folder.path(), "outcome").await;

    let outcomes = report(keys(&lease), &Outcome::Delivered);
    let (settled, appended) = in_one_group(
        &journal,
        journal.settle(&mut lease, outcomes),
        journal.append(entries(10..12)),
    )
    .await;
    assert!(
        matches!(settled, Err(JournalError::Damaged(_))),
        "{settled:?}"
    );
    assert_eq!(appended.unwrap().len(), 2);
    assert_eq!(lease.events.len(), 3);
    // What waits does not hang on it either.
    drop(lease);
    assert_eq!(journal.waiting(&lane(0)).ready, 9);
}

#[tokio::test]
async fn a_damaged_event_that_waits_again_is_withheld() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..3)).await.unwrap();
    drain(&journal, &lane(0), &Outcome::Expired).await;
    let mut books = Books::open(folder.path()).unwrap();
    let which = Selection::Filter(EventFilter {
        states: vec![EventState::Expired],
        ..EventFilter::default()
    });
    assert_eq!(books.replay(&which, T0_MS).unwrap().replayed, 3);
    let other = Connection::open(folder.path().join("journal.db")).unwrap();
    let damage = "UPDATE event SET accepted_ms = -1, expires_s = -1 WHERE id = 2";
    other.execute(damage, []).unwrap();
    // It is heard of while the journal is open, and by the next start.
    journal.look_around().await;
    assert!(journal.health().is_failing.is_none());
    assert_eq!(journal.waiting(&replays(0)).ready, 3);
    drop(journal);
    let journal = open(folder.path());
    assert_eq!(journal.waiting(&replays(0)).ready, 3);
    let sent = drain(&journal, &replays(0), &Outcome::Delivered).await;
    assert_eq!(sent.len(), 2);
    let tally = audit(folder.path()).tally;
    assert_eq!((tally.delivered, tally.withheld), (2, 1));
}

#[tokio::test]
async fn the_audit_names_what_does_not_balance() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..10)).await.unwrap();
    drain(&journal, &lane(0), &Outcome::Delivered).await;
    journal.append(entries(10..11)).await.unwrap();
    journal.close().await.unwrap();
    let damages = [
        (
            "DELETE FROM outcome WHERE event = 3",
            "9 delivered by the rows, 10 by the tallies",
        ),
        (
            "INSERT INTO outcome (event, state, at_ms) VALUES (99, 1, 0)",
            "event 99",
        ),
        (
            "UPDATE outcome SET state = 9 WHERE event = 4",
            "unknown state",
        ),
        ("UPDATE tally SET count = -1 WHERE state = 0", "says -1"),
        (
            "DELETE FROM straggler",
            "event 11 waits, but a start looks from 12 on",
        ),
    ];
    for (damage, problem) in damages {
        let copy = TempDir::new().unwrap();
        let path = copy.path().join("journal.db");
        std::fs::copy(folder.path().join("journal.db"), &path).unwrap();
        Connection::open(&path)
            .unwrap()
            .execute(damage, [])
            .unwrap();
        let audit = Books::open(copy.path()).unwrap().audit().unwrap();
        assert!(!audit.balanced);
        assert!(
            audit.problems.iter().any(|line| line.contains(problem)),
            "{:?}",
            audit.problems
        );
    }
    assert_eq!(audit(folder.path()).groups.len(), 1);
}

#[tokio::test]
async fn a_damaged_page_at_the_end_or_in_the_middle_ends_no_search() {
    for choose in [|pages| pages - 1, |pages| pages / 2, |_| 0] {
        let folder = TempDir::new().unwrap();
        let journal = open(folder.path());
        journal.append(entries(0..600)).await.unwrap();
        let page = damage_rows(&journal, folder.path(), "event", choose).await;
        let lost = (1..=600).filter(|key| page.has(EventKey(*key))).count();
        assert!((1..600).contains(&lost), "{lost}");
        let books = Books::open(folder.path()).unwrap();
        let by_id = EventFilter {
            event_id: Some("no event has it".to_owned()),
            ..EventFilter::default()
        };
        for (filter, fit) in [(EventFilter::default(), 600 - lost), (by_id, 0)] {
            let (mut page, mut rows, mut unreadable) = (PAGE, 0, 0);
            loop {
                let found = books.search(&filter, page).unwrap();
                (rows, unreadable) = (rows + found.rows.len(), unreadable + found.unreadable);
                page.before = found.next;
                if page.before.is_none() {
                    break;
                }
            }
            assert_eq!((rows, unreadable), (fit, lost as u64));
        }
        let (mut after, mut rows, mut unreadable) = (None, 0, 0);
        loop {
            let found = books.waiting(&EventFilter::default(), after, 100).unwrap();
            (rows, unreadable) = (rows + found.rows.len(), unreadable + found.unreadable);
            after = found.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!((rows, unreadable), (600 - lost, lost as u64));
    }
}

#[tokio::test]
async fn damaged_rows_of_rejections_requests_and_counts_are_passed_over() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..10)).await.unwrap();
    for _ in 0..3 {
        let mut lease = journal.lease(&lane(0), limits(2)).await.unwrap();
        let delivered = report(keys(&lease), &Outcome::Delivered);
        journal.settle(&mut lease, delivered).await.unwrap();
    }
    let rejections = (0..5).map(rejection).collect();
    let rejected = received(Vec::new(), rejections);
    journal.receive(rejected).await.unwrap();
    let other = Connection::open(folder.path().join("journal.db")).unwrap();
    for damage in [
        "UPDATE rejection SET at_ms = -1 WHERE id = 3",
        "UPDATE request SET sent_ms = -1 WHERE id = 2",
        "INSERT INTO term (id, text) VALUES (99, CAST(x'ff' AS TEXT))",
        "INSERT INTO tally SELECT hour, dataset, source, 99, state, 1 FROM tally WHERE state = 1",
    ] {
        assert_eq!(other.execute(damage, []).unwrap(), 1, "{damage}");
    }
    let books = Books::open(folder.path()).unwrap();
    let found = books.rejections(&RejectionFilter::default(), None, 3);
    let found = found.unwrap();
    let shown: Vec<_> = found.rows.iter().map(|row| row.key.0).collect();
    assert_eq!((shown, found.unreadable), (vec![5, 4, 2], 1));
    let found = books.requests(&RequestFilter::default(), None, 10).unwrap();
    let shown: Vec<_> = found.rows.iter().map(|row| row.id).collect();
    assert_eq!((shown, found.unreadable), (vec![3, 1], 1));
    let found = books.tallies(&by_hour(0..u64::MAX), None).unwrap();
    assert_eq!(found.rows[0].delivered, 6);
    assert_eq!((found.rows.len(), found.unreadable), (1, 1));
}
