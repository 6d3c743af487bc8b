//! Amounts.
//!
//! An amount is decimal text from beginning to end: `129.90` is never a float here, so no cent is
//! lost and no zero disappears. What is written beside the digits has to be understood, or the text
//! is no amount: a wrong one is worse than none, because Meta bids by it.

use std::borrow::Cow;

use crate::json::Raw;
use crate::money::Currency;

/// An amount as people and programs write it, as a JSON number: `1,234.56`, `1.234,56 €`, `USD 12`.
///
/// A comma before exactly three last digits is taken for a thousands separator, unless what stands
/// before it cannot be a group (`0,500`, `1234,567`). `None` when it is no amount, or too large for
/// any currency.
pub fn amount(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim();
    if is_plain(text) {
        return Some(Cow::Borrowed(text));
    }
    let (is_negative, digits) = undecorated(text)?;
    let (integer, fraction) = split(digits);
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
    is_plain(&number).then_some(Cow::Owned(number))
}

/// The currency whose code stands beside an amount.
pub(crate) fn named_currency(text: &str) -> Option<Currency> {
    text.split(|c: char| !c.is_alphabetic())
        .find_map(Currency::parse)
}

/// Whether the text is a JSON number of a size that a float can hold.
fn is_plain(text: &str) -> bool {
    Raw::parse(text).is_ok_and(|raw| {
        raw.as_number()
            .is_some_and(|number| number.len() == text.len())
    }) && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// Whether the amount is below zero, and its digits with what separates them, without the currency.
fn undecorated(text: &str) -> Option<(bool, &str)> {
    let is_digit = |c: char| c.is_ascii_digit();
    let first = text.find(is_digit)?;
    let end = text.rfind(is_digit)? + 1;
    // `.5` and `12.` are numbers; the point of `Rs.5` belongs to what stands before it.
    let first = match text[..first].strip_suffix(['.', ',']) {
        Some(before) if !before.ends_with(char::is_alphabetic) => first - 1,
        _ => first,
    };
    let (end, after) = match text[end..].strip_prefix(['.', ',']) {
        // `12.-` is how prices without cents are written in several countries.
        Some(after) => (
            end + 1,
            after.trim_start_matches(['-', '\u{2013}', '\u{2014}']),
        ),
        None => (end, &text[end..]),
    };
    let before = &text[..first];
    let is_negative = before.contains('-');
    let before = match before.split_once(['-', '+']) {
        Some((before, after)) if before.trim().is_empty() || after.trim().is_empty() => {
            [before, after].concat()
        }
        Some(_) => return None,
        None => before.to_owned(),
    };
    let is_money = is_currency(before.trim()) && is_currency(after.trim());
    is_money.then_some((is_negative, &text[first..end]))
}

/// Whether what stands beside an amount is nothing, or says only which currency it is in.
fn is_currency(text: &str) -> bool {
    /// How currencies are written that have neither a sign of their own nor their code there.
    const NAMES: [&str; 41] = [
        "a$", "au$", "c$", "ca$", "can$", "hk$", "mx$", "nt$", "nz$", "r$", "s$", "sg$", "us$",
        "dh", "dhs", "dollar", "dollars", "euro", "euros", "fr", "ft", "kn", "kr", "kč", "lei",
        "leu", "pounds", "r", "rm", "rp", "rs", "sfr", "tl", "yen", "zł", "грн", "ден", "дин",
        "лв", "руб", "元",
    ];
    let is_named = |word: &str| NAMES.contains(&word.to_lowercase().as_str());
    text.split(|c: char| c.is_whitespace() || c == '.')
        .all(|word| {
            let name = word.trim_matches(is_currency_sign);
            name.is_empty() || Currency::parse(name).is_some() || is_named(name) || is_named(word)
        })
}

fn is_currency_sign(c: char) -> bool {
    matches!(
        c,
        '$' | '¢'
            | '£'
            | '¥'
            | '₩'
            | '€'
            | '₹'
            | '₽'
            | '₺'
            | '₴'
            | '₪'
            | '₫'
            | '₱'
            | '฿'
            | '円'
    )
}

/// The whole units, in groups or not, and the digits behind the decimal separator.
fn split(number: &str) -> (&str, &str) {
    let is_separator = |c: char| matches!(c, '.' | ',');
    let Some(at) = number.rfind(is_separator) else {
        return (number, "");
    };
    let (before, fraction) = (&number[..at], &number[at + 1..]);
    let is_repeated = before.contains(&number[at..=at]);
    let could_be_group = fraction.len() == 3
        && (1..=3).contains(&before.len())
        && !before.starts_with('0')
        && before.bytes().all(|byte| byte.is_ascii_digit());
    let is_grouping = is_repeated || (number[at..].starts_with(',') && could_be_group);
    if is_grouping {
        (number, "")
    } else {
        (before, fraction)
    }
}

/// The digits of whole units, if what separates them makes groups as people write them: of three
/// digits, or in India of two before the last three.
fn ungrouped(integer: &str) -> Option<String> {
    let is_separator = |c: char| {
        matches!(
            c,
            '.' | ',' | '\'' | '\u{2019}' | ' ' | '\u{a0}' | '\u{202f}'
        )
    };
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
