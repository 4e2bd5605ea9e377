//! Dates for people: days and minutes, in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A day, once as people read it and once for the `datetime` attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Day {
    pub(crate) words: String,
    pub(crate) iso: String,
}

impl Day {
    /// The day of `time` in UTC; a time before 1970 counts as 1970.
    pub(crate) fn of(time: SystemTime) -> Self {
        let seconds = time
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let (year, month, day) = civil(seconds / 86_400);
        let name = usize::try_from(month)
            .ok()
            .and_then(|month| MONTHS.get(month.wrapping_sub(1)))
            .unwrap_or(&"");
        Self {
            words: format!("{day} {name} {year}"),
            iso: format!("{year:04}-{month:02}-{day:02}"),
        }
    }
}

/// A minute, once as people read it and once for the `datetime` attribute; in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) words: String,
    pub(crate) iso: String,
}

impl Moment {
    /// The minute of `time`; its `iso` is exact to the second.
    pub(crate) fn of(time: SystemTime) -> Self {
        let seconds = time
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let day = Day::of(time);
        let clock = seconds % 86_400;
        let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
        Self {
            words: format!("{}, {hour:02}:{minute:02}", day.words),
            iso: format!("{}T{hour:02}:{minute:02}:{second:02}Z", day.iso),
        }
    }
}

/// Year, month and day of the given day since 1970-01-01 in the Gregorian calendar, counted in eras of 400 years that
/// begin on the first of March, so that the leap day comes last.
const fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_moment_is_a_minute_of_a_day() {
        let moment = Moment::of(UNIX_EPOCH + Duration::from_secs(1_735_689_599));
        assert_eq!(moment.words, "31 December 2024, 23:59");
        assert_eq!(moment.iso, "2024-12-31T23:59:59Z");
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, iso, words) in [
            (0, "1970-01-01", "1 January 1970"),
            (951_782_400, "2000-02-29", "29 February 2000"),
            (951_868_800, "2000-03-01", "1 March 2000"),
            (1_735_689_599, "2024-12-31", "31 December 2024"),
            (4_107_542_400, "2100-03-01", "1 March 2100"),
        ] {
            let day = Day::of(UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!((day.iso.as_str(), day.words.as_str()), (iso, words));
        }
    }
}
