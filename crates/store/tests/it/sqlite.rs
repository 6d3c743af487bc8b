//! What is SQLite's own.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use sluice_store::testing::{Database, obeys_the_laws};
use sluice_store::{Owner, Place, Sql, Store, StoreError};
use tempfile::TempDir;

use crate::{hold_against_a_map, runtime};

#[test]
fn obeys_the_laws_on_sqlite() {
    runtime().block_on(obeys_the_laws(&Database::sqlite()));
}

#[test]
fn upserts_are_a_map_on_sqlite() {
    hold_against_a_map(&Database::sqlite(), &runtime());
}

async fn refusal(folder: &Path) -> String {
    match Store::open(Place::Folder(folder)).await {
        Err(StoreError::Refused(why)) => why,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was opened"),
    }
}

#[tokio::test]
async fn its_files_are_for_its_user_alone() {
    let folder = TempDir::new().unwrap();
    let store_folder = folder.path().join("a/b");
    let store = Store::open(Place::Folder(&store_folder)).await.unwrap();
    store
        .tables(Owner {
            name: "shop",
            steps: &["CREATE TABLE shop_order (id {id}) {strict}"],
        })
        .await
        .unwrap();
    assert_eq!(store_folder.metadata().unwrap().mode() & 0o777, 0o700);
    let mut files: Vec<_> = std::fs::read_dir(&store_folder)
        .unwrap()
        .map(|file| file.unwrap())
        .collect();
    files.sort_by_key(std::fs::DirEntry::file_name);
    let names: Vec<_> = files.iter().map(std::fs::DirEntry::file_name).collect();
    assert_eq!(names, ["records.db", "records.db-shm", "records.db-wal"]);
    for file in files {
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600, "{file:?}");
    }
    std::fs::set_permissions(
        store_folder.join("records.db"),
        Permissions::from_mode(0o644),
    )
    .unwrap();
    let _again = Store::open(Place::Folder(&store_folder)).await.unwrap();
    assert_eq!(
        store_folder.join("records.db").metadata().unwrap().mode() & 0o777,
        0o600
    );
}

#[tokio::test]
async fn a_link_in_the_files_place_is_refused() {
    for name in ["records.db", "records.db-wal", "records.db-shm"] {
        let folder = TempDir::new().unwrap();
        let elsewhere = folder.path().join("elsewhere");
        std::fs::write(&elsewhere, "").unwrap();
        symlink(&elsewhere, folder.path().join(name)).unwrap();
        let why = refusal(folder.path()).await;
        assert!(why.contains("such as a link"), "{why}");
        assert_eq!(std::fs::read(&elsewhere).unwrap(), b"");
    }
}

#[tokio::test]
async fn a_folder_that_others_may_write_is_refused() {
    let folder = TempDir::new().unwrap();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
    let why = refusal(folder.path()).await;
    assert!(why.contains("can be written by other users"), "{why}");
}

#[tokio::test]
async fn another_programs_database_is_refused() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("records.db");
    let other = rusqlite::Connection::open(&file).unwrap();
    other
        .execute_batch("CREATE TABLE thing (id INTEGER)")
        .unwrap();
    drop(other);
    let why = refusal(folder.path()).await;
    assert!(why.contains("another program"), "{why}");
}

#[tokio::test]
async fn a_look_reads_what_is_there_and_makes_nothing() {
    const SHOP: Owner = Owner {
        name: "shop",
        steps: &["CREATE TABLE shop_order (name {text}) {strict}"],
    };
    const PUT: Sql<1> = Sql::new("put", "INSERT INTO shop_order (name) VALUES ($1)");
    const ALL: Sql<0> = Sql::new("all", "SELECT name FROM shop_order");
    let folder = TempDir::new().unwrap();
    for missing in [folder.path(), &folder.path().join("nowhere")] {
        assert!(Store::look(missing).await.unwrap().is_none());
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let store = Store::open(Place::Folder(folder.path())).await.unwrap();
    let look = Store::look(folder.path()).await.unwrap().unwrap();
    let error = look.tables(SHOP).await.err().unwrap();
    assert!(
        matches!(&error, StoreError::Refused(why) if why.contains("start the gateway once")),
        "{error}"
    );
    let tables = store.tables(SHOP).await.unwrap();
    let put = || vec![PUT.with(["order-1".into()])];
    tables.write(put()).await.unwrap();
    let looked = look.tables(SHOP).await.unwrap();
    let found = looked.read(vec![ALL.with([])]).await.unwrap();
    assert_eq!(found[0].rows[0].get::<String>(0).unwrap(), "order-1");
    let told = [
        looked.write(put()).await,
        looked.read(put()).await,
        looked
            .change(put(), |_| ((), Vec::new()))
            .await
            .map(|((), done)| done),
    ];
    for told in told {
        assert!(matches!(told, Err(StoreError::Broken(_))), "{told:?}");
    }
    // Without the program that writes.
    store.close().await;
    let found = looked.read(vec![ALL.with([])]).await.unwrap();
    assert_eq!(found[0].rows.len(), 1);
    look.close().await;
    let files = std::fs::read_dir(folder.path()).unwrap();
    let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names, ["records.db"]);
    std::fs::write(folder.path().join("records.db"), "no database").unwrap();
    assert!(Store::look(folder.path()).await.is_err());
}

#[tokio::test]
async fn a_step_with_foreign_names_or_loose_tables_is_refused() {
    let steps: [&'static [&'static str]; 3] = [
        &["CREATE TABLE shop_order (id {id})"],
        &["CREATE TABLE orders (id {id}) {strict}"],
        &["CREATE TABLE shop_order (id {id}) {strict}; CREATE INDEX order_id ON shop_order (id)"],
    ];
    for steps in steps {
        let folder = TempDir::new().unwrap();
        let store = Store::open(Place::Folder(folder.path())).await.unwrap();
        let error = store
            .tables(Owner {
                name: "shop",
                steps,
            })
            .await
            .err()
            .unwrap();
        assert!(matches!(error, StoreError::Broken(_)), "{error}");
    }
}

#[tokio::test]
async fn what_is_deleted_is_overwritten() {
    const PUT: Sql<1> = Sql::new("put", "INSERT INTO shop_order (name) VALUES ($1)");
    const CLEAR: Sql<0> = Sql::new("clear", "DELETE FROM shop_order");
    let folder = TempDir::new().unwrap();
    let store = Store::open(Place::Folder(folder.path())).await.unwrap();
    let owner = Owner {
        name: "shop",
        steps: &["CREATE TABLE shop_order (id {id}, name {text}) {strict}"],
    };
    let tables = store.tables(owner).await.unwrap();
    let marker = "a name that has to go".repeat(20);
    tables
        .write(vec![PUT.with([marker.as_str().into()])])
        .await
        .unwrap();
    tables.write(vec![CLEAR.with([])]).await.unwrap();
    let file = folder.path().join("records.db");
    let other = rusqlite::Connection::open(&file).unwrap();
    other
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .unwrap();
    let bytes = std::fs::read(&file).unwrap();
    assert!(
        !bytes
            .windows(21)
            .any(|window| window == b"a name that has to go")
    );
}
