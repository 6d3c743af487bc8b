//! What is said of a panic: where it happened, and not with what.
//!
//! A panic's message may hold what the program was working on: indexing into a text, for one, repeats the
//! text. So only messages that stand in the source are shown. Where it was is enough to find the reason.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;

use crate::output;

/// From now on, no panic shows a value.
pub(crate) fn hide_values() {
    std::panic::set_hook(Box::new(|info| {
        let what = describe(info);
        // Empty unless RUST_BACKTRACE asks for it. It has names of functions, and no values.
        let trace = Backtrace::capture();
        let trace = (trace.status() == BacktraceStatus::Captured).then(|| trace.to_string());
        if tracing::dispatcher::has_been_set() {
            tracing::error!(trace, "{what}");
        } else {
            output::complain(&what, None);
            if let Some(trace) = trace {
                output::tell(&trace);
            }
        }
    }));
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let place = info
        .location()
        .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    // What is put together at run time is a `String`; only what the source says is a `&'static str`.
    let message = info.payload().downcast_ref::<&'static str>();
    let message = message.map_or_else(String::new, |message| format!(": {message}"));
    format!("a defect in Sluice at {place}{message}; please report it")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn said_of(panics: impl FnOnce() + std::panic::UnwindSafe) -> String {
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        std::panic::set_hook(Box::new(move |info| {
            *heard.lock().unwrap() = describe(info);
        }));
        assert!(std::panic::catch_unwind(panics).is_err());
        let _ = std::panic::take_hook();
        said.lock().unwrap().clone()
    }

    #[test]
    fn shows_the_place_and_no_value() {
        let email = "jöhn@example.com".to_owned();
        let end = email.find('ö').unwrap() + 1;
        for said in [
            said_of(|| assert_eq!(email, "somebody else")),
            said_of(|| drop(email[..end].to_owned())),
            said_of(|| panic!("no such person: {email}")),
            said_of(|| assert!(email.parse::<u8>().expect(&email) > 0)),
        ] {
            assert!(said.contains("defect.rs:"), "{said}");
            assert!(!said.contains("hn@example"), "{said}");
        }
        let said = said_of(|| panic!("a message of the source"));
        assert!(said.contains("a message of the source"), "{said}");
    }
}
