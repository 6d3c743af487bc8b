//! Currencies.

use std::sync::LazyLock;

/// A currency of ISO 4217.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Currency {
    code: &'static str,
    minor_digits: u8,
    is_withdrawn: bool,
    has_dot_groups: bool,
}

/// Code, minor digits, status, what separates thousands; written by `scripts/tables/currencies.py`.
const TABLE: &str = include_str!("normalize/tables/currencies.tsv");

static CURRENCIES: LazyLock<Vec<Currency>> = LazyLock::new(|| {
    TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut columns = line.split('\t');
            let code = columns.next()?;
            let minor_digits = columns.next()?.parse().ok()?;
            let is_withdrawn = match columns.next()? {
                "active" => false,
                "withdrawn" => true,
                _ => return None,
            };
            let has_dot_groups = columns.next()? == "dot";
            Some(Currency {
                code,
                minor_digits,
                is_withdrawn,
                has_dot_groups,
            })
        })
        .collect()
});

/// For every three letters the place of the currency plus one; 0 is none. Nearly every event has a
/// currency, and a search among two hundred takes longer than all else that is done with it.
static PLACES: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut places = vec![0; LETTERS.pow(3)];
    for (at, currency) in (1..=u8::MAX).zip(CURRENCIES.iter()) {
        if let Some(place) = letters(currency.code) {
            places[place] = at;
        }
    }
    places
});

const LETTERS: usize = 26;

/// The three letters of a code, in any case, as one number.
fn letters(code: &str) -> Option<usize> {
    let code: [u8; 3] = code.as_bytes().try_into().ok()?;
    code.into_iter().try_fold(0, |number, byte| {
        let letter = usize::from(byte.to_ascii_uppercase().wrapping_sub(b'A'));
        (letter < LETTERS).then_some(number * LETTERS + letter)
    })
}

impl Currency {
    /// The currency of this code, in any case, spaces round it tolerated.
    ///
    /// Codes that are no money (gold, test codes) are unknown; withdrawn ones are known as such.
    pub fn parse(code: &str) -> Option<Self> {
        let place = usize::from(PLACES[letters(code.trim())?]);
        CURRENCIES.get(place.checked_sub(1)?).copied()
    }

    /// The code in upper case.
    pub fn code(self) -> &'static str {
        self.code
    }

    /// Digits of the minor unit: 2 for cents, 0 for yen.
    pub fn minor_digits(self) -> u8 {
        self.minor_digits
    }

    /// Whether its shops put a dot between thousands: `1.299 €`.
    pub(crate) fn has_dot_groups(self) -> bool {
        self.has_dot_groups
    }

    /// Whether the currency is no longer in use.
    pub fn is_withdrawn(self) -> bool {
        self.is_withdrawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn currency_vectors() {
        let mut rows = 0;
        for line in include_str!("../tests/vectors/currency.tsv").lines() {
            let [row, value, expected] = line.split('\t').collect::<Vec<_>>()[..] else {
                continue;
            };
            let value: String = serde_json::from_str(value).unwrap();
            let expected: Option<String> =
                (expected != "-").then(|| serde_json::from_str(expected).unwrap());
            assert_eq!(
                Currency::parse(&value).map(Currency::code),
                expected.as_deref(),
                "row {row}"
            );
            rows += 1;
        }
        assert_eq!(rows, 5);
    }

    #[test]
    fn every_code_leads_to_its_currency() {
        assert!(CURRENCIES.len() < usize::from(u8::MAX));
        for currency in CURRENCIES.iter() {
            assert_eq!(Currency::parse(currency.code), Some(*currency));
        }
        for code in ["", "U", "US", "USDX", "U$D", "\u{e9}D", "AAA", "ZZZ"] {
            assert_eq!(Currency::parse(code), None, "{code}");
        }
    }

    #[test]
    fn knows_minor_units_and_withdrawn_codes() {
        assert_eq!(Currency::parse("JPY").unwrap().minor_digits(), 0);
        assert_eq!(Currency::parse("kwd").unwrap().minor_digits(), 3);
        assert!(Currency::parse("HRK").unwrap().is_withdrawn());
        assert_eq!(Currency::parse("XAU"), None);
        assert!(Currency::parse("EUR").unwrap().has_dot_groups());
        assert!(!Currency::parse("USD").unwrap().has_dot_groups());
    }
}
