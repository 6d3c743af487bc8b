//! Recognising personal data by its shape alone: addresses in disguise, and numbers that only a person has.
//!
//! Only shapes that nothing else has: check digits, or punctuation that is written for nothing else. An order
//! number of sixteen digits stays one.

use crate::contact;
use crate::url;

/// Whether a text may hold any of these, by a look at its bytes.
pub(crate) fn may_hold(text: &str) -> bool {
    /// Digits of the shortest of these numbers, a social security number.
    const DIGITS_MIN: usize = 9;
    /// `a(at)b.c` is the shortest.
    const BYTES_MIN: usize = 8;
    text.len() >= BYTES_MIN
        && (text.bytes().filter(u8::is_ascii_digit).count() >= DIGITS_MIN
            || memchr::memchr3(b'(', b'[', b'&', text.as_bytes()).is_some()
            || memchr::memchr(b'=', text.as_bytes()).is_some()
            || text.contains(" at "))
}

/// Whether a text holds contact data, or is a number of a person's.
pub(crate) fn holds_personal(text: &str) -> bool {
    contact::holds_contact(text)
        || may_hold(text)
            && (has_disguised_email(text)
                || is_national_phone(text)
                || is_card(text)
                || is_iban(text)
                || is_person_number(text)
                || has_contact_pair(text))
}

/// Whether a text has names and values as a query has, and a name says contact data: `phone=0151…&first_name=…`.
fn has_contact_pair(text: &str) -> bool {
    /// Of a value; so a text of equals signs is not read again and again.
    const BYTES_MAX: usize = 100;
    let is_of_name =
        |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']' | '%');
    memchr::memchr_iter(b'=', text.as_bytes()).any(|at| {
        let before = &text[..at];
        let start = before.trim_end_matches(is_of_name).len();
        let behind = &text[at + 1..];
        let behind = &behind[..behind.floor_char_boundary(BYTES_MAX)];
        let end = behind
            .find(['&', ';', ',', '|', '\n'])
            .unwrap_or(behind.len());
        url::names_contact(&before[start..], &behind[..end])
    })
}

/// Whether an e-mail address stands in a text with its `@` and dots in other words: `jane(at)example.com`,
/// `jane [at] example [dot] com`, `jane&#64;example.com`.
fn has_disguised_email(text: &str) -> bool {
    const AT: [&str; 8] = [
        "(at)", "[at]", "{at}", "(@)", "[@]", "&#64;", "&#x40;", "&commat;",
    ];
    const DOT: [&str; 5] = ["(dot)", "[dot]", "{dot}", "(.)", "[.]"];
    let mut plain = text.to_ascii_lowercase();
    let is_spelled = plain.contains(" at ") && plain.contains(" dot ");
    if !is_spelled && !AT.iter().any(|at| plain.contains(at)) {
        return false;
    }
    if is_spelled {
        plain = plain.replace(" at ", "@").replace(" dot ", ".");
    }
    let marks = AT.into_iter().map(|at| (at, "@"));
    for (mark, sign) in marks.chain(DOT.into_iter().map(|dot| (dot, "."))) {
        for spaced in [
            format!(" {mark} "),
            format!("{mark} "),
            format!(" {mark}"),
            mark.to_owned(),
        ] {
            plain = plain.replace(&spaced, sign);
        }
    }
    contact::has_email(&plain)
}

/// Whether the whole text is a phone number in punctuation that nothing else has: `(650) 555-1212`,
/// `0049 30 1234567`, `tel:0301234567`, `wa.me/49301234567`.
fn is_national_phone(text: &str) -> bool {
    let text = text.trim();
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let link = ["tel:", "https://wa.me/", "wa.me/"];
    if let Some(number) = link.iter().find_map(|link| text.strip_prefix(link)) {
        return number.bytes().filter(u8::is_ascii_digit).count() >= 7;
    }
    let is_punctuation = |c: char| matches!(c, ' ' | '-' | '.' | '/' | '(' | ')' | '\u{a0}');
    if !text
        .chars()
        .all(|c| c.is_ascii_digit() || is_punctuation(c))
    {
        return false;
    }
    let is_american = has_form(text, "(000) 000-0000") || has_form(text, "(000)000-0000");
    let is_abroad = text.strip_prefix("00").is_some_and(|rest| {
        rest.starts_with(|c: char| matches!(c, '1'..='9')) && rest.contains([' ', '-', '/', '('])
    });
    is_american || is_abroad && (11..=17).contains(&digits)
}

/// Whether a text has this form, in which `0` stands for any digit.
fn has_form(text: &str, form: &str) -> bool {
    text.len() == form.len()
        && (text.bytes().zip(form.bytes())).all(|(byte, expected)| match expected {
            b'0' => byte.is_ascii_digit(),
            _ => byte == expected,
        })
}

/// Whether the whole text is the number of a payment card in groups, with its check digit.
fn is_card(text: &str) -> bool {
    const FORMS: [&str; 4] = [
        "0000 0000 0000 0000",
        "0000-0000-0000-0000",
        "0000 000000 00000",
        "0000-000000-00000",
    ];
    let text = text.trim();
    if !FORMS.iter().any(|form| has_form(text, form)) {
        return false;
    }
    let digits = text.bytes().rev().filter(u8::is_ascii_digit);
    let sum: u32 = (digits.enumerate())
        .map(|(at, byte)| match (at % 2, u32::from(byte - b'0')) {
            (0, digit) => digit,
            (_, digit) => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether the whole text is an IBAN (ISO 13616), with its check digits.
fn is_iban(text: &str) -> bool {
    let code: Vec<u8> = (text.trim().bytes()).filter(|byte| *byte != b' ').collect();
    let is_form = (15..=34).contains(&code.len())
        && code[..2].iter().all(u8::is_ascii_alphabetic)
        && code[2..4].iter().all(u8::is_ascii_digit)
        && code[4..].iter().all(u8::is_ascii_alphanumeric);
    if !is_form {
        return false;
    }
    let remainder =
        (code[4..].iter().chain(&code[..4])).fold(0, |sum: u32, byte| {
            match char::from(*byte).to_digit(36) {
                Some(digit @ 0..=9) => (sum * 10 + digit) % 97,
                Some(letter) => (sum * 100 + letter) % 97,
                None => sum,
            }
        });
    remainder == 1
}

/// Whether the whole text is a number by which a state knows a person, in the punctuation that it is written
/// with: a Brazilian CPF with its check digits, an American social security number.
fn is_person_number(text: &str) -> bool {
    let text = text.trim();
    if has_form(text, "000-00-0000") {
        return true;
    }
    if !has_form(text, "000.000.000-00") {
        return false;
    }
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    let check = |count: usize| {
        let weights = (2..=u32::try_from(count).unwrap_or_default() + 1).rev();
        let sum: u32 = digits[..count]
            .iter()
            .zip(weights)
            .map(|(digit, weight)| digit * weight)
            .sum();
        (sum * 10 % 11) % 10
    };
    check(9) == digits[9] && check(10) == digits[10]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_shapes_that_nothing_else_has() {
        for text in [
            "jane(at)example.com",
            "Jane [at] example [dot] com",
            "write to jane at example dot com",
            "jane&#64;example.com",
            "jane\u{ff20}example.com",
            "(650) 555-1212",
            "(650)555-1212",
            "0049 30 1234567",
            "tel:0301234567",
            "https://wa.me/4915123456789",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "3782 822463 10005",
            "DE89 3704 0044 0532 0130 00",
            "GB82WEST12345698765432",
            "123.456.789-09",
            "078-05-1120",
            "email=a@b.de&phone=0151",
            "phone=0151%201234567",
            "ref=7&first_name=Jane&last_name=Doe",
            "tel=0151 1234567; plan=b",
            "?utm_source=x&customer[phone]=01511234567",
        ] {
            assert!(holds_personal(text), "{text}");
        }
    }

    #[test]
    fn leaves_numbers_of_things_alone() {
        for text in [
            "4111111111111111",
            "4111 1111 1111 1112",
            "ORD-2023-112900042",
            "0049301234567",
            "0000 1234 5678",
            "114-1234567-1234567",
            "978-3-16-148410-0",
            "123.456.789-10",
            "DE89370400440532013001",
            "Shirt (blue), size 42",
            "meet at noon",
            "3 [at most] of 12345678901",
            "2026-09-21T14:13:20Z",
            "192.168.178.20",
            "tel: none",
            "color=red&size=43&name=Shirt",
            "phone=iPhone&email=1",
            "a=b=c==",
            "to=checkout&card=visa",
        ] {
            assert!(!holds_personal(text), "{text}");
        }
    }
}
