//! Amounts.
//!
//! An amount is decimal text from beginning to end: `129.90` is never a float here, so no cent is
//! lost and no zero disappears. What is written beside the digits has to be understood, or the text
//! is no amount: a wrong one is worse than none, because Meta bids by it.
//!
//! A dot or a comma before exactly three last digits may separate thousands or decimals, and a mistake
//! is one by a thousand. The currency decides: one with two decimals or none has no third, one with
//! three has all of them. Only a bare `16.805`, as programs print numbers, is left as it is where the
//! currency's shops put no dot between thousands; that is said.

mod currency;
mod named;
mod written;

use std::borrow::Cow;

use crate::json::Raw;
use crate::money::Currency;
use currency::{Side, is_currency};
pub(crate) use named::{named_currency, other_sign};
use written::Written;

/// An amount that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Amount<'t> {
    /// A JSON number.
    pub(crate) number: Cow<'t, str>,
    /// A dot or a comma could be read in two ways, and nothing but a habit decided.
    pub(crate) is_doubtful: bool,
}

/// An amount as people and programs write it, as a JSON number: `1,234.56`, `1.234,56 €`, `USD 12`.
///
/// A comma before exactly three last digits is taken for a thousands separator, unless what stands
/// before it cannot be a group (`0,500`, `1234,567`). `None` when it is no amount, or too large for
/// any currency.
pub fn amount(text: &str) -> Option<Cow<'_, str>> {
    read(text, None).map(|amount| amount.number)
}

/// The same of an amount in a currency, whose decimals say what a dot or a comma separates.
pub(crate) fn read(text: &str, currency: Option<Currency>) -> Option<Amount<'_>> {
    let text = text.trim();
    if is_plain(text) && !has_three_decimals(text) {
        return Some(Amount {
            number: Cow::Borrowed(text),
            is_doubtful: false,
        });
    }
    let written = Written::of(text);
    if named::names_two(&written.text) {
        return None;
    }
    let Parts {
        is_negative,
        digits,
        is_bare,
    } = Parts::of(&written.text, currency)?;
    let separator = Separator {
        currency: currency.or_else(|| named_currency(&written.text)),
        is_bare,
        is_decimal: written.has_decimal_mark,
    };
    let (integer, fraction, is_doubtful) = separator.split(digits);
    let integer = ungrouped(integer)?;
    let integer = integer.trim_start_matches('0');
    let mut number = String::with_capacity(text.len() + 1);
    if is_negative {
        number.push('-');
    }
    number.push_str(if integer.is_empty() { "0" } else { integer });
    if !fraction.is_empty() {
        number.push('.');
        number.push_str(fraction);
    }
    is_plain(&number).then(|| Amount {
        number: if number == text {
            Cow::Borrowed(text)
        } else {
            Cow::Owned(number)
        },
        is_doubtful,
    })
}

/// A whole number as people write it: `1,000`, `1 000`, `٣`. A fraction of zeros is forgiven.
pub(crate) fn whole_number(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim();
    if let Some(digits) = whole(text) {
        return Some(Cow::Borrowed(digits));
    }
    let written = Written::of(text);
    let signed = written.text.strip_prefix('+').unwrap_or(&written.text);
    let (sign, unsigned) = match signed.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", signed),
    };
    // What could be a group is one: there is no part of a piece.
    let digits = ungrouped(unsigned).or_else(|| {
        let (digits, fraction) = unsigned.rsplit_once(['.', ','])?;
        let is_none = !written.has_decimal_mark && fraction.bytes().all(|byte| byte == b'0');
        ungrouped(digits).filter(|_| is_none)
    })?;
    whole(&format!("{sign}{digits}")).map(|number| Cow::Owned(number.to_owned()))
}

/// The digits of a whole number; a fraction of zeros is forgiven.
fn whole(text: &str) -> Option<&str> {
    const DIGITS_MAX: usize = 18;
    let digits = match text.split_once('.') {
        Some((digits, zeros)) if zeros.bytes().all(|byte| byte == b'0') => digits,
        Some(_) => return None,
        None => text,
    };
    let unsigned = digits.strip_prefix('-').unwrap_or(digits);
    let is_whole = !unsigned.is_empty()
        && unsigned.len() <= DIGITS_MAX
        && unsigned.bytes().all(|byte| byte.is_ascii_digit())
        && (unsigned == "0" || !unsigned.starts_with('0'));
    is_whole.then_some(digits)
}

/// Whether a JSON number has one to three digits and then exactly three decimals: what a program prints
/// of half a cent, and a shop of some thousands.
pub(crate) fn has_three_decimals(number: &str) -> bool {
    let unsigned = number.strip_prefix('-').unwrap_or(number);
    let bytes = unsigned.as_bytes();
    matches!(bytes.len(), 5..=7)
        && bytes[bytes.len() - 4] == b'.'
        && bytes[0] != b'0'
        && bytes.iter().filter(|byte| byte.is_ascii_digit()).count() == bytes.len() - 1
}

/// Whether the text is a JSON number of a size that a float can hold.
fn is_plain(text: &str) -> bool {
    Raw::parse(text).is_ok_and(|raw| {
        raw.as_number()
            .is_some_and(|number| number.len() == text.len())
    }) && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// An amount taken apart.
struct Parts<'t> {
    is_negative: bool,
    /// With what separates them.
    digits: &'t str,
    /// Nothing but a sign stood beside them.
    is_bare: bool,
}

impl<'t> Parts<'t> {
    /// `None` if what stands beside the digits is more than a sign and a currency.
    fn of(text: &'t str, currency: Option<Currency>) -> Option<Self> {
        let is_digit = |c: char| c.is_ascii_digit();
        let first = text.find(is_digit)?;
        let end = text.rfind(is_digit)? + 1;
        // `.5` and `12.` are numbers; the point of `Rs.5` belongs to what stands before it.
        let first = match text[..first].strip_suffix(['.', ',']) {
            Some(before) if !before.ends_with(char::is_alphabetic) => first - 1,
            _ => first,
        };
        let (end, after) = without_ending(text, end);
        let before = &text[..first];
        // Accountants write what was lost in brackets.
        let (before, after, in_brackets) = match (before.split_once('('), after.split_once(')')) {
            (Some((before, inner)), Some((rest, after))) => {
                ([before, inner].concat(), [rest, after].concat(), true)
            }
            (None, None) => (before.to_owned(), after.to_owned(), false),
            _ => return None,
        };
        let (before, sign_before) = without_sign(&before)?;
        let (after, sign_after) = without_sign(&after)?;
        // A plus sign behind a number says `or more`.
        let signs = [in_brackets, sign_before.is_some(), sign_after.is_some()];
        let is_signed_twice = signs.into_iter().filter(|is_there| *is_there).count() > 1;
        if is_signed_twice || sign_after == Some('+') {
            return None;
        }
        let is_money = is_currency(&before, Side::Before, currency)
            && is_currency(&after, Side::After, currency);
        is_money.then(|| Self {
            is_negative: in_brackets || sign_before == Some('-') || sign_after == Some('-'),
            digits: &text[first..end],
            is_bare: before.trim().is_empty() && after.trim().is_empty() && !in_brackets,
        })
    }
}

/// Where the digits end and what stands behind them, without what says `and no cents`: `12.-`, `12,--`,
/// Sweden's `12:-`, India's `12/-`, East Africa's `12/=`.
fn without_ending(text: &str, end: usize) -> (usize, &str) {
    let after = &text[end..];
    for ending in [":-", "/-", "/="] {
        if let Some(rest) = after.strip_prefix(ending) {
            return (end, rest);
        }
    }
    match after.strip_prefix(['.', ',']) {
        Some(rest) => (end + 1, rest.trim_start_matches('-')),
        None => (end, after),
    }
}

/// A text without the sign at one of its ends, and the sign.
fn without_sign(text: &str) -> Option<(String, Option<char>)> {
    let Some(at) = text.find(['-', '+']) else {
        return Some((text.to_owned(), None));
    };
    let (before, after) = (&text[..at], &text[at + 1..]);
    let is_at_end = before.trim().is_empty() || after.trim().is_empty();
    let sign = text[at..].chars().next();
    (is_at_end && !after.contains(['-', '+'])).then(|| ([before, after].concat(), sign))
}

/// What decides whether a dot or a comma separates thousands or decimals.
struct Separator {
    currency: Option<Currency>,
    is_bare: bool,
    /// It is known that the last one separates decimals.
    is_decimal: bool,
}

impl Separator {
    /// The whole units, in groups or not, the digits behind the decimal separator, and whether that could
    /// be otherwise.
    fn split<'n>(&self, number: &'n str) -> (&'n str, &'n str, bool) {
        let Some(at) = number.rfind(['.', ',']) else {
            return (number, "", false);
        };
        let (before, fraction) = (&number[..at], &number[at + 1..]);
        if self.is_decimal {
            return (before, fraction, false);
        }
        if before.contains(&number[at..=at]) {
            return (number, "", false);
        }
        let could_be_group = fraction.len() == 3
            && (1..=3).contains(&before.len())
            && !before.starts_with('0')
            && before.bytes().all(|byte| byte.is_ascii_digit());
        if !could_be_group {
            return (before, fraction, false);
        }
        let is_dot = number[at..].starts_with('.');
        let (is_grouping, is_doubtful) = match self.currency.map(Currency::minor_digits) {
            Some(3..) => (false, false),
            Some(0) => (true, false),
            _ if !is_dot || !self.is_bare => (true, false),
            Some(_) => (self.currency.is_some_and(Currency::has_dot_groups), true),
            None => (false, true),
        };
        if is_grouping {
            (number, "", is_doubtful)
        } else {
            (before, fraction, is_doubtful)
        }
    }
}

/// The digits of whole units, if what separates them makes groups as people write them: of three
/// digits, or in India of two before the last three.
fn ungrouped(integer: &str) -> Option<String> {
    let is_separator = |c: char| matches!(c, '.' | ',' | '\'' | ' ');
    let digits: String = integer.chars().filter(char::is_ascii_digit).collect();
    let Some(separator) = integer.chars().find(|c| !c.is_ascii_digit()) else {
        return Some(digits);
    };
    let groups: Vec<&str> = integer.split(separator).collect();
    let (first, last) = (*groups.first()?, *groups.last()?);
    let between = groups.get(1..groups.len() - 1)?;
    let all_have = |length| between.iter().all(|group| group.len() == length);
    let is_grouped = is_separator(separator)
        && (1..=3).contains(&first.len())
        && !first.starts_with('0')
        && last.len() == 3
        && (all_have(3) || (all_have(2) && first.len() <= 2));
    let is_all = digits.len() + (groups.len() - 1) * separator.len_utf8() == integer.len();
    (is_grouped && is_all).then_some(digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_amounts_without_floats() {
        for (text, expected) in [
            ("129.99", "129.99"),
            ("129.90", "129.90"),
            ("12.000000", "12.000000"),
            ("1e3", "1e3"),
            ("1,234.56", "1234.56"),
            ("1,234.5678", "1234.5678"),
            ("1.234,56 €", "1234.56"),
            ("1 234,56", "1234.56"),
            ("1\u{202f}234\u{202f}567,8 kr.", "1234567.8"),
            ("1'234.50 CHF", "1234.50"),
            ("12,34,567.89", "1234567.89"),
            ("1,00,000", "100000"),
            ("€12.00", "12.00"),
            ("$ 1,234", "1234"),
            ("US$12", "12"),
            ("R$ 12,50", "12.50"),
            ("Rs.500", "500"),
            ("12,50 zł", "12.50"),
            ("12 Euro", "12"),
            ("usd 12.5", "12.5"),
            ("12,5", "12.5"),
            ("12.", "12"),
            ("Fr. 12.-", "12"),
            ("12,\u{2013} €", "12"),
            ("0,500", "0.500"),
            ("0,125", "0.125"),
            ("1234,567", "1234.567"),
            ("1,234", "1234"),
            ("1.234.567", "1234567"),
            ("-5", "-5"),
            ("-€5,00", "-5.00"),
            ("€ -5", "-5"),
            ("+5", "5"),
            ("007.50", "7.50"),
            ("0,00", "0.00"),
            (".5", "0.5"),
            (",5", "0.5"),
        ] {
            assert_eq!(amount(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_none() {
        for text in [
            "1e400",
            "NaN",
            "free",
            "",
            "12 for 2",
            "1-2",
            "--5",
            "-5-",
            "12.34.56",
            "1,2,3",
            "1,234,56",
            "1.23,456",
            "0,123,456",
            "1234,567,890",
            "1,234 567",
            "1,234,567.8.9",
            "0151 23456789",
            "10k",
            "1,5k",
            "1.5 Mio",
            "2 million",
            "order 12345",
            "12%",
            "v1.2",
            "#5",
            ".",
            "€",
            "1.,5",
            "12 c",
            "12 a",
        ] {
            assert_eq!(amount(text).as_deref(), None, "{text}");
        }
    }

    #[test]
    fn finds_the_currency_beside_an_amount() {
        for (text, code) in [
            ("12.50 USD", Some("USD")),
            ("chf12", Some("CHF")),
            ("12 kr", None),
            ("€12", None),
        ] {
            assert_eq!(named_currency(text).map(Currency::code), code, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_stays_what_it_is(text in "[-+]?[0-9 .,']{0,12}( ?(€|EUR|k))?") {
            if let Some(number) = amount(&text) {
                prop_assert!(number.parse::<f64>().is_ok(), "{text} {number}");
                prop_assert_eq!(amount(&number), Some(Cow::Borrowed(&*number)));
            }
        }

        #[test]
        fn groups_of_thousands_are_read(units in 1_000_u64..1_000_000_000_000, cents in 0..100_u8) {
            let digits = units.to_string();
            let mut groups: Vec<&str> = digits.as_bytes().rchunks(3).map(|group| {
                std::str::from_utf8(group).unwrap()
            }).collect();
            groups.reverse();
            for (group, point) in [(",", "."), (".", ","), (" ", ","), ("'", "."), ("\u{a0}", ",")] {
                let text = format!("{}{point}{cents:02}", groups.join(group));
                let expected = format!("{units}.{cents:02}");
                prop_assert_eq!(amount(&text), Some(Cow::Owned(expected)), "{}", text);
            }
        }
    }
}
