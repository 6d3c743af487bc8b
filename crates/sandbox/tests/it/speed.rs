//! How fast it takes events: it is the peer in load tests.

use std::thread;

use sluice_sandbox::{Clock, Sandbox, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::{NOW_S, event};

const BATCHES: u32 = 200;

/// Run with `--release -- --ignored --nocapture`; the sandbox has one thread to itself.
#[test]
#[ignore = "it measures, and means something only in a release build"]
fn takes_forty_thousand_events_a_second_on_one_core() {
    let one = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };
    let (tell, address) = std::sync::mpsc::channel();
    thread::spawn(move || {
        one().block_on(async {
            let settings = Settings {
                clock: Clock::fixed(NOW_S * 1_000),
                ..Settings::default()
            };
            let sandbox = Sandbox::start(settings).await.unwrap();
            tell.send(sandbox.address()).unwrap();
            std::future::pending::<()>().await;
        });
    });
    let address = address.recv().unwrap();
    let requests: Vec<Vec<u8>> = (0..BATCHES).map(request).collect();
    let bytes = requests[0].len() / 1_000;
    let rate: f64 = one().block_on(async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        #[expect(clippy::disallowed_methods, reason = "the test measures")]
        let began = Instant::now();
        for request in &requests {
            stream.write_all(request).await.unwrap();
            let mut answer = [0; 1_024];
            let length = stream.read(&mut answer).await.unwrap();
            assert!(answer[..length].starts_with(b"HTTP/1.1 200"));
        }
        f64::from(BATCHES * 1_000) / began.elapsed().as_secs_f64()
    });
    #[expect(clippy::print_stderr, reason = "the figure is what the test is for")]
    {
        eprintln!("{rate:.0} events/s, {bytes} bytes each");
    }
    assert!(rate >= 40_000.0, "{rate:.0} events/s");
}

fn request(batch: u32) -> Vec<u8> {
    let custom = r#""custom_data":{"value":142.5,"currency":"EUR","content_type":"product",
        "contents":[{"id":"SKU-1","quantity":1,"item_price":71.25},{"id":"SKU-2","quantity":1,
        "item_price":71.25}],"order_id":"#;
    let events: Vec<String> = (0..1_000)
        .map(|place| {
            let id = format!("order-{batch}-{place}");
            let event = event(&id).replace("\"Lead\"", "\"Purchase\"");
            format!("{},{custom}\"{id}\"}}}}", &event[..event.len() - 1])
        })
        .collect();
    let body = format!(r#"{{"data":[{}]}}"#, events.join(","));
    let length = body.len();
    format!(
        "POST /v26.0/1/events?access_token=T HTTP/1.1\r\nHost: x\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
