//! What hostile bodies cost: reading them takes no more memory than the largest event that is allowed.
//!
//! A program of its own, because the allocator that keeps count belongs to the whole program.

use std::ops::ControlFlow;

use peak_alloc::PeakAlloc;
use sluice_event::{Moment, Rules, batch};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Twice the largest event that is allowed.
const BODY_BYTES: usize = 512 << 10;

/// Bytes beside a body of one event. A list of all values of a body takes twelve times the body.
const BESIDE_MAX: usize = 3 << 20;

/// Bytes beside a body of many tiny events, which are not kept.
const PARTS_BESIDE_MAX: usize = 64 << 10;

const MOMENT: Moment = Moment {
    unix_ms: 1_790_000_000_500,
    in_doubt: false,
    entropy: [7; 10],
};

/// `before`, then `part` again and again with commas between, then `after`.
fn bomb(before: &str, part: &str, after: &str) -> String {
    let mut body = String::with_capacity(BODY_BYTES + 1_000);
    body.push_str(before);
    while body.len() < BODY_BYTES {
        body.push_str(part);
        body.push(',');
    }
    body.push_str(part);
    body.push_str(after);
    body
}

/// Reads every event and keeps none; how many there were, and the most bytes in memory meanwhile beside the body.
fn read_all(body: &str) -> (usize, usize) {
    let mut events = 0;
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let read = batch::read(body, |_| events += 1);
    assert!(read.is_ok(), "{body:.60}");
    (events, MEMORY.peak_usage() - before)
}

/// The same with each event sealed, and how many could be.
fn seal_all(body: &str) -> (usize, usize, usize) {
    let rules = Rules::default();
    let (mut events, mut sealed) = (0, 0);
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let read = batch::read(body, |mut item| {
        events += 1;
        let event = item.event;
        let event = event.and_then(|event| event.seal(&rules, MOMENT, &mut item.findings));
        sealed += usize::from(event.is_some());
    });
    assert!(read.is_ok(), "{body:.60}");
    (events, sealed, MEMORY.peak_usage() - before)
}

const NEIGHBOUR: &str = r#"{"event_name":"Lead","event_time":1790000000,"event_id":"1","action_source":"other","user_data":{"em":"a@example.com"}}"#;

#[test]
fn an_event_that_is_too_large_costs_no_memory() {
    for (before, part, after) in [
        (r#""user_data":{"em":["#, "1", "]}"),
        (r#""user_data":{"external_id":["#, r#""a""#, "]}"),
        (r#""user_data":{"#, r#""em":[1]"#, "}"),
        (r#""email":["#, "1", "]"),
        (r#""user_data":["#, "{}", "]"),
        (r#""custom_data":["#, "1", "]"),
        (r#""custom_data":{"contents":["#, "{}", "]}"),
        (r#""custom_data":{"content_ids":["#, "1", "]}"),
        (r#""custom_data":{"own":["#, r#""\n""#, "]}"),
        (r#""custom_data":{"#, r#""a":1"#, "}"),
        (r#""app_data":{"extinfo":["#, "1", "]}"),
        (r#""data_processing_options":["#, "1", "]"),
        (r#""event_id":"\n"#, "1", r#"""#),
        ("", r#""a":1"#, ""),
        ("", r#""order_number":1"#, ""),
    ] {
        let before = format!(r#"[{{"event_name":"Lead","event_time":1790000000,{before}"#);
        let body = bomb(&before, part, &format!("{after}}},{NEIGHBOUR}]"));
        let (events, sealed, beside) = seal_all(&body);
        assert_eq!((events, sealed), (2, 1), "{before}");
        assert!(beside <= BESIDE_MAX, "{before}: {beside} bytes");
    }
}

#[test]
fn an_event_of_the_largest_size_costs_a_few_times_its_size() {
    for (before, part, after) in [
        (r#""user_data":{"em":["#, "1", "]}"),
        (
            r#""user_data":{"em":"a@example.com"},"custom_data":{"contents":["#,
            "{}",
            "]}",
        ),
        (
            r#""user_data":{"em":"a@example.com"},"custom_data":{"content_ids":["#,
            "1",
            "]}",
        ),
        (
            r#""user_data":{"em":"a@example.com"},"custom_data":{"own":["#,
            r#""\n""#,
            "]}",
        ),
        (
            r#""user_data":{"em":"a@example.com"},"app_data":{"extinfo":["#,
            "1",
            "]}",
        ),
        (r#""data_processing_options":["#, "1", "]"),
        ("", r#""order_number":1"#, ""),
    ] {
        let before = format!(r#"{{"event_name":"Lead","event_time":1790000000,{before}"#);
        let parts = (250 * 1024 - before.len()) / (part.len() + 1);
        let body = format!("{before}{}{after}}}", vec![part; parts].join(","));
        let (events, _, beside) = seal_all(&body);
        assert_eq!(events, 1, "{before}");
        assert!(beside <= BESIDE_MAX, "{before}: {beside} bytes");
    }
}

/// What stands beside the events, and how they are wrapped.
#[test]
fn many_tiny_parts_cost_no_memory() {
    let lines = "{}\n".repeat(BODY_BYTES / 3);
    let escaped = r"{\u0022event_name\u0022:\u0022Lead\u0022}";
    for body in [
        lines,
        bomb("[", "{}", "]"),
        bomb("[", "1", "]"),
        bomb(r#"{"data":["#, "{}", "]}"),
        bomb(r#"{"data":""#, "{}", r#""}"#)
            .replace("\"{}", "\"[{}")
            .replace("{}\"", "{}]\""),
        bomb(r#"{"data":[],"#, r#""a":1"#, "}"),
        bomb(r#"{"data":[],"#, r#""test_event_code":1"#, "}"),
        format!(r#"["{}"]"#, escaped.repeat(BODY_BYTES / escaped.len())),
    ] {
        let (_, beside) = read_all(&body);
        assert!(beside <= PARTS_BESIDE_MAX, "{body:.60}: {beside} bytes");
    }
}

/// A list in a text with escapes is decoded once, as a whole.
#[test]
fn a_list_in_a_text_costs_its_text_once() {
    let body = bomb(r#"{"data":"[{\n}"#, r"{\n}", r#"]"}"#).replacen("}{", "},{", 1);
    let (events, beside) = read_all(&body);
    assert!(events > 50_000);
    assert!(beside <= body.len() + PARTS_BESIDE_MAX, "{beside} bytes");
}

#[test]
fn reading_ends_when_it_is_told_to() {
    for body in [
        "{}\n".repeat(1_000),
        format!("[{{}},{{}},{{}},{}", "1,".repeat(1_000)),
        r#"{"data":"[{},{},{},{}]"}"#.to_owned(),
        r#"{"data":[{},{},{},"#.to_owned(),
    ] {
        let mut events = 0;
        let read = batch::read_while(&body, |_| {
            events += 1;
            if events == 3 {
                ControlFlow::Break("enough")
            } else {
                ControlFlow::Continue(())
            }
        });
        assert!(
            matches!(read, Ok(ControlFlow::Break("enough"))),
            "{body:.60}"
        );
        assert_eq!(events, 3, "{body:.60}");
    }
}
