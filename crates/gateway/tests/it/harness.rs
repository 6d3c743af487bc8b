//! A gateway, its sandbox and its journal, for one test. [`TestGateway::finish`] audits the books and looks
//! for clear values on disk: every test checks both for free.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use sluice_gateway::config::{Config, FixedEnvironment};
use sluice_gateway::{Clock, Gateway, Sockets, Start, StartError, SystemClock};
use sluice_journal::{Audit, Books};
use sluice_sandbox::{Fault, Sandbox, Settings, Token, TokenState, Tokens, parse_script};

use crate::client::{Answer, request};

pub(crate) const DATASET: &str = "1234567890123456";
pub(crate) const OTHER_DATASET: &str = "2345678901234567";
pub(crate) const KEY: &str = "key-of-the-shop-0123456789";
pub(crate) const OTHER_KEY: &str = "key-of-the-other-shop-0123";
pub(crate) const TOKEN: &str = "EAAGoodTokenOfTheTest";

/// Clear values that test events carry; none of them may be found on disk.
pub(crate) const CLEAR: [&str; 3] = ["jane.doe@example.com", "16505551212", "Quimby"];

/// The computer's clock: time passes as the test wants, and the wall clock may be wrong.
pub(crate) struct TestClock {
    system: SystemClock,
    /// How much time has passed beyond the real one, in milliseconds: on every clock, Meta's included.
    ahead_ms: AtomicU64,
    /// How far the wall clock of the gateway's computer is off, in milliseconds.
    off_ms: AtomicI64,
    is_defect: AtomicBool,
    defects: AtomicU64,
}

impl TestClock {
    /// Makes the next one who asks for chance panic.
    pub(crate) fn break_once(&self) {
        self.defects.fetch_add(1, Ordering::SeqCst);
        self.is_defect.store(true, Ordering::SeqCst);
    }

    pub(crate) fn unix_s(&self) -> i64 {
        i64::try_from(self.true_ms() / 1_000).unwrap()
    }

    /// Sets the wall clock of the gateway's computer wrong.
    pub(crate) fn set_off_days(&self, days: i64) {
        self.off_ms.store(days * 86_400_000, Ordering::SeqCst);
    }

    /// What time it really is, in milliseconds since 1970.
    pub(crate) fn true_ms(&self) -> u64 {
        self.system.unix_ms() + self.ahead_ms.load(Ordering::SeqCst)
    }

    /// Lets time pass.
    pub(crate) fn jump(&self, by: Duration) {
        let by_ms = u64::try_from(by.as_millis()).unwrap();
        self.ahead_ms.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn unix_ms(&self) -> u64 {
        let off_ms = self.off_ms.load(Ordering::SeqCst);
        self.true_ms().saturating_add_signed(off_ms)
    }

    fn monotonic_ms(&self) -> u64 {
        self.system.monotonic_ms() + self.ahead_ms.load(Ordering::SeqCst)
    }

    fn chance(&self) -> [u8; 16] {
        assert!(
            !self.is_defect.swap(false, Ordering::SeqCst),
            "the defect that the test asked for"
        );
        self.system.chance()
    }
}

pub(crate) struct TestGateway {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Arc<TestClock>,
    gateway: Option<Gateway>,
    folder: tempfile::TempDir,
    config: String,
}

/// Runs a gateway with defaults.
pub(crate) async fn start() -> TestGateway {
    start_with("", "").await
}

/// Runs a gateway with more keys for `[graph]` and for its first dataset.
pub(crate) async fn start_with(graph: &str, dataset: &str) -> TestGateway {
    let clock = Arc::new(TestClock {
        system: SystemClock::default(),
        ahead_ms: AtomicU64::new(0),
        off_ms: AtomicI64::new(0),
        is_defect: AtomicBool::new(false),
        defects: AtomicU64::new(0),
    });
    let sandbox_clock = Arc::clone(&clock);
    let sandbox = Sandbox::start(Settings {
        tokens: Tokens::only([TOKEN]),
        clock: sluice_sandbox::Clock::new(move || i64::try_from(sandbox_clock.true_ms()).unwrap()),
        business_ids: vec!["999999999999999".to_owned()],
        ..Settings::default()
    });
    let sandbox = sandbox.await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), TOKEN).unwrap();
    let path = folder.path().display();
    let config = format!(
        r#"
        server.listen = "127.0.0.1:0"
        admin.listen = "127.0.0.1:0"
        journal.path = "{path}/journal"
        [graph]
        base_url = "{}"
        linger_ms = 20
        {graph}
        [[dataset]]
        id = "{DATASET}"
        access_token = {{ file = "{path}/token" }}
        {dataset}
        [[dataset]]
        id = "{OTHER_DATASET}"
        access_token = {{ file = "{path}/token" }}
        [[source]]
        name = "shop"
        kind = "api"
        key = {{ env = "KEY" }}
        datasets = ["{DATASET}"]
        [[source]]
        name = "both"
        kind = "api"
        key = {{ env = "OTHER_KEY" }}
        datasets = ["{DATASET}", "{OTHER_DATASET}"]
        allow_test_codes = false
        "#,
        sandbox.base_url()
    );
    let mut test = TestGateway {
        sandbox,
        clock,
        gateway: None,
        folder,
        config,
    };
    test.restart().await;
    test
}

impl TestGateway {
    /// Stops the gateway, if it runs, and starts it again on the same journal.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        let gateway = self.run(&self.config).await;
        self.gateway = Some(gateway.unwrap_or_else(|error| panic!("{error}")));
    }

    /// Stops the gateway, if it runs. No lane may have ended by a defect that the test has not asked for.
    pub(crate) async fn stop(&mut self) {
        if self.gateway.is_none() {
            return;
        }
        let crashes = self.metric("sluice_lane_crashes_total{").await;
        let defects = self.clock.defects.swap(0, Ordering::SeqCst);
        assert_eq!(crashes, defects, "lanes that panicked");
        if let Some(gateway) = self.gateway.take() {
            gateway.stop().await;
        }
    }

    /// The sum of the series that begin so, as `/metrics` says.
    pub(crate) async fn metric(&self, series: &str) -> u64 {
        let metrics = request(self.admin(), "GET", "/metrics", &[], b"").await;
        let lines = metrics.body.lines();
        let values = lines.filter_map(|line| line.strip_prefix(series)?.rsplit(' ').next());
        values.map(|value| value.parse::<u64>().unwrap()).sum()
    }

    /// Starts a gateway on a copy of the journal's files as they are at this moment, which is what a kill
    /// leaves. The one that runs ends, and what it still writes is lost.
    pub(crate) async fn restart_as_after_a_kill(&mut self) {
        let copy = self.folder.path().join("journal-after-a-kill");
        std::fs::create_dir(&copy).unwrap();
        for file in std::fs::read_dir(self.journal()).unwrap() {
            let file = file.unwrap();
            // The index of a log is memory of the process that is killed, and its socket is no file to copy.
            let is_file = file.file_type().unwrap().is_file();
            if is_file && !file.file_name().to_string_lossy().ends_with("-shm") {
                std::fs::copy(file.path(), copy.join(file.file_name())).unwrap();
            }
        }
        if let Some(gateway) = self.gateway.take() {
            gateway.stop().await;
        }
        std::fs::remove_dir_all(self.journal()).unwrap();
        std::fs::rename(copy, self.journal()).unwrap();
        self.restart().await;
    }

    /// Why a second gateway does not start on the same address beside this one, with this much of its
    /// configuration changed.
    pub(crate) async fn start_another(&self, change: impl FnOnce(&str) -> String) -> StartError {
        let listen = format!("server.listen = \"{}\"", self.address());
        let config = change(
            &self
                .config
                .replace("server.listen = \"127.0.0.1:0\"", &listen),
        );
        let started = self.run(&config).await;
        started.err().expect("the address is taken")
    }

    /// Why the gateway does not start.
    pub(crate) async fn start_error(&self) -> StartError {
        let started = self.run(&self.config).await;
        started.err().expect("it cannot start")
    }

    async fn run(&self, config: &str) -> Result<Gateway, StartError> {
        let environment = FixedEnvironment::new()
            .with("KEY", KEY)
            .with("OTHER_KEY", OTHER_KEY);
        let now_s = i64::try_from(self.clock.unix_ms() / 1_000).unwrap();
        let loaded = Config::parse("test.toml", config, &environment, now_s);
        let config = loaded
            .unwrap_or_else(|problems| panic!("{problems}"))
            .config;
        let clock = Arc::clone(&self.clock);
        Gateway::start(Start {
            config,
            file: None,
            environment: Arc::new(environment),
            clock,
            sockets: Sockets::default(),
            set_filter: None,
        })
        .await
    }

    /// Changes the configuration; it takes effect with the next start.
    pub(crate) fn reconfigure(&mut self, change: impl FnOnce(&str) -> String) {
        self.config = change(&self.config);
    }

    /// The gateway itself. What it needs is left to the test, [`TestGateway::finish`] included.
    pub(crate) fn take(&mut self) -> Gateway {
        self.gateway.take().expect("it runs")
    }

    pub(crate) fn gateway(&self) -> &Gateway {
        self.gateway.as_ref().expect("it runs")
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.gateway().address()
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.gateway().admin_address()
    }

    pub(crate) fn reload(&self) {
        self.gateway().reload();
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    /// Posts a JSON body to the native door, as the shop.
    pub(crate) async fn post(&self, body: &Value) -> Answer {
        self.post_to("/v1/events", body).await
    }

    pub(crate) async fn post_to(&self, path: &str, body: &Value) -> Answer {
        let authorization = format!("Bearer {KEY}");
        let headers = [
            ("Authorization", authorization.as_str()),
            ("Content-Type", "application/json"),
        ];
        let body = body.to_string();
        request(self.address(), "POST", path, &headers, body.as_bytes()).await
    }

    /// Purchases with these ids.
    pub(crate) fn purchases(&self, ids: impl IntoIterator<Item = String>) -> Value {
        ids.into_iter().map(|id| self.purchase(&id)).collect()
    }

    /// A purchase, a moment ago.
    pub(crate) fn purchase(&self, id: &str) -> Value {
        json!({
            "event_name": "Purchase", "event_id": id, "event_time": self.clock.true_ms() / 1_000 - 5,
            "action_source": "website", "event_source_url": "https://shop.example/thanks",
            "user_data": {
                "em": CLEAR[0], "ph": format!("+{}", CLEAR[1]), "ln": CLEAR[2],
                "client_user_agent": "Mozilla/5.0"
            },
            "custom_data": {"currency": "USD", "value": 129.99}
        })
    }

    /// Sets what the sandbox does wrong.
    pub(crate) fn faults(&self, script: &str) {
        let faults: Vec<Fault> = parse_script(script).unwrap();
        self.sandbox.script(faults);
    }

    /// Says what the token is good for.
    pub(crate) fn token(&self, token: &str, state: TokenState) {
        self.sandbox.set_token(Token {
            token: token.to_owned(),
            state,
            ..Token::default()
        });
    }

    /// Waits until so many different events have arrived.
    pub(crate) async fn arrived(&self, distinct: u64) {
        self.until(&format!("{distinct} events to arrive"), || {
            self.sandbox.stats().distinct == distinct
        })
        .await;
    }

    /// Waits until the lane of the first dataset is in a state, and says why it is.
    pub(crate) async fn lane(&self, state: &str) -> String {
        self.lane_of(DATASET, state).await
    }

    /// The same of another dataset.
    pub(crate) async fn lane_of(&self, dataset: &str, state: &str) -> String {
        for _ in 0..500 {
            let lane = self.lane_now(dataset).await;
            if let Some(lane) = lane.filter(|lane| lane["state"] == state) {
                return lane["reason"].as_str().unwrap_or_default().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the lane was not {state} in time");
    }

    /// Waits until the admin listener lists so many lanes.
    pub(crate) async fn lanes(&self, count: usize) {
        let mut listed = 0;
        for _ in 0..500 {
            let ready = request(self.admin(), "GET", "/readyz", &[], b"").await;
            listed = ready.json()["lanes"].as_array().map_or(0, Vec::len);
            if listed == count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{listed} lanes were listed, and not {count}");
    }

    /// What the admin listener says of the fresh events of a lane, once there is one.
    pub(crate) async fn lane_now(&self, dataset: &str) -> Option<Value> {
        self.lane_that(dataset, false).await
    }

    /// The same of events that were sent again.
    pub(crate) async fn replays_now(&self, dataset: &str) -> Option<Value> {
        self.lane_that(dataset, true).await
    }

    async fn lane_that(&self, dataset: &str, is_replay: bool) -> Option<Value> {
        let ready = request(self.admin(), "GET", "/readyz", &[], b"")
            .await
            .json();
        let lanes = ready["lanes"].as_array().cloned().unwrap_or_default();
        lanes
            .into_iter()
            .find(|lane| lane["dataset"] == dataset && lane["replay"] == is_replay)
    }

    /// Waits for a condition that has to come.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        for _ in 0..1_000 {
            if is_so() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("waited for {what} in vain: {:?}", self.sandbox.stats());
    }

    /// Stops the gateway, audits the books, and looks for clear values and secrets on disk.
    pub(crate) async fn finish(mut self) -> Audit {
        self.stop().await;
        let audit = Books::open(&self.journal()).unwrap().audit().unwrap();
        assert!(audit.balanced, "{audit:?}");
        let files = std::fs::read_dir(self.journal()).unwrap();
        let paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        for name in ["journal.db", "records.db"] {
            assert!(paths.contains(&self.journal().join(name)), "{paths:?}");
        }
        for path in paths {
            let bytes = std::fs::read(&path).unwrap();
            for clear in CLEAR.iter().chain(&[KEY, OTHER_KEY, TOKEN]) {
                let is_there = bytes
                    .windows(clear.len())
                    .any(|window| window.eq_ignore_ascii_case(clear.as_bytes()));
                assert!(!is_there, "{clear} is in {}", path.display());
            }
        }
        audit
    }
}
