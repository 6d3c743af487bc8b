//! Asking a running gateway, by the socket in its journal's folder.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::wire::{Refusal, Reply, Request};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No gateway has the socket.
    #[error("no gateway runs with the journal in {}", .0.display())]
    NoGateway(PathBuf),
    /// The gateway is another user's.
    #[error("the gateway with the journal in {} belongs to another user", .0.display())]
    NotAllowed(PathBuf),
    /// No socket can have this path.
    #[error("the path of {} is too long for a socket, so the gateway has none", .0.display())]
    TooLong(PathBuf),
    /// The gateway did not do it.
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// This system has no such sockets.
    #[error("this system has no Unix sockets, by which commands reach a gateway")]
    Unsupported,
    /// The connection broke, or what came is no answer.
    #[error("the gateway did not answer: {0}")]
    Broken(String),
}

impl AskError {
    /// What would help.
    pub fn help(&self) -> String {
        match self {
            AskError::NoGateway(_) => {
                "start it with `sluice serve`, or name the journal of one that runs with --journal DIR"
                    .to_owned()
            }
            AskError::NotAllowed(_) => "run the command as the user of the gateway".to_owned(),
            AskError::TooLong(_) => {
                "give the journal a shorter path: journal.path of the configuration".to_owned()
            }
            AskError::Refused(refusal) => refusal.help.clone(),
            AskError::Unsupported => "use signals and the configuration instead".to_owned(),
            AskError::Broken(_) => "see the gateway's log, and try again".to_owned(),
        }
    }
}

/// Asks the gateway whose journal is in this folder, and waits for the answer.
///
/// # Errors
///
/// There is no gateway, or it did not do what was asked for.
pub fn ask<T: DeserializeOwned>(folder: &Path, request: Request) -> Result<T, AskError> {
    let line = stream::exchange(folder, request)?;
    if line.is_empty() {
        return Err(AskError::Broken("it ended meanwhile".to_owned()));
    }
    let reply = serde_json::from_slice(&line);
    match reply.map_err(|error| AskError::Broken(error.to_string()))? {
        Reply::Done(done) => Ok(done),
        Reply::Refused(refusal) => Err(AskError::Refused(refusal)),
    }
}

#[cfg(unix)]
mod stream {
    use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
    use std::os::unix::net::{SocketAddr, UnixStream};
    use std::path::Path;
    use std::time::Duration;

    use super::super::wire::{ANSWER_BYTES_MAX, Asked, Request, VERSION, socket};
    use super::AskError;

    /// How long an answer may take. A reload reads every secret again.
    const PATIENCE: Duration = Duration::from_mins(2);

    /// Sends the line of a request, and returns that of the answer; an empty one if the gateway ends.
    pub(super) fn exchange(folder: &Path, request: Request) -> Result<Vec<u8>, AskError> {
        let stream = connect(folder)?;
        talk(&stream, request).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                AskError::Broken("it took too long".to_owned())
            }
            _ => AskError::Broken(error.to_string()),
        })
    }

    fn connect(folder: &Path) -> Result<UnixStream, AskError> {
        let path = socket(folder);
        if SocketAddr::from_pathname(&path).is_err() {
            return Err(AskError::TooLong(path));
        }
        UnixStream::connect(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::ConnectionRefused => {
                AskError::NoGateway(folder.to_owned())
            }
            ErrorKind::PermissionDenied => AskError::NotAllowed(folder.to_owned()),
            _ => AskError::Broken(format!("{}: {error}", path.display())),
        })
    }

    fn talk(mut stream: &UnixStream, request: Request) -> io::Result<Vec<u8>> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let asked = Asked {
            version: VERSION,
            request,
        };
        let mut line = serde_json::to_vec(&asked)?;
        line.push(b'\n');
        stream.write_all(&line)?;
        line.clear();
        BufReader::new(stream.take(ANSWER_BYTES_MAX)).read_until(b'\n', &mut line)?;
        Ok(line)
    }
}

#[cfg(not(unix))]
mod stream {
    use std::path::Path;

    use super::super::wire::Request;
    use super::AskError;

    pub(super) fn exchange(_: &Path, _: Request) -> Result<Vec<u8>, AskError> {
        Err(AskError::Unsupported)
    }
}
