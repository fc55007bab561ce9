//! Points in time, as the state keeps them and as the wire spells them.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970, the resolution of every EC2 time stamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub i64);

impl Moment {
    /// Now, by the system clock.
    pub fn now() -> Self {
        Self(Timestamp::now().as_millisecond())
    }

    /// Reads ISO 8601 with an offset or `Z`, or a plain date.
    pub fn parse(text: &str) -> Option<Self> {
        let full = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
        full.parse::<Timestamp>().ok().map(|t| Self(t.as_millisecond()))
    }

    /// Later by this much.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long before `later` this is; zero when it is not.
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(u64::try_from(later.0 - self.0).unwrap_or(0))
    }

    /// Seconds since 1970 with a fraction, as the JSON services write time.
    pub fn epoch_seconds(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of this millennium fit into 53 bits")]
        let millis = self.0 as f64;
        millis / 1000.0
    }

    /// `2026-09-30 09:38:59 GMT`, as state transition reasons have it.
    pub fn gmt(self) -> String {
        self.timestamp().strftime("%Y-%m-%d %H:%M:%S GMT").to_string()
    }

    /// Formats by jiff's `strftime`.
    pub fn format(self, pattern: &str) -> String {
        self.timestamp().strftime(pattern).to_string()
    }

    fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::MAX)
    }
}

impl fmt::Display for Moment {
    /// `2026-11-20T13:47:59.000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.timestamp().strftime("%Y-%m-%dT%H:%M:%S.%3fZ"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_and_write() {
        for text in ["2030-01-02T03:04:05.678000Z", "2030-01-02T03:04:05.678Z"] {
            assert_eq!(Moment::parse(text).unwrap().to_string(), "2030-01-02T03:04:05.678Z");
        }
        assert_eq!(Moment::parse("2030-01-02").unwrap().gmt(), "2030-01-02 00:00:00 GMT");
        assert_eq!(Moment::parse("soon"), None);
        assert_eq!(Moment(5).plus(Duration::from_secs(1)).until(Moment(2005)), Duration::from_secs(1));
    }
}
