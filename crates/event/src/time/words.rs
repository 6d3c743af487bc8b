//! Times in words: as JavaScript, Ruby, Go, Java, Unix's `date` and web servers print them.
//!
//! A time is a date, a time of day and a zone, in whatever order they stand. Each part may be there once.
//! What could be read in two ways (`05/11/2026`, `CST`) is no time, and one without its zone is told.

use jiff::civil::{Date, DateTime, Time as Clock};
use jiff::tz::Offset;

use super::TimeError;

/// Longer than any of them.
const BYTES_MAX: usize = 100;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

/// Zones whose short name means one thing, with their minutes east of UTC. `CST`, `IST` and `BST` are those
/// of several countries each; the American ones are RFC 822's.
const ZONES: [(&str, i32); 42] = [
    ("utc", 0),
    ("gmt", 0),
    ("ut", 0),
    ("z", 0),
    ("etc/utc", 0),
    ("etc/gmt", 0),
    ("wet", 0),
    ("west", 60),
    ("cet", 60),
    ("cest", 120),
    ("mez", 60),
    ("mesz", 120),
    ("eet", 120),
    ("eest", 180),
    ("msk", 180),
    ("sast", 120),
    ("jst", 540),
    ("kst", 540),
    ("awst", 480),
    ("aest", 600),
    ("aedt", 660),
    ("nzst", 720),
    ("nzdt", 780),
    ("est", -300),
    ("edt", -240),
    ("cdt", -300),
    ("mst", -420),
    ("mdt", -360),
    ("pst", -480),
    ("pdt", -420),
    ("akst", -540),
    ("akdt", -480),
    ("hst", -600),
    ("brt", -180),
    ("trt", 180),
    ("pkt", 300),
    ("wib", 420),
    ("wita", 480),
    ("hkt", 480),
    ("sgt", 480),
    ("acst", 570),
    ("acdt", 630),
];

/// Unix seconds of a time in words.
pub(super) fn parse(text: &str) -> Result<i64, TimeError> {
    if text.len() > BYTES_MAX {
        return Err(TimeError::Invalid);
    }
    let text = text.replace('\u{2212}', "-");
    // JavaScript adds the zone's long name: `GMT+0100 (Central European Standard Time)`.
    let text = match text.split_once('(') {
        Some((before, rest)) if rest.ends_with(')') => before,
        _ => &text,
    };
    let mut parts = Parts::default();
    for word in text.split(|c: char| c.is_whitespace() || c == ',') {
        parts.word(word).ok_or(TimeError::Invalid)?;
    }
    parts.unix_s()
}

/// What was found of a time so far.
#[derive(Default)]
struct Parts {
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    clock: Option<Clock>,
    is_afternoon: Option<bool>,
    /// Minutes east of UTC, from a name.
    zone: Option<i32>,
    /// The same from figures, which count where both are there.
    offset: Option<i32>,
    /// A zone has a name that says no offset.
    has_other_zone: bool,
    /// The time of day was `24:00`, the end of the day.
    is_next_day: bool,
}

/// Fills a place that is empty.
fn set<T>(place: &mut Option<T>, value: Option<T>) -> Option<()> {
    let is_new = place.is_none() && value.is_some();
    *place = value;
    is_new.then_some(())
}

impl Parts {
    fn word(&mut self, word: &str) -> Option<()> {
        let first = word.chars().next();
        match first {
            None => Some(()),
            // Go's monotonic clock: `m=+0.000012`.
            Some('m') if word.starts_with("m=") => Some(()),
            Some('+' | '-') if self.clock.is_some() => set(&mut self.offset, offset(word)),
            Some(c) if c.is_ascii_alphabetic() || c == '[' => self.name(word),
            _ if word.contains(':') => self.clock_or_log(word),
            _ if word.contains(['-', '/', '.']) => self.date(word),
            _ => self.number(word),
        }
    }

    /// A day of the week, a month, a half of the day or a zone.
    fn name(&mut self, word: &str) -> Option<()> {
        let word = word.trim_matches(['[', ']']);
        let lower = word.trim_end_matches('.').to_ascii_lowercase();
        if DAYS.iter().any(|day| is_short_for(&lower, day)) {
            return Some(());
        }
        if let Some(month) = month(&lower) {
            return set(&mut self.month, Some(month));
        }
        match &*lower {
            "at" | "t" => return Some(()),
            "am" | "a.m" => return set(&mut self.is_afternoon, Some(false)),
            "pm" | "p.m" => return set(&mut self.is_afternoon, Some(true)),
            _ => {}
        }
        let zone = |name: &str| ZONES.iter().find(|(known, _)| *known == name);
        // `GMT+0100`, `UTC-3`; the names of places have such marks as well.
        if !word.contains('/')
            && let Some(at) = lower.find(['+', '-'])
        {
            let (name, figures) = lower.split_at(at);
            let is_utc = matches!(name, "utc" | "gmt");
            return set(&mut self.offset, offset(figures).filter(|_| is_utc));
        }
        match zone(&lower) {
            Some((_, minutes)) => set(&mut self.zone, Some(*minutes)),
            // It says nothing by itself; beside figures it need not: Go's `+0800 CST`.
            None if is_name_of_zone(word) => {
                self.has_other_zone = true;
                Some(())
            }
            None => None,
        }
    }

    /// `13:54:17.123`, with or without `PM`, `Z` or an offset behind it; or a date and a time with a colon
    /// between them, as in the logs of web servers.
    fn clock_or_log(&mut self, word: &str) -> Option<()> {
        if word.contains('/') && !word.contains('[') {
            let (date, clock) = word.split_once(':')?;
            self.date(date)?;
            return self.clock(clock);
        }
        if let Some((date, clock)) = word.split_once(['T', 't'])
            && date.contains('-')
        {
            self.date(date)?;
            return self.clock(clock);
        }
        self.clock(word)
    }

    fn clock(&mut self, word: &str) -> Option<()> {
        let end = word
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.')))
            .unwrap_or(word.len());
        let (figures, behind) = word.split_at(end);
        self.is_next_day = is_end_of_day(figures);
        let figures = if self.is_next_day { "0:00" } else { figures };
        set(&mut self.clock, clock(figures))?;
        match behind.chars().next() {
            None => Some(()),
            Some('+' | '-') => set(&mut self.offset, offset(behind)),
            Some(_) => self.name(behind),
        }
    }

    /// `2026-11-27`, `27.11.2026`, `27/Nov/2026`. Two numbers of which either could be the month are none.
    fn date(&mut self, word: &str) -> Option<()> {
        let separator = word.find(['-', '/', '.'])?;
        let mark = &word[separator..=separator];
        let parts: Vec<&str> = word.split(mark).collect();
        let [first, second, third] = parts[..] else {
            return None;
        };
        let number = |text: &str| text.parse::<i8>().ok();
        let (year, month, day) = if first.len() == 4 {
            (
                first,
                month(&second.to_ascii_lowercase()).or(number(second)),
                number(third),
            )
        } else if let Some(month) = month(&second.to_ascii_lowercase()) {
            (third, Some(month), number(first))
        } else {
            let (a, b) = (number(first)?, number(second)?);
            match mark {
                "." => (third, Some(b), Some(a)),
                _ if a > 12 || a == b => (third, Some(b), Some(a)),
                _ if b > 12 => (third, Some(a), Some(b)),
                _ => return None,
            }
        };
        set(&mut self.year, self::year(year))?;
        set(&mut self.month, month)?;
        set(&mut self.day, day)
    }

    /// A year or a day.
    fn number(&mut self, word: &str) -> Option<()> {
        let figures = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        match (&word[figures.len()..], figures.len()) {
            ("", 4) => set(&mut self.year, year(figures)),
            ("" | "st" | "nd" | "rd" | "th", 1 | 2) => set(&mut self.day, figures.parse().ok()),
            _ => None,
        }
    }

    fn unix_s(self) -> Result<i64, TimeError> {
        let (Some(year), Some(month), Some(day)) = (self.year, self.month, self.day) else {
            return Err(TimeError::Invalid);
        };
        let date = Date::new(year, month, day).map_err(|_| TimeError::Invalid)?;
        let date = if self.is_next_day {
            date.tomorrow().map_err(|_| TimeError::Invalid)?
        } else {
            date
        };
        let unknown = if self.has_other_zone {
            TimeError::ZoneName
        } else {
            TimeError::NoZone
        };
        let zone = self.offset.or(self.zone).ok_or(unknown)?;
        let clock = self.clock.ok_or(TimeError::NoZone)?;
        let clock = in_half(clock, self.is_afternoon).ok_or(TimeError::Invalid)?;
        let offset = Offset::from_seconds(zone * 60).map_err(|_| TimeError::Invalid)?;
        let time = offset.to_timestamp(DateTime::from_parts(date, clock));
        time.map(jiff::Timestamp::as_second)
            .map_err(|_| TimeError::Invalid)
    }
}

fn is_short_for(word: &str, name: &str) -> bool {
    word.len() >= 3 && name.starts_with(word)
}

/// The number of a month, from its English name or the first three letters and more of it.
fn month(word: &str) -> Option<i8> {
    let word = word.trim_end_matches('.');
    let place = MONTHS.iter().position(|name| is_short_for(word, name))?;
    i8::try_from(place + 1).ok()
}

fn year(text: &str) -> Option<i16> {
    let is_year = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_year)
}

/// Whether a word is the name of a zone, by its form: `Europe/Berlin`, `CST`.
fn is_name_of_zone(word: &str) -> bool {
    const LETTERS: std::ops::RangeInclusive<usize> = 3..=5;
    let is_of_place = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+');
    let is_short = LETTERS.contains(&word.len()) && word.bytes().all(|b| b.is_ascii_uppercase());
    is_short || word.contains('/') && word.chars().all(is_of_place)
}

/// Whether a time of day is ISO 8601's `24:00`.
fn is_end_of_day(figures: &str) -> bool {
    let behind = figures.strip_prefix("24:00");
    behind.is_some_and(|behind| {
        behind
            .bytes()
            .all(|byte| matches!(byte, b'0' | b':' | b'.'))
    })
}

/// `13:54`, `13:54:17`, `13:54:17.123`.
fn clock(figures: &str) -> Option<Clock> {
    let (figures, _fraction) = figures.split_once('.').unwrap_or((figures, ""));
    let mut parts = figures.split(':').map(|part| part.parse::<i8>().ok());
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = match parts.next() {
        Some(second) => second?,
        None => 0,
    };
    // A leap second is the last one of its minute here, as in Unix time.
    parts
        .next()
        .is_none()
        .then(|| Clock::new(hour, minute, second.min(59), 0).ok())?
        .filter(|_| second <= 60)
}

/// The hour of the day, from one that counts twice to twelve.
fn in_half(clock: Clock, is_afternoon: Option<bool>) -> Option<Clock> {
    let Some(is_afternoon) = is_afternoon else {
        return Some(clock);
    };
    let hour = clock.hour();
    if !(1..=12).contains(&hour) {
        return None;
    }
    let hour = hour % 12 + if is_afternoon { 12 } else { 0 };
    Clock::new(hour, clock.minute(), clock.second(), 0).ok()
}

/// Minutes east of UTC: `+0000`, `+01:00`, `-03`, `+1`, `+053000`.
fn offset(text: &str) -> Option<i32> {
    let (sign, figures) = match text.split_at_checked(1)? {
        ("+", figures) => (1, figures),
        ("-", figures) => (-1, figures),
        _ => return None,
    };
    let figures = figures.replace(':', "");
    let is_figures = figures.bytes().all(|byte| byte.is_ascii_digit());
    let (hours, minutes) = match figures.len() {
        1 | 2 => (&*figures, "0"),
        4 => figures.split_at(2),
        6 if figures.ends_with("00") => (&figures[..2], &figures[2..4]),
        _ => return None,
    };
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (is_figures && hours <= 14 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2026-11-27T13:54:17Z
    const UNIX_S: i64 = 1_795_787_657;

    #[test]
    fn reads_what_programs_print() {
        for text in [
            "2026-11-27 13:54:17 +0000",
            "2026-11-27 13:54:17 UTC",
            "2026-11-27 14:54:17 +0100 CET",
            "2026-11-27 13:54:17.000123 +0000 UTC m=+0.000012",
            "2026-11-27 21:54:17 +0800 CST",
            "2026-11-27 13:54:17+00",
            "2026-11-27 19:24:17.5+05:30",
            "2026-11-27 13:54:17Z",
            "2026-11-27 15:54:17 GMT+2",
            "2026-11-27 10:54:17 UTC-03:00",
            "2026-11-27T13:54:17 Z",
            "2026/11/27 13:54:17 +0000",
            "Fri Nov 27 2026 13:54:17 GMT+0000 (Coordinated Universal Time)",
            "Fri Nov 27 2026 14:54:17 GMT+0100 (Mitteleuropäische Normalzeit)",
            "Fri Nov 27 13:54:17 UTC 2026",
            "Fri Nov 27 14:54:17 CET 2026",
            "Fri Nov 27 13:54:17 +0000 2026",
            "Fri, 27 Nov 2026 13:54:17 UTC",
            "Friday, 27-Nov-2026 13:54:17 GMT",
            "27 Nov 2026 13:54:17 +0000",
            "27/Nov/2026:13:54:17 +0000",
            "27.11.2026 14:54:17 +0100",
            "27.11.2026, 13:54:17 UTC",
            "11/27/2026, 1:54:17 PM UTC",
            "Nov 27, 2026, 1:54:17\u{202f}PM UTC",
            "November 27th, 2026 at 1:54:17 p.m. GMT",
            "Friday, November 27, 2026 8:54:17 AM EST",
            "2026-11-27 13:54:17 \u{2212}0000",
        ] {
            assert_eq!(parse(text), Ok(UNIX_S), "{text}");
        }
        assert_eq!(parse("12/12/2026 12:00 AM UTC"), Ok(1_797_033_600));
        assert_eq!(parse("12/12/2026 12:00 PM UTC"), Ok(1_797_076_800));
    }

    #[test]
    fn says_when_the_zone_is_missing() {
        for text in [
            "Fri Nov 27 2026 13:54:17",
            "27.11.2026 13:54:17",
            "11/27/2026 1:54 PM",
            "27/Nov/2026:13:54:17",
            "November 27, 2026",
            "27 Nov 2026",
        ] {
            assert_eq!(parse(text), Err(TimeError::NoZone), "{text}");
        }
    }

    #[test]
    fn a_zone_without_an_offset_is_told() {
        for text in [
            "2026-11-27 13:54:17 CST",
            "2026-11-27 13:54:17 IST",
            "2026-11-27 13:54:17 Europe/Berlin",
            "2026-11-27T13:54:17 America/Port-au-Prince",
            "2026-11-27T13:54:17[Europe/Berlin]",
            "Fri Nov 27 2026 13:54:17 BST",
        ] {
            assert_eq!(parse(text), Err(TimeError::ZoneName), "{text}");
        }
    }

    #[test]
    fn guesses_nothing() {
        for text in [
            "",
            "yesterday",
            "13:54:17 UTC",
            "05/11/2026 13:54:17 +0000",
            "2026-11-27 24:00:01 UTC",
            "2026-11-27 24:01 UTC",
            "2026-11-27 24:00 PM UTC",
            "2026-11-27 13:54:17 +0000 +0100",
            "2026-11-27 13:54:17 13:54:17 UTC",
            "2026-11-27 13:54:17 +2500",
            "2026-11-27 25:54:17 UTC",
            "2026-11-27 14:54:17 PM UTC",
            "2026-02-30 13:54:17 UTC",
            "27 Nov 26 13:54:17 UTC",
            "Nov 2026 13:54:17 UTC",
            "27 27 Nov 2026 13:54:17 UTC",
            "Fri Nov Dec 27 13:54:17 UTC 2026",
            "27 Novem 2026 13:54:17 UTC extra",
        ] {
            assert_eq!(parse(text), Err(TimeError::Invalid), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_read(text in "\\PC{0,40}|[A-Za-z0-9:/ .+-]{0,40}") {
            let _ = parse(&text);
        }
    }
}
