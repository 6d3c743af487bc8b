//! The text format of faults: one fault a line.
//!
//! ```text
//! # what           how long or how often, and for whom
//! 500              for 10s
//! html 502         x 20
//! reset            x 5  late            # the events are taken, the answer is lost
//! hang             for 30s on 1234567   # only this dataset
//! slow 2s          p=0.01               # one request in a hundred
//! slow 20us/byte                        # an uplink of 0.4 Mbit/s
//! throttle 80004   for 60s regain 5m
//! ```

#[cfg(test)]
mod tests;

use std::str::FromStr;

use crate::fault::{Effect, Fault, minutes};

/// What is wrong with a fault's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, \"{text}\": {problem}")]
pub struct ScriptError {
    /// The line, from 1.
    pub line: usize,
    /// The fault as it was written.
    pub text: String,
    /// What is wrong with it.
    pub problem: ScriptProblem,
}

/// What may be wrong with a fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptProblem {
    /// No fault is called so.
    #[error(
        "there is no fault \"{0}\"; there are: a status from 400 to 599, html, empty, error, 200-error, \
         reset, hang, slow (or delay), throttle, token-expired, token-revoked, half-body, usage, partial"
    )]
    UnknownFault(String),
    /// No modifier is called so.
    #[error(
        "\"{0}\" says nothing here; after the fault may follow: for 10s, in 5s, x 3, first, late, \
         on <dataset>, over 5000, everywhere, p=0.01, regain 5m"
    )]
    UnknownModifier(String),
    /// Something has to follow a word.
    #[error("after \"{after}\" has to come {expected}, found \"{found}\"")]
    Expected {
        /// The word.
        after: String,
        /// What has to follow.
        expected: &'static str,
        /// What followed; empty for the end of the line.
        found: String,
    },
    /// A modifier that means nothing for this fault.
    #[error("\"{0}\" does not go with this fault")]
    DoesNotFit(&'static str),
    /// A modifier that contradicts, or repeats, one before it.
    #[error("\"{again}\" after \"{said}\" is one too many; leave one of them out")]
    Twice {
        /// The one before.
        said: String,
        /// The one that comes too late.
        again: String,
    },
}

/// Reads a script: one fault a line (or between semicolons); `#` begins a comment.
///
/// ```
/// let faults = sluice_sandbox::parse_script("500 for 10s; reset x 5 late")?;
/// assert_eq!(faults[1].to_string(), "reset x 5 late");
/// # Ok::<(), sluice_sandbox::ScriptError>(())
/// ```
pub fn parse_script(script: &str) -> Result<Vec<Fault>, ScriptError> {
    let mut faults = Vec::new();
    for (number, line) in script.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default();
        for text in line
            .split(';')
            .map(str::trim)
            .filter(|text| !text.is_empty())
        {
            let fault = parse_fault(text).map_err(|problem| ScriptError {
                line: number + 1,
                text: text.to_owned(),
                problem,
            })?;
            faults.push(fault);
        }
    }
    Ok(faults)
}

impl FromStr for Fault {
    type Err = ScriptProblem;
    fn from_str(text: &str) -> Result<Self, ScriptProblem> {
        parse_fault(text)
    }
}

/// The words of a fault, and the last one read.
struct Words<'t> {
    rest: std::iter::Peekable<std::str::SplitWhitespace<'t>>,
    last: &'t str,
}

impl<'t> Words<'t> {
    fn next(&mut self) -> Option<&'t str> {
        self.last = self.rest.next()?;
        Some(self.last)
    }

    /// The next word, read as something.
    fn expect<T>(
        &mut self,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, ScriptProblem> {
        let after = self.last.to_owned();
        let found = self.next().unwrap_or_default();
        read(found).ok_or_else(|| ScriptProblem::Expected {
            after,
            expected,
            found: found.to_owned(),
        })
    }

    fn has_number_next(&mut self) -> bool {
        let next = self.rest.peek();
        next.is_some_and(|word| word.starts_with(|first: char| first.is_ascii_digit()))
    }

    /// The next word if it can be read so; otherwise it stays.
    fn maybe<T>(&mut self, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = self.rest.peek().and_then(|word| read(word))?;
        self.next();
        Some(value)
    }
}

fn parse_fault(text: &str) -> Result<Fault, ScriptProblem> {
    let mut words = Words {
        rest: text.split_whitespace().peekable(),
        last: "",
    };
    let effect = parse_effect(&mut words)?;
    let mut fault = Fault {
        effect,
        on: None,
        over: None,
        everywhere: false,
        late: false,
        in_ms: 0,
        for_ms: None,
        times: None,
        per_million: 1_000_000,
    };
    let mut said: Vec<&str> = Vec::new();
    while let Some(word) = words.next() {
        say_once(&mut said, word)?;
        match word {
            "for" => {
                let length = words.expect("a time such as 10s, longer than 0", |word| {
                    duration_ms(word).filter(|ms| *ms > 0)
                })?;
                fault.for_ms = Some(length);
            }
            "in" => fault.in_ms = words.expect("a time such as 5s", duration_ms)?,
            "x" => fault.times = Some(words.expect("a number from 1", count)?),
            "first" => fault.times = Some(1),
            "on" => {
                fault.on = Some(words.expect("the id of a dataset, which is a number", parse_id)?);
            }
            "over" => fault.over = Some(words.expect("a number of bytes, such as 5000", count)?),
            "late" => fault.late = true,
            "everywhere" => fault.everywhere = true,
            "regain" => match &mut fault.effect {
                Effect::Throttle { regain_min, .. } => {
                    let wait_ms = words.expect("a time such as 5m", duration_ms)?;
                    *regain_min = Some(minutes(wait_ms));
                }
                _ => return Err(ScriptProblem::DoesNotFit("regain")),
            },
            word => modifier(word, &mut fault)?,
        }
    }
    if fault.late && fault.effect.says_itself_when() {
        return Err(ScriptProblem::DoesNotFit("late"));
    }
    Ok(fault)
}

/// Notes a modifier, unless one about the same thing was there before.
fn say_once<'t>(said: &mut Vec<&'t str>, word: &'t str) -> Result<(), ScriptProblem> {
    if let Some(before) = said.iter().find(|before| subject(before) == subject(word)) {
        return Err(ScriptProblem::Twice {
            said: (*before).to_owned(),
            again: word.to_owned(),
        });
    }
    said.push(word);
    Ok(())
}

/// What a modifier is about: of those about the same thing there can be one.
fn subject(word: &str) -> &str {
    match word {
        "first" => "x",
        word if word.starts_with("p=") => "p=",
        word if word.strip_prefix('x').and_then(count).is_some() => "x",
        word => word,
    }
}

/// Modifiers of one word: `x3` and `p=0.01`.
fn modifier(word: &str, fault: &mut Fault) -> Result<(), ScriptProblem> {
    if let Some(times) = word.strip_prefix('x').and_then(count) {
        fault.times = Some(times);
        return Ok(());
    }
    let Some(share) = word.strip_prefix("p=") else {
        return Err(ScriptProblem::UnknownModifier(word.to_owned()));
    };
    let wrong = || ScriptProblem::Expected {
        after: "p=".to_owned(),
        expected: "a number from 0.000001 to 1, such as 0.01",
        found: share.to_owned(),
    };
    let share: f64 = share.parse().map_err(|_| wrong())?;
    // Less would be no request at all: dice are thrown by the million.
    if !(1e-6..=1.0).contains(&share) {
        return Err(wrong());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it lies between 0 and a million"
    )]
    let per_million = (share * 1e6).round() as u32;
    fault.per_million = per_million;
    Ok(())
}

fn parse_effect(words: &mut Words<'_>) -> Result<Effect, ScriptProblem> {
    let word = words.next().unwrap_or_default();
    let status = "a status from 200 to 599";
    Ok(match word {
        "html" => Effect::Html(words.expect(status, any_status)?),
        "empty" => Effect::Empty(words.expect(status, any_status)?),
        "error" => {
            let expected = "a code, or code/subcode";
            let (code, subcode) = words.expect(expected, code_and_subcode)?;
            let stated = words.maybe(|word| (word == "status").then_some(()));
            let status = match stated {
                Some(()) => words.expect(status, any_status)?,
                None if code == 190 => 401,
                None => 400,
            };
            Effect::Error {
                code,
                subcode,
                status,
            }
        }
        "200-error" => Effect::ErrorWith200,
        "reset" => Effect::Reset,
        "hang" => Effect::Hang,
        "slow" | "delay" => words.expect("a time such as 2s, or 20us/byte", slowness)?,
        "throttle" => Effect::Throttle {
            code: if words.has_number_next() {
                words.expect("4, 17, 32, 341, 613 or 80000 to 80014", throttle_code)?
            } else {
                80_004
            },
            regain_min: None,
        },
        "token-expired" => Effect::TokenExpired,
        "token-revoked" => Effect::TokenRevoked,
        "half-body" => Effect::HalfBody,
        "usage" => Effect::Usage {
            percent: words.expect("a number from 0 to 100, such as 80%", percent)?,
        },
        "partial" => Effect::Partial {
            missing: words.expect("a number of events from 1", |word| {
                count(word).and_then(|count| usize::try_from(count).ok())
            })?,
        },
        word => match any_status(word).filter(|status| *status >= 400) {
            Some(status) => Effect::Status(status),
            None => return Err(ScriptProblem::UnknownFault(word.to_owned())),
        },
    })
}

fn any_status(word: &str) -> Option<u16> {
    word.parse()
        .ok()
        .filter(|status| (200..=599).contains(status))
}

fn percent(word: &str) -> Option<u32> {
    let number = word.strip_suffix('%').unwrap_or(word);
    unsigned(number).filter(|percent| *percent <= 100)
}

fn throttle_code(word: &str) -> Option<i64> {
    let code: i64 = word.parse().ok()?;
    (matches!(code, 4 | 17 | 32 | 341 | 613) || (80_000..=80_014).contains(&code)).then_some(code)
}

fn code_and_subcode(word: &str) -> Option<(i64, Option<i64>)> {
    match word.split_once('/') {
        Some((code, subcode)) => Some((code.parse().ok()?, Some(subcode.parse().ok()?))),
        None => Some((word.parse().ok()?, None)),
    }
}

/// A number from 1; no sign.
fn count(word: &str) -> Option<u64> {
    unsigned(word).filter(|count| *count > 0)
}

/// Digits alone; `parse` would take a sign too.
fn unsigned<T: FromStr>(word: &str) -> Option<T> {
    let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
    word.parse().ok().filter(|_| is_number)
}

/// Reads the id of a dataset, a business or another object of Meta's: digits, as they stand in a path, so
/// no sign, and no zero before the number.
pub fn parse_id(word: &str) -> Option<String> {
    let is_number = unsigned::<u64>(word).is_some();
    (is_number && !word.starts_with('0')).then(|| word.to_owned())
}

/// `250ms`, `10s`, `5m` or `1h`; at most a year.
fn duration_ms(word: &str) -> Option<i64> {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = word.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let ms = number.parse::<i64>().ok()?.checked_mul(unit_ms)?;
    (ms <= 366 * 86_400_000).then_some(ms)
}

/// A time for each request, or `20us/byte`: at most a second for each byte of it.
fn slowness(word: &str) -> Option<Effect> {
    if let Some(number) = word.strip_suffix("us/byte") {
        let by_us = count(number).filter(|by_us| *by_us <= 1_000_000)?;
        return Some(Effect::SlowPerByte { by_us });
    }
    let by_ms = duration_ms(word)?.unsigned_abs();
    Some(Effect::Slow { by_ms })
}
