//! Files and folders that are no journal, or nobody's to open.

use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::Value;
use tempfile::TempDir;

use super::open;
use crate::testing::entries;
use crate::{Books, Embedded, Journal as _, OpenError, Options};

fn refusal(folder: &Path) -> OpenError {
    let error = Embedded::open(folder, Options::default()).err().unwrap();
    assert!(!error.help().is_empty());
    error
}

#[test]
fn a_second_gateway_is_told_who_has_the_journal() {
    let folder = TempDir::new().unwrap();
    let first = open(folder.path());
    let error = refusal(folder.path());
    let pid = std::process::id();
    assert!(matches!(error, OpenError::InUse { pid: Some(found), .. } if found == pid));
    assert!(
        error
            .to_string()
            .ends_with(&format!("is in use by process {pid}"))
    );
    drop(first);
    drop(open(folder.path()));
}

#[tokio::test]
async fn a_closed_journal_may_be_opened_while_the_old_handle_lives() {
    let folder = TempDir::new().unwrap();
    let first = open(folder.path());
    first.append(entries(0..3)).await.unwrap();
    first.close().await.unwrap();
    let second = open(folder.path());
    assert_eq!(second.health().tally.accepted, 3);
}

#[test]
fn what_is_no_folder_is_refused() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "text").unwrap();
    assert!(matches!(refusal(&file), OpenError::NotAFolder { .. }));
    assert!(matches!(
        refusal(&file.join("below")),
        OpenError::NotAFolder { .. }
    ));
}

#[test]
fn garbage_and_other_programs_files_are_left_alone() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("journal.db");
    std::fs::write(&file, "garbage ".repeat(10_000)).unwrap();
    assert!(matches!(
        refusal(folder.path()),
        OpenError::NotAJournal { .. }
    ));
    assert!(matches!(
        Books::open(folder.path()),
        Err(OpenError::NotAJournal { .. })
    ));
    assert_eq!(std::fs::metadata(&file).unwrap().len(), 80_000);

    std::fs::remove_file(&file).unwrap();
    let other = Connection::open(&file).unwrap();
    other
        .execute_batch("CREATE TABLE their (own TEXT)")
        .unwrap();
    assert!(matches!(
        refusal(folder.path()),
        OpenError::NotAJournal { .. }
    ));
}

#[test]
fn a_journal_from_the_future_is_refused() {
    let folder = TempDir::new().unwrap();
    drop(open(folder.path()));
    let other = Connection::open(folder.path().join("journal.db")).unwrap();
    other.pragma_update(None, "user_version", 7).unwrap();
    let error = refusal(folder.path());
    assert!(matches!(
        error,
        OpenError::Newer {
            found: 7,
            known: 2,
            ..
        }
    ));
    assert!(
        error
            .to_string()
            .ends_with("has format 7; this program knows formats up to 2")
    );
    assert!(matches!(
        Books::open(folder.path()),
        Err(OpenError::Newer { .. })
    ));
}

#[tokio::test]
async fn a_journal_of_the_first_form_is_brought_to_the_newest() {
    let folder = TempDir::new().unwrap();
    let old = Connection::open(folder.path().join("journal.db")).unwrap();
    old.execute_batch(crate::embedded::schema::MIGRATIONS[0])
        .unwrap();
    old.pragma_update(None, "application_id", 0x534c_5543)
        .unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    drop(old);
    assert!(matches!(
        Books::open(folder.path()),
        Err(OpenError::Older { found: 1, .. })
    ));
    let journal = open(folder.path());
    journal.append(entries(0..3)).await.unwrap();
    let mut books = Books::open(folder.path()).unwrap();
    let done = books.drop_waiting(&[crate::EventKey(1)], 0).unwrap();
    assert_eq!(done.dropped, 1);
}

#[tokio::test]
async fn a_broken_file_is_refused() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..500)).await.unwrap();
    journal.close().await.unwrap();
    drop(journal);
    let path = folder.path().join("journal.db");
    let mut bytes = std::fs::read(&path).unwrap();
    // Every page's header, but the first page's.
    for page in bytes.chunks_mut(16_384).skip(1) {
        page[..8].fill(0xff);
    }
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(refusal(folder.path()), OpenError::Damaged { .. }));
}

#[test]
fn an_empty_file_becomes_a_journal() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("journal.db"), "").unwrap();
    assert!(matches!(
        Books::open(folder.path()),
        Err(OpenError::Missing { .. })
    ));
    drop(open(folder.path()));
    assert!(Books::open(folder.path()).is_ok());
}

#[test]
fn books_make_nothing() {
    let folder = TempDir::new().unwrap();
    let nowhere = folder.path().join("nowhere");
    for folder in [folder.path(), &nowhere] {
        let error = Books::open(folder).err().unwrap();
        assert!(matches!(error, OpenError::Missing { .. }));
    }
    assert!(!nowhere.exists());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_file_is_set_up_as_measured() {
    let folder = TempDir::new().unwrap();
    drop(open(folder.path()));
    let conn = Connection::open(folder.path().join("journal.db")).unwrap();
    for (pragma, expected) in [("page_size", 16_384), ("auto_vacuum", 2)] {
        let found = conn.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        assert_eq!(found.unwrap(), expected, "{pragma}");
    }
    let mode = conn.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0));
    assert_eq!(mode.unwrap(), "wal");
}

/// What was acknowledged survives a power failure only with `synchronous = 2` (FULL): in WAL mode NORMAL does
/// not sync the log before a commit returns.
#[tokio::test]
async fn the_writers_own_connection_is_set_up_to_sync() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    for (name, expected) in PRAGMAS {
        let found = journal.on_writer(move |writer| {
            let value = |row: &rusqlite::Row<'_>| row.get::<_, Value>(0);
            writer.conn.pragma_query_value(None, name, value).unwrap()
        });
        let found = match found.await {
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => text,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(found, expected, "{name}");
    }
    // A person's changes are promised in the same way.
    let books = Books::open(folder.path()).unwrap();
    let synchronous = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
    let synchronous = books
        .conn
        .pragma_query_value(None, "synchronous", synchronous);
    assert_eq!(synchronous.unwrap(), 2);
}

const PRAGMAS: [(&str, &str); 8] = [
    ("journal_mode", "wal"),
    ("synchronous", "2"),
    ("wal_autocheckpoint", "0"),
    ("journal_size_limit", "67108864"),
    ("cache_size", "-24576"),
    ("page_size", "16384"),
    ("auto_vacuum", "2"),
    ("locking_mode", "normal"),
];

#[tokio::test]
async fn a_gap_in_the_texts_is_refused() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..3)).await.unwrap();
    journal.close().await.unwrap();
    drop(journal);
    let path = folder.path().join("journal.db");
    let whole = std::fs::read(&path).unwrap();
    // The last one of those that are counted, as well as one in the middle.
    for number in [2, 3] {
        std::fs::write(&path, &whole).unwrap();
        let conn = Connection::open(&path).unwrap();
        conn.execute("DELETE FROM term WHERE id >= ?1 AND id <= 3", [number])
            .unwrap();
        if number == 3 {
            conn.execute("DELETE FROM term WHERE id > 3", []).unwrap();
        }
        drop(conn);
        let error = refusal(folder.path());
        let text = error.to_string();
        assert!(matches!(error, OpenError::Damaged { .. }), "{text}");
        let expected = format!("the table `term` has no text of number {number}");
        assert!(text.contains(&expected), "{text}");
    }
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(open(folder.path()).health().tally.waiting, 3);
}

#[cfg(unix)]
#[test]
fn a_new_folder_is_nobody_elses_to_read() {
    use std::os::unix::fs::PermissionsExt as _;

    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("data");
    drop(open(&folder));
    let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0);
}

#[cfg(unix)]
#[test]
fn a_folder_that_others_can_write_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = TempDir::new().unwrap();
    let allow = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(folder.path(), permissions).unwrap();
    };
    for mode in [0o777, 0o1777, 0o770, 0o702] {
        allow(mode);
        let error = refusal(folder.path());
        assert!(
            matches!(error, OpenError::Exposed { .. }),
            "{mode:o}: {error}"
        );
        assert!(error.help().contains("chmod 700"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
    allow(0o755);
    drop(open(folder.path()));
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = TempDir::new().unwrap();
    let files = [
        "journal.db",
        "journal.db-wal",
        "journal.db-shm",
        "journal.lock",
    ];
    let modes = || {
        files.map(|file| {
            let metadata = std::fs::metadata(folder.path().join(file)).unwrap();
            metadata.permissions().mode() & 0o777
        })
    };
    let journal = open(folder.path());
    journal.append(entries(0..3)).await.unwrap();
    assert_eq!(modes(), [0o600; 4]);
    // What an earlier version left to be read by all.
    let killed = super::crash::copy(&journal, folder.path()).await;
    for file in ["journal.db", "journal.db-wal"] {
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(killed.path().join(file), open).unwrap();
    }
    let journal = open(killed.path());
    assert_eq!(journal.health().tally.waiting, 3);
    for file in ["journal.db", "journal.db-wal"] {
        let metadata = std::fs::metadata(killed.path().join(file)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{file}");
    }
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let folder = TempDir::new().unwrap();
    let theirs = folder.path().join("theirs");
    std::fs::write(&theirs, "precious").unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::os::unix::fs::symlink(&theirs, data.join("journal.lock")).unwrap();
    assert!(matches!(refusal(&data), OpenError::Disk { .. }));
    std::fs::remove_file(data.join("journal.lock")).unwrap();
    // The probe looks for the reason of an error that says none.
    std::os::unix::fs::symlink(&theirs, data.join("journal.probe")).unwrap();
    std::fs::create_dir(data.join("journal.db")).unwrap();
    let _error = refusal(&data);
    assert_eq!(std::fs::read_to_string(&theirs).unwrap(), "precious");
    assert!(data.join("journal.probe").is_symlink());
}
