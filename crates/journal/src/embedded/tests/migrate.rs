//! A journal that version 1 has written, in all states an event can be in: its rows are made by that version's SQL.

use std::path::Path;

use rusqlite::{Connection, params};
use tempfile::TempDir;

use super::super::body::checksum;
use super::super::schema::{self, FILE, MIGRATIONS};
use super::{audit, open};
use crate::testing::{T0_MS, lane, limits};
use crate::{Books, EventKey, EventState, Journal as _, Tally};

const EVENTS: i64 = 10_000;

/// What version 1 had counted.
const COUNTED: Tally = Tally {
    received: 10_500,
    rejected: 0,
    accepted: 10_000,
    waiting: 100,
    delivered: 9_500,
    refused: 200,
    expired: 100,
    withheld: 100,
    recorded: 0,
    duplicate: 500,
};

/// Every hundredth event waits, two were refused, one expired, one was withheld; an event a second, of two datasets.
const EVENTS_OF_1: &str = "
    INSERT INTO term VALUES (1, '100000000'), (2, '100000001'), (3, 'shop'), (4, 'Purchase'), (5, 'Lead'), (6, 'website');
    INSERT INTO event
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
        SELECT i, 1 + i % 2, 3, 4 + i / 2 % 2, NULL, CAST(printf('%016d', i) AS BLOB), 'id-' || i, 6,
               1751000000000 + i * 1000, 1751604800 + i, 40 FROM n;
    INSERT INTO outcome
        SELECT id, CASE id % 100 WHEN 1 THEN 2 WHEN 2 THEN 2 WHEN 3 THEN 3 WHEN 4 THEN 4 ELSE 1 END,
               accepted_ms + 5000, 1, NULL, NULL, NULL
        FROM event WHERE id % 100 <> 0;
    INSERT INTO request VALUES (1, 1, NULL, 1751000000000, 80, 1000, 9000, 200, NULL, NULL, 1000, 'A', 'delivered');
    INSERT INTO replay (event, replayed_ms, state, at_ms) SELECT id, accepted_ms, 2, accepted_ms FROM event WHERE id % 1000 = 0;
    INSERT INTO tally SELECT accepted_ms / 3600000, dataset, source, name, 0, count(*) FROM event GROUP BY 1, 2, 3, 4;
    INSERT INTO tally SELECT at_ms / 3600000, dataset, source, name, state, count(*)
        FROM outcome JOIN event ON id = event GROUP BY 1, 2, 3, 4, 5;
    INSERT INTO tally VALUES (486388, 1, 3, 4, 5, 500);
";

/// Makes the file; every event that waits has a body.
fn version_1(folder: &Path) {
    let mut conn = Connection::open(folder.join(FILE)).unwrap();
    conn.execute_batch(
        "PRAGMA page_size = 16384; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;",
    )
    .unwrap();
    let step = conn.transaction().unwrap();
    step.execute_batch(MIGRATIONS[0]).unwrap();
    step.execute_batch(EVENTS_OF_1).unwrap();
    for key in (100..=EVENTS).step_by(100) {
        let json = format!("{{\"event_id\":\"id-{key}\",\"pad\":\"{key:>10}\"}}");
        let crc = checksum(EventKey(key), json.as_bytes());
        step.execute(
            "INSERT INTO body VALUES (?1, ?2, ?3)",
            params![key, crc, json],
        )
        .unwrap();
    }
    step.pragma_update(None, "application_id", 0x534c_5543)
        .unwrap();
    step.pragma_update(None, "user_version", 1).unwrap();
    step.commit().unwrap();
}

/// What a journal of version 1 has to be once it is opened.
async fn is_whole(folder: &Path) {
    let journal = open(folder);
    assert_eq!(audit(folder).tally, COUNTED);
    assert_eq!(journal.health().tally, COUNTED);
    // The even ones of a hundred are all of the first dataset; what was sent again waits apart.
    let waiting = journal.waiting(&lane(0));
    assert_eq!((waiting.ready, waiting.on_hold), (90, 0));
    let lease = journal.lease(&lane(0), limits(1)).await.unwrap();
    assert_eq!(lease.events[0].event_id, "id-100");
    assert!(lease.damaged.is_empty());
    drop(lease);
    let books = Books::open(folder).unwrap();
    let refused = books.event(EventKey(101)).unwrap().unwrap().record;
    assert_eq!(refused.state, EventState::Refused);
    assert_eq!(
        (refused.facts, refused.due_ms, refused.revision.0),
        (None, None, 0)
    );
    assert!(!refused.is_completed && !refused.never_kept);
}

#[tokio::test]
async fn the_books_are_the_same_after_a_migration() {
    let folder = TempDir::new().unwrap();
    version_1(folder.path());
    is_whole(folder.path()).await;
    // And stay so, when the rows leave.
    let journal = open_later(folder.path()).await;
    let left = journal.prune(u64::MAX).await.unwrap();
    assert!(left > 9_000, "{left}");
    let tally = audit(folder.path()).tally;
    assert_eq!(tally.delivered, COUNTED.delivered);
}

/// Open, with an event a hundred days later.
async fn open_later(folder: &Path) -> crate::Embedded {
    let journal = open(folder);
    let later = crate::testing::Sample {
        accepted_ms: T0_MS + 100 * 24 * 3_600_000,
        ..crate::testing::sample("later")
    };
    journal.append(vec![later.entry()]).await.unwrap();
    journal
}

/// Copies the files at some moment of the migration, as a kill leaves them.
#[tokio::test]
async fn a_migration_that_was_killed_begins_anew() {
    let folder = TempDir::new().unwrap();
    version_1(folder.path());
    let statements: Vec<&str> = MIGRATIONS[1].split_inclusive(";\n").collect();
    assert!(statements.len() > 20);
    for done in [statements.len() / 2, statements.len()] {
        let killed = TempDir::new().unwrap();
        let conn = Connection::open(folder.path().join(FILE)).unwrap();
        // So small that pages of the transaction are in the log before it ends.
        conn.execute_batch("PRAGMA cache_size = 10; BEGIN IMMEDIATE")
            .unwrap();
        conn.execute_batch(&statements[..done].concat()).unwrap();
        for file in ["journal.db", "journal.db-wal"] {
            let copied = std::process::Command::new("cp")
                .arg(folder.path().join(file))
                .arg(killed.path())
                .status();
            assert!(copied.unwrap().success());
        }
        conn.execute_batch("ROLLBACK").unwrap();
        let path = killed.path().join(FILE);
        let other = Connection::open(&path).unwrap();
        assert_eq!(schema::version(&other, &path).unwrap(), 1);
        drop(other);
        is_whole(killed.path()).await;
    }
}
