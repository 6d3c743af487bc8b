//! What a command prints: how it is started, waited for, and ended when it takes too long.
//!
//! Nothing here waits for a pipe. A command may leave a child behind that holds its output open, an
//! agent for one, and the secret is there nevertheless.

use std::io::{self, ErrorKind, Read as _};
use std::mem;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::io::ioctl_fionbio;
use rustix::process::{Pid, Signal, kill_process_group};
use zeroize::Zeroizing;

use super::last_words::LastWords;
use super::pauses::Pauses;
use super::secret_error::SecretError;
use super::secret_file::{fill, room};

/// How long the output of a command that has ended is waited for. What it has printed itself is there
/// by then; a part of it that ends later, such as a filter behind a shell's `>( )`, prints at once.
const MOMENT: Duration = Duration::from_secs(1);

/// Bytes of the end of a command's standard error that are kept.
const ERRORS_BYTES: usize = 4 * 1024;

/// Reads of its standard error at a time: a command that never stops talking must not keep the reader.
const ERRORS_READS: usize = 64;

/// What a command prints on its standard output. Of what it says on its standard error, the last line is shown
/// when it fails, without what may be the secret.
pub(super) fn printed(
    words: &[String],
    timeout: Duration,
) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    Running::start(words)?.printed(timeout)
}

/// A command that was started. It is ended with everything that it has started, unless it ended by
/// itself.
struct Running {
    child: Child,
    has_ended: bool,
    /// `None` when nothing more is to be read.
    pipe: Option<ChildStdout>,
    bytes: Zeroizing<Vec<u8>>,
    errors: Option<ChildStderr>,
    /// The end of what it said there.
    said: Zeroizing<Vec<u8>>,
}

impl Running {
    fn start(words: &[String]) -> Result<Self, SecretError> {
        let (program, arguments) = words.split_first().ok_or(SecretError::Empty)?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Of its own, so that what it starts can be ended with it.
            .process_group(0)
            .spawn()
            .map_err(SecretError::Run)?;
        let (pipe, errors) = (child.stdout.take(), child.stderr.take());
        let running = Self {
            child,
            has_ended: false,
            pipe,
            bytes: room(),
            errors,
            said: Zeroizing::new(Vec::with_capacity(2 * ERRORS_BYTES)),
        };
        let failed = |error: rustix::io::Errno| SecretError::Read(error.into());
        if let Some(pipe) = &running.pipe {
            ioctl_fionbio(pipe, true).map_err(failed)?;
        }
        if let Some(errors) = &running.errors {
            ioctl_fionbio(errors, true).map_err(failed)?;
        }
        Ok(running)
    }

    fn printed(mut self, timeout: Duration) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let status = self.ended(timeout)?;
        if !status.success() {
            let said = LastWords::of(&self.said, &self.bytes);
            return Err(SecretError::Failed { status, said });
        }
        let mut moment = Pauses::of(MOMENT);
        while self.pipe.is_some() && moment.pause() {
            self.read().map_err(SecretError::Read)?;
        }
        Ok(mem::take(&mut self.bytes))
    }

    /// Reads until the command has ended, and then what it has printed.
    fn ended(&mut self, timeout: Duration) -> Result<ExitStatus, SecretError> {
        let mut pauses = Pauses::of(timeout);
        loop {
            let status = self.child.try_wait().map_err(SecretError::Run)?;
            self.has_ended = status.is_some();
            self.read().map_err(SecretError::Read)?;
            self.listen();
            if let Some(status) = status {
                return Ok(status);
            }
            if !pauses.pause() {
                return Err(SecretError::Timeout);
            }
        }
    }

    /// Keeps the end of what is said on the standard error. It only explains a failure, so an error of reading it
    /// is none.
    fn listen(&mut self) {
        let Some(errors) = &mut self.errors else {
            return;
        };
        let mut piece = Zeroizing::new([0; 1024]);
        for _ in 0..ERRORS_READS {
            let Ok(count @ 1..) = errors.read(&mut *piece) else {
                return;
            };
            self.said.extend_from_slice(&piece[..count]);
            let too_many = self.said.len().saturating_sub(ERRORS_BYTES);
            self.said.drain(..too_many);
        }
    }

    /// Reads what is there. The pipe is closed at its end, and when more comes than a secret may have.
    fn read(&mut self) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else {
            return Ok(());
        };
        match fill(&mut self.bytes, pipe) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            read => {
                self.pipe = None;
                read
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        // It was not waited for, so its process id is still its own. Whatever of the group has ended by
        // itself just now needs no signal.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        // It may have left the group.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::{BufRead as _, BufReader};
    use std::sync::mpsc;
    use std::thread;

    use super::super::secret_error::SECRET_COMMAND_TIMEOUT;
    use super::*;

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[test]
    fn a_command_that_takes_too_long_ends_with_what_it_has_started() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        // The child of the shell holds the other end of the FIFO, and its output.
        let script = format!(
            "(echo started; exec sleep 1000) | tee {} & wait",
            fifo.display()
        );
        let running = Running::start(&shell(&script)).unwrap();
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(File::open(fifo).unwrap()).lines() {
                sender.send(line.unwrap()).unwrap();
            }
        });
        let patience = Duration::from_secs(30);
        assert_eq!(lines.recv_timeout(patience).unwrap(), "started");
        let printed = running.printed(Duration::ZERO);
        assert!(matches!(printed, Err(SecretError::Timeout)));
        // The FIFO ends with the last process that holds it.
        let end = lines.recv_timeout(patience);
        assert_eq!(end, Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[test]
    fn a_command_that_left_a_child_behind_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let script = format!("echo EAAB; sleep 1000 & echo $! > {}", pid.display());
        let printed = printed(&shell(&script), SECRET_COMMAND_TIMEOUT);
        assert_eq!(printed.unwrap().as_slice(), b"EAAB\n");
        // It lives on: it may be what the command is for.
        let pid = fs::read_to_string(pid).unwrap();
        let killed = Command::new("kill").arg(pid.trim()).status().unwrap();
        assert!(killed.success());
    }

    #[test]
    fn what_a_part_of_a_command_prints_after_its_end_is_read() {
        let script = "(sleep 0.1; echo EAAB) &";
        let printed = printed(&shell(script), SECRET_COMMAND_TIMEOUT);
        assert_eq!(printed.unwrap().as_slice(), b"EAAB\n");
    }
}
