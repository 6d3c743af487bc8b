//! A journal with an event in every state, for commands that read one.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use sluice_event::{
    ActionSource, Code, DatasetId, Event, Findings, Moment, Remains, Rules, UserField,
};
use sluice_journal::{
    Arrivals, BodyKey, BodyKeys, Cause, DeliveryReport, Embedded, Encryption, Entry, EventKey,
    Journal as _, LaneId, LeaseLimits, Options, Outcome, Received, Rejection, RequestRecord,
    SourceName, Start,
};

pub(crate) const DATASET: &str = "1234567890123456";

/// A key for bodies on disk.
pub(crate) const BODY_KEY: &str =
    "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

/// The person in every event; nobody may print the address.
pub(crate) const EMAIL: &str = "john.q.public@example.com";

const DAY_MS: u64 = 86_400_000;

/// What became of the events, in the order of their keys, which begin with 1.
pub(crate) const DELIVERED: &str = "1";
pub(crate) const TOO_OLD: &str = "2";
pub(crate) const REFUSED: &str = "3";
pub(crate) const EXPIRED: &str = "4";
pub(crate) const WAITING: &str = "5";

#[expect(
    clippy::disallowed_methods,
    reason = "commands read the real clock, so their events have to be of today"
)]
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// An event of `age_ms` ago.
fn entry(id: &str, age_ms: u64) -> Entry {
    let at_ms = now_ms() - age_ms;
    let event = Event::new("Purchase", i64::try_from(at_ms / 1_000).unwrap())
        .id(id.to_owned())
        .source(ActionSource::Website)
        .user(UserField::Em, EMAIL)
        .user(UserField::ClientUserAgent, "Mozilla/5.0")
        .custom("currency", "USD")
        .custom("value", 12.5);
    let moment = Moment {
        unix_ms: at_ms,
        in_doubt: false,
        entropy: [7; 10],
    };
    let sealed = event.seal(&Rules::default(), moment, &mut Findings::new());
    Entry {
        dataset: DatasetId::parse(DATASET).unwrap(),
        source: SourceName::parse("shop").unwrap(),
        test_code: None,
        // However old they are, events come in the order of time.
        accepted_ms: now_ms() - age_ms.min(60_000),
        in_doubt: false,
        start: Start::Waiting,
        window_ms: None,
        is_completed: false,
        event: sealed.unwrap(),
    }
}

fn request() -> RequestRecord {
    RequestRecord {
        sent_ms: now_ms(),
        elapsed_ms: 87,
        events: 4,
        bytes: 1_234,
        status: 400,
        code: Some(100),
        subcode: Some(2_804_019),
        received: None,
        fbtrace_id: Some("A1b2C3".to_owned()),
        verdict: "refused",
    }
}

fn refused(subcode: i64, text: &str) -> Outcome {
    Outcome::Refused(Cause {
        code: Some(100),
        subcode: Some(subcode),
        text: text.to_owned(),
    })
}

/// Takes an event of this id into the journal in the folder, as when it is mended and sent anew.
pub(crate) fn write_again(folder: &Path, id: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let journal = Embedded::open(folder, Options::default()).unwrap();
    runtime.block_on(async {
        journal.append([entry(id, 0)].into()).await.unwrap();
        journal.close().await.unwrap();
    });
}

/// Makes the row of an event one that cannot be read.
pub(crate) fn damage(folder: &Path, key: &str) {
    let file = rusqlite::Connection::open(folder.join("journal.db")).unwrap();
    let damage = "UPDATE event SET accepted_ms = -1 WHERE id = ?1";
    assert_eq!(file.execute(damage, [key]).unwrap(), 1);
}

/// The id of a rejected event as it is kept: a hash, because it held contact data.
pub(crate) const HASHED_ID: &str =
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Two events that no dataset could take; the name of the second may not be kept.
fn rejected() -> Received {
    let dataset = DatasetId::parse(DATASET).unwrap();
    let source = SourceName::parse("shop").unwrap();
    let rejection = |codes: &[Code], remains: Remains| Rejection {
        dataset: dataset.clone(),
        source: source.clone(),
        rejected_ms: now_ms(),
        codes: codes.to_vec(),
        remains,
        request_id: "request-7".into(),
    };
    let remains = |name: Option<&str>, id: &str, order: Option<&str>| Remains {
        event_name: name.map(str::to_owned),
        event_id: Some(id.to_owned()),
        order_id: order.map(str::to_owned),
    };
    let codes = [Code::PurchaseValueMissing, Code::EventTimeLate];
    Received {
        arrivals: vec![Arrivals {
            dataset: dataset.clone(),
            source: source.clone(),
            at_ms: now_ms(),
            events: 2,
        }],
        entries: Vec::new(),
        rejections: vec![
            rejection(&codes, remains(Some("Purchase"), "order-6", Some("1042"))),
            rejection(&[Code::EventNameInvalid], remains(None, HASHED_ID, None)),
        ],
    }
}

/// Writes a journal of five events, a copy of one and two rejected ones into the folder.
pub(crate) fn write(folder: &Path) {
    write_with(folder, Options::default());
}

/// The same with bodies that are encrypted with [`BODY_KEY`].
pub(crate) fn write_encrypted(folder: &Path) {
    let key = BodyKey::parse(BODY_KEY).unwrap();
    let keys = BodyKeys {
        current: Some(key.into()),
        previous: None,
    };
    let encryption = Some(Encryption {
        keys,
        chance: [7; 16],
    });
    write_with(
        folder,
        Options {
            encryption,
            ..Options::default()
        },
    );
}

fn write_with(folder: &Path, options: Options) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let journal = Embedded::open(folder, options).unwrap();
    runtime.block_on(async {
        let entries = [
            entry("order-1", 60_000),
            entry("order-2", 8 * DAY_MS),
            entry("order-3", 60_000),
            entry("order-4", 8 * DAY_MS),
            entry("order-5", 60_000),
            entry("order-1", 60_000),
        ];
        journal.append(entries.into()).await.unwrap();
        journal.receive(rejected()).await.unwrap();
        let lane = LaneId {
            dataset: DatasetId::parse(DATASET).unwrap(),
            test_code: None,
            is_replay: false,
        };
        let limits = LeaseLimits {
            events_max: 100,
            bytes_max: 1 << 20,
            urgent_before_s: 0,
            now_ms: now_ms(),
        };
        let mut lease = journal.lease(&lane, limits).await.unwrap();
        let text =
            "a parameter is missing or of the wrong type; Meta said: The field num_items is odd.";
        let report = DeliveryReport {
            at_ms: now_ms(),
            request: Some(request()),
            outcomes: vec![
                (EventKey(1), Outcome::Delivered),
                (EventKey(2), refused(2_804_003, "the event is too old")),
                (EventKey(3), refused(2_804_019, text)),
                (EventKey(4), Outcome::Expired),
            ],
            ..DeliveryReport::default()
        };
        journal.settle(&mut lease, report).await.unwrap();
        drop(lease);
        journal.close().await.unwrap();
    });
}
