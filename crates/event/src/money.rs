//! Currencies and amounts.
//!
//! An amount is decimal text from beginning to end: `129.90` is never a float here, so no cent is
//! lost and no zero disappears.

use std::borrow::Cow;
use std::sync::LazyLock;

use crate::json::Raw;

/// A currency of ISO 4217.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Currency {
    code: &'static str,
    minor_digits: u8,
    is_withdrawn: bool,
}

/// Code, minor digits, status; written by `scripts/tables/currencies.py`.
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
            Some(Currency {
                code,
                minor_digits,
                is_withdrawn,
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

    /// Whether the currency is no longer in use.
    pub fn is_withdrawn(self) -> bool {
        self.is_withdrawn
    }
}

/// An amount as people and programs write it, as a JSON number: `1,234.56`, `1.234,56 €`, `USD 12`.
///
/// A comma before exactly three last digits is taken for a thousands separator unless a point has
/// come before it. `None` when it is no amount, or too large for any currency.
pub fn amount(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim();
    if is_plain(text) {
        return Some(Cow::Borrowed(text));
    }
    let is_decoration = |c: char| c.is_alphabetic() || c.is_whitespace() || is_currency_sign(c);
    let core = text.trim_matches(is_decoration);
    let (sign, core) = match core.strip_prefix('-') {
        Some(rest) => ("-", rest.trim_start_matches(is_decoration)),
        None => ("", core.strip_prefix('+').unwrap_or(core)),
    };
    let decimal_at = decimal_separator(core);
    let mut number = String::with_capacity(core.len() + 1);
    number.push_str(sign);
    for (at, c) in core.char_indices() {
        match c {
            '0'..='9' => number.push(c),
            '.' | ',' if Some(at) == decimal_at => number.push('.'),
            '.' | ',' | '\'' | '\u{2019}' | ' ' | '\u{a0}' | '\u{202f}' => {}
            _ => return None,
        }
    }
    let digits = number.trim_start_matches('-').trim_start_matches('0');
    let integer = if digits.is_empty() || digits.starts_with('.') {
        "0"
    } else {
        ""
    };
    let number = format!("{sign}{integer}{digits}");
    let number = number
        .strip_suffix('.')
        .map_or(number.clone(), str::to_owned);
    (core.contains(|c: char| c.is_ascii_digit()) && is_plain(&number)).then_some(Cow::Owned(number))
}

/// Whether the text is a JSON number of a size that a float can hold.
fn is_plain(text: &str) -> bool {
    Raw::parse(text).is_ok_and(|raw| {
        raw.as_number()
            .is_some_and(|number| number.len() == text.len())
    }) && text.parse::<f64>().is_ok_and(f64::is_finite)
}

fn is_currency_sign(c: char) -> bool {
    matches!(
        c,
        '$' | '¢' | '£' | '¥' | '₩' | '€' | '₹' | '₽' | '₺' | '₴' | '₪' | '₫' | '₱' | '฿'
    )
}

fn decimal_separator(number: &str) -> Option<usize> {
    let is_separator = |c: char| matches!(c, '.' | ',');
    let last = number.rfind(is_separator)?;
    let separator = number[last..].chars().next()?;
    let before = &number[..last];
    let is_repeated = before.contains(separator);
    let has_other = before.contains(|c| is_separator(c) && c != separator);
    let is_grouping = separator == ',' && number.len() - last - 1 == 3 && !has_other;
    (!is_repeated && !is_grouping).then_some(last)
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
    }

    #[test]
    fn reads_amounts_without_floats() {
        for (text, expected) in [
            ("129.99", Some("129.99")),
            ("129.90", Some("129.90")),
            ("12.000000", Some("12.000000")),
            ("1e3", Some("1e3")),
            ("1,234.56", Some("1234.56")),
            ("1.234,56 €", Some("1234.56")),
            ("1 234,56", Some("1234.56")),
            ("1'234.50 CHF", Some("1234.50")),
            ("€12.00", Some("12.00")),
            ("$ 1,234", Some("1234")),
            ("12,5", Some("12.5")),
            ("1.234.567", Some("1234567")),
            ("-5", Some("-5")),
            ("007.50", Some("7.50")),
            (".5", Some("0.5")),
            ("1e400", None),
            ("NaN", None),
            ("free", None),
            ("", None),
            ("12 for 2", None),
            ("1-2", None),
        ] {
            assert_eq!(amount(text).as_deref(), expected, "{text}");
        }
    }
}
