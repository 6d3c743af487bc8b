//! What is PostgreSQL's own.

use std::path::Path;
use std::process::Command;

use sluice_store::testing::{Database, Server, obeys_the_laws};
use sluice_store::{Owner, Place, Sql, Store, StoreError, Tables};
use tempfile::TempDir;

use crate::{hold_against_a_map, runtime};

const SHOP: Owner = Owner {
    name: "shop",
    steps: &["CREATE TABLE shop_order (id {id}, n {integer} NOT NULL) {strict}"],
};
const ADD: Sql<0> = Sql::new("add", "INSERT INTO shop_order (n) VALUES (1)");
const COUNT: Sql<0> = Sql::new("count", "SELECT count(*) FROM shop_order");

async fn open(url: &str) -> Result<Store, StoreError> {
    Store::open(Place::Postgres {
        url,
        schema: "sluice",
    })
    .await
}

async fn count(tables: &Tables) -> i64 {
    let found = tables.read(vec![COUNT.with([])]).await.unwrap();
    found[0].rows[0].get(0).unwrap()
}

#[test]
fn obeys_the_laws_on_postgresql() {
    let database = Database::postgres();
    let runtime = runtime();
    runtime.block_on(obeys_the_laws(&database));
    hold_against_a_map(&database, &runtime);
}

#[tokio::test]
async fn comes_back_after_the_server_was_gone() {
    let mut server = Server::start();
    let tables = open(&server.url())
        .await
        .unwrap()
        .tables(SHOP)
        .await
        .unwrap();
    tables.write(vec![ADD.with([])]).await.unwrap();
    server.stop();
    for _ in 0..2 {
        let error = tables.write(vec![ADD.with([])]).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        let error = open(&server.url()).await.err().unwrap();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    }
    server.run();
    tables.write(vec![ADD.with([])]).await.unwrap();
    assert_eq!(count(&tables).await, 2);
    // A connection that the server ends is not noticed before it is used.
    server.psql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sluice'",
    );
    loop {
        match tables.write(vec![ADD.with([])]).await {
            Ok(_) => break,
            Err(error) => assert!(matches!(error, StoreError::Unavailable(_)), "{error}"),
        }
    }
    assert_eq!(count(&tables).await, 3);
}

/// As behind a pooler that hands a session to others between two transactions.
#[tokio::test]
async fn what_others_told_a_session_does_not_matter() {
    const TELL: Sql<2> = Sql::new("tell", "SELECT set_config($1, $2, false)");
    const TOLD: Sql<1> = Sql::new("told", "SELECT current_setting($1)");
    let server = Server::start();
    let (url, mut shops) = (server.url(), Vec::new());
    for schema in ["one", "other"] {
        let place = Place::Postgres { url: &url, schema };
        let store = Store::open(place).await.unwrap();
        shops.push(store.tables(SHOP).await.unwrap());
    }
    let [one, other] = &shops[..] else { panic!() };
    // They follow each other, so each goes through the same session.
    let tell = |name: &str, told: &str| one.write(vec![TELL.with([name.into(), told.into()])]);
    for (name, told, expected) in [
        ("statement_timeout", "1h", "20s"),
        ("lock_timeout", "1h", "15s"),
        ("idle_in_transaction_session_timeout", "1h", "30s"),
        ("client_connection_check_interval", "1h", "1s"),
        ("search_path", "other", "one"),
    ] {
        tell(name, told).await.unwrap();
        let asked = || vec![TOLD.with([name.into()])];
        let read = one.read(asked()).await.unwrap();
        let write = one.write(asked()).await.unwrap();
        let ((), change) = one
            .change(Vec::new(), move |_| ((), asked()))
            .await
            .unwrap();
        for found in [read, write, change] {
            let found: String = found[0].rows[0].get(0).unwrap();
            assert_eq!(found.trim_matches('"'), expected, "{name}");
        }
    }
    tell("search_path", "other").await.unwrap();
    one.write(vec![ADD.with([])]).await.unwrap();
    tell("search_path", "other").await.unwrap();
    assert_eq!((count(one).await, count(other).await), (1, 0));
}

#[tokio::test]
async fn what_a_person_has_to_mend_is_refused_in_words() {
    let server = Server::start();
    server.psql(
        "CREATE DATABASE old TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'",
    );
    server.psql("CREATE ROLE guest LOGIN");
    let (folder, port) = (server.folder().display(), server.port());
    let told = [
        (
            format!("postgres://nobody:5ecret@/postgres?host={folder}&port={port}"),
            "user or its password",
        ),
        (
            format!("postgres://sluice:5ecret@/nothing?host={folder}&port={port}"),
            "no such database",
        ),
        (
            format!("postgres://sluice:5ecret@/old?host={folder}&port={port}"),
            "encoding",
        ),
        (
            "postgres://sluice:5ecret@db.example/x?sslmode=disable".to_owned(),
            "another machine",
        ),
    ];
    for (url, expected) in told {
        let error = open(&url).await.err().unwrap();
        assert!(
            matches!(&error, StoreError::Refused(why) if why.contains(expected)),
            "{error}"
        );
        assert!(!format!("{error} {error:?}").contains("5ecret"), "{error}");
    }
    let guest = open(&format!(
        "postgres://guest@/postgres?host={folder}&port={port}"
    ))
    .await
    .unwrap();
    let error = guest.tables(SHOP).await.err().unwrap();
    assert!(
        matches!(&error, StoreError::Refused(why) if why.contains("may not do this")),
        "{error}"
    );
}

/// A key and a certificate of `localhost` that vouches for itself.
fn certificate(folder: &Path) {
    let config = "[req]\ndistinguished_name=dn\nx509_extensions=ext\nprompt=no\n[dn]\nCN=localhost\n\
         [ext]\nsubjectAltName=DNS:localhost\nbasicConstraints=critical,CA:FALSE\n";
    std::fs::write(folder.join("config"), config).unwrap();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-days", "2", "-config", "config"])
        .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(folder)
        .output()
        .expect("openssl, which comes with Debian's package `postgresql`");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
}

#[tokio::test]
async fn tls_proves_the_servers_name() {
    const IS_PRIVATE: Sql<0> = Sql::new(
        "private",
        "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    );
    let folder = TempDir::new().unwrap();
    certificate(folder.path());
    let mut server = Server::start();
    let port = server.port();
    for file in ["key.pem", "cert.pem"] {
        let here = server.folder().join(file);
        std::fs::copy(folder.path().join(file), &here).unwrap();
        server.hand_over(&here);
    }
    let path = |file: &str| server.folder().join(file).display().to_string();
    let settings = [
        "listen_addresses=127.0.0.1".to_owned(),
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", path("cert.pem")),
        format!("ssl_key_file={}", path("key.pem")),
    ];
    let roots = folder.path().join("cert.pem").display().to_string();
    server.stop();
    server.run_with(&settings);

    let base = format!("postgres://sluice@localhost:{port}/postgres");
    for (query, is_private) in [
        (String::new(), 0),
        (format!("?sslmode=verify-full&sslrootcert={roots}"), 1),
    ] {
        let store = open(&format!("{base}{query}")).await.unwrap();
        let tables = store.tables(SHOP).await.unwrap();
        let found = tables.read(vec![IS_PRIVATE.with([])]).await.unwrap();
        assert_eq!(found[0].rows[0].get::<i64>(0).unwrap(), is_private);
    }
    // Neither the system nor another name vouches for it.
    let other = format!("postgres://sluice@127.0.0.1:{port}/postgres?sslrootcert={roots}");
    for url in [format!("{base}?sslmode=require"), other] {
        let error = open(&url).await.err().unwrap();
        let is_told = error.to_string().contains("certificate");
        assert!(
            matches!(error, StoreError::Unavailable(_)) && is_told,
            "{error}"
        );
    }
}
