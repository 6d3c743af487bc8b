//! What people do to a running gateway: by the socket in the journal's folder, as commands do, and by the trait.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sluice_event::DatasetId;
use sluice_gateway::control::client::{AskError, ask};
use sluice_gateway::control::wire::{Request, socket};
use sluice_gateway::control::{
    LaneList, Lanes, Paused, ProbeAnswer, Probed, Reloaded, Resumed, Test, TestStarted,
};
use sluice_gateway::{Clock as _, SystemClock};
use sluice_journal::{Books, EventFilter, Page, TestCode};
use sluice_sandbox::TokenState;

use crate::harness::{DATASET, KEY, OTHER_DATASET, TOKEN, TestGateway, start, start_with};

fn dataset() -> DatasetId {
    DatasetId::parse(DATASET).unwrap()
}

/// All lanes of the first dataset.
fn lanes() -> Lanes {
    Lanes {
        dataset: dataset(),
        test_code: None,
        replay: false,
    }
}

/// Asks as a command does.
async fn asked<T: DeserializeOwned + Send + 'static>(
    test: &TestGateway,
    request: Request,
) -> Result<T, AskError> {
    let folder = test.journal();
    let asking = tokio::task::spawn_blocking(move || ask(&folder, request));
    asking.await.unwrap()
}

async fn pause(test: &TestGateway, lanes: Lanes, note: &str) -> Paused {
    let note = Some(note.to_owned());
    asked(test, Request::Pause { lanes, note }).await.unwrap()
}

async fn resume(test: &TestGateway, lanes: Lanes) -> Resumed {
    asked(test, Request::Resume { lanes }).await.unwrap()
}

async fn post(test: &TestGateway, ids: &[&str]) {
    let events = test.purchases(ids.iter().map(|id| (*id).to_owned()));
    assert_eq!(test.post(&events).await.status, 202);
}

/// The code of a refusal.
fn code<T: std::fmt::Debug>(answer: Result<T, AskError>) -> String {
    match answer {
        Err(AskError::Refused(refusal)) => refusal.code,
        other => panic!("it was not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_lane_keeps_its_events_also_over_a_restart_and_sends_them_when_it_is_resumed() {
    let mut test = start().await;
    post(&test, &["order-1"]).await;
    test.arrived(1).await;
    let paused = pause(&test, lanes(), "wrong prices").await;
    assert_eq!((paused.in_flight, paused.waiting), (0, 0));
    let requests = test.sandbox.stats().requests;

    post(&test, &["order-2", "order-3"]).await;
    let reason = test.lane("paused").await;
    assert_eq!(reason, "an operator paused it: wrong prices");
    test.restart().await;
    assert_eq!(test.lane("paused").await, reason);
    let list: LaneList = asked(&test, Request::Lanes).await.unwrap();
    assert_eq!(list.pauses, std::slice::from_ref(&paused.pause));
    let lane = &list.lanes[0];
    assert_eq!((lane.state.as_str(), lane.waiting), ("paused", 2));
    assert_eq!(lane.since_ms, Some(paused.pause.since_ms));
    let metric = format!(
        "sluice_lane_state{{dataset=\"{DATASET}\",test=\"no\",replay=\"no\",state=\"paused\"}}"
    );
    assert_eq!(test.metric(&metric).await, 1);
    // Other lanes flow on.
    let event = test.purchase("other-1");
    let authorization = format!("Bearer {}", crate::harness::OTHER_KEY);
    let headers = [("Authorization", authorization.as_str())];
    let body = event.to_string();
    let address = test.address();
    crate::client::request(address, "POST", "/v1/events", &headers, body.as_bytes()).await;
    test.lane_of(OTHER_DATASET, "flowing").await;
    test.until("the other dataset's event", || {
        test.sandbox.stats().distinct == 2
    })
    .await;
    assert_eq!(test.sandbox.stats().requests, requests + 1);

    let resumed = resume(&test, lanes()).await;
    assert_eq!(resumed.pauses, [paused.pause]);
    test.arrived(5).await;
    test.lane("flowing").await;
    assert_eq!(
        code(asked::<Resumed>(&test, Request::Resume { lanes: lanes() }).await),
        "not_paused"
    );
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.waiting), (5, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_answers_when_what_is_on_its_way_has_arrived() {
    let test = start().await;
    test.faults("slow 1s x 1");
    post(&test, &["order-1"]).await;
    test.until("the request", || test.sandbox.stats().requests == 1)
        .await;
    let paused = pause(&test, lanes(), "").await;
    assert_eq!(
        (paused.in_flight, paused.waiting, paused.pause.note),
        (0, 0, None)
    );
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.waiting), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_says_what_is_still_on_its_way() {
    let test = start_with("timeout_s = 30", "").await;
    test.faults("hang x 1");
    post(&test, &["order-1"]).await;
    test.until("the request", || test.sandbox.stats().requests == 1)
        .await;
    let paused = pause(&test, lanes(), "").await;
    assert_eq!((paused.in_flight, paused.waiting), (1, 1));
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.waiting), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_paused_lane_expire() {
    let test = start().await;
    pause(&test, lanes(), "").await;
    post(&test, &["old-1", "old-2"]).await;
    test.lane("paused").await;
    test.clock.jump(Duration::from_hours(8 * 24));
    post(&test, &["new"]).await;
    // The lane looks, without waiting for a minute.
    test.reload();
    let mut expired = 0;
    for _ in 0..1_000 {
        expired = Books::open(&test.journal())
            .unwrap()
            .audit()
            .unwrap()
            .tally
            .expired;
        if expired == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(expired, 2);
    assert_eq!(test.sandbox.stats().requests, 0);
    let audit = test.finish().await;
    assert_eq!((audit.tally.expired, audit.tally.waiting), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_makes_a_parked_lane_look_at_once() {
    let test = start().await;
    test.token(TOKEN, TokenState::Expired);
    post(&test, &["order-1"]).await;
    test.lane("parked").await;
    test.token(TOKEN, TokenState::Valid);
    let probe = |lanes| Request::Probe { lanes };
    let probed: Vec<Probed> = asked(&test, probe(lanes())).await.unwrap();
    let answers: Vec<_> = probed.iter().map(|it| it.answer).collect();
    assert_eq!(answers, [ProbeAnswer::Tries]);
    test.arrived(1).await;
    test.lane("flowing").await;
    let probed: Vec<Probed> = asked(&test, probe(lanes())).await.unwrap();
    assert_eq!(probed[0].answer, ProbeAnswer::Flows);
    pause(&test, lanes(), "").await;
    let probed: Vec<Probed> = asked(&test, probe(lanes())).await.unwrap();
    assert_eq!(probed[0].answer, ProbeAnswer::Paused);
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_by_the_socket_wakes_parked_lanes() {
    let test = start().await;
    test.token(TOKEN, TokenState::Expired);
    post(&test, &["order-1"]).await;
    test.lane("parked").await;
    test.token(TOKEN, TokenState::Valid);
    let reloaded: Reloaded = asked(&test, Request::Reload).await.unwrap();
    assert_eq!((reloaded.generation, reloaded.applied), (1, vec![]));
    test.arrived(1).await;
    assert_eq!(
        test.metric("sluice_control_actions_total{action=\"reload\"}")
            .await,
        1
    );
    test.finish().await;
}

fn start_test(code: &str, seconds: u64) -> Request {
    Request::StartTest {
        dataset: dataset(),
        code: TestCode::parse(code).unwrap(),
        seconds,
    }
}

async fn codes(test: &TestGateway, arrived: u64) -> Value {
    test.arrived(arrived).await;
    json!(test.sandbox.stats().test_event_codes)
}

#[tokio::test(flavor = "multi_thread")]
async fn events_go_with_the_code_of_a_test_until_it_ends() {
    let configured = "test_event_code = { code = \"CONF\", until = \"2099-01-01T00:00:00Z\" }";
    let mut test = start_with("", configured).await;
    post(&test, &["order-1"]).await;
    assert_eq!(codes(&test, 1).await, json!({"CONF": 1}));
    let started: TestStarted = asked(&test, start_test("T1", 3_600)).await.unwrap();
    assert_eq!(started.replaced, None);
    // It goes before the configuration's, and after a request's own; and it survives a restart.
    test.restart().await;
    post(&test, &["order-2"]).await;
    let own = "/v1/events?test_event_code=OWN";
    assert_eq!(
        test.post_to(own, &test.purchase("order-3")).await.status,
        202
    );
    assert_eq!(codes(&test, 3).await, json!({"CONF": 1, "OWN": 1, "T1": 1}));

    let replacing: TestStarted = asked(&test, start_test("T2", 7_200)).await.unwrap();
    assert_eq!(replacing.replaced, Some(started.test));
    let running: Vec<Test> = asked(&test, Request::Tests).await.unwrap();
    assert_eq!(running, [replacing.test]);
    test.clock.jump(Duration::from_mins(119));
    post(&test, &["order-4"]).await;
    assert_eq!(codes(&test, 4).await["T2"], 1);
    test.clock.jump(Duration::from_mins(1));
    let running: Vec<Test> = asked(&test, Request::Tests).await.unwrap();
    assert_eq!(running, []);
    post(&test, &["order-5"]).await;
    assert_eq!(codes(&test, 5).await["CONF"], 2);

    let _: TestStarted = asked(&test, start_test("T3", 60)).await.unwrap();
    let dataset = dataset();
    let end = || Request::EndTest {
        dataset: dataset.clone(),
    };
    let ended: Test = asked(&test, end()).await.unwrap();
    assert_eq!(ended.code.as_str(), "T3");
    post(&test, &["order-6"]).await;
    assert_eq!(
        codes(&test, 6).await,
        json!({"CONF": 3, "OWN": 1, "T1": 1, "T2": 1})
    );
    assert_eq!(code(asked::<Test>(&test, end()).await), "no_test");
    for seconds in [0, 24 * 3_600 + 1] {
        let refused = asked::<TestStarted>(&test, start_test("T4", seconds)).await;
        assert_eq!(code(refused), "test_length_invalid", "{seconds}");
    }
    test.finish().await;
}

/// The end of a code in the configuration is not that of a test with the same code.
#[tokio::test(flavor = "multi_thread")]
async fn a_test_may_have_the_code_that_the_configuration_had() {
    let now_ms = i64::try_from(SystemClock::default().unix_ms()).unwrap();
    let until = jiff::Timestamp::from_second(now_ms / 1_000 + 60).unwrap();
    let configured = format!("test_event_code = {{ code = \"T1\", until = \"{until}\" }}");
    let test = start_with("", &configured).await;
    test.clock.jump(Duration::from_mins(2));
    let _: TestStarted = asked(&test, start_test("T1", 3_600)).await.unwrap();
    post(&test, &["order-1"]).await;
    assert_eq!(codes(&test, 1).await, json!({"T1": 1}));
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_events_are_sent_again_or_given_up() {
    let test = start().await;
    test.faults("error 100/2804003 status 400 x 2");
    post(&test, &["order-1"]).await;
    let dead = async |count: usize| {
        for _ in 0..1_000 {
            let page = Page {
                before: None,
                limit: 10,
            };
            let books = Books::open(&test.journal()).unwrap();
            let dead = books.search(&EventFilter::dead(), page).unwrap().rows;
            if dead.len() == count {
                return dead;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("waited for {count} dead events in vain");
    };
    let first = dead(1).await[0].key;
    post(&test, &["order-2"]).await;
    let second = dead(2).await[0].key;
    let control = test.gateway().control();
    let dropped = control.drop_events(vec![second]).await.unwrap();
    assert_eq!((dropped.dropped, dropped.not_dead), (1, 0));
    let replayed = control.replay(vec![first, second]).await.unwrap();
    assert_eq!(replayed.replayed, 2);
    test.arrived(2).await;
    for (action, count) in [("drop", 1), ("replay", 1), ("pause", 0)] {
        let metric = format!("sluice_control_actions_total{{action=\"{action}\"}}");
        assert_eq!(test.metric(&metric).await, count, "{action}");
    }
    let audit = test.finish().await;
    assert_eq!((audit.tally.delivered, audit.tally.refused), (2, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_says_what_would_be_right() {
    let test = start().await;
    let unknown = Lanes {
        dataset: DatasetId::parse("99999").unwrap(),
        ..lanes()
    };
    let pause = |lanes: Lanes, note: &str| Request::Pause {
        lanes,
        note: Some(note.to_owned()),
    };
    let error = asked::<Paused>(&test, pause(unknown, ""))
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "the gateway knows no dataset 99999");
    assert_eq!(error.help(), format!("it knows {DATASET}, {OTHER_DATASET}"));
    let long = "x".repeat(201);
    for note in [long.as_str(), "two\nlines"] {
        let refused = asked::<Paused>(&test, pause(lanes(), note)).await;
        assert_eq!(code(refused), "note_invalid");
    }
    let _: Paused = asked(&test, pause(lanes(), "")).await.unwrap();
    let replays = Lanes {
        replay: true,
        ..lanes()
    };
    let refused = asked::<Resumed>(&test, Request::Resume { lanes: replays }).await;
    assert_eq!(code(refused), "paused_with_others");
    test.finish().await;
}

/// What comes back for these bytes.
async fn raw(test: &TestGateway, bytes: &[u8]) -> String {
    let (path, bytes) = (socket(&test.journal()), bytes.to_vec());
    let asking = tokio::task::spawn_blocking(move || {
        let mut stream = UnixStream::connect(path).unwrap();
        // The gateway may have heard enough before all of it is written.
        let _ = stream.write_all(&bytes);
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    });
    asking.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_is_private_hears_only_what_it_knows_and_goes_with_the_gateway() {
    let mut test = start().await;
    let path = socket(&test.journal());
    let made = std::fs::symlink_metadata(&path).unwrap();
    assert_eq!(made.permissions().mode() & 0o7777, 0o600);
    for (bytes, code) in [
        (
            &b"{\"version\":1,\"request\":{\"action\":\"lanes\"}}\n"[..],
            "\"done\"",
        ),
        (b"{\"version\":2,\"request\":7}\n", "version_unknown"),
        (
            b"{\"version\":1,\"request\":{\"action\":\"stop\"}}\n",
            "request_invalid",
        ),
        (
            b"{\"version\":1,\"request\":{\"action\":\"lanes\"}}",
            "request_invalid",
        ),
        (b"GET / HTTP/1.1\r\n\r\n", "request_invalid"),
        (b"\n", "request_invalid"),
        (&vec![b' '; 70_000], "request_invalid"),
    ] {
        let answer = raw(&test, bytes).await;
        assert!(answer.contains(code), "{answer:?} for {code}");
        assert!(!answer.contains(KEY) && !answer.contains(TOKEN));
    }
    test.stop().await;
    assert!(!path.exists());
    let error = asked::<LaneList>(&test, Request::Lanes).await.unwrap_err();
    assert!(matches!(error, AskError::NoGateway(_)), "{error:?}");

    // One that a process left that died.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let error = asked::<LaneList>(&test, Request::Lanes).await.unwrap_err();
    assert!(matches!(error, AskError::NoGateway(_)), "{error:?}");
    test.restart().await;
    let _: LaneList = asked(&test, Request::Lanes).await.unwrap();
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_place_of_the_socket_stays_and_the_gateway_runs() {
    let mut test = start().await;
    test.stop().await;
    let path = socket(&test.journal());
    let elsewhere = test.folder().join("elsewhere");
    std::fs::write(&elsewhere, "as it was").unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    test.restart().await;
    assert!(path.is_symlink());
    assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "as it was");
    post(&test, &["order-1"]).await;
    test.arrived(1).await;
    test.stop().await;
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "a file").unwrap();
    test.restart().await;
    test.stop().await;
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a file");
    test.restart().await;
    test.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_cannot_read_what_is_paused_does_not_start() {
    let mut test = start().await;
    pause(&test, lanes(), "").await;
    test.stop().await;
    let file = test.journal().join("directives.json");
    std::fs::write(&file, "{\"version\":1,").unwrap();
    let error = test.start_error().await;
    assert!(
        error.to_string().contains("what is paused cannot be read"),
        "{error}"
    );
    assert!(error.help().unwrap().contains("events that wait are sent"));
    std::fs::remove_file(&file).unwrap();
    test.restart().await;
    test.finish().await;
}
