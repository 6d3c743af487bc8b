//! `db` and its parts `dobd`, `dobm`, `doby`.
//!
//! Meta documents `YYYYMMDD` and takes punctuation and any order in its parameter builder, whose
//! reading we follow: a number above 31 is the year; of the other two the one above 12 is the day;
//! otherwise the month comes first. Not so between dots, where every country that writes them puts the day first.
//! Beyond it, the day has to exist and the year to be 1900 or later.

use std::fmt::Write as _;

use crate::code::Code;

const YEAR_MIN: i16 = 1900;

pub(super) fn date(value: &str, now_s: i64, out: &mut String) -> Result<Option<Code>, Code> {
    let (year, month, day, note) = read(value).ok_or(Code::DbInvalid)?;
    let date = jiff::civil::Date::new(year, month, day).map_err(|_| Code::DbInvalid)?;
    if year < YEAR_MIN || date > today(now_s) {
        return Err(Code::DbInvalid);
    }
    // Writing to a `String` cannot fail.
    let _ = write!(out, "{year:04}{month:02}{day:02}");
    Ok(note)
}

/// The day at a moment, in the zone where it comes first (UTC+14).
fn today(now_s: i64) -> jiff::civil::Date {
    const ZONE_MAX_S: i64 = 14 * 3_600;
    jiff::Timestamp::from_second(now_s.saturating_add(ZONE_MAX_S))
        .map_or(jiff::civil::Date::MAX, |now| {
            jiff::tz::Offset::UTC.to_datetime(now).date()
        })
}

fn read(value: &str) -> Option<(i16, i8, i8, Option<Code>)> {
    let mut groups = value
        .split(|c: char| !c.is_ascii_digit())
        .filter(|group| !group.is_empty());
    let first = groups.next()?;
    let Some(second) = groups.next() else {
        let is_whole = first.len() == 8;
        let part = |range: std::ops::Range<usize>| first.get(range).filter(|_| is_whole);
        let year = part(0..4)?.parse().ok()?;
        return Some((
            year,
            part(4..6)?.parse().ok()?,
            part(6..8)?.parse().ok()?,
            None,
        ));
    };
    let third = groups.next()?;
    let [first, second, third] = [first, second, third].map(|group| group.parse::<i16>().ok());
    let numbers = [first?, second?, third?];
    let at = numbers.iter().position(|number| *number > 31)?;
    let (one, other) = match at {
        0 => (numbers[1], numbers[2]),
        1 => (numbers[0], numbers[2]),
        _ => (numbers[0], numbers[1]),
    };
    let is_day_first = one > 12 || at == 2 && other <= 12 && is_dotted(value);
    let (month, day) = if is_day_first {
        (other, one)
    } else {
        (one, other)
    };
    let is_ambiguous = !is_day_first && at > 0 && one <= 12 && other <= 12 && one != other;
    Some((
        numbers[at],
        month.try_into().ok()?,
        day.try_into().ok()?,
        is_ambiguous.then_some(Code::DbAmbiguous),
    ))
}

/// Whether a date is written with dots between its numbers: `03.02.1980`.
fn is_dotted(value: &str) -> bool {
    let mut between = (value.split(|c: char| c.is_ascii_digit())).filter(|text| !text.is_empty());
    let is_dot = |text: Option<&str>| text.is_some_and(|text| text.trim() == ".");
    is_dot(between.next()) && is_dot(between.next())
}

#[derive(Clone, Copy)]
pub(super) enum Part {
    Day,
    Month,
    Year,
}

pub(super) fn part(value: &str, part: Part, out: &mut String) -> Result<(), Code> {
    let (digits_min, width, range) = match part {
        Part::Day => (1, 2, 1..=31),
        Part::Month => (1, 2, 1..=12),
        Part::Year => (4, 4, 0..=9999),
    };
    let is_number = (digits_min..=width).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_digit());
    let number: u16 = value
        .parse()
        .ok()
        .filter(|number| is_number && range.contains(number))
        .ok_or(Code::BirthPartInvalid)?;
    let _ = write!(out, "{number:0width$}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_date(value: &str) -> Option<(String, bool)> {
        let mut out = String::new();
        let note = date(value, 1_790_000_000, &mut out).ok()?;
        Some((out, note.is_some()))
    }

    #[test]
    fn reads_the_documented_shapes() {
        for (value, expected) in [
            ("2/16/1997 (mm/dd/yyyy)", "19970216"),
            ("16–2–1997", "19970216"),
            ("1997-02-16T00:00:00Z", "19970216"),
            ("29.02.2000", "20000229"),
            ("1997-16-02", "19970216"),
        ] {
            assert_eq!(
                read_date(value),
                Some((expected.to_owned(), false)),
                "{value}"
            );
        }
    }

    #[test]
    fn says_when_day_and_month_could_be_swapped() {
        assert_eq!(read_date("05-03-1995"), Some(("19950503".to_owned(), true)));
        assert_eq!(read_date("05/03.1995"), Some(("19950503".to_owned(), true)));
        for value in [
            "05.03.1995",
            "5. 3. 1995",
            "05.03.1995 00:00",
            "05 . 03 . 1995",
        ] {
            let expected = Some(("19950305".to_owned(), false));
            assert_eq!(read_date(value), expected, "{value}");
        }
        assert_eq!(
            read_date("1995.05.03"),
            Some(("19950503".to_owned(), false))
        );
        assert_eq!(
            read_date("05.16.1995"),
            Some(("19950516".to_owned(), false))
        );
        assert_eq!(
            read_date("1995-05-03"),
            Some(("19950503".to_owned(), false))
        );
        assert_eq!(
            read_date("05-05-1995"),
            Some(("19950505".to_owned(), false))
        );
    }

    #[test]
    fn refuses_days_that_never_were() {
        for value in [
            "13-13-1990",
            "12/31/90",
            "Dec 31, 1990",
            "02-29-1900",
            "29.02.1999",
            "99999999",
            "19971301",
            "1990",
            "1990-12",
            "31/12/1899",
            "01/01/2027",
            "1-1-99999",
            "",
        ] {
            assert_eq!(read_date(value), None, "{value}");
        }
    }
}
