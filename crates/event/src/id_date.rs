//! Dates among the numbers of an id. They are the same in all ids of a day, a month or a year.

/// How many digits the numbers of an id have beside years and dates.
pub(crate) fn digits_beside_dates(numbers: &[&[u8]]) -> usize {
    let mut digits = 0;
    let mut rest = numbers;
    while let [first, behind @ ..] = rest {
        match numbers_of_date(rest) {
            0 => {
                digits += first.len();
                rest = behind;
            }
            count => rest = &rest[count..],
        }
    }
    digits
}

/// How many numbers at the start are a date: a day, a month or a year, in any order that is in use.
fn numbers_of_date(numbers: &[&[u8]]) -> usize {
    match *numbers {
        [first, second, third, ..]
            if is_year(first) && is_day(second, third)
                || is_year(third) && (is_day(first, second) || is_day(second, first)) =>
        {
            3
        }
        [first, second, ..]
            if is_year(first) && is_month(second) || is_month(first) && is_year(second) =>
        {
            2
        }
        [first, ..] if is_year(first) || is_run(first) => 1,
        _ => 0,
    }
}

/// `20261127`, `27112026`, `11272026` or `202611`.
fn is_run(number: &[u8]) -> bool {
    let is_written = |year: &[u8], first: &[u8], second: &[u8]| {
        is_year(year) && (is_day(first, second) || is_day(second, first))
    };
    match number.len() {
        8 => {
            is_written(&number[..4], &number[4..6], &number[6..])
                || is_written(&number[4..], &number[..2], &number[2..4])
        }
        6 => is_year(&number[..4]) && is_month(&number[4..]),
        _ => false,
    }
}

fn is_year(number: &[u8]) -> bool {
    number.len() == 4 && (1900..2100).contains(&value(number))
}

fn is_month(number: &[u8]) -> bool {
    number.len() <= 2 && (1..=12).contains(&value(number))
}

fn is_day(month: &[u8], day: &[u8]) -> bool {
    is_month(month) && day.len() <= 2 && (1..=31).contains(&value(day))
}

/// The value of a few digits.
fn value(digits: &[u8]) -> u32 {
    let add = |value, digit: &u8| value * 10 + u32::from(digit - b'0');
    digits.iter().fold(0, add)
}
