//! `ph`: digits with the country code.
//!
//! Meta's libraries only delete punctuation and leading zeros, so a national number, a trunk zero in
//! brackets or an extension ends up in a hash that matches no one. Where the country is known (from
//! `+` or `00`, else from the context) we read the number with Google's metadata and take its E.164
//! digits if it is a possible number there. Otherwise the documented rule holds: digits only, no
//! leading zeros, 7 to 15 of them.

use std::borrow::Cow;

use rlibphonenumber::enums::{PhoneNumberType, Region};
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumber, PhoneNumberFormat};

use super::Country;
use crate::code::Code;
use crate::limits::PHONE_BYTES_MAX;

const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

pub(super) fn normalize(
    value: &str,
    country: Option<Country>,
    out: &mut String,
) -> Result<Option<Code>, Code> {
    if value.len() > PHONE_BYTES_MAX {
        return Err(Code::PhInvalid);
    }
    if push_north_american(value, out) {
        return Ok(None);
    }
    let spaced = without_inner_plus(value);
    let value = &*spaced;
    let international = international(value);
    let region = country.and_then(|country| country.code().to_ascii_uppercase().parse().ok());
    let is_read = match &international {
        Some(number) => {
            push_e164(number, None, out) || (region.is_some() && push_e164(value, region, out))
        }
        None => region.is_some() && push_national(value, region, out),
    };
    if is_read {
        return Ok(None);
    }
    push_documented(value, out)?;
    let is_national = international.is_none() && country.is_none();
    Ok(is_national.then_some(Code::PhNoCountry))
}

/// A number whose `+` behind a digit are spaces, as forms send them: `+49+151+23456789`.
fn without_inner_plus(value: &str) -> Cow<'_, str> {
    let is_inner = |at: usize| value[..at].contains(|c: char| c.is_ascii_digit());
    match value.rfind('+') {
        Some(at) if is_inner(at) => {
            let first = value.find(|c: char| c.is_ascii_digit()).unwrap_or_default();
            Cow::Owned(value[..first].to_owned() + &value[first..].replace('+', " "))
        }
        _ => Cow::Borrowed(value),
    }
}

/// The usual spellings of a North American number, `+1` and ten digits, without asking the metadata:
/// a fifth of the time, and most numbers that Meta's customers send. The tests hold it against the
/// metadata.
fn push_north_american(value: &str, out: &mut String) -> bool {
    let Some(rest) = value.strip_prefix("+1") else {
        return false;
    };
    let mut digits = [b'1'; 11];
    let mut count = 1;
    for byte in rest.bytes() {
        match byte {
            b'0'..=b'9' if count < digits.len() => {
                digits[count] = byte;
                count += 1;
            }
            b' ' | b'-' | b'.' | b'(' | b')' => {}
            _ => return false,
        }
    }
    let is_whole = count == digits.len() && matches!(digits[1], b'2'..=b'9');
    if is_whole {
        // Digits are ASCII, so this never falls back.
        out.push_str(std::str::from_utf8(&digits).unwrap_or_default());
    }
    is_whole
}

/// The number with one `+` in front if it says its country code itself, by `+` or `00`.
fn international(value: &str) -> Option<Cow<'_, str>> {
    let start = value.find(|c: char| c == '+' || c == '\u{ff0b}' || c.is_numeric())?;
    let number = &value[start..];
    let rest = number
        .strip_prefix(['+', '\u{ff0b}'])
        .or_else(|| number.strip_prefix("00"))?;
    let without_zeros = rest.trim_start_matches(|c: char| c == '0' || !c.is_alphanumeric());
    if without_zeros.len() == rest.len() && number.starts_with('+') {
        return Some(Cow::Borrowed(number));
    }
    Some(Cow::Owned(format!("+{without_zeros}")))
}

/// A number without `+` in a known country. Many senders write the country code all the same, and
/// the metadata of some countries take it for part of a long national number: so where both readings
/// are valid numbers of the country, a mobile phone is likelier than any other.
fn push_national(value: &str, region: Option<Region>, out: &mut String) -> bool {
    let valid = |number: &str, region| {
        let parsed = PHONE_NUMBER_UTIL.parse(number, region).ok()?;
        PHONE_NUMBER_UTIL.is_valid_number(&parsed).then_some(parsed)
    };
    let is_mobile = |number: &PhoneNumber| {
        let kind = PHONE_NUMBER_UTIL.get_number_type(number);
        matches!(
            kind,
            PhoneNumberType::Mobile | PhoneNumberType::FixedLineOrMobile
        )
    };
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    if !digits.starts_with('0') {
        let number = format!("+{digits}");
        let is_better = valid(&number, None).is_some_and(|whole| match valid(value, region) {
            None => true,
            Some(national) => {
                whole.country_code == national.country_code
                    && is_mobile(&whole)
                    && !is_mobile(&national)
            }
        });
        if is_better {
            return push_e164(&number, None, out);
        }
    }
    push_e164(value, region, out)
}

/// Appends the E.164 digits if the metadata make this a possible number.
fn push_e164(number: &str, region: Option<Region>, out: &mut String) -> bool {
    let Ok(parsed) = PHONE_NUMBER_UTIL.parse(number, region) else {
        return false;
    };
    if !PHONE_NUMBER_UTIL.is_possible_number(&parsed) {
        return false;
    }
    let e164 = parsed.format_as(PhoneNumberFormat::E164);
    out.push_str(e164.trim_start_matches('+'));
    true
}

/// Meta's documented rule: remove symbols, letters and leading zeros.
fn push_documented(value: &str, out: &mut String) -> Result<(), Code> {
    let digits = value.chars().filter(char::is_ascii_digit);
    out.extend(digits.skip_while(|digit| *digit == '0'));
    if DIGITS.contains(&out.len()) {
        Ok(())
    } else {
        Err(Code::PhInvalid)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(value: &str, country: &str) -> Option<String> {
        let mut out = String::new();
        normalize(value, Country::parse(country), &mut out)
            .ok()
            .map(|_| out)
    }

    #[test]
    fn reads_national_numbers_where_the_country_is_known() {
        for (value, country, expected) in [
            ("07911 123456", "gb", "447911123456"),
            ("06 12 34 56 78", "fr", "33612345678"),
            ("+44 (0)20 7946 0958", "", "442079460958"),
            ("(0049) 30 1234567", "", "49301234567"),
            ("0049 (0) 30 1234567", "fr", "49301234567"),
            ("+001 (616) 954-78 88", "", "16169547888"),
            ("1-800-FLOWERS", "us", "18003569377"),
            ("(650) 555-1212", "us", "16505551212"),
            ("650-555-1212 ext. 99", "us", "16505551212"),
            ("tel:+49-30-1234567", "", "49301234567"),
            ("+39 06 6982", "", "39066982"),
            ("11 91234-5678", "br", "5511912345678"),
            ("+49 171 1234567", "fr", "491711234567"),
            ("4915123456789", "de", "4915123456789"),
            ("16505551212", "de", "16505551212"),
            ("4915112345678", "at", "4915112345678"),
            ("393 1234567", "it", "393931234567"),
            ("30 1234567", "de", "49301234567"),
        ] {
            assert_eq!(
                read(value, country).as_deref(),
                Some(expected),
                "{value} {country}"
            );
        }
    }

    #[test]
    fn falls_back_to_the_documented_rule() {
        for (value, country, expected) in [
            ("16505551212", "fr", Some("16505551212")),
            ("(650)555-1212", "", Some("6505551212")),
            ("0000", "", None),
            ("123", "us", None),
            ("no number", "us", None),
            ("1234567890123456", "", None),
        ] {
            assert_eq!(
                read(value, country).as_deref(),
                expected,
                "{value} {country}"
            );
        }
    }

    #[test]
    fn says_when_the_country_is_missing() {
        let note = |value| normalize(value, None, &mut String::new()).unwrap();
        assert_eq!(note("07911 123456"), Some(Code::PhNoCountry));
        assert_eq!(note("+447911123456"), None);
    }

    proptest! {
        #[test]
        fn the_north_american_shortcut_agrees_with_the_metadata(
            number in "\\+1[ (.-]{0,2}[0-9]{2,4}[ )(.-]{0,3}[0-9]{2,4}[ .-]{0,2}[0-9]{3,5}",
        ) {
            let (mut short, mut long) = (String::new(), String::new());
            if push_north_american(&number, &mut short) {
                prop_assert!(push_e164(&number, None, &mut long));
                prop_assert_eq!(short, long);
            } else {
                prop_assert!(short.is_empty());
            }
        }

        #[test]
        fn any_text_gives_digits_or_nothing(value in "\\PC{0,60}|[+0-9 ()x#.-]{0,30}", country in "[a-z]{2}") {
            if let Some(digits) = read(&value, &country) {
                prop_assert!(digits.bytes().all(|byte| byte.is_ascii_digit()), "{}", digits);
            }
        }
    }
}
