//! `st`: regions.
//!
//! US states and Canadian provinces become their two-letter codes; another region keeps its name and is
//! never cut. Shop systems store codes instead of names: those of ISO 3166-2, with the country before
//! them or without, some of which are the figures of licence plates (`TR34`). The country says nothing
//! about the region, so it goes; figures say nothing without the country, so a code with figures is
//! left out.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{Country, place, text};
use crate::code::Code;

/// Folded name, country, code; written by `scripts/tables/states.py`.
const TABLE: &str = include_str!("tables/states.tsv");

struct State {
    country: Country,
    code: &'static str,
}

static STATES: LazyLock<HashMap<&'static str, State>> = LazyLock::new(|| {
    TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut columns = line.split('\t');
            let name = columns.next()?;
            let country = Country::parse(columns.next()?)?;
            let code = columns.next()?;
            Some((name, State { country, code }))
        })
        .collect()
});

/// Countries with a region that has the country's own code (ISO 3166-2).
const SAME_CODE: [&str; 5] = ["dj", "lu", "mc", "so", "sv"];

/// Letters that are an article as well as a country's code: `LA-PAZ`, `AL-ULA`.
const ARTICLES: [&str; 6] = ["ad", "al", "an", "as", "el", "la"];

/// The characters of a code without its country.
const CODE_CHARS_MAX: usize = 3;

pub(super) fn normalize(
    value: &str,
    country: Option<Country>,
    out: &mut String,
) -> Result<(), Code> {
    let is_there = |state: &&State| country.is_none_or(|country| country == state.country);
    if let Some(state) = coded_state(value).filter(is_there) {
        out.push_str(state.code);
        return Ok(());
    }
    let value = match Written::of(value, country) {
        Written::Name(name) => name,
        Written::Code(code) => {
            out.push_str(&code.to_ascii_lowercase());
            return Ok(());
        }
        Written::Nothing => return Err(Code::PlaceInvalid),
    };
    place::city(value, out)?;
    if out.len() == 2 {
        let is_country = country.is_some_and(|country| country.code() == *out);
        if is_country && !SAME_CODE.contains(&out.as_str()) {
            out.clear();
            return Err(Code::PlaceInvalid);
        }
        return Ok(());
    }
    if let Some(state) = STATES.get(&*text::fold(value)).filter(is_there) {
        out.clear();
        out.push_str(state.code);
    }
    Ok(())
}

/// How a region is written.
enum Written<'v> {
    Name(&'v str),
    /// A code of letters.
    Code(&'v str),
    /// A code with figures in it, or of another country than the person's: it says nothing of where they are.
    Nothing,
}

impl<'v> Written<'v> {
    fn of(value: &'v str, country: Option<Country>) -> Self {
        let is_code = |text: &str| {
            (1..=CODE_CHARS_MAX).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        let has_figure = |text: &str| text.bytes().any(|byte| byte.is_ascii_digit());
        let Some((prefix, separator, rest)) = behind_country(value) else {
            return if has_figure(value) && is_bare_code(value) {
                Written::Nothing
            } else {
                Written::Name(value)
            };
        };
        let lower = prefix.to_ascii_lowercase();
        let of_prefix = Country::parse(prefix);
        let is_own = country.is_some() && country == of_prefix;
        let is_clear = separator == "-" && !ARTICLES.contains(&lower.as_str());
        let is_other = country.is_some() && !is_own && is_clear;
        if let Some(name) = behind_code(rest).filter(|_| is_own || is_clear) {
            return if is_other {
                Written::Nothing
            } else {
                Written::Name(name)
            };
        }
        let is_state =
            || (STATES.get(&*text::fold(rest))).is_some_and(|it| Some(it.country) == of_prefix);
        if is_other && (is_code(rest) && is_of_one_case(prefix, rest) || is_state()) {
            return Written::Nothing;
        }
        if has_figure(rest) {
            return if is_code(rest) {
                Written::Nothing
            } else {
                Written::Name(value)
            };
        }
        if separator == "-"
            && let Some(code) = iso_state(prefix, rest)
        {
            return Written::Code(code);
        }
        match country {
            _ if is_own && is_code(rest) => Written::Code(rest),
            // `DE-Bayern`; without a hyphen the letters may be a word of the name.
            Some(_) if is_own && is_clear => Written::Name(rest),
            None if is_clear && is_code(rest) => Written::Code(rest),
            _ => Written::Name(value),
        }
    }
}

/// Whether the two parts of a code are written alike: `CH-ZH`, but not `At-Tur`, which is a name.
fn is_of_one_case(prefix: &str, code: &str) -> bool {
    let both = || prefix.bytes().chain(code.bytes());
    !both().any(|byte| byte.is_ascii_lowercase()) || !both().any(|byte| byte.is_ascii_uppercase())
}

/// The name behind a code, which stands behind its country: `34 İstanbul`, `BY Bayern`. Letters are a code if they
/// are capitals and not all of the name is.
fn behind_code(rest: &str) -> Option<&str> {
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric())?;
    let (code, name) = rest.split_at(end);
    let name = name.trim_start_matches(|c: char| c.is_ascii_punctuation() || c.is_whitespace());
    let has_figure = code.bytes().any(|byte| byte.is_ascii_digit());
    let is_code = (1..=CODE_CHARS_MAX).contains(&code.len())
        && !code.bytes().any(|byte| byte.is_ascii_lowercase())
        && (has_figure || name.contains(char::is_lowercase));
    let is_name = name.chars().filter(|c| c.is_alphabetic()).count() > CODE_CHARS_MAX;
    (is_code && is_name).then_some(name)
}

/// The state whose code stands before its name: `CA - California`.
fn coded_state(value: &str) -> Option<&'static State> {
    let (code, name) = value.split_once(['-', ':', ',', '\u{2013}'])?;
    let state = STATES.get(&*text::fold(name.trim()))?;
    state
        .code
        .eq_ignore_ascii_case(code.trim())
        .then_some(state)
}

/// Whether a value is a code without a country, but for punctuation: at most three letters beside figures.
fn is_bare_code(value: &str) -> bool {
    const CHARS_MAX: usize = 5;
    let letters = value.chars().filter(|c| c.is_alphabetic()).count();
    let figures = value.bytes().filter(u8::is_ascii_digit).count();
    value.is_ascii() && letters <= CODE_CHARS_MAX && letters + figures <= CHARS_MAX
}

/// The country's two letters at the start of a region, what separates them from the rest, and the rest.
/// Figures need no separator.
fn behind_country(value: &str) -> Option<(&str, &str, &str)> {
    let (prefix, rest) = value.split_at_checked(2)?;
    let is_letters = prefix.bytes().all(|byte| byte.is_ascii_alphabetic());
    let end = rest.find(|c: char| {
        !matches!(
            c,
            '-' | '_' | ' ' | '.' | ':' | '/' | '\u{2010}'..='\u{2013}'
        )
    })?;
    let (separator, rest) = rest.split_at(end);
    let is_apart = !separator.is_empty() || rest.starts_with(|c: char| c.is_ascii_digit());
    (is_letters && is_apart && Country::parse(prefix).is_some()).then(|| {
        let separator = separator.trim();
        let is_hyphen = matches!(separator, "\u{2010}" | "\u{2011}" | "\u{2012}" | "\u{2013}");
        (prefix, if is_hyphen { "-" } else { separator }, rest.trim())
    })
}

/// The state of an ISO 3166-2 code of the US or Canada, such as `US-CA`.
fn iso_state(country: &str, code: &str) -> Option<&'static str> {
    let country = Country::parse(country)?;
    let mut states = STATES.values();
    let state =
        states.find(|state| state.country == country && state.code.eq_ignore_ascii_case(code))?;
    Some(state.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str, country: &str) -> Option<String> {
        let mut out = String::new();
        normalize(value, Country::parse(country), &mut out)
            .ok()
            .map(|()| out)
    }

    #[test]
    fn states_become_codes_where_the_country_allows() {
        for (value, country, expected) in [
            ("California", "", "ca"),
            ("Calif.", "us", "ca"),
            ("US-CA", "us", "ca"),
            ("US-CA", "", "ca"),
            ("US-California", "us", "ca"),
            ("Québec", "ca", "qc"),
            ("District of Columbia", "", "dc"),
            ("Puerto Rico", "us", "pr"),
            ("Bayern", "de", "bayern"),
            ("Nordrhein-Westfalen", "de", "nordrheinwestfalen"),
            ("Montana", "bg", "montana"),
            ("Ontario", "us", "ontario"),
            ("Île-de-France", "fr", "îledefrance"),
            ("CA - California", "us", "ca"),
            ("ca: California", "", "ca"),
            ("CA-California", "us", "ca"),
            ("NY, New York", "us", "ny"),
            ("TR-34 İstanbul", "tr", "i\u{307}stanbul"),
            ("TR-06 ANKARA", "tr", "ankara"),
            ("TR-06 Ankara", "", "ankara"),
            ("TR34 Ankara", "tr", "ankara"),
            ("DE-BY Bayern", "de", "bayern"),
            ("DE-BY: Bayern", "de", "bayern"),
            ("FR-ILE DE FRANCE", "fr", "iledefrance"),
            ("US-New York", "us", "ny"),
            ("CH-ZH", "", "zh"),
            ("CH-ZH", "ch", "zh"),
            ("LA-PAZ", "mx", "lapaz"),
            ("At-Tur", "eg", "attur"),
            ("La Rioja", "es", "larioja"),
        ] {
            assert_eq!(
                read(value, country).as_deref(),
                Some(expected),
                "{value} {country}"
            );
        }
        for (value, country) in [
            ("75", "fr"),
            ("CH-ZH", "de"),
            ("ch-zh", "de"),
            ("US-CA", "de"),
            ("US-California", "de"),
            ("CH-12", "de"),
            ("TR-34 Ankara", "de"),
            ("DE-BY Bayern", "at"),
        ] {
            assert_eq!(read(value, country), None, "{value} {country}");
        }
    }

    #[test]
    fn the_table_is_whole() {
        let codes = |country: &str| {
            let country = Country::parse(country).unwrap();
            let codes: std::collections::HashSet<_> = STATES
                .values()
                .filter(|state| state.country == country)
                .map(|state| state.code)
                .collect();
            codes.len()
        };
        assert_eq!((codes("us"), codes("ca")), (59, 13));
        assert!(STATES.keys().all(|name| text::fold(name) == *name));
    }
}
