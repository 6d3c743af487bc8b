//! `country`: ISO 3166-1 alpha-2, from a code or a name in any of some forty languages.
//!
//! A name that is not in the table is left out. Meta's own builder cuts unknown names to two letters,
//! which turns Österreich into São Tomé.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use super::text;
use crate::digest::Hashed;

/// A country of ISO 3166-1.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Country([u8; 2]);

/// Folded name, tab, code; written by `scripts/tables/countries.py`.
const TABLE: &str = include_str!("tables/country_names.tsv");

static NAMES: LazyLock<HashMap<&'static str, Country>> = LazyLock::new(|| {
    TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('\t'))
        .filter_map(|(name, code)| Some((name, Country(code.as_bytes().try_into().ok()?))))
        .collect()
});

impl Country {
    /// The country of this code (`de`, `DEU`) or name (`Germany`, `Deutschland`, `ドイツ`).
    pub fn parse(name: &str) -> Option<Self> {
        if let [first, second] = *name.as_bytes() {
            let country = Self([first.to_ascii_lowercase(), second.to_ascii_lowercase()]);
            // `uk` and `el` are two letters long, but names.
            let code = || {
                std::str::from_utf8(&country.0)
                    .ok()
                    .and_then(|code| NAMES.get(code).copied())
            };
            return hash(country).map(|_| country).or_else(code);
        }
        NAMES.get(&*text::fold(name)).copied()
    }

    /// The country whose code has this hash.
    pub(crate) fn of_hash(hash: &Hashed) -> Option<Self> {
        let is_it = |slot: &Option<Hashed>| {
            let code = slot.as_ref();
            code.is_some_and(|code| hash.as_str().starts_with(code.as_str()))
        };
        let place = HASHES.iter().position(is_it)?;
        let letter = |at: usize| u8::try_from(at).ok().map(|at| b'a' + at);
        Some(Self([letter(place / LETTERS)?, letter(place % LETTERS)?]))
    }

    pub(super) fn of_code(code: [u8; 2]) -> Self {
        Self(code)
    }

    /// The alpha-2 code in lower case, as Meta wants it.
    pub fn code(&self) -> &str {
        // Two ASCII letters from the table, so this never falls back.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The code as two ASCII letters.
    pub(super) fn bytes(&self) -> &[u8; 2] {
        &self.0
    }

    pub(crate) fn is_us(self) -> bool {
        self.0 == *b"us"
    }
}

const LETTERS: usize = 26;

/// The hashes of all codes, each at its place, computed once: nearly every event has a country.
static HASHES: LazyLock<Vec<Option<Hashed>>> = LazyLock::new(|| {
    let mut hashes = vec![None; LETTERS * LETTERS];
    for country in NAMES.values() {
        let place = place(*country).and_then(|place| hashes.get_mut(place));
        if let Some(slot @ None) = place {
            *slot = Some(Hashed::of(country.code()));
        }
    }
    hashes
});

fn place(country: Country) -> Option<usize> {
    let [first, second] = country.0.map(|byte| usize::from(byte.wrapping_sub(b'a')));
    (first < LETTERS && second < LETTERS).then_some(first * LETTERS + second)
}

/// The hash of a country's code.
pub(super) fn hash(country: Country) -> Option<&'static Hashed> {
    HASHES.get(place(country)?)?.as_ref()
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_codes_names_and_common_aliases() {
        for (name, code) in [
            ("DE", "de"),
            ("deu", "de"),
            ("Deutschland", "de"),
            ("UK", "gb"),
            ("England", "gb"),
            ("U.S.A.", "us"),
            ("United States of America", "us"),
            ("Österreich", "at"),
            ("oesterreich", "at"),
            ("Côte d'Ivoire", "ci"),
            ("日本", "jp"),
            ("대한민국", "kr"),
            ("Россия", "ru"),
            ("भारत", "in"),
            ("The Netherlands", "nl"),
            ("Republic of Korea", "kr"),
            ("UAE", "ae"),
            ("Türkiye", "tr"),
        ] {
            assert_eq!(
                Country::parse(name).as_ref().map(Country::code),
                Some(code),
                "{name}"
            );
        }
    }

    #[test]
    fn never_truncates_what_it_does_not_know() {
        for name in ["xx", "Atlantis", "Californien", "", "1", "é", "Congo"] {
            assert_eq!(Country::parse(name), None, "{name}");
        }
    }

    #[test]
    fn the_table_is_whole() {
        let codes: std::collections::HashSet<_> = NAMES.values().collect();
        assert_eq!(codes.len(), 249);
        assert!(NAMES.keys().all(|name| text::fold(name) == *name));
    }
}
