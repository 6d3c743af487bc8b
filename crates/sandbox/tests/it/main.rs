//! The sandbox as a client sees it, over real sockets.

#![expect(clippy::unwrap_used, reason = "everything here is a test")]

mod answers;
mod client;
mod controls;
mod faults;
mod speed;

use sluice_sandbox::{Clock, Sandbox, Settings};

/// 2026-11-23, 12:00 UTC.
const NOW_S: i64 = 1_795_435_200;

/// The same as `Date` writes it.
const NOW_DATE: &str = "Mon, 23 Nov 2026 12:00:00 GMT";

/// A sandbox whose clock stands still.
async fn start(settings: Settings) -> Sandbox {
    let settings = Settings {
        clock: Clock::fixed(NOW_S * 1_000),
        ..settings
    };
    Sandbox::start(settings).await.unwrap()
}

/// A good event with this id.
fn event(id: &str) -> String {
    format!(
        r#"{{"event_name":"Lead","event_time":{},"event_id":"{id}","action_source":"website",
            "event_source_url":"https://shop.example/p","user_data":{{"client_user_agent":"Mozilla",
            "fbp":"fb.1.1795435100000.17","em":["{}"]}}}}"#,
        NOW_S - 10,
        "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f",
    )
}

fn batch(events: &[String]) -> String {
    format!(r#"{{"data":[{}]}}"#, events.join(","))
}
