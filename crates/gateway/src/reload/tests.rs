//! Secrets and configurations that are read again while a gateway would run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::clock::SystemClock;
use crate::config::tests::LEAST;
use crate::config::{Change, FixedEnvironment};
use crate::jobs::{Came, History, Job, Scheduler};
use crate::records::Records;

/// A keeper of the configuration in this file, and what asks it.
fn keeper(path: &Path) -> (Keeper, Arc<Notify>) {
    let environment = FixedEnvironment::new()
        .with("META_ACCESS_TOKEN", "EAAToken")
        .with("SLUICE_KEY", "key-of-the-shop-0123456789");
    let environment: Arc<dyn Environment> = Arc::new(environment);
    let mut file = ConfigFile::new(path);
    let config = file.read(&*environment, 0).unwrap().config;
    let roster = Roster::read(config, Arc::clone(&environment)).unwrap();
    let reloader = Reloader::new(
        Arc::new(roster),
        (Some(file), environment),
        Arc::new(Time::sure(Arc::new(SystemClock::default()))),
        (Watch::for_tests(), Board::default()),
        None,
    );
    let asked = Arc::new(Notify::new());
    let keeper = Keeper {
        reloader: Arc::new(reloader),
        asked: Arc::clone(&asked),
    };
    (keeper, asked)
}

/// Runs the job that reads secrets, with its history in this folder.
fn scheduler(keeper: &Keeper, folder: &Path) -> (Scheduler, CancellationToken) {
    let (watch, stop) = (Watch::for_tests(), CancellationToken::new());
    let secrets: Arc<dyn Job> = Arc::new(Secrets::new(Arc::clone(&keeper.reloader)));
    let records = Arc::new(Records::new(folder.to_owned(), watch.clone()));
    let clock = Arc::new(Time::sure(Arc::new(SystemClock::default())));
    let scheduler = Scheduler::new(vec![secrets], records, clock, watch, stop.clone());
    (scheduler, stop)
}

/// Waits for what has to come.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let came = tokio::time::timeout(Duration::from_secs(8), wait).await;
    assert!(came.is_ok(), "waited for {what} in vain");
}

#[test]
fn the_same_is_not_said_of_a_secret_again() {
    let told = Told::default();
    let gone = || Some("it is gone".to_owned());
    assert!(told.note("a", gone()));
    assert!(!told.note("a", gone()));
    assert!(told.note("b", gone()));
    assert!(told.note("a", Some("it is empty".to_owned())));
    assert!(told.note("a", None));
    assert!(!told.note("a", None));
    assert!(told.note("a", gone()));
}

#[test]
fn other_changes_that_need_a_restart_are_news_and_the_same_are_not() {
    let mut said = Said::default();
    let change = |table: &str| Change::Added {
        table: table.to_owned(),
    };
    let (first, second) = (change("server"), change("admin"));
    assert!(said.note_restart(std::slice::from_ref(&first)));
    assert!(!said.note_restart(std::slice::from_ref(&first)));
    assert!(said.note_restart(&[first, second.clone()]));
    assert!(said.note_restart(std::slice::from_ref(&second)));
    assert!(said.note_restart(&[]));
    assert!(!said.note_restart(&[]));
}

#[tokio::test]
async fn what_is_doubtful_about_an_edited_configuration_and_its_secrets_comes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sluice.toml");
    fs::write(&path, LEAST).unwrap();
    let (keeper, _asked) = keeper(&path);
    let reloaded = keeper.reloader.reload().await.unwrap();
    assert_eq!(reloaded.warnings, [""; 0]);

    let key = folder.path().join("blog");
    fs::write(&key, "short-key").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let (graph, key) = (
        "graph.connect_timeout_s = 20\ngraph.timeout_s = 10\n",
        key.display(),
    );
    let source = format!(
        "[[source]]\nname = \"blog\"\nkind = \"api\"\nkey = {{ file = \"{key}\" }}\ndatasets = [\"1234567890123456\"]\n"
    );
    fs::write(&path, format!("{graph}{LEAST}{source}")).unwrap();
    let reloaded = keeper.reloader.reload().await.unwrap();
    assert_eq!(
        reloaded.warnings,
        [
            "line 1, column 27: connect_timeout_s is longer than timeout_s, which ends the request before",
            "key of source blog: the key has fewer than 16 characters and can be guessed; make one with `openssl rand \
             -hex 24`",
            &format!(
                "key of source blog: a file with a secret can be read by every user of this machine: {key}; chmod 600, \
                 or 640 with the group of the gateway's user"
            ),
        ]
    );
}

/// A further source whose key a command prints: what is in a file, once there is no file `hang`.
fn source(folder: &Path, name: &str) -> String {
    fs::write(folder.join(name), format!("first-key-of-{name}")).unwrap();
    let folder = folder.display();
    format!(
        r#"
[[source]]
name = "{name}"
kind = "api"
key = {{ command = ["sh", "-c", """
echo run >> {folder}/{name}.runs
while test -e {folder}/{name}.hang; do sleep 0.01; done
cat {folder}/{name}"""] }}
datasets = ["1234567890123456"]
"#
    )
}

/// The hanging command would be ended after ten seconds, and everything here comes before.
#[tokio::test]
async fn a_command_that_hangs_delays_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let in_file = folder.join("in-file");
    fs::write(&in_file, "first-key-in-file").unwrap();
    let text = LEAST.replace(
        "env = \"SLUICE_KEY\"",
        &format!("file = \"{}\"", in_file.display()),
    );
    let text = format!(
        "{text}{}{}",
        source(folder, "slow"),
        source(folder, "quick")
    );
    let path = folder.join("sluice.toml");
    fs::write(&path, text).unwrap();
    let (keeper, asked) = keeper(&path);
    let snapshots = keeper.reloader.roster.snapshots();
    let is_in_force = |key: &str| snapshots.borrow().callers.by_key(key).is_some();
    let runs = |name: &str| {
        let runs = fs::read_to_string(folder.join(format!("{name}.runs")));
        runs.unwrap().lines().count()
    };
    let hang = folder.join("slow.hang");
    let (scheduler, stop) = scheduler(&keeper, folder);
    let scheduler = tokio::spawn(scheduler.run());
    let keeping = tokio::spawn(async move { keeper.run().await });

    fs::write(&hang, "").unwrap();
    fs::write(folder.join("slow"), "second-key-of-slow").unwrap();
    fs::write(folder.join("quick"), "second-key-of-quick").unwrap();
    asked.notify_one();
    until("the command to hang", || runs("slow") == 2).await;
    until("the other command", || is_in_force("second-key-of-quick")).await;
    fs::write(&in_file, "second-key-in-file").unwrap();
    until("the file", || is_in_force("second-key-in-file")).await;
    assert_eq!(
        (runs("slow"), runs("quick")),
        (2, 2),
        "only the file was read"
    );
    fs::write(folder.join("quick"), "third-key-of-quick").unwrap();
    asked.notify_one();
    until("the other command again", || {
        is_in_force("third-key-of-quick")
    })
    .await;

    assert!(is_in_force("first-key-of-slow"), "it hangs");
    fs::remove_file(&hang).unwrap();
    until("the slow command", || is_in_force("second-key-of-slow")).await;
    until("its second turn", || runs("slow") == 3).await;
    keeping.abort();
    stop.cancel();
    scheduler.await.unwrap();
}

/// What the history says of reading secrets, in order.
async fn said(folder: &Path) -> Vec<(Came, String)> {
    // The gateway may not have made it yet.
    let Ok(Some(history)) = History::look(folder).await else {
        return Vec::new();
    };
    let runs = history.runs(Some("secrets"), 10).await.unwrap();
    let said = runs.into_iter().rev().map(|run| (run.came, run.said));
    said.collect()
}

async fn until_said(folder: &Path, rows: usize) {
    let wait = async {
        while said(folder).await.len() < rows {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let came = tokio::time::timeout(Duration::from_secs(30), wait).await;
    assert!(came.is_ok(), "waited for {rows} rows in vain");
}

#[tokio::test]
async fn what_was_read_of_secrets_is_in_the_history_and_no_look_is() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let in_file = folder.join("in-file");
    fs::write(&in_file, "first-key-in-file").unwrap();
    let key = format!("file = \"{}\"", in_file.display());
    let text = LEAST.replace("env = \"SLUICE_KEY\"", &key);
    let path = folder.join("sluice.toml");
    fs::write(&path, text).unwrap();
    let (keeper, _asked) = keeper(&path);
    let reloader = Arc::clone(&keeper.reloader);
    let snapshots = reloader.roster.snapshots();
    let (scheduler, stop) = scheduler(&keeper, folder);
    let scheduler = tokio::spawn(scheduler.run());
    fs::write(&in_file, "second-key-in-file").unwrap();
    until_said(folder, 1).await;
    let is_in_force = |key: &str| snapshots.borrow().callers.by_key(key).is_some();
    assert!(is_in_force("second-key-in-file"));
    // Asked for by a person; nothing has changed.
    reloader.reload().await.unwrap();
    fs::remove_file(&in_file).unwrap();
    until_said(folder, 2).await;
    fs::write(&in_file, "third-key-in-file").unwrap();
    reloader.reload().await.unwrap();
    assert!(is_in_force("third-key-in-file"));
    until_said(folder, 3).await;
    stop.cancel();
    scheduler.await.unwrap();

    let said = said(folder).await;
    let [second, gone, third] = &said[..] else {
        panic!("{said:?}")
    };
    let changed = (Came::Done, "1 secret has changed".to_owned());
    assert_eq!((second, third), (&changed, &changed));
    assert_eq!(gone.0, Came::Failed);
    assert!(gone.1.contains("in-file"), "{gone:?}");
    let bytes = fs::read(folder.join("records.db")).unwrap();
    for key in ["first-key", "second-key", "third-key"] {
        assert!(!bytes.windows(key.len()).any(|it| it == key.as_bytes()));
    }
}
