//! The least that a door could do, to compare with: reads the body, answers 202, keeps nothing.
//!
//! `cargo run --release -p sluice-gateway --example reader -- 127.0.0.1:8082`

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1);
    let listener = tokio::net::TcpListener::bind(address.as_deref().unwrap_or("127.0.0.1:0"));
    let read = |body: Bytes| async move {
        std::hint::black_box(&body);
        (StatusCode::ACCEPTED, r#"{"accepted":1,"duplicates":0}"#)
    };
    let router = Router::new().route("/v1/events", post(read));
    let router = router.layer(axum::extract::DefaultBodyLimit::disable());
    axum::serve(listener.await?, router).await
}
