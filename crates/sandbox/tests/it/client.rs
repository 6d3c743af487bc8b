//! A client that sees what a socket sees: every byte, and how the connection ends.

use std::io;
use std::net::SocketAddr;

use serde_json::Value;
use sluice_sandbox::Sandbox;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Got {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1);
        let mut pairs = lines.filter_map(|line| line.split_once(": "));
        pairs
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// Code and subcode of an error.
    pub(crate) fn code(&self) -> (i64, Option<i64>) {
        let error = &self.json()["error"];
        (
            error["code"].as_i64().unwrap_or(-1),
            error["error_subcode"].as_i64(),
        )
    }
}

/// Sends a request and reads to the end of the connection, or to what broke it.
pub(crate) async fn exchange(address: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

pub(crate) fn request(method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Length: {length}\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

pub(crate) fn parse(answer: &[u8]) -> Got {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Got {
        status: status.unwrap_or(0),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

pub(crate) async fn send(
    sandbox: &Sandbox,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Got {
    let request = request(method, path, headers, body);
    parse(&exchange(sandbox.address(), &request).await.unwrap())
}

pub(crate) async fn get(sandbox: &Sandbox, path: &str) -> Got {
    send(sandbox, "GET", path, "", "").await
}

/// Posts JSON to a path.
pub(crate) async fn post(sandbox: &Sandbox, path: &str, body: &str) -> Got {
    send(
        sandbox,
        "POST",
        path,
        "Content-Type: application/json\r\n",
        body,
    )
    .await
}

/// Posts events to dataset 1 with a token.
pub(crate) async fn events(sandbox: &Sandbox, body: &str) -> Got {
    post(sandbox, "/v26.0/1/events?access_token=T", body).await
}
