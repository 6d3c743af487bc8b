//! The currencies that the text of an amount names.

use crate::money::Currency;

/// The currency whose code stands beside an amount.
pub(crate) fn named_currency(text: &str) -> Option<Currency> {
    codes(text).next()
}

/// Whether the codes of two currencies stand beside an amount.
pub(super) fn names_two(text: &str) -> bool {
    let mut codes = codes(text);
    let first = codes.next();
    codes.any(|code| Some(code) != first)
}

fn codes(text: &str) -> impl Iterator<Item = Currency> {
    text.split(|c: char| !c.is_alphabetic())
        .filter_map(Currency::parse)
}

/// A sign beside an amount that is none of its currency's: `€12` in US dollars.
pub(crate) fn other_sign(text: &str, currency: Currency) -> Option<char> {
    let is_other = |c: &char| {
        let codes = SIGNS
            .iter()
            .find(|(sign, _)| sign == c)
            .map(|(_, codes)| *codes);
        codes.is_some_and(|codes| !codes.contains(&currency.code()))
            || *c == '$' && WITHOUT_DOLLAR.contains(&currency.code())
    };
    text.chars().find(is_other)
}

/// Signs that a few currencies have, and no others.
const SIGNS: [(char, &[&str]); 18] = [
    ('€', &["EUR"]),
    (
        '£',
        &[
            "GBP", "EGP", "LBP", "SDG", "SSP", "SYP", "FKP", "GIP", "SHP",
        ],
    ),
    ('¥', &["JPY", "CNY"]),
    ('￥', &["JPY", "CNY"]),
    ('₩', &["KRW", "KPW"]),
    ('₹', &["INR"]),
    ('₺', &["TRY"]),
    ('₽', &["RUB"]),
    ('₫', &["VND"]),
    ('₴', &["UAH"]),
    ('₪', &["ILS"]),
    ('₦', &["NGN"]),
    ('₱', &["PHP", "CUP"]),
    ('฿', &["THB"]),
    ('₸', &["KZT"]),
    ('₲', &["PYG"]),
    ('₵', &["GHS"]),
    ('₡', &["CRC", "SVC"]),
];

/// Currencies of large markets that are written with a sign or letters of their own, never with `$`.
const WITHOUT_DOLLAR: [&str; 18] = [
    "EUR", "GBP", "JPY", "CNY", "KRW", "INR", "CHF", "PLN", "CZK", "HUF", "RON", "SEK", "NOK",
    "DKK", "TRY", "UAH", "RUB", "ILS",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_name_currencies() {
        let codes = SIGNS.iter().flat_map(|(_, codes)| *codes);
        for code in codes.chain(&WITHOUT_DOLLAR) {
            assert_eq!(Currency::parse(code).map(Currency::code), Some(*code));
        }
    }
}
