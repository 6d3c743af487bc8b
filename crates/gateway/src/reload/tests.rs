//! Secrets and configurations that are read again while a gateway would run.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::sync::Notify;

use super::*;
use crate::clock::SystemClock;
use crate::config::FixedEnvironment;
use crate::config::tests::LEAST;

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
}
