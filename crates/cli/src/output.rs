//! The only place that prints.
//!
//! Two kinds of output: for people, with colours that vanish when nobody sees them, and for
//! programs, byte for byte as written. What came from outside goes through [`printable`] before a
//! person sees it, so no event can move the cursor or turn text round.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufWriter, IsTerminal as _, Write};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use anyhow::Context as _;
use serde::Serialize;

use crate::failure::Failure;

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const RED: Style = AnsiColor::Red.on_default().bold();
pub(crate) const GREEN: Style = AnsiColor::Green.on_default();
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default();
pub(crate) const MAGENTA: Style = AnsiColor::Magenta.on_default();
pub(crate) const CYAN: Style = AnsiColor::Cyan.on_default();

/// Bytes that are written at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// Standard output, locked and buffered. Dropping it without [`Output::finish`] loses errors.
pub(crate) struct Output {
    writer: BufWriter<Box<dyn Write>>,
}

impl Output {
    /// With colours, if a terminal shows them and `NO_COLOR` does not forbid it.
    pub(crate) fn for_people() -> Self {
        Self::to(Box::new(AutoStream::auto(io::stdout().lock())))
    }

    /// Byte for byte: stripping colours would also strip what is in the data.
    pub(crate) fn for_programs() -> Self {
        Self::to(Box::new(io::stdout().lock()))
    }

    fn to(stdout: Box<dyn Write>) -> Self {
        Self {
            writer: BufWriter::with_capacity(BUFFER_BYTES, stdout),
        }
    }

    /// What `write!` and `writeln!` call.
    pub(crate) fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> Result<(), Failure> {
        written(self.writer.write_fmt(text))
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        written(self.writer.write_all(bytes))
    }

    /// Writes one line of JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        written(serde_json::to_writer(&mut self.writer, value).map_err(io::Error::from))?;
        self.bytes(b"\n")
    }

    /// Lets the reader have everything that was written so far.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        written(self.writer.flush())
    }

    /// Writes the rest.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.flush()
    }
}

fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::ReaderGone),
        result => Ok(result.context("writing the output")?),
    }
}

/// Says on standard error why the command failed.
pub(crate) fn complain(message: &str, help: Option<&str>) {
    let mut stderr = anstream::stderr().lock();
    // When standard error is gone too, nobody is left to tell.
    let _ = writeln!(stderr, "{} {}", painted(RED, "error:"), printable(message));
    if let Some(help) = help {
        let _ = writeln!(stderr, "{} {}", painted(CYAN, "help:"), printable(help));
    }
}

/// Says lines on standard error that are fit to be printed already.
pub(crate) fn tell(lines: &str) {
    // When standard error is gone, nobody is left to tell.
    let _ = writeln!(anstream::stderr().lock(), "{lines}");
}

/// `text` in a style.
pub(crate) fn painted<T: fmt::Display>(style: Style, text: T) -> impl fmt::Display {
    struct Painted<T>(Style, T);
    impl<T: fmt::Display> fmt::Display for Painted<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let Self(style, text) = self;
            write!(f, "{style}{text}{style:#}")
        }
    }
    Painted(style, text)
}

/// `text` with control characters, and marks that change the order of text, as escapes.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unprintable(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Joiners (U+200C, U+200D) are fine: Persian, Indic and emoji spelling needs them.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

/// `1 event`, `2 events`.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// `1,234,567`
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut shown = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Whether there is nothing to count, so that a key may be left out of JSON.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
pub(crate) fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Asks the person at the terminal on standard error; anything but yes means no. `None` when there
/// is nobody to ask.
pub(crate) fn ask(question: &str) -> Result<Option<bool>, Failure> {
    let stdin = io::stdin();
    if !stdin.is_terminal() || !io::stderr().is_terminal() {
        return Ok(None);
    }
    let mut stderr = anstream::stderr().lock();
    let asked = write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush());
    asked.context("asking at the terminal")?;
    let mut answer = String::new();
    stdin
        .read_line(&mut answer)
        .context("reading the answer from the terminal")?;
    let answer = answer.trim().to_ascii_lowercase();
    Ok(Some(answer == "y" || answer == "yes"))
}

/// Says something on standard error that is not part of the output.
pub(crate) fn note(message: &str) {
    // When standard error is gone, nobody is left to tell.
    let _ = writeln!(anstream::stderr().lock(), "{}", printable(message));
}

/// A line on standard error that shows how far a long work has come, when a terminal is there to show it.
pub(crate) struct Progress {
    /// Of how many steps; `None` when nothing is shown.
    steps: Option<usize>,
}

impl Progress {
    /// Of work with so many steps.
    pub(crate) fn of(steps: usize) -> Self {
        let steps = Some(steps).filter(|_| io::stderr().is_terminal());
        Self { steps }
    }

    /// Of work that is too short to show.
    pub(crate) fn hidden() -> Self {
        Self { steps: None }
    }

    /// So many steps are done.
    pub(crate) fn reach(&self, step: usize) {
        if let Some(steps) = self.steps {
            redraw(&format!(
                "{} of {}",
                grouped(step as u64),
                grouped(steps as u64)
            ));
        }
    }

    /// Says something above the line, which comes back with the next step.
    pub(crate) fn note(&self, message: &str) {
        self.finish();
        note(message);
    }

    /// Takes the line away.
    pub(crate) fn finish(&self) {
        if self.steps.is_some() {
            redraw("");
        }
    }
}

/// Writes a text over the line in which the cursor stands. That is no colour, so `NO_COLOR` does not forbid it.
fn redraw(text: &str) {
    let mut stderr = io::stderr().lock();
    // When standard error is gone, nobody is left to tell.
    let _ = write!(stderr, "\r\x1b[K{text}").and_then(|()| stderr.flush());
}

/// A path as one word of a shell.
pub(crate) fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_commands_the_terminal() {
        assert_eq!(printable("order 17, café, 東京"), "order 17, café, 東京");
        assert_eq!(
            printable("\u{1b}[2J\r\n\u{9b}1m\u{202e}\u{7f}"),
            "\\u{1b}[2J\\r\\n\\u{9b}1m\\u{202e}\\u{7f}"
        );
    }

    #[test]
    fn groups_thousands() {
        for (count, expected) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(grouped(count), expected);
        }
    }

    #[test]
    fn counts_like_a_person() {
        assert_eq!(counted(1, "event"), "1 event");
        assert_eq!(counted(0, "event"), "0 events");
    }

    #[test]
    fn a_path_is_one_word_of_a_shell() {
        for (text, expected) in [
            ("./sluice-trial", "./sluice-trial"),
            ("my folder", "'my folder'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(text), expected);
        }
    }
}
