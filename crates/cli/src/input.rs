//! A body of events: from a file or standard input, all of it, within a limit.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::Path;

use anyhow::Context as _;

use crate::failure::{self, Failure};

/// The largest body that is read. Everything is kept in memory, because a report on the first event
/// of an array is worth little when the array turns out to end in the middle.
const BODY_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A body and where it came from.
pub(crate) struct Input {
    /// For people: the file as it was named, or `stdin`.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl Input {
    /// Reads the file, or standard input if it is `-`, or missing and somebody pipes.
    /// `command` is what to name in an example.
    pub(crate) fn read(file: Option<&Path>, command: &str) -> Result<Self, Failure> {
        let stdin = io::stdin();
        match file {
            None if stdin.is_terminal() => Err(Failure::with_help(
                "no FILE was named, and nothing is piped into standard input",
                format!(
                    "name a file, as in `{command} events.json`, or pipe one in; `-` reads what you type"
                ),
            )),
            Some(path) if path != Path::new("-") => Self::file(path),
            _ => {
                let bytes = limited(stdin.lock(), "standard input", BODY_BYTES_MAX)?;
                let name = "stdin".to_owned();
                Ok(Self { name, bytes })
            }
        }
    }

    fn file(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|error| {
            let help = (error.kind() == io::ErrorKind::NotFound).then(|| {
                let place = failure::where_looked_for(path);
                format!("{place}; name another file, or `-` to read standard input")
            });
            let error = anyhow::Error::new(error).context(format!("opening {name}"));
            Failure::Told { error, help }
        })?;
        let bytes = limited(file, &name, BODY_BYTES_MAX)?;
        Ok(Self { name, bytes })
    }
}

fn limited(source: impl Read, name: &str, bytes_max: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    source
        .take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("reading {name}"))?;
    if bytes.len() as u64 > bytes_max {
        return Err(Failure::with_help(
            format!("{name} is larger than {} MiB", bytes_max >> 20),
            "write one event a line (NDJSON) and take it in pieces, for example after `split -l 100000`",
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_beyond_the_limit_is_refused() {
        let limit = 2 << 20;
        let whole = limited(io::repeat(b' ').take(limit), "stdin", limit);
        assert_eq!(whole.ok().map(|bytes| bytes.len() as u64), Some(limit));
        let Err(Failure::Told { error, help }) = limited(io::repeat(b' '), "stdin", limit) else {
            panic!("an endless body was read");
        };
        assert_eq!(error.to_string(), "stdin is larger than 2 MiB");
        assert!(help.is_some());
    }
}
