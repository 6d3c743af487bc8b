//! What has to be done from time to time: reading secrets again, deleting old bodies, looking at versions.
//! Secrets wait for nothing else: a parked lane waits for a new token.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use sluice_journal::{Journal, JournalError, Retention};
use tokio::sync::{Notify, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::board::Board;
use crate::clock::seconds;
use crate::config::Dataset;
use crate::config_file;
use crate::roster::{Reading, Roster, RosterError, SecretCommand};
use crate::time::Time;
use crate::watch::Watch;

/// How often files with secrets are looked at, and whether the journal can write again.
const LOOK: Duration = Duration::from_secs(2);
/// How often secrets are read again while a lane waits for a better token.
const READ_AGAIN: Duration = Duration::from_mins(1);
/// How often Meta is asked what time it is, while that is in doubt.
const ASK_TIME: Duration = Duration::from_mins(1);
/// How often old bodies are deleted.
const SWEEP: Duration = Duration::from_hours(1);
/// How often the version of the Graph API is compared with its end.
const VERSIONS: Duration = Duration::from_hours(24);

/// What maintenance works with.
pub(crate) struct Maintenance {
    pub(crate) roster: Arc<Roster>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) clock: Arc<Time>,
    pub(crate) watch: Watch,
    pub(crate) board: Board,
    pub(crate) retention: Duration,
    pub(crate) datasets: Vec<Dataset>,
    pub(crate) reload: Arc<Notify>,
    pub(crate) edited: Option<config_file::Look>,
    pub(crate) told: Told,
    pub(crate) stop: CancellationToken,
    /// Cancelled when the journal has closed by itself: its writer ended by a defect.
    pub(crate) failed: CancellationToken,
}

/// Does it until it is told to stop.
pub(crate) async fn run(maintenance: Maintenance) {
    let work = async {
        tokio::join!(
            maintenance.keep_secrets(),
            maintenance.keep_house(),
            maintenance.keep_bodies(),
            maintenance.keep_time()
        )
    };
    maintenance.stop.run_until_cancelled(work).await;
}

/// What was said of each secret last, by its number: the same is not said again each minute.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<BTreeMap<usize, String>>);

impl Told {
    /// Notes why a secret cannot be used, or that it can. Whether that is new.
    fn note(&self, secret: usize, error: Option<String>) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match error {
            Some(error) => told.insert(secret, error.clone()) != Some(error),
            None => told.remove(&secret).is_some(),
        }
    }
}

/// A clock that ticks now and then in this period.
fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

impl Maintenance {
    async fn keep_secrets(&self) {
        let commands_again = watch::Sender::new(false);
        let commands = self.roster.commands().into_iter();
        let commands =
            commands.map(|command| self.keep_command(command, commands_again.subscribe()));
        tokio::join!(self.keep_files(&commands_again), join_all(commands));
    }

    /// `commands_again` says that commands run again, and whether SIGHUP asked for it.
    async fn keep_files(&self, commands_again: &watch::Sender<bool>) {
        let (mut look, mut again) = (ticks(LOOK), ticks(READ_AGAIN));
        loop {
            tokio::select! {
                () = self.reload.notified() => {
                    commands_again.send_replace(true);
                    self.read_secrets(true, |roster| roster.refresh(true)).await;
                    self.look_at_config(true).await;
                }
                _ = look.tick() => {
                    if self.roster.have_files_changed() {
                        self.read_secrets(false, Roster::refresh_files).await;
                    }
                    self.look_at_config(false).await;
                }
                _ = again.tick() => {
                    if self.board.has_probing_lane() {
                        commands_again.send_replace(false);
                        self.read_secrets(false, |roster| roster.refresh(false)).await;
                    }
                }
            }
        }
    }

    /// Runs one command again and again, and never twice at a time: what it printed first would take effect
    /// last.
    async fn keep_command(&self, command: SecretCommand, mut again: watch::Receiver<bool>) {
        while again.changed().await.is_ok() {
            let is_asked = *again.borrow_and_update();
            let run = move |roster: &Roster| roster.refresh_command(command);
            let secret = self.roster.what(command);
            match self.read(is_asked, run).await {
                None => {}
                Some(0) => info!(secret, "the command of a secret printed the same as before"),
                Some(_) => info!(secret, "the command of a secret was run again"),
            }
        }
    }

    async fn look_at_config(&self, is_asked: bool) {
        if let Some(look) = &self.edited {
            let now_s = seconds(self.clock.unix_ms());
            if let Some(is_edited) = look.tell(is_asked, now_s).await {
                self.watch.configuration_edited(is_edited);
            }
        }
    }

    async fn keep_house(&self) {
        let (mut look, mut versions) = (ticks(LOOK), ticks(VERSIONS));
        loop {
            tokio::select! {
                _ = look.tick() => {
                    self.look_at_journal();
                    self.watch.tell_further(&self.board.rows(), |id| self.journal.waiting(id));
                }
                _ = versions.tick() => self.look_at_versions(),
            }
        }
    }

    /// Apart from all else: it may take minutes, and asks Meta what time it is before.
    async fn keep_bodies(&self) {
        let mut sweep = ticks(SWEEP);
        loop {
            sweep.tick().await;
            self.sweep().await;
        }
    }

    /// Asks what time it is while that is in doubt: a gateway that sends nothing would not hear it otherwise.
    async fn keep_time(&self) {
        let mut ask = ticks(ASK_TIME);
        loop {
            ask.tick().await;
            // The answer is told where it comes in.
            let _is_sure = self.clock.is_sure().await;
        }
    }

    async fn read_secrets(
        &self,
        is_asked: bool,
        reading: impl FnOnce(&Roster) -> Reading + Send + 'static,
    ) {
        match self.read(is_asked, reading).await {
            None => {}
            Some(0) => info!("keys and tokens are the same as before"),
            Some(changed) => info!(changed, "keys and tokens were read again"),
        }
    }

    /// Reads secrets, and logs those that cannot be used: each reason once, and all of them on SIGHUP
    /// (`is_asked`). Returns how many have changed; `None` when there is nothing to log about it, which is also when nothing
    /// has changed and it was not asked for.
    async fn read(
        &self,
        is_asked: bool,
        reading: impl FnOnce(&Roster) -> Reading + Send + 'static,
    ) -> Option<usize> {
        let roster = Arc::clone(&self.roster);
        let reading = tokio::task::spawn_blocking(move || reading(&roster)).await;
        let reading = match reading {
            Ok(reading) => reading,
            Err(error) => {
                error!(%error, "reading secrets failed");
                return None;
            }
        };
        let (mut changed, mut is_read) = (0, false);
        for (secret, read) in reading {
            let error = read.as_ref().err().map(RosterError::with_reason);
            let is_new = self.told.note(secret, error.clone());
            if let Some(error) = error.filter(|_| is_new || is_asked) {
                error!(
                    error,
                    "a secret cannot be read; the known one stays in force"
                );
            }
            is_read |= read.is_ok();
            changed += usize::from(read.unwrap_or(false));
        }
        (changed > 0 || (is_asked && is_read)).then_some(changed)
    }

    /// Not by a time that is in doubt: what is deleted does not come back.
    async fn sweep(&self) {
        if !self.clock.is_sure().await {
            return;
        }
        match self.journal.sweep(self.retention_now()).await {
            Ok(0) => {}
            Ok(bodies) => info!(bodies, "deleted the bodies of events that are finished"),
            Err(error) => warn!(%error, "some old bodies or records could not be deleted"),
        }
    }

    /// Which bodies are kept now.
    fn retention_now(&self) -> Retention {
        let now_ms = self.clock.unix_ms();
        if self.retention.is_zero() {
            return Retention::Needed { now_ms };
        }
        let retention_ms = u64::try_from(self.retention.as_millis()).unwrap_or(u64::MAX);
        Retention::FinishedSince(now_ms.saturating_sub(retention_ms))
    }

    /// A lane may be the first to meet a full disk, and the journal tries it again by itself: the log tells both.
    fn look_at_journal(&self) {
        let failing = self.journal.health().is_failing;
        self.watch.journal_fails(failing.as_ref());
        // In a stop this ends first, so what has closed the journal is a defect.
        if matches!(failing, Some(JournalError::Closed)) {
            self.failed.cancel();
        }
    }

    fn look_at_versions(&self) {
        let now_s = seconds(self.clock.unix_ms());
        for dataset in &self.datasets {
            let version = dataset.delivery.version;
            if let Some(warning) = version.warning(now_s) {
                let dataset = dataset.id.as_str();
                warn!(dataset, %version, %warning, "version of the Graph API");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use sluice_event::{DatasetId, Event, Findings, Moment, Rules, UserField};
    use sluice_journal::{
        Books, DeliveryReport, Embedded, Entry, EventKey, LaneId, LeaseLimits, Options, Outcome,
        SourceName, Start,
    };

    use super::*;
    use crate::clock::SystemClock;
    use crate::config::tests::LEAST;
    use crate::config::{Config, FixedEnvironment};

    /// Maintenance of a configuration, with a journal in this folder.
    fn maintenance(text: &str, folder: &Path) -> Maintenance {
        let environment = FixedEnvironment::new()
            .with("META_ACCESS_TOKEN", "EAAToken")
            .with("SLUICE_KEY", "key-of-the-shop-0123456789");
        let config = Config::parse("test.toml", text, &environment, 0).unwrap();
        let config = config.config;
        let journal = Embedded::open(&folder.join("journal"), Options::default()).unwrap();
        Maintenance {
            roster: Arc::new(Roster::read(&config, Arc::new(environment)).unwrap()),
            journal: Arc::new(journal),
            clock: Arc::new(Time::sure(Arc::new(SystemClock::default()))),
            watch: Watch::for_tests(),
            board: Board::default(),
            retention: config.journal.retention,
            datasets: config.datasets,
            reload: Arc::default(),
            edited: None,
            told: Told::default(),
            stop: CancellationToken::new(),
            failed: CancellationToken::new(),
        }
    }

    #[test]
    fn the_same_is_not_said_of_a_secret_again() {
        let told = Told::default();
        let gone = || Some("it is gone".to_owned());
        assert!(told.note(1, gone()));
        assert!(!told.note(1, gone()));
        assert!(told.note(2, gone()));
        assert!(told.note(1, Some("it is empty".to_owned())));
        assert!(told.note(1, None));
        assert!(!told.note(1, None));
        assert!(told.note(1, gone()));
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

    #[tokio::test]
    async fn a_journal_that_can_write_again_is_told_while_nothing_comes_in() {
        let folder = tempfile::tempdir().unwrap();
        let maintenance = maintenance(LEAST, folder.path());
        let (watch, stop) = (maintenance.watch.clone(), maintenance.stop.clone());
        watch.kept(Some(&JournalError::Full));
        assert!(watch.is_failing());
        let maintenance = tokio::spawn(run(maintenance));
        until("a look at the journal", || !watch.is_failing()).await;
        stop.cancel();
        maintenance.await.unwrap();
    }

    #[tokio::test]
    async fn a_sweep_that_takes_long_delays_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let maintenance = maintenance(LEAST, folder.path());
        let (watch, stop) = (maintenance.watch.clone(), maintenance.stop.clone());
        // Another process writes: the sweep waits for it up to ten seconds, which is longer than is waited here.
        let other = rusqlite::Connection::open(folder.path().join("journal/journal.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let maintenance = tokio::spawn(run(maintenance));
        // The first look may come before the sweep.
        for _ in 0..2 {
            watch.kept(Some(&JournalError::Full));
            until("a look at the journal", || !watch.is_failing()).await;
        }
        other.execute_batch("ROLLBACK").unwrap();
        stop.cancel();
        maintenance.await.unwrap();
    }

    /// Whose clock leaps does not lose what is kept.
    #[tokio::test]
    async fn nothing_is_deleted_by_a_time_in_doubt() {
        let folder = tempfile::tempdir().unwrap();
        let mut maintenance = maintenance(LEAST, folder.path());
        let dataset = DatasetId::parse("1234567890123456").unwrap();
        let id = LaneId {
            dataset: dataset.clone(),
            test_code: None,
            is_replay: false,
        };
        let moment = Moment {
            unix_ms: 1_000,
            in_doubt: false,
            entropy: [7; 10],
        };
        let event = Event::new("Lead", 1).user(UserField::Em, "jane@example.com");
        let event = event.seal(&Rules::default(), moment, &mut Findings::new());
        let entry = Entry {
            dataset,
            source: SourceName::parse("shop").unwrap(),
            test_code: None,
            accepted_ms: 1_000,
            in_doubt: false,
            start: Start::Waiting,
            window_ms: None,
            is_completed: false,
            event: event.unwrap(),
        };
        maintenance.journal.append(vec![entry]).await.unwrap();
        let limits = LeaseLimits {
            events_max: 1,
            bytes_max: 1_000_000,
            urgent_before_s: 0,
            now_ms: 2_000,
        };
        let mut lease = maintenance.journal.lease(&id, limits).await.unwrap();
        let delivered = DeliveryReport {
            at_ms: 2_000,
            request: None,
            outcomes: vec![(lease.events[0].key, Outcome::Delivered)],
            ..DeliveryReport::default()
        };
        maintenance
            .journal
            .settle(&mut lease, delivered)
            .await
            .unwrap();
        let has_body = || {
            let detail = Books::open(&folder.path().join("journal")).unwrap();
            detail.event(EventKey(1)).unwrap().unwrap().json.is_some()
        };
        let clock = || Arc::new(SystemClock::default());
        maintenance.clock = Arc::new(Time::unheard(clock()).unwrap());
        maintenance.sweep().await;
        assert!(has_body());
        maintenance.clock = Arc::new(Time::sure(clock()));
        maintenance.sweep().await;
        assert!(!has_body());
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
        let maintenance = maintenance(&text, folder);
        let (keys, stop) = (maintenance.roster.keys(), maintenance.stop.clone());
        let reload = Arc::clone(&maintenance.reload);
        let is_in_force = |key: &str| keys.borrow().source(key).is_some();
        let runs = |name: &str| {
            let runs = fs::read_to_string(folder.join(format!("{name}.runs")));
            runs.unwrap().lines().count()
        };
        let hang = folder.join("slow.hang");
        let maintenance = tokio::spawn(run(maintenance));

        fs::write(&hang, "").unwrap();
        fs::write(folder.join("slow"), "second-key-of-slow").unwrap();
        fs::write(folder.join("quick"), "second-key-of-quick").unwrap();
        reload.notify_one();
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
        reload.notify_one();
        until("the other command again", || {
            is_in_force("third-key-of-quick")
        })
        .await;

        assert!(is_in_force("first-key-of-slow"), "it hangs");
        fs::remove_file(&hang).unwrap();
        until("the slow command", || is_in_force("second-key-of-slow")).await;
        until("its second turn", || runs("slow") == 3).await;
        stop.cancel();
        maintenance.await.unwrap();
    }
}
