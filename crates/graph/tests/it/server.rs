//! A server that plays a script: the first request gets the first step, and so on, over however many
//! connections the client makes.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sluice_event::DatasetId;
use sluice_graph::{
    AccessToken, AppSecret, BaseUrl, Client, ClientSettings, Destination, Endpoint, TokenPlacement,
    Version,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const TOKEN: &str = "EAABsecretTOKEN123";
pub(crate) const SECRET: &str = "appSECRETvalue456";

/// What is done about a request.
pub(crate) enum Step {
    /// Writes these bytes, and keeps the connection.
    Write(Vec<u8>),
    /// Writes these bytes, and closes the connection.
    WriteAndClose(Vec<u8>),
    /// Reads the head only, answers, and takes the rest of the request to throw it away.
    WriteEarly(Vec<u8>),
    /// Resets the connection once the request is there.
    Reset,
    /// Writes these bytes, then nothing more until the client goes.
    Hang(Vec<u8>),
    /// Writes these bytes, then a space every few milliseconds until the client goes.
    Drip(Vec<u8>),
}

/// The server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

/// What came in.
#[derive(Default)]
struct Seen {
    connections: usize,
    requests: Vec<String>,
}

impl Server {
    pub(crate) async fn start(script: impl IntoIterator<Item = Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let script = Arc::new(Mutex::new(script.into_iter().collect::<VecDeque<_>>()));
        let all_seen = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                seen.lock().unwrap().connections += 1;
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&seen)));
            }
        });
        Self {
            address,
            seen: all_seen,
        }
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.lock().unwrap().connections
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().requests.clone()
    }

    /// The way to it.
    pub(crate) fn endpoint(&self) -> Endpoint {
        self.destination().endpoint
    }

    /// Where to send in order to reach it.
    pub(crate) fn destination(&self) -> Destination {
        destination(&format!("http://{}", self.address))
    }
}

pub(crate) fn destination(base_url: &str) -> Destination {
    Destination {
        endpoint: Endpoint {
            base_url: BaseUrl::parse(base_url).unwrap(),
            version: Version::NEWEST,
            token: AccessToken::new(TOKEN.to_owned()).unwrap(),
            app_secret: Some(AppSecret::new(SECRET.to_owned()).unwrap()),
            placement: TokenPlacement::Query,
        },
        dataset: DatasetId::parse("1234567890").unwrap(),
    }
}

pub(crate) fn client() -> Client {
    Client::new(&ClientSettings::default()).unwrap()
}

/// For servers that never finish.
pub(crate) fn impatient_client() -> Client {
    let settings = ClientSettings {
        timeout: Duration::from_millis(150),
        ..ClientSettings::default()
    };
    Client::new(&settings).unwrap()
}

/// A whole answer.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n{body}").into_bytes()
}

async fn serve(mut stream: TcpStream, script: Arc<Mutex<VecDeque<Step>>>, seen: Arc<Mutex<Seen>>) {
    while let Some(head) = read_head(&mut stream).await {
        let step = script.lock().unwrap().pop_front().expect("another request");
        let length = content_length(&head.text);
        let mut body = head.rest;
        if !matches!(step, Step::WriteEarly(_)) {
            let missing = length - body.len();
            let start = body.len();
            body.resize(length, 0);
            if missing > 0 {
                stream.read_exact(&mut body[start..]).await.unwrap();
            }
        }
        let request = head.text + &String::from_utf8(body).unwrap();
        seen.lock().unwrap().requests.push(request);
        match step {
            Step::Write(bytes) => stream.write_all(&bytes).await.unwrap(),
            Step::WriteAndClose(bytes) => return stream.write_all(&bytes).await.unwrap(),
            Step::Reset => return stream.set_zero_linger().unwrap(),
            Step::WriteEarly(bytes) | Step::Hang(bytes) => {
                stream.write_all(&bytes).await.unwrap();
                return until_gone(&mut stream).await;
            }
            Step::Drip(bytes) => {
                stream.write_all(&bytes).await.unwrap();
                let mut clock = tokio::time::interval(Duration::from_millis(5));
                while stream.write_all(b" ").await.is_ok() {
                    clock.tick().await;
                }
                return;
            }
        }
    }
}

struct Head {
    text: String,
    /// What came with it of the body.
    rest: Vec<u8>,
}

/// The request's head; `None` when the client has gone.
async fn read_head(stream: &mut TcpStream) -> Option<Head> {
    const END: &[u8] = b"\r\n\r\n";
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        if let Some(at) = bytes.windows(END.len()).position(|window| window == END) {
            let rest = bytes.split_off(at + END.len());
            let text = String::from_utf8(bytes).unwrap();
            return Some(Head { text, rest });
        }
    }
}

fn content_length(head: &str) -> usize {
    let lower = head.to_lowercase();
    let length = lower
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    length.map_or(0, |length| length.trim().parse().unwrap())
}

async fn until_gone(stream: &mut TcpStream) {
    let mut rest = vec![0; 16 * 1024];
    while stream.read(&mut rest).await.is_ok_and(|count| count > 0) {}
}
