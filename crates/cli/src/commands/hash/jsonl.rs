//! `sluice hash --jsonl`: one answer a line, in order, in bounded memory.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader};

use anyhow::Context as _;
use sluice_event::json::{Kind, Raw};
use sluice_event::{Code, Country, Finding, Path, Rules, batch};

use super::{FindingRow, Row};
use crate::clock::Clock;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::field::Field;
use crate::output::Output;
use crate::value::judge;

/// The longest line that is read; longer ones are answered without being kept.
const LINE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that are read at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// Answers every line of standard input.
pub(super) fn run(rules: &Rules) -> Result<Ending, Failure> {
    let mut input = BufReader::with_capacity(BUFFER_BYTES, io::stdin().lock());
    let mut output = Output::for_programs();
    let mut line = Vec::new();
    let mut is_flawed = false;
    loop {
        // Before waiting for more, let a program that waits for our answer have it.
        if input.buffer().is_empty() {
            output.flush()?;
        }
        let answered = match next_line(&mut input, &mut line).context("reading standard input")? {
            Line::End => break,
            Line::TooLong => refuse(&Refusal::TooLong, &mut output)?,
            Line::Whole => answer(&batch::text_of(&line), rules, &mut output)?,
        };
        is_flawed |= answered == Answered::Refused;
    }
    output.finish()?;
    Ok(Ending::flawed_if(is_flawed))
}

enum Line {
    /// The line is in the buffer, without its end.
    Whole,
    /// The line was longer than [`LINE_BYTES_MAX`] and is gone.
    TooLong,
    /// There are no more lines.
    End,
}

/// Reads the next line into `line`, whose memory is used again.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    let mut is_started = false;
    let mut is_too_long = false;
    loop {
        let bytes = match input.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if bytes.is_empty() && !is_started {
            return Ok(Line::End);
        }
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let part = &bytes[..end.unwrap_or(bytes.len())];
        is_too_long |= line.len() + part.len() > LINE_BYTES_MAX;
        if is_too_long {
            line.clear();
        } else {
            line.extend_from_slice(part);
        }
        let is_ended = end.is_some() || bytes.is_empty();
        let used = part.len() + usize::from(end.is_some());
        input.consume(used);
        is_started = true;
        if is_ended {
            return Ok(if is_too_long {
                Line::TooLong
            } else {
                Line::Whole
            });
        }
    }
}

#[derive(PartialEq, Eq)]
enum Answered {
    Understood,
    Refused,
}

/// Why a line was not understood.
enum Refusal<'a> {
    TooLong,
    NotJson(String),
    NoField,
    UnknownField { name: Cow<'a, str>, help: String },
}

fn answer(line: &str, rules: &Rules, output: &mut Output) -> Result<Answered, Failure> {
    let request = match Request::read(line) {
        Ok(request) => request,
        Err(refusal) => return refuse(&refusal, output),
    };
    let value = match request.value.map(|raw| (raw.kind(), raw)) {
        None | Some((Kind::Null, _)) => Cow::Borrowed(""),
        Some((Kind::Text, raw)) => raw.as_text().unwrap_or_default(),
        Some((Kind::Number, raw)) => Cow::Borrowed(raw.text()),
        Some((kind, _)) => {
            let finding = Finding {
                code: Code::ValueType,
                path: Path::root(),
                message: format!("expected a string or a number, found {kind}; left out"),
            };
            let name = Some(request.field.name());
            output.json(&Row::refused(name, FindingRow::new(&finding)))?;
            return Ok(Answered::Understood);
        }
    };
    let country = request
        .country
        .as_deref()
        .filter(|country| !country.trim().is_empty())
        .map(Country::parse);
    let rules = Rules {
        default_country: country.flatten().or(rules.default_country),
        ..*rules
    };
    let mut judged = judge(request.field, &value, &rules, Clock::System.unix_ms());
    if country == Some(None) && judged.finding.is_none() {
        judged.finding = Some(Finding {
            code: Code::CountryUnknown,
            path: Path::root(),
            message: "the line's country is unknown and was not used".to_owned(),
        });
    }
    output.json(&Row::new(request.field, &judged, &rules))?;
    Ok(Answered::Understood)
}

fn refuse(refusal: &Refusal<'_>, output: &mut Output) -> Result<Answered, Failure> {
    let (field, code, message, help) = match refusal {
        Refusal::TooLong => {
            let message = format!("the line is longer than {LINE_BYTES_MAX} bytes");
            (
                None,
                "line_too_long",
                message,
                "a value has at most a few hundred bytes",
            )
        }
        Refusal::NotJson(message) => {
            let help = r#"send one JSON object a line, such as {"field":"em","value":"…"}"#;
            (None, "json_invalid", message.clone(), help)
        }
        Refusal::NoField => {
            let message = r#"the line has no "field", or it is no string"#.to_owned();
            let help = r#"add "field" with Meta's name of the field, such as em or ph"#;
            (None, "field_unknown", message, help)
        }
        Refusal::UnknownField { name, help } => {
            let message = "no such field".to_owned();
            (Some(&**name), "field_unknown", message, help.as_str())
        }
    };
    let finding = FindingRow {
        code,
        severity: "error",
        message: &message,
        help,
    };
    output.json(&Row::refused(field, finding))?;
    Ok(Answered::Refused)
}

/// What a line asks. Of a key that is repeated, the last counts.
struct Request<'a> {
    field: Field,
    value: Option<Raw<'a>>,
    country: Option<Cow<'a, str>>,
}

impl<'a> Request<'a> {
    fn read(line: &'a str) -> Result<Self, Refusal<'a>> {
        let raw = Raw::parse(line).map_err(|error| {
            let (_, column) = error.line_column(line);
            Refusal::NotJson(format!("column {column}: expected {}", error.expected()))
        })?;
        if raw.kind() != Kind::Object {
            let message = format!("expected an object, found {}", raw.kind());
            return Err(Refusal::NotJson(message));
        }
        let (mut field, mut value, mut country) = (None, None, None);
        for (key, member) in raw.members() {
            match &*key {
                "field" => field = Some(member),
                "value" => value = Some(member),
                "country" => country = Some(member),
                _ => {}
            }
        }
        let name = field.and_then(Raw::as_text).ok_or(Refusal::NoField)?;
        let field = match Field::parse(&name) {
            Ok(field) => field,
            Err(unknown) => {
                let help = unknown.help();
                return Err(Refusal::UnknownField { name, help });
            }
        };
        Ok(Self {
            field,
            value,
            country: country.and_then(Raw::as_text),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8]) -> Vec<Option<usize>> {
        // A tiny buffer, so that lines are put together from many pieces.
        let mut input = BufReader::with_capacity(7, input);
        let mut line = Vec::new();
        let mut lengths = Vec::new();
        loop {
            match next_line(&mut input, &mut line).unwrap() {
                Line::End => return lengths,
                Line::Whole => lengths.push(Some(line.len())),
                Line::TooLong => lengths.push(None),
            }
        }
    }

    #[test]
    fn every_line_counts_and_the_last_needs_no_end() {
        assert_eq!(lines(b""), []);
        assert_eq!(lines(b"\n"), [Some(0)]);
        assert_eq!(
            lines(b"a\n\nlonger than a buffer"),
            [Some(1), Some(0), Some(20)]
        );
        assert_eq!(lines(b"exactly7\n"), [Some(8)]);
    }

    #[test]
    fn a_line_beyond_the_limit_is_not_kept() {
        let mut input = vec![b'x'; LINE_BYTES_MAX];
        input.extend_from_slice(b"\n");
        input.extend(vec![b'x'; LINE_BYTES_MAX + 1]);
        input.extend_from_slice(b"\nok");
        assert_eq!(lines(&input), [Some(LINE_BYTES_MAX), None, Some(2)]);
    }
}
