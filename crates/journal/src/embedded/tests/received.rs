//! What comes in: rejected events leave a trace, every event is counted, and names do not fill the journal.

use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use rusqlite::Connection;
use tempfile::TempDir;

use super::super::schema;
use super::{audit, by_hour, open};
use crate::testing::{
    HOUR_MS, Sample, T0_MS, drain, entries, key, lane, limits, received, refused, rejection, sample,
};
use crate::{
    Appended, ArrivalKind, Books, CommittedCount, Embedded, EventFilter, Journal as _, Options,
    Outcome, Page, Rejection, RejectionFilter, RejectionKey, Retention, Selection,
};

#[tokio::test]
async fn rejected_events_that_wait_for_the_writer_take_room_as_others_do() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let whole = journal.room.available_permits();
    let taken = Arc::clone(&journal.room).acquire_many_owned(u32::try_from(whole).unwrap());
    let taken = taken.await.unwrap();
    let many = (0..1_000).map(rejection).collect();
    let mut request = journal.receive(received(Vec::new(), many));
    let mut poll = || (request.as_mut()).poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll().is_pending());
    // The writer has done all that came to it before this.
    journal
        .receive(received(Vec::new(), vec![rejection("small")]))
        .await
        .unwrap();
    assert!(poll().is_pending(), "there was no room for it");
    drop(taken);
    request.await.unwrap();
    assert_eq!(audit(folder.path()).tally.rejected, 1_001);
}

/// What other connections do; only tests may.
fn connect(folder: &TempDir) -> Connection {
    Connection::open(folder.path().join("journal.db")).unwrap()
}

fn rejections(folder: &TempDir, filter: &RejectionFilter) -> Vec<String> {
    let books = Books::open(folder.path()).unwrap();
    let (mut ids, mut before) = (Vec::new(), None);
    loop {
        let found = books.rejections(filter, before, 1_000).unwrap();
        let rows = found.rows.into_iter();
        ids.extend(rows.map(|row| row.event_id.unwrap()));
        before = found.next;
        if before.is_none() {
            return ids;
        }
    }
}

#[tokio::test]
async fn a_rejected_event_leaves_a_row_without_a_body() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let mut other = rejection("b");
    other.remains.event_name = None;
    other.rejected_ms += HOUR_MS;
    let request = received(entries(0..3), vec![rejection("a"), other]);
    let appended = journal.receive(request).await.unwrap();
    assert_eq!(appended.len(), 3, "rejected events are not among them");
    // A request with nothing else.
    journal
        .receive(received(Vec::new(), vec![rejection("c")]))
        .await
        .unwrap();

    let books = Books::open(folder.path()).unwrap();
    let record = books.rejection(RejectionKey(1)).unwrap().unwrap();
    assert_eq!(record.codes, ["purchase_value_missing", "event_time_late"]);
    assert_eq!((record.source.as_str(), record.at_ms), ("shop", T0_MS));
    assert_eq!(record.event_name.as_deref(), Some("Purchase"));
    assert_eq!(record.request_id, "request-1");
    assert_eq!(books.rejection(RejectionKey(4)).unwrap(), None);
    let all = RejectionFilter::default();
    assert_eq!(rejections(&folder, &all), ["c", "b", "a"]);
    for (filter, expected) in [
        (
            RejectionFilter {
                event_name: Some("Purchase".to_owned()),
                ..all.clone()
            },
            &["c", "a"][..],
        ),
        (
            RejectionFilter {
                since_ms: Some(T0_MS + 1),
                ..all.clone()
            },
            &["b"],
        ),
        (
            RejectionFilter {
                source: Some(crate::SourceName::parse("crm").unwrap()),
                ..all.clone()
            },
            &[],
        ),
    ] {
        assert_eq!(rejections(&folder, &filter), expected, "{filter:?}");
    }
    let page = books
        .rejections(&all, Some(RejectionKey(3)), 1)
        .unwrap()
        .rows;
    assert_eq!(page[0].key, RejectionKey(2));

    let found = audit(folder.path());
    let tally = found.tally;
    assert_eq!((tally.received, tally.accepted, tally.rejected), (6, 3, 3));
    assert_eq!(found.sources[0].received, 6);
    let by_code: Vec<_> = found
        .rejected
        .iter()
        .map(|it| (it.event_name.as_str(), it.code.as_str(), it.events))
        .collect();
    let code = "purchase_value_missing";
    assert_eq!(by_code, [("Purchase", code, 2), ("", code, 1)]);
    assert_eq!(journal.health().tally, tally);
    let hours = by_hour(T0_MS / HOUR_MS..T0_MS / HOUR_MS + 2);
    let tallies = books.tallies(&hours, None).unwrap().rows;
    let hourly: Vec<_> = tallies
        .iter()
        .map(|hour| (hour.accepted, hour.rejected))
        .collect();
    assert_eq!(hourly, [(3, 2), (0, 1)]);

    drop(journal);
    let journal = open(folder.path());
    assert_eq!(journal.health().tally, tally);
    journal
        .receive(received(Vec::new(), vec![rejection("d")]))
        .await
        .unwrap();
    assert_eq!(rejections(&folder, &all), ["d", "c", "b", "a"]);
}

#[tokio::test]
async fn a_flood_of_rejected_events_is_counted_and_does_not_fill_the_disk() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let of = |hour: u64| {
        let rejections = (0..20).map(|id| Rejection {
            rejected_ms: T0_MS + hour * HOUR_MS,
            ..rejection(id)
        });
        received(Vec::new(), rejections.collect())
    };
    let rows = || rejections(&folder, &RejectionFilter::default()).len();
    for (hour, expected) in [
        (0, 20),
        (0, 30),
        (0, 30),
        (1, 50),
        (1, 60),
        (0, 60),
        (1, 60),
    ] {
        journal.receive(of(hour)).await.unwrap();
        assert_eq!(rows(), expected);
    }
    // What the limit counts is read again at the start.
    drop(journal);
    let journal = open(folder.path());
    journal.receive(of(1)).await.unwrap();
    assert_eq!(rows(), 60);
    assert_eq!(audit(folder.path()).tally.rejected, 160);

    // All but the last row go away, and no number is used again.
    let over = Retention::FinishedSince(T0_MS + 100 * HOUR_MS);
    journal.sweep(over).await.unwrap();
    assert_eq!(rows(), 1);
    drop(journal);
    let journal = open(folder.path());
    journal.receive(of(2)).await.unwrap();
    let books = Books::open(folder.path()).unwrap();
    let filter = RejectionFilter::default();
    let rows = books.rejections(&filter, None, 1_000).unwrap().rows;
    assert_eq!(
        (rows[0].key, rows[20].key),
        (RejectionKey(80), RejectionKey(60))
    );
    assert_eq!(audit(folder.path()).tally.rejected, 180);
}

#[tokio::test]
async fn an_event_that_came_in_and_is_nowhere_is_noticed() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let request = received(entries(0..2), vec![rejection("a")]);
    journal.receive(request).await.unwrap();
    audit(folder.path());
    // What no program does: one more came in than is accounted for.
    connect(&folder)
        .execute_batch("UPDATE received_tally SET count = count + 1")
        .unwrap();
    let audit = Books::open(folder.path()).unwrap().audit().unwrap();
    assert!(!audit.balanced);
    let problem =
        "100000000 from shop: 4 came in, but 2 were accepted, 0 were copies and 1 rejected";
    assert!(audit.problems.contains(&problem.to_owned()), "{audit:?}");
}

#[tokio::test]
async fn names_beyond_a_number_are_counted_together_and_travel_unchanged() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    // As long as the program lives, like the names of samples.
    let name =
        |number: usize| -> &'static str { Box::leak(format!("Name{number}").into_boxed_str()) };
    let named = |number: usize| Sample {
        name: name(number),
        ..sample(number)
    };
    let texts = || {
        let terms = "SELECT count(*) FROM term";
        connect(&folder)
            .query_row(terms, [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    let list: Vec<_> = (0..25).map(|number| named(number).entry()).collect();
    journal.append(list.clone()).await.unwrap();
    let before = texts();
    journal
        .append((25..60).map(|number| named(number).entry()).collect())
        .await
        .unwrap();
    let mut nameless = rejection("r");
    nameless.remains.event_name = Some("Name61".to_owned());
    journal
        .receive(received(Vec::new(), vec![nameless]))
        .await
        .unwrap();
    assert_eq!(
        texts(),
        before + 1,
        "only the code of the rejected event is new"
    );
    // Meta's own names are counted apart in any case.
    journal.append(vec![sample("s").entry()]).await.unwrap();
    // A copy is one whatever it is counted under.
    let again = journal.append(vec![list[24].clone()]).await.unwrap();
    assert!(matches!(again[..], [Appended::Copy(_)]));

    let lease = journal.lease(&lane(0), limits(100)).await.unwrap();
    for (number, event) in lease.events.iter().take(60).enumerate() {
        assert_eq!(event.event_name, name(number));
        assert!(
            event
                .json
                .contains(&format!("\"event_name\":\"{}\"", name(number)))
        );
    }
    drop(lease);
    let counted = audit(folder.path());
    let of = |name: &str| {
        let group = counted.groups.iter().find(|group| group.event_name == name);
        group.map(|group| {
            (
                group.rows.accepted,
                group.rows.duplicate,
                group.rows.rejected,
            )
        })
    };
    assert_eq!(of("other"), Some((40, 1, 1)));
    assert_eq!(of("Purchase"), Some((1, 0, 0)));
    assert_eq!((of("Name19"), of("Name20")), (Some((1, 0, 0)), None));

    drain(&journal, &lane(0), &refused()).await;
    let books = Books::open(folder.path()).unwrap();
    for wanted in ["Name3", "Name42"] {
        let filter = EventFilter {
            event_name: Some(wanted.to_owned()),
            ..EventFilter::default()
        };
        let mut page = Page {
            before: None,
            limit: 100,
        };
        let mut found = Vec::new();
        loop {
            let some = books.search(&filter, page).unwrap();
            found.extend(some.rows.into_iter().map(|event| event.event_name));
            page.before = some.next;
            if page.before.is_none() {
                break;
            }
        }
        assert_eq!(found, [wanted]);
    }
    // The limit holds after a start as well.
    drop(journal);
    let journal = open(folder.path());
    let before = texts();
    journal.append(vec![named(70).entry()]).await.unwrap();
    assert_eq!(texts(), before);
    audit(folder.path());
}

#[tokio::test]
async fn a_look_at_what_others_did_reads_no_hours() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    journal.append(entries(0..5)).await.unwrap();
    drain(&journal, &lane(0), &refused()).await;
    let mut books = Books::open(folder.path()).unwrap();
    let which = Selection::Filter(EventFilter::default());
    assert_eq!(books.replay(&which, T0_MS).unwrap().replayed, 5);
    // With the hours out of sight the sums still say what there is.
    let hide = "ALTER TABLE tally RENAME TO hidden";
    connect(&folder).execute_batch(hide).unwrap();
    journal.look_around().await;
    let tally = journal.health().tally;
    assert_eq!((tally.accepted, tally.refused, tally.waiting), (5, 0, 5));
    assert!(journal.health().is_failing.is_none());
    let show = "ALTER TABLE hidden RENAME TO tally";
    connect(&folder).execute_batch(show).unwrap();
    audit(folder.path());
}

#[tokio::test]
async fn what_is_kept_for_a_caller_who_left_is_told_to_the_observer() {
    let folder = TempDir::new().unwrap();
    let told = Arc::<Mutex<Vec<CommittedCount>>>::default();
    let observed = Arc::clone(&told);
    let options = Options {
        observer: Some(Box::new(move |commit| {
            observed.lock().unwrap().extend(commit.counts);
        })),
        ..Options::default()
    };
    let journal = Embedded::open(folder.path(), options).unwrap();
    {
        let mut list = entries(0..3);
        list.push(sample(0).entry());
        let mut request = journal.receive(received(list, vec![rejection("a")]));
        // It is on its way to the writer, and nobody waits for the answer any more.
        let polled = request
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
    }
    let appended = journal.append(vec![sample(1).entry()]).await.unwrap();
    assert!(matches!(appended[..], [Appended::Copy(_)]));
    let told = told.lock().unwrap();
    let count = |arrival: &ArrivalKind| -> u64 {
        let counts = told.iter().filter(|count| count.arrival == *arrival);
        counts.map(|count| count.events).sum()
    };
    let rejected = ArrivalKind::Rejected("purchase_value_missing".into());
    assert_eq!(
        (
            count(&ArrivalKind::Received),
            count(&ArrivalKind::Accepted),
            count(&ArrivalKind::Duplicate),
            count(&rejected),
        ),
        (6, 3, 2, 1)
    );
    assert_eq!((&*told[0].dataset, &*told[0].source), ("100000000", "shop"));
}

#[tokio::test]
async fn a_journal_of_the_first_version_is_brought_to_the_next() {
    let folder = TempDir::new().unwrap();
    {
        let conn = connect(&folder);
        conn.execute_batch(schema::MIGRATIONS[0]).unwrap();
        conn.pragma_update(None, "application_id", 0x534c_5543_i64)
            .unwrap();
        conn.pragma_update(None, "user_version", 1).unwrap();
        conn.execute_batch(
            "INSERT INTO term VALUES (1, '100000000'), (2, 'shop'), (3, 'Purchase'), (4, 'website');
             INSERT INTO event VALUES (1, 1, 2, 3, NULL, zeroblob(16), 'a', 4, 1, 9, 2),
                                      (2, 1, 2, 3, NULL, zeroblob(16), 'b', 4, 1, 9, 2);
             INSERT INTO outcome VALUES (1, 1, 5, NULL, NULL, NULL, NULL);
             INSERT INTO tally VALUES (0, 1, 2, 3, 0, 2), (0, 1, 2, 3, 5, 3), (0, 1, 2, 3, 1, 1);",
        )
        .unwrap();
    }
    let journal = open(folder.path());
    let tally = audit(folder.path()).tally;
    assert_eq!((tally.received, tally.accepted, tally.duplicate), (5, 2, 3));
    assert_eq!(journal.health().tally, tally);
    let appended = journal.append(entries(5..6)).await.unwrap();
    assert_eq!(key(appended[0]).0, 3);
    drain(&journal, &lane(0), &Outcome::Delivered).await;
    audit(folder.path());
}

#[tokio::test]
async fn hours_with_nothing_but_rejected_events_are_read_a_part_at_a_time() {
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    let rejections = (0..25).map(|hour| Rejection {
        rejected_ms: T0_MS + hour * HOUR_MS,
        ..rejection(hour)
    });
    let all = received(Vec::new(), rejections.collect());
    journal.receive(all).await.unwrap();
    let books = Books::open(folder.path()).unwrap();
    let first = T0_MS / HOUR_MS;
    let hours = by_hour(first..first + 25);
    let part = books.tallies(&hours, None).unwrap();
    assert_eq!((part.rows.len(), part.next), (21, Some(first + 21)));
    let rest = books.tallies(&hours, part.next).unwrap();
    assert_eq!((rest.rows.len(), rest.next), (4, None));
}
