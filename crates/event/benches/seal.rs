//! From the raw JSON bytes of one realistic Purchase to the payload that goes to Meta.
//!
//! `cargo bench -p sluice-event` shows the stages (divan). With `--peer` it prints one JSON line in
//! the form of `bench/peers/`, measured the way Meta's SDKs are measured there, for `scripts/bench`.

#![allow(missing_docs, reason = "a benchmark has no public items to speak of")]
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a benchmark measures time and prints it, and its input is fixed"
)]

use std::hint::black_box;
use std::time::Instant;

use sluice_event::{Context, Event, Findings, Hashed, Moment, Rules, UserField, batch, normalize};

const PURCHASE: &[u8] = include_bytes!("../../../bench/peers/purchase.json");

/// An hour after the event.
const MOMENT: Moment = Moment {
    unix_ms: 1_751_466_000_000,
    in_doubt: false,
    entropy: [7; 10],
};

/// Parses, checks, normalises, hashes and encodes a whole body.
fn payload(body: &[u8]) -> String {
    let text = batch::text_of(body);
    let mut payload = String::with_capacity(body.len() * 2);
    payload.push_str("{\"data\":[");
    batch::read(&text, |mut item| {
        let event = item.event.unwrap();
        let sealed = event
            .seal(&Rules::default(), MOMENT, &mut item.findings)
            .unwrap();
        if !payload.ends_with('[') {
            payload.push(',');
        }
        payload.push_str(sealed.json());
    })
    .unwrap();
    payload.push_str("]}");
    payload
}

#[divan::bench]
fn whole() -> String {
    payload(black_box(PURCHASE))
}

#[divan::bench]
fn parse() {
    let text = batch::text_of(black_box(PURCHASE));
    batch::read(&text, |item| {
        black_box(item);
    })
    .unwrap();
}

#[divan::bench]
fn seal(bencher: divan::Bencher<'_, '_>) {
    let text = batch::text_of(PURCHASE);
    bencher
        .with_inputs(|| {
            let mut events: Vec<Event<'_>> = Vec::new();
            batch::read(&text, |item| events.extend(item.event)).unwrap();
            events.pop().unwrap()
        })
        .bench_values(|event| event.seal(&Rules::default(), MOMENT, &mut Findings::new()));
}

#[divan::bench]
fn eight_hashes() {
    for _ in 0..8 {
        black_box(Hashed::of(black_box("maria.keller+shop@example.com")));
    }
}

#[divan::bench(args = ["+1 (415) 555-0132", "+49 30 1234567", "030 1234567"])]
fn phone(value: &str) {
    let context = Context {
        country: sluice_event::Country::parse("de"),
        now_s: 1_751_466_000,
        external_id: sluice_event::ExternalId::Hash,
    };
    black_box(normalize(UserField::Ph, black_box(value), &context).ok());
}

const EVENTS: u32 = 100_000;

fn main() {
    if !std::env::args().any(|argument| argument == "--peer") {
        divan::main();
        return;
    }
    for _ in 0..EVENTS {
        black_box(payload(black_box(PURCHASE)));
    }
    let mut samples: Vec<f64> = (0..7)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..EVENTS {
                black_box(payload(black_box(PURCHASE)));
            }
            (start.elapsed().as_secs_f64() * 1e9 / f64::from(EVENTS)).round()
        })
        .collect();
    samples.sort_by(f64::total_cmp);
    println!(
        "{{\"name\":\"sluice-event\",\"ns_per_event\":{},\"events\":{EVENTS},\"payload_bytes\":{},\"samples\":{samples:?}}}",
        samples[3],
        payload(PURCHASE).len(),
    );
}
