//! Running the binary: one helper for all tests.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

/// A moment 33 seconds after the events of these tests.
pub(crate) const NOW: &str = "1701234600";

/// An event about which there is nothing to say.
pub(crate) const PERFECT: &str = r#"{"event_name":"Lead","event_time":1701234567,"event_id":"lead-1","action_source":"other","user_data":{"em":"john@example.com"}}"#;

/// One that cannot be sent: no name.
pub(crate) const NAMELESS: &str = r#"{"event_time":1701234567,"event_id":"x","action_source":"other","user_data":{"em":"a@b.co"}}"#;

/// What a run left behind.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Standard output as JSON lines.
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// Runs `sluice` with these arguments and this input.
pub(crate) fn sluice(arguments: &[&str], stdin: impl AsRef<[u8]>) -> Run {
    run(&mut command(arguments), stdin.as_ref())
}

/// Runs it with these variables in its environment.
pub(crate) fn sluice_with(
    variables: &[(&str, &str)],
    arguments: &[&str],
    stdin: impl AsRef<[u8]>,
) -> Run {
    let mut command = command(arguments);
    run(command.envs(variables.iter().copied()), stdin.as_ref())
}

/// Runs `sluice` in a folder, with these variables.
pub(crate) fn sluice_in(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Run {
    let mut command = command(arguments);
    let command = command.current_dir(folder).envs(variables.iter().copied());
    run(command, b"")
}

/// Runs `sluice check` at [`NOW`].
pub(crate) fn check(arguments: &[&str], stdin: impl AsRef<[u8]>) -> Run {
    sluice(&[&["check", "--now", NOW], arguments].concat(), stdin)
}

/// Runs it with colours forced on.
pub(crate) fn sluice_in_colour(arguments: &[&str], stdin: &str) -> Run {
    run(
        command(arguments).env("CLICOLOR_FORCE", "1"),
        stdin.as_bytes(),
    )
}

/// Reads one line of the output and closes it, as `head -1` does; the line is the output.
pub(crate) fn sluice_head(arguments: &[&str], stdin: &[u8]) -> Run {
    let mut child = command(arguments).spawn().unwrap();
    let mut line = String::new();
    feed(&mut child, stdin, |child| {
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
    });
    let mut stderr = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut stderr)
        .unwrap();
    Run {
        code: child.wait().unwrap().code(),
        stdout: line,
        stderr,
    }
}

/// The command, to be run.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command
        .args(arguments)
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE")
        .env_remove("META_ACCESS_TOKEN")
        .env_remove("SLUICE_KEY")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(command: &mut Command, stdin: &[u8]) -> Run {
    let mut child = command.spawn().unwrap();
    let mut output = None;
    feed(&mut child, stdin, |child| {
        let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let errors = thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        let mut text = String::new();
        stdout.read_to_string(&mut text).unwrap();
        output = Some((text, errors.join().unwrap()));
    });
    let (stdout, stderr) = output.unwrap();
    let code = child.wait().unwrap().code();
    assert!(!stderr.contains("panicked"), "{stderr}");
    Run {
        code,
        stdout,
        stderr,
    }
}

/// Writes the input while `reads` takes the output, so that neither waits for the other for ever.
fn feed(child: &mut Child, input: &[u8], reads: impl FnOnce(&mut Child)) {
    let mut stdin = child.stdin.take().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            // A command that has seen enough closes its input.
            let _ = stdin.write_all(input);
        });
        reads(child);
    });
}
