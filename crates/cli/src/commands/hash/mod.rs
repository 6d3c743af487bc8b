//! `sluice hash`: what becomes of single values, for people and for programs.

mod jsonl;

use clap::Args;
use serde::Serialize;
use sluice_event::{Country, Finding, Normalized, Rules, Severity};

use crate::clock::Clock;
use crate::ending::Ending;
use crate::failure::Failure;
use crate::field::Field;
use crate::option_values;
use crate::output::{BOLD, CYAN, DIM, Output, RED, YELLOW, painted, printable};
use crate::value::{Judged, judge};

/// What `sluice hash` takes.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sluice hash em ' John.Smith@Example.com '
  sluice hash phone '030 1234567' --country de
  sluice hash fn 'Mary-Ann' José --variants --json
  sluice hash --jsonl < values.jsonl > hashes.jsonl

With --jsonl, line n of the output answers line n of the input:
  {\"field\":\"ph\",\"value\":\"030 1234567\",\"country\":\"de\"}
  {\"field\":\"ph\",\"normalized\":\"49301234567\",\"sha256\":\"…\"}
A value that is left out has nulls, and a \"finding\" that says why. \"country\" may be missing; other
keys are ignored. Values on the command line end up in the shell's history; those of --jsonl do not.

Exit codes: 0, 1 when a VALUE is left out or a line of --jsonl cannot be understood, 2 for wrong
usage.")]
pub(crate) struct Arguments {
    /// The field: Meta's name (em, ph, fn, …), a common one (email, phone, …), or currency
    #[arg(required_unless_present = "jsonl", conflicts_with = "jsonl")]
    field: Option<String>,
    /// The values, in the clear or hashed before
    #[arg(
        value_name = "VALUE",
        required_unless_present = "jsonl",
        conflicts_with = "jsonl"
    )]
    values: Vec<String>,
    /// The country of phone numbers and postcodes that name none: a code or a name
    #[arg(long, value_parser = option_values::country)]
    country: Option<Country>,
    /// Add the other hashes of values on which Meta's own libraries disagree
    #[arg(long)]
    variants: bool,
    /// Print one JSON object a value
    #[arg(long)]
    json: bool,
    /// Read JSON lines from standard input and answer each with a line
    #[arg(long)]
    jsonl: bool,
}

impl Arguments {
    fn rules(&self) -> Rules {
        Rules {
            default_country: self.country,
            variants: self.variants,
            ..Rules::default()
        }
    }
}

/// Hashes the values of the command line, or those of standard input.
pub(crate) fn run(arguments: &Arguments) -> Result<Ending, Failure> {
    let Some(name) = &arguments.field else {
        return jsonl::run(&arguments.rules());
    };
    // Not asked of clap, which would repeat it: who takes FIELD and VALUE the wrong way round has typed a
    // personal value here.
    let field = Field::parse(name).map_err(|unknown| {
        let help = format!("FIELD comes first, then its values; {}", unknown.help());
        Failure::with_help("FIELD is neither a field of user_data nor currency", help)
    })?;
    of_arguments(field, arguments)
}

fn of_arguments(field: Field, arguments: &Arguments) -> Result<Ending, Failure> {
    let unix_ms = Clock::System.unix_ms();
    let rules = arguments.rules();
    let judged: Vec<_> = arguments
        .values
        .iter()
        .map(|value| judge(field, value, &rules, unix_ms))
        .collect();
    let output = if arguments.json {
        let mut output = Output::for_programs();
        for value in &judged {
            output.json(&Row::new(field, value, &rules))?;
        }
        output
    } else {
        let mut output = Output::for_people();
        let table = Table::of(&judged);
        for value in &judged {
            table.write(value, &mut output)?;
        }
        output
    };
    output.finish()?;
    let is_left_out = |value: &Judged| value.normalized.is_none();
    Ok(Ending::flawed_if(judged.iter().any(is_left_out)))
}

/// The answer about one value, for programs.
#[derive(Serialize)]
struct Row<'a> {
    field: Option<&'a str>,
    normalized: Option<&'a str>,
    sha256: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variants: Option<Vec<VariantRow<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finding: Option<FindingRow<'a>>,
}

#[derive(Serialize)]
struct VariantRow<'a> {
    normalized: &'a str,
    sha256: Option<&'a str>,
}

#[derive(Serialize)]
struct FindingRow<'a> {
    code: &'a str,
    severity: &'a str,
    message: &'a str,
    help: &'a str,
}

impl<'a> Row<'a> {
    fn new(field: Field, judged: &'a Judged, rules: &Rules) -> Self {
        let normalized = judged.normalized.as_ref();
        Self {
            field: Some(field.name()),
            normalized: normalized.map(|normalized| normalized.text.as_str()),
            sha256: normalized.and_then(sha256),
            variants: rules.variants.then(|| {
                let variant = |variant: &'a Normalized| VariantRow {
                    normalized: &variant.text,
                    sha256: sha256(variant),
                };
                judged.variants.iter().map(variant).collect()
            }),
            finding: judged.finding.as_ref().map(FindingRow::new),
        }
    }

    /// An answer to a line that names no value.
    fn refused(field: Option<&'a str>, finding: FindingRow<'a>) -> Self {
        Self {
            field,
            normalized: None,
            sha256: None,
            variants: None,
            finding: Some(finding),
        }
    }
}

impl<'a> FindingRow<'a> {
    fn new(finding: &'a Finding) -> Self {
        Self {
            code: finding.code.name(),
            severity: finding.severity().name(),
            message: &finding.message,
            help: finding.help(),
        }
    }
}

fn sha256(normalized: &Normalized) -> Option<&str> {
    normalized.hash.as_ref().map(sluice_event::Hashed::as_str)
}

/// The answers for people: texts in one column, hashes in the next.
struct Table {
    text_chars: usize,
}

/// Stands where a value was a hash before, or was left out.
const HASHED_BEFORE: &str = "(hashed before)";
const LEFT_OUT: &str = "(left out)";

impl Table {
    /// A wider text pushes its own hash aside, not everyone's.
    const TEXT_CHARS_MAX: usize = 40;

    fn of(judged: &[Judged]) -> Self {
        let texts = judged.iter().flat_map(|value| {
            let variants = value
                .variants
                .iter()
                .map(|variant| printable(&variant.text));
            variants.chain([text(value)])
        });
        let widths = texts.map(|text| text.chars().count());
        Self {
            text_chars: widths
                .filter(|width| *width <= Self::TEXT_CHARS_MAX)
                .max()
                .unwrap_or(0),
        }
    }

    fn write(&self, judged: &Judged, output: &mut Output) -> Result<(), Failure> {
        let text = text(judged);
        match &judged.normalized {
            Some(normalized) => match sha256(normalized) {
                Some(hash) => self.row(&text, hash, "", output)?,
                None => self.row(&text, "", "sent in the clear", output)?,
            },
            None => writeln!(output, "{}", painted(RED, text))?,
        }
        for variant in &judged.variants {
            let hash = sha256(variant).unwrap_or_default();
            self.row(&printable(&variant.text), hash, "  variant", output)?;
        }
        if let Some(finding) = &judged.finding {
            write_finding(finding, output)?;
        }
        Ok(())
    }

    fn row(
        &self,
        text: &str,
        hash: &str,
        remark: &str,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let gap = " ".repeat(self.text_chars.saturating_sub(text.chars().count()) + 2);
        write!(output, "{}{gap}{hash}", painted(BOLD, text))?;
        if !remark.is_empty() {
            write!(output, "{}", painted(DIM, remark))?;
        }
        writeln!(output)
    }
}

fn text(judged: &Judged) -> std::borrow::Cow<'_, str> {
    match &judged.normalized {
        None => LEFT_OUT.into(),
        Some(_) if judged.is_prehashed() => HASHED_BEFORE.into(),
        Some(normalized) => printable(&normalized.text),
    }
}

fn write_finding(finding: &Finding, output: &mut Output) -> Result<(), Failure> {
    let style = match finding.severity() {
        Severity::Error | Severity::Repaired => RED,
        Severity::Warning => YELLOW,
        Severity::Hint => CYAN,
    };
    let code = painted(style, finding.code);
    writeln!(output, "  {code}: {}", printable(&finding.message))?;
    writeln!(output, "  {} {}", painted(CYAN, "help:"), finding.help())
}
