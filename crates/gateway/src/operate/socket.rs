//! The socket in the journal's folder, by which commands on this machine reach the gateway: for its user alone, one
//! request a connection.

use std::fs::{self, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{SocketAddr, UnixStream as Connection};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::geteuid;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::control::wire::{
    Asked, AskedVersion, REQUEST_BYTES_MAX, Refusal, Reply, Request, VERSION, socket,
};
use crate::control::{Answer, Control};

/// Its user may use it, and no other.
const PRIVATE: u32 = 0o600;

/// Requests that are answered at the same time; further ones wait.
const CONNECTIONS_MAX: usize = 16;

/// Connections that wait to be taken.
const BACKLOG: u32 = 16;

/// How long a request may take to come, and an answer to be read.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long no connection is taken after that has failed, for want of descriptors perhaps.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Why there is no socket. The gateway runs without one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SocketError {
    /// No socket can have the path.
    #[error("the path of {} is too long for a socket", .0.display())]
    TooLong(PathBuf),
    /// Something is in its place that the gateway has not made.
    #[error("{} is {what}: it is left as it is", .path.display())]
    Foreign {
        /// Where.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The system said no.
    #[error("{}: {error}", .path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
}

impl SocketError {
    /// What would help.
    pub(crate) fn help(&self) -> &'static str {
        match self {
            SocketError::TooLong(_) => "give the journal a shorter path",
            SocketError::Foreign { .. } => "remove it, and start the gateway again",
            SocketError::Io { .. } => "let the gateway write to the journal's folder",
        }
    }
}

/// The socket; its file is removed with it.
pub(crate) struct Socket {
    listener: UnixListener,
    file: SocketFile,
}

/// The file of the socket.
struct SocketFile {
    path: PathBuf,
    /// Device and inode: another gateway's is not removed.
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let found = fs::symlink_metadata(&self.path);
        if found.is_ok_and(|found| identity(&found) == self.identity) {
            // When it cannot be removed, the next start does so.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

impl Socket {
    /// Makes the socket of a journal that this process holds.
    pub(crate) fn open(folder: &Path) -> Result<Self, SocketError> {
        let path = socket(folder);
        let failed = |error| SocketError::Io {
            path: path.clone(),
            error,
        };
        if SocketAddr::from_pathname(&path).is_err() {
            return Err(SocketError::TooLong(path));
        }
        make_room(&path)?;
        let unbound = UnixSocket::new_stream().map_err(failed)?;
        unbound.bind(&path).map_err(failed)?;
        // Nobody can connect before it listens.
        fs::set_permissions(&path, Permissions::from_mode(PRIVATE)).map_err(failed)?;
        let made = fs::symlink_metadata(&path).map_err(failed)?;
        let file = SocketFile {
            path: path.clone(),
            identity: identity(&made),
        };
        let listener = unbound.listen(BACKLOG).map_err(failed)?;
        Ok(Self { listener, file })
    }

    /// Answers until it is stopped; then the file is gone.
    pub(crate) async fn serve(self, control: Arc<dyn Control>, stop: CancellationToken) {
        let Self {
            listener,
            file: _file,
        } = self;
        let mut running = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(_) = running.join_next() => {}
                accepted = listener.accept(), if running.len() < CONNECTIONS_MAX => match accepted {
                    Ok((stream, _)) if is_ours(&stream) => {
                        let control = Arc::clone(&control);
                        running.spawn(async move { answer_one(stream, &*control).await });
                    }
                    Ok(_) => {}
                    Err(_) => sleep(ACCEPT_PAUSE).await,
                },
            }
        }
    }
}

/// Removes the socket that a process left that died. Nothing else is removed.
fn make_room(path: &Path) -> Result<(), SocketError> {
    let failed = |error| SocketError::Io {
        path: path.to_owned(),
        error,
    };
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let foreign = |what| SocketError::Foreign {
        path: path.to_owned(),
        what,
    };
    if found.is_symlink() {
        return Err(foreign("a symbolic link"));
    }
    if !found.file_type().is_socket() {
        return Err(foreign("no socket"));
    }
    if found.uid() != geteuid().as_raw() {
        return Err(foreign("another user's socket"));
    }
    match Connection::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)
        }
        _ => Err(foreign("the socket of a process that runs")),
    }
}

/// Whether the other side is of the gateway's user, or root.
fn is_ours(stream: &UnixStream) -> bool {
    let peer = stream.peer_cred();
    peer.is_ok_and(|peer| peer.uid() == geteuid().as_raw() || peer.uid() == 0)
}

/// Reads one request and answers it. Who goes away is not told.
async fn answer_one(mut stream: UnixStream, control: &dyn Control) {
    let mut line = Vec::new();
    let mut reader = BufReader::new((&mut stream).take(REQUEST_BYTES_MAX));
    let read = timeout(PATIENCE, reader.read_until(b'\n', &mut line)).await;
    if !matches!(read, Ok(Ok(_))) {
        return;
    }
    let mut answer = answer_to(&line, control).await;
    answer.push(b'\n');
    let _written = timeout(PATIENCE, stream.write_all(&answer)).await;
}

/// The answer to a line.
async fn answer_to(line: &[u8], control: &dyn Control) -> Vec<u8> {
    let is_whole = line.ends_with(b"\n");
    let version = serde_json::from_slice::<AskedVersion>(line).map(|asked| asked.version);
    if is_whole && version.as_ref().is_ok_and(|version| *version != VERSION) {
        return refused(
            "version_unknown",
            "the command speaks another version than the gateway",
            "use the `sluice` that the gateway was started with",
        );
    }
    match serde_json::from_slice::<Asked>(line) {
        Ok(asked) if is_whole => act(asked.request, control).await,
        _ => refused(
            "request_invalid",
            "the gateway does not understand what the command asks for",
            "use the `sluice` that the gateway was started with",
        ),
    }
}

async fn act(request: Request, control: &dyn Control) -> Vec<u8> {
    match request {
        Request::Lanes => replied(control.lanes()).await,
        Request::Pause { lanes, note } => replied(control.pause(lanes, note)).await,
        Request::Resume { lanes } => replied(control.resume(lanes)).await,
        Request::Probe { lanes } => replied(control.probe(lanes)).await,
        Request::Reload => replied(control.reload()).await,
        Request::StartTest {
            dataset,
            code,
            seconds,
        } => {
            let length = Duration::from_secs(seconds);
            replied(control.start_test(dataset, code, length)).await
        }
        Request::EndTest { dataset } => replied(control.end_test(dataset)).await,
        Request::Tests => replied(control.tests()).await,
    }
}

async fn replied<T: Serialize>(answer: Answer<'_, T>) -> Vec<u8> {
    match answer.await {
        Ok(done) => written(&Reply::Done(done)),
        Err(error) => refused(error.code(), &error.to_string(), &error.help()),
    }
}

fn refused(code: &str, message: &str, help: &str) -> Vec<u8> {
    written(&Reply::<()>::Refused(Refusal {
        code: code.to_owned(),
        message: message.to_owned(),
        help: help.to_owned(),
    }))
}

fn written<T: Serialize>(reply: &Reply<T>) -> Vec<u8> {
    serde_json::to_vec(reply).unwrap_or_default()
}
