//! A batch against judges that are functions: what goes out, what becomes of it, and how much it takes.

use std::collections::BTreeMap;

use sluice_graph::{Answer, Lost, verdict};
use sluice_journal::EventState;

use super::*;

/// What the judge answers to a request with these events.
type Judge<'j> = &'j dyn Fn(&[i64]) -> Answer;

/// What a batch came to.
#[derive(Debug, Default)]
struct Result {
    requests: Vec<Vec<i64>>,
    states: BTreeMap<i64, EventState>,
    not_taken: Vec<i64>,
    stop: Option<Trouble>,
    stands_back: Option<StandsBack>,
}

impl Result {
    fn in_state(&self, state: EventState) -> Vec<i64> {
        let states = self.states.iter();
        let fitting = states.filter(|(_, its)| **its == state);
        fitting.map(|(key, _)| *key).collect()
    }

    /// How often an event was posted.
    fn posted(&self, key: i64) -> usize {
        let requests = self.requests.iter();
        requests.filter(|keys| keys.contains(&key)).count()
    }
}

fn event(key: i64, is_deduplicated: bool) -> Leased {
    Leased {
        key: EventKey(key),
        source: "shop".to_owned(),
        event_name: "Purchase".to_owned(),
        event_id: key.to_string(),
        accepted_ms: 0,
        expires_s: 1_000,
        is_deduplicated,
        intended_ms: None,
        json: "{}".to_owned(),
    }
}

fn purchases(count: i64) -> Vec<Leased> {
    (0..count).map(|key| event(key, true)).collect()
}

fn record(events: usize) -> RequestRecord {
    RequestRecord {
        sent_ms: 1,
        elapsed_ms: 1,
        events,
        bytes: events * 1_000,
        status: 200,
        code: None,
        subcode: None,
        received: None,
        fbtrace_id: None,
        verdict: "",
    }
}

fn run(events: &[Leased], is_lasting: bool, proof: &Proof, judge: Judge<'_>) -> Result {
    run_with(events, is_lasting, AfterLostAnswer::Withhold, proof, judge)
}

fn run_with(
    events: &[Leased],
    is_lasting: bool,
    after_lost_answer: AfterLostAnswer,
    proof: &Proof,
    judge: Judge<'_>,
) -> Result {
    let plan = Plan {
        is_lasting,
        is_probing: false,
        allowed: Size {
            events: 1_000,
            bytes: 1_000_000,
        },
        after_lost_answer,
    };
    let mut passage = Passage::new(events, plan, &Refusals::default());
    let mut result = Result::default();
    let is_message = |key: &i64| {
        !events
            .iter()
            .any(|event| event.key.0 == *key && event.is_deduplicated)
    };
    let mut records = 0;
    while let Some(keys) = passage.next(Limit::NONE) {
        let keys: Vec<i64> = keys.into_iter().map(|key| key.0).collect();
        let answer = judge(&keys);
        let heard = Heard {
            verdict: verdict(&answer, keys.len()),
            arrival: Arrival::of(&answer),
            record: record(keys.len()),
        };
        let mut intended: Vec<i64> = keys.iter().copied().filter(is_message).collect();
        result.requests.push(keys);
        let effects = passage.answered(heard, proof);
        for report in effects.reports {
            records += usize::from(report.record.is_some());
            for (key, outcome) in report.outcomes {
                intended.retain(|intended| *intended != key.0);
                let before = result.states.insert(key.0, outcome.state());
                assert_eq!(before, None, "{} is settled twice", key.0);
            }
            let keys: Vec<_> = report.not_taken.into_iter().map(|key| key.0).collect();
            intended.retain(|intended| !keys.contains(intended));
            result.not_taken.extend(keys);
        }
        // Whatever ends the process now: a message that did not arrive is not taken for one that may have.
        let is_known = intended.is_empty() || after_lost_answer == AfterLostAnswer::Resend;
        assert!(is_known, "intents of {intended:?} are left");
        if effects.stop.is_some() {
            result.stop = effects.stop;
            break;
        }
    }
    assert_eq!(records, result.requests.len(), "each request is recorded");
    result.stands_back = passage.stands_back();
    result
}

fn success(count: usize) -> Answer {
    let body = format!("{{\"events_received\":{count}}}");
    Answer::read(200, body.as_bytes())
}

fn error(code: &str) -> Answer {
    let body = format!("{{\"error\":{{\"code\":{code},\"fbtrace_id\":\"A\"}}}}");
    Answer::read(400, body.as_bytes())
}

/// No known Page: an error that may be about one event or about all.
const MISMATCH: &str = "100,\"error_subcode\":2804065";

/// "Invalid parameter", and no more.
const VAGUE: &str = "100";

/// Refuses requests that have one of these events.
fn refusing(bad: &[i64], code: &str) -> impl Fn(&[i64]) -> Answer {
    let (bad, code) = (bad.to_vec(), code.to_owned());
    move |keys| {
        if keys.iter().any(|key| bad.contains(key)) {
            error(&code)
        } else {
            success(keys.len())
        }
    }
}

#[test]
fn what_arrived_is_never_posted_again() {
    for code in [MISMATCH, VAGUE, "100,\"error_subcode\":2804003"] {
        let judge = refusing(&[7], code);
        let arrivals = std::cell::RefCell::new(BTreeMap::<i64, usize>::new());
        let counting = |keys: &[i64]| {
            let answer = judge(keys);
            if matches!(answer, Answer::Success(_)) {
                for key in keys {
                    *arrivals.borrow_mut().entry(*key).or_default() += 1;
                }
            }
            answer
        };
        let proof = Proof::default();
        // No vague refusal is believed any more.
        while proof.refused() {}
        let result = run(&purchases(40), false, &proof, &counting);
        assert_eq!(result.stop, None, "{code}");
        let arrivals = arrivals.into_inner();
        assert_eq!(arrivals.len(), 39, "{code}");
        assert!(arrivals.values().all(|times| *times == 1), "{code}");
        assert_eq!(result.in_state(EventState::Delivered).len(), 39, "{code}");
    }
}

#[test]
fn an_event_stands_back_when_others_go_through() {
    let result = run(
        &purchases(40),
        false,
        &Proof::default(),
        &refusing(&[7], MISMATCH),
    );
    assert!(matches!(
        result.stands_back,
        Some(StandsBack::Odd(Trouble::Operator { .. }))
    ));
    assert!(!result.states.contains_key(&7));
    assert_eq!(result.states.len(), 39);
}

#[test]
fn eight_witnesses_decide_whether_anything_goes_through() {
    let all: Vec<i64> = (0..100).collect();
    let result = run(
        &purchases(100),
        false,
        &Proof::default(),
        &refusing(&all, MISMATCH),
    );
    assert!(matches!(result.stop, Some(Trouble::Operator { .. })));
    let sizes: Vec<usize> = result.requests.iter().map(Vec::len).collect();
    assert_eq!(sizes, [100, 1, 1, 1, 1, 1, 1, 1, 1]);
    assert!(result.states.is_empty());
    // The eight are spread over the batch.
    assert!(result.requests.iter().skip(1).any(|keys| keys[0] < 20));
    assert!(result.requests.iter().skip(1).any(|keys| keys[0] > 80));
}

#[test]
fn one_event_alone_is_no_witness_for_itself() {
    let result = run(
        &purchases(1),
        false,
        &Proof::default(),
        &refusing(&[0], MISMATCH),
    );
    assert!(matches!(result.stop, Some(Trouble::Operator { .. })));
    assert_eq!(result.requests.len(), 1);
}

/// More than 64 cuts for a trouble that may pass by itself are no event's fault.
#[test]
fn a_trouble_that_may_pass_is_searched_64_times() {
    let one = run(
        &purchases(1_000),
        true,
        &Proof::default(),
        &refusing(&[7], "1"),
    );
    assert!(matches!(
        one.stands_back,
        Some(StandsBack::Odd(Trouble::Transient { .. }))
    ));
    assert_eq!(one.states.len(), 999);

    let bad: Vec<i64> = (0..1_000).step_by(10).collect();
    let judge = refusing(&bad, "1");
    let many = run(&purchases(1_000), true, &Proof::default(), &judge);
    assert!(matches!(many.stop, Some(Trouble::Transient { .. })));
    let failed = many
        .requests
        .iter()
        .filter(|keys| matches!(judge(keys), Answer::Error(_)));
    assert_eq!(failed.count(), 65);
    // It is not searched for at all unless it lasts.
    let fresh = run(&purchases(1_000), false, &Proof::default(), &judge);
    assert!(fresh.stop.is_some() && fresh.requests.len() == 1);
}

#[test]
fn vague_refusals_are_believed_two_times_and_eight_times_once_proven() {
    let all: Vec<i64> = (0..40).collect();
    let proof = Proof::default();
    let unproven = run(&purchases(40), false, &proof, &refusing(&all, VAGUE));
    assert!(matches!(unproven.stop, Some(Trouble::Operator { .. })));
    assert_eq!(unproven.in_state(EventState::Refused).len(), 2);

    proof.delivered();
    let proven = run(&purchases(40), false, &proof, &refusing(&all, VAGUE));
    assert!(matches!(proven.stop, Some(Trouble::Operator { .. })));
    assert_eq!(proven.in_state(EventState::Refused).len(), 8);
}

#[test]
fn a_witness_makes_a_vague_refusal_believed() {
    let proof = Proof::default();
    while proof.refused() {}
    let result = run(&purchases(10), false, &proof, &refusing(&[0], VAGUE));
    assert_eq!(result.in_state(EventState::Refused), [0]);
    assert_eq!(result.in_state(EventState::Delivered).len(), 9);
    assert_eq!(result.stop, None);
}

/// Purchases 0 to 9, and messages 10 to 14 in between and after them.
fn mixed() -> Vec<Leased> {
    let mut events = purchases(10);
    events.insert(3, event(10, false));
    events.extend((11..15).map(|key| event(key, false)));
    events
}

const MESSAGES: [i64; 5] = [10, 11, 12, 13, 14];

fn is_message(keys: &[i64]) -> bool {
    keys.iter().any(|key| *key >= 10)
}

#[test]
fn messages_go_apart_and_after_all_others() {
    let result = run(&mixed(), false, &Proof::default(), &|keys| {
        success(keys.len())
    });
    let purchases: Vec<i64> = (0..10).collect();
    assert_eq!(result.requests, [purchases, MESSAGES.to_vec()]);
    // What stops the others costs them nothing.
    let result = run(&mixed(), false, &Proof::default(), &|_| {
        Answer::Lost(Lost::Timeout)
    });
    assert_eq!((result.requests.len(), result.states.len()), (1, 0));
}

/// After trouble the first request is small: a lost answer withholds one message, not all.
#[test]
fn after_trouble_one_message_goes_first() {
    let plan = Plan {
        is_lasting: false,
        is_probing: true,
        allowed: Size {
            events: 3,
            bytes: 1_000_000,
        },
        after_lost_answer: AfterLostAnswer::Withhold,
    };
    let messages: Vec<_> = (10..16).map(|key| event(key, false)).collect();
    let mut passage = Passage::new(&messages, plan, &Refusals::default());
    let mut sizes = Vec::new();
    while let Some(keys) = passage.next(Limit::NONE) {
        sizes.push(keys.len());
        let answer = success(keys.len());
        let heard = Heard {
            verdict: verdict(&answer, keys.len()),
            arrival: Arrival::of(&answer),
            record: record(keys.len()),
        };
        passage.answered(heard, &Proof::default());
    }
    assert_eq!(sizes, [1, 3, 2]);
}

#[test]
fn messages_that_may_have_arrived_are_withheld() {
    for (answer, is_known) in [
        (Answer::Lost(Lost::Timeout), false),
        (Answer::Lost(Lost::Reset), false),
        (Answer::Lost(Lost::Torn), false),
        (Answer::Lost(Lost::TooLarge), false),
        (Answer::read(502, b"<html>"), false),
        (Answer::read(200, b"<html>"), false),
        (
            Answer::Lost(Lost::Connect(sluice_graph::ConnectFailure::Dns)),
            true,
        ),
        (Answer::read(404, b"<html>"), true),
        (Answer::read(429, b""), true),
        (error("4"), true),
        (error("1"), true),
        (error("190"), true),
    ] {
        let judge = |keys: &[i64]| {
            if is_message(keys) {
                answer.clone()
            } else {
                success(keys.len())
            }
        };
        let result = run(&mixed(), false, &Proof::default(), &judge);
        assert!(result.stop.is_some(), "{answer:?}");
        let (withheld, not_taken): (&[i64], &[i64]) = if is_known {
            (&[], &MESSAGES)
        } else {
            (&MESSAGES, &[])
        };
        assert_eq!(
            result.in_state(EventState::Withheld),
            withheld,
            "{answer:?}"
        );
        assert_eq!(result.not_taken, not_taken, "{answer:?}");

        let resent = AfterLostAnswer::Resend;
        let result = run_with(&mixed(), false, resent, &Proof::default(), &judge);
        assert!(
            result.in_state(EventState::Withheld).is_empty(),
            "{answer:?}"
        );
    }
}

#[test]
fn a_message_of_another_page_stands_back_without_a_second_copy_of_its_neighbours() {
    let messages: Vec<_> = (10..30).map(|key| event(key, false)).collect();
    let result = run(
        &messages,
        false,
        &Proof::default(),
        &refusing(&[17], MISMATCH),
    );
    assert!(matches!(
        result.stands_back,
        Some(StandsBack::Odd(Trouble::Operator { .. }))
    ));
    assert_eq!(result.in_state(EventState::Delivered).len(), 19);
    assert!(result.not_taken.contains(&17));
    assert!(result.posted(17) > 1);
}

/// A witness whose answer is lost may have arrived, like any other. No further one is lost after it.
#[test]
fn a_trouble_that_concerns_all_ends_the_search_for_a_witness() {
    let messages: Vec<_> = (10..30).map(|key| event(key, false)).collect();
    let doubting = Proof::default();
    while doubting.refused() {}
    for (answer, withheld) in [
        (Answer::Lost(Lost::Reset), 1),
        (Answer::read(502, b"<html>"), 1),
        (
            Answer::Lost(Lost::Connect(sluice_graph::ConnectFailure::Dns)),
            0,
        ),
        (error("4"), 0),
        (error("190"), 0),
    ] {
        let first = r#"100,"message":"data[0]""#;
        for (code, proof) in [(MISMATCH, &Proof::default()), (first, &doubting)] {
            let judge = |keys: &[i64]| match keys {
                [_] => answer.clone(),
                _ => error(code),
            };
            let result = run(&messages, false, proof, &judge);
            let states = &result.states;
            assert!(
                result.stop.is_some() && states.len() == withheld,
                "{answer:?} {states:?}"
            );
            assert_eq!(
                result.in_state(EventState::Withheld).len(),
                withheld,
                "{answer:?}"
            );
        }
    }
}

/// Meta refused it, however little that is believed: it is not at Meta.
#[test]
fn a_message_whose_refusal_is_doubted_has_no_intent_left() {
    let messages: Vec<_> = (10..30).map(|key| event(key, false)).collect();
    for (bad, refused) in [(vec![10], 1), ((10..30).collect(), 0)] {
        let proof = Proof::default();
        while proof.refused() {}
        let result = run(&messages, false, &proof, &refusing(&bad, VAGUE));
        assert_eq!(result.in_state(EventState::Refused).len(), refused);
    }
}

fn success_of(passage: &mut Passage, keys: &[EventKey]) {
    let answer = success(keys.len());
    let heard = Heard {
        verdict: verdict(&answer, keys.len()),
        arrival: Arrival::of(&answer),
        record: record(keys.len()),
    };
    passage.answered(heard, &Proof::default());
}

const PLAN: Plan = Plan {
    is_lasting: false,
    is_probing: false,
    allowed: Size {
        events: 1_000,
        bytes: 1_000_000,
    },
    after_lost_answer: AfterLostAnswer::Withhold,
};

#[test]
fn events_of_a_group_of_which_many_are_refused_stand_back_and_the_others_go() {
    let mut events = purchases(20);
    for lead in events.iter_mut().step_by(2) {
        lead.event_name = "Lead".to_owned();
    }
    let leads = Group {
        source: "shop".to_owned(),
        event_name: "Lead".to_owned(),
    };
    let nine = Found {
        refused: 9,
        delivered: 0,
    };
    let mut refusals = Refusals::default();
    refusals.learn(&leads, nine);
    let limit = Limit {
        events_max: 4,
        leaves_suspects: true,
    };
    let mut passage = Passage::new(&events, PLAN, &refusals);
    let mut sent = Vec::new();
    while let Some(keys) = passage.next(limit) {
        assert!(keys.len() <= 4);
        success_of(&mut passage, &keys);
        sent.extend(keys.into_iter().map(|key| key.0));
    }
    assert_eq!(sent, (0..20).filter(|key| key % 2 == 1).collect::<Vec<_>>());
    let delivered = passage
        .found()
        .map(|(group, found)| (group.event_name.as_str(), found.delivered));
    assert_eq!(
        delivered.collect::<Vec<_>>(),
        [("Lead", 0), ("Purchase", 10)]
    );
    assert_eq!(passage.stands_back(), Some(StandsBack::Suspect));
}

#[test]
fn a_batch_goes_without_what_is_left_out_of_it() {
    let mut passage = Passage::new(&purchases(4), PLAN, &Refusals::default());
    passage.leave_out(&[EventKey(0), EventKey(2)]);
    let keys = passage.next(Limit::NONE).unwrap();
    assert_eq!(keys, [EventKey(1), EventKey(3)]);
    success_of(&mut passage, &keys);
    assert_eq!(passage.next(Limit::NONE), None);
    assert_eq!(passage.stands_back(), None);
}

#[test]
fn what_is_settled_before_the_first_request() {
    let mut events = [
        event(1, true),
        event(2, true),
        event(3, false),
        event(4, false),
    ];
    events[1].expires_s = 10;
    events[2].intended_ms = Some(5);
    events[3].intended_ms = Some(5);
    events[3].expires_s = 10;
    let states = |after| {
        let outcomes = beforehand(&events, 100, after);
        let states = outcomes.map(|(key, outcome)| (key.0, outcome.state()));
        states.collect::<Vec<_>>()
    };
    let (expired, withheld) = (EventState::Expired, EventState::Withheld);
    assert_eq!(
        states(AfterLostAnswer::Withhold),
        [(2, expired), (3, withheld), (4, withheld)]
    );
    assert_eq!(
        states(AfterLostAnswer::Resend),
        [(2, expired), (4, withheld)]
    );
}
