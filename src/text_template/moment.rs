//! An instant as clocks and calendars show it.

/// An instant, seen from a place that is some seconds ahead of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970 in UTC; negative before.
    pub unix_seconds: i64,
    /// Below one thousand million.
    pub nanoseconds: u32,
    /// How far the place's clocks are ahead of UTC; negative in the west.
    pub offset_seconds: i32,
}

impl Moment {
    /// A whole second in UTC.
    pub fn utc(unix_seconds: i64) -> Moment {
        Moment { unix_seconds, nanoseconds: 0, offset_seconds: 0 }
    }

    /// The date and time of day at the place.
    pub(super) fn civil(self) -> Civil {
        let local = self.unix_seconds.saturating_add(self.offset_seconds.into());
        let (days, second) = (local.div_euclid(86_400), local.rem_euclid(86_400));
        let (year, month, day) = date(days);
        let year_day = days - days_before(year, 1, 1) + 1;
        let weekday = (days + 4).rem_euclid(7);
        Civil {
            year,
            month,
            day,
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
            weekday,
            year_day,
        }
    }
}

/// A date of the Gregorian calendar, extended to all times, and a time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Civil {
    pub year: i64,
    /// From 1.
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    /// Sunday is 0.
    pub weekday: i64,
    /// From 1.
    pub year_day: i64,
}

impl Civil {
    /// The hour on a clock face: 12, 1, 2, … 11.
    pub fn clock_hour(&self) -> i64 {
        (self.hour + 11) % 12 + 1
    }

    pub fn month_name(&self) -> &'static str {
        name(&MONTHS, self.month - 1)
    }

    pub fn weekday_name(&self) -> &'static str {
        name(&WEEKDAYS, self.weekday)
    }

    /// Year and number of the week by ISO 8601: weeks begin on Monday and belong to the year of their Thursday.
    pub fn iso_week(&self) -> (i64, i64) {
        let days = days_before(self.year, self.month, self.day);
        let thursday = days - (self.weekday + 6) % 7 + 3;
        let (year, ..) = date(thursday);
        (year, (thursday - days_before(year, 1, 1)) / 7 + 1)
    }
}

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
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

fn name(names: &[&'static str], index: i64) -> &'static str {
    usize::try_from(index).ok().and_then(|index| names.get(index).copied()).unwrap_or_default()
}

/// Days of 400 years, after which the calendar repeats.
const CYCLE: i64 = 146_097;

/// The date that many days after 1970-01-01. Years are counted from March here, so that the leap day is the last one.
fn date(days: i64) -> (i64, i64, i64) {
    let from_march_0000 = days + 719_468;
    let (cycle, day) = (from_march_0000.div_euclid(CYCLE), from_march_0000.rem_euclid(CYCLE));
    let year = (day - day / 1460 + day / 36_524 - day / (CYCLE - 1)) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let calendar_month = if month < 10 { month + 3 } else { month - 9 };
    (cycle * 400 + year + i64::from(calendar_month <= 2), calendar_month, day_of_month)
}

/// Days from 1970-01-01 to the date: the inverse of [`date`].
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (cycle, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    cycle * CYCLE + year * 365 + year / 4 - year / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_days_are_inverse() {
        for days in (-800_000..800_000).step_by(17) {
            let (year, month, day) = date(days);
            assert_eq!(days_before(year, month, day), days, "{year}-{month}-{day}");
        }
    }

    #[test]
    fn known_dates() {
        let civil = |seconds| Moment::utc(seconds).civil();
        let leap = civil(1_709_210_096);
        assert_eq!((leap.year, leap.month, leap.day, leap.weekday, leap.year_day), (2024, 2, 29, 4, 60));
        assert_eq!((leap.hour, leap.minute, leap.second), (12, 34, 56));
        assert_eq!(civil(1_483_228_800).iso_week(), (2016, 52), "2017-01-01 was a Sunday");
        assert_eq!(civil(1_609_459_199).iso_week(), (2020, 53));
        for seconds in [i64::MIN, i64::MAX] {
            Moment { unix_seconds: seconds, nanoseconds: 0, offset_seconds: 1 }.civil();
        }
    }
}
