//! `ct`, `st`, `zp`: cities, states and postcodes.
//!
//! City and region names are lower case without digits, white space and ASCII punctuation; accents
//! and other scripts stay. US states and Canadian provinces become their two-letter codes; a region
//! that is not in the table keeps its name and is never cut to two letters.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{Country, text};
use crate::code::Code;

pub(super) fn city(value: &str, out: &mut String) -> Result<(), Code> {
    text::push_lower_without(value, out, |c| {
        c.is_ascii_digit() || text::is_space_or_punctuation(c)
    });
    if out.is_empty() {
        return Err(Code::PlaceInvalid);
    }
    Ok(())
}

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

pub(super) fn state(value: &str, country: Option<Country>, out: &mut String) -> Result<(), Code> {
    city(value, out)?;
    if out.len() == 2 {
        return Ok(());
    }
    if let Some(code) = iso_subdivision(value) {
        out.clear();
        out.push_str(code);
        return Ok(());
    }
    let is_there = |state: &&State| country.is_none_or(|country| country == state.country);
    if let Some(state) = STATES.get(&*text::fold(value)).filter(is_there) {
        out.clear();
        out.push_str(state.code);
    }
    Ok(())
}

/// The state of an ISO 3166-2 code of the US or Canada, such as `US-CA`.
fn iso_subdivision(value: &str) -> Option<&'static str> {
    let (country, code) = value.split_once('-')?;
    let country = (country.len() == 2).then(|| Country::parse(country))??;
    let mut states = STATES.values();
    let state =
        states.find(|state| state.country == country && state.code.eq_ignore_ascii_case(code))?;
    Some(state.code)
}

pub(super) fn postcode(
    value: &str,
    country: Option<Country>,
    out: &mut String,
) -> Result<(), Code> {
    let end = memchr::memchr(b'-', value.as_bytes()).unwrap_or(value.len());
    let before_dash = &value[..end];
    text::push_lower_without(before_dash, out, char::is_whitespace);
    if country.is_some_and(Country::is_us)
        && out.len() > 5
        && out.bytes().take(5).all(|byte| byte.is_ascii_digit())
    {
        out.truncate(5);
    }
    if out.chars().nth(1).is_none() {
        return Err(Code::ZpInvalid);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_state(value: &str, country: &str) -> Option<String> {
        let mut out = String::new();
        state(value, Country::parse(country), &mut out)
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
            ("Québec", "ca", "qc"),
            ("District of Columbia", "", "dc"),
            ("Puerto Rico", "us", "pr"),
            ("Bayern", "de", "bayern"),
            ("Nordrhein-Westfalen", "de", "nordrheinwestfalen"),
            ("Montana", "bg", "montana"),
            ("Ontario", "us", "ontario"),
            ("Île-de-France", "fr", "îledefrance"),
            ("US-ZZ", "", "uszz"),
            ("US-ON", "", "uson"),
        ] {
            assert_eq!(
                read_state(value, country).as_deref(),
                Some(expected),
                "{value} {country}"
            );
        }
        assert_eq!(read_state("75", "fr"), None);
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
