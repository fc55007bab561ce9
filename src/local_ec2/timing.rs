//! How long things take: nothing at all, or what was measured on EC2.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Something that takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transition {
    /// A call that only looks.
    ReadCall,
    /// A call that changes something.
    WriteCall,
    /// The RunInstances call.
    LaunchCall,
    /// `pending` to `running`.
    Run,
    /// `running` to status checks `ok`.
    Checks,
    /// StopInstances to `stopped`.
    Stop,
    /// TerminateInstances to `terminated`.
    Terminate,
    /// Power-off inside the guest to `stopped` or `terminated`.
    PowerOff,
    /// CreateImage to `available`.
    Image,
    /// CreateSnapshot to `completed`.
    Snapshot,
    /// RegisterImage to `available`.
    Register,
    /// CopyImage inside a region.
    CopyWithin,
    /// CopyImage between regions.
    CopyAcross,
    /// CreateVolume to `available`.
    Volume,
    /// Until an id that was just returned is known to other calls.
    Visible,
    /// Until EC2 knows an instance profile that was just changed.
    ProfileVisible,
    /// AttachVolume to `attached`.
    Attach,
    /// DetachVolume to `available`.
    Detach,
    /// EnableFastLaunch to `enabled`.
    FastLaunch,
}

impl Transition {
    /// Minimum, median and maximum in seconds: section 4.2 of the specification, which names the source of each.
    fn seconds(self) -> (f64, f64, f64) {
        match self {
            Self::ReadCall => (0.05, 0.12, 0.6),
            Self::WriteCall => (0.2, 0.6, 2.0),
            Self::LaunchCall => (0.8, 2.0, 5.0),
            Self::Run => (4.0, 12.0, 40.0),
            Self::Checks => (60.0, 120.0, 240.0),
            Self::Stop => (10.0, 31.0, 112.0),
            Self::Terminate => (15.0, 40.0, 90.0),
            Self::PowerOff => (8.0, 20.0, 60.0),
            Self::Image => (35.0, 75.0, 300.0),
            Self::Snapshot => (15.0, 40.0, 300.0),
            Self::Register => (0.05, 1.0, 5.0),
            Self::CopyWithin => (180.0, 305.0, 900.0),
            Self::CopyAcross => (180.0, 320.0, 1100.0),
            Self::Volume => (0.5, 2.0, 10.0),
            Self::Visible => (0.5, 1.5, 5.0),
            Self::ProfileVisible => (3.0, 8.0, 30.0),
            Self::Attach => (1.0, 3.0, 15.0),
            Self::Detach => (2.0, 5.0, 60.0),
            Self::FastLaunch => (300.0, 486.0, 1800.0),
        }
    }
}

/// How long something takes, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Figure {
    /// Always this long.
    Fixed(f64),
    /// Minimum, median and maximum.
    Spread(f64, f64, f64),
}

impl Figure {
    /// Whether it can be drawn from.
    pub fn is_sound(self) -> bool {
        match self {
            Self::Fixed(seconds) => seconds.is_finite() && seconds >= 0.0,
            Self::Spread(min, median, max) => max.is_finite() && 0.0 <= min && min <= median && median <= max,
        }
    }

    /// Times a factor.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        match self {
            Self::Fixed(seconds) => Self::Fixed(seconds * factor),
            Self::Spread(min, median, max) => Self::Spread(min * factor, median * factor, max * factor),
        }
    }
}

/// A timing profile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Every change is there at the next look; only real work takes time.
    Instant,
    /// EC2's own pace times a factor: 1.0 is real, 0.02 fifty times as fast, 3.0 a slow day.
    Realistic(f64),
}

/// The clockwork: a pace and the seed of its draws. Ids are random, so draws count by their order: the same seed and the same calls one after another
/// always take the same times.
#[derive(Debug)]
pub struct Timing {
    pace: Pace,
    seed: u64,
    own: BTreeMap<Transition, Figure>,
    drawn: Mutex<Drawn>,
}

/// What was drawn so far.
#[derive(Debug, Default)]
struct Drawn {
    counts: BTreeMap<Transition, u64>,
    /// The number of the draw of those that must draw the same whenever they are looked at.
    named: BTreeMap<(Transition, String), u64>,
}

impl Drawn {
    fn next(&mut self, transition: Transition) -> u64 {
        let count = self.counts.entry(transition).or_default();
        *count += 1;
        *count
    }
}

impl Timing {
    /// A clockwork in which nothing was drawn yet. `own` figures come before the pace's.
    pub fn new(pace: Pace, seed: u64, own: BTreeMap<Transition, Figure>) -> Self {
        Self { pace, seed, own, drawn: Mutex::default() }
    }

    /// How long this takes now.
    pub fn draw(&self, transition: Transition) -> Duration {
        self.number(transition, |drawn| drawn.next(transition))
    }

    /// How long this takes for what has this name, the same whenever it is asked.
    pub fn draw_for(&self, transition: Transition, name: &str) -> Duration {
        self.number(transition, |drawn| {
            let key = (transition, name.to_owned());
            if let Some(known) = drawn.named.get(&key) {
                return *known;
            }
            let number = drawn.next(transition);
            drawn.named.insert(key, number);
            number
        })
    }

    fn number(&self, transition: Transition, number: impl FnOnce(&mut Drawn) -> u64) -> Duration {
        let (min, median, max) = match (self.own.get(&transition), self.pace) {
            (Some(Figure::Fixed(seconds)), _) => return seconds_of(*seconds),
            (Some(Figure::Spread(min, median, max)), _) => (*min, *median, *max),
            (None, Pace::Instant) => return Duration::ZERO,
            (None, Pace::Realistic(scale)) => {
                let (min, median, max) = transition.seconds();
                (min * scale, median * scale, max * scale)
            }
        };
        let number = number(&mut self.drawn.lock().unwrap_or_else(|e| e.into_inner()));
        if transition == Transition::Visible && uniform(self.seed, &format!("{number} late")) < 0.9 {
            // Nine of ten ids are known everywhere at once.
            return Duration::ZERO;
        }
        let z = normal(self.seed, &format!("{transition:?} {number}"));
        // Log-normal with min and max at three standard deviations on either side of the median, clamped.
        let sigma = if z < 0.0 { (median / min).ln() / 3.0 } else { (max / median).ln() / 3.0 };
        let seconds = median * (sigma * z).exp();
        // A figure of zero has no logarithm.
        seconds_of(if seconds.is_finite() { seconds.clamp(min, max) } else { median })
    }
}

fn seconds_of(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
}

/// A number in 0..1 that depends on seed and name alone.
pub fn uniform(seed: u64, name: &str) -> f64 {
    let digest = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(name).finalize();
    let mut bytes = [0u8; 4];
    bytes.copy_from_slice(&digest[..4]);
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

/// Standard normal, by Box and Muller.
fn normal(seed: u64, name: &str) -> f64 {
    let radius = uniform(seed, &format!("{name} radius")).max(f64::MIN_POSITIVE);
    let angle = uniform(seed, &format!("{name} angle"));
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_repeat_stay_in_bounds_and_centre_on_the_median() {
        let draws = || {
            let timing = Timing::new(Pace::Realistic(1.0), 7, BTreeMap::new());
            (0..999).map(|_| timing.draw(Transition::Stop).as_secs_f64()).collect::<Vec<f64>>()
        };
        let mut sorted = draws();
        assert_eq!(draws(), sorted, "the same seed and the same calls");
        sorted.sort_by(f64::total_cmp);
        assert!(sorted[0] >= 10.0 && sorted[998] <= 112.0);
        assert!((28.0..34.0).contains(&sorted[499]), "{}", sorted[499]);
    }

    #[test]
    fn names_keep_their_draw() {
        let timing = Timing::new(Pace::Realistic(1.0), 7, BTreeMap::new());
        let first = timing.draw_for(Transition::ProfileVisible, "a");
        assert_ne!(timing.draw_for(Transition::ProfileVisible, "b"), first);
        assert_eq!(timing.draw_for(Transition::ProfileVisible, "a"), first);
    }

    #[test]
    fn instant_takes_no_time_and_scale_shortens() {
        let at = |pace| Timing::new(pace, 7, BTreeMap::new());
        assert_eq!(at(Pace::Instant).draw(Transition::CopyAcross), Duration::ZERO);
        let [one, fast] = [1.0, 0.5].map(|scale| at(Pace::Realistic(scale)).draw(Transition::Run).as_secs_f64());
        assert!((one / fast - 2.0).abs() < 1e-6);
    }

    #[test]
    fn own_figures_come_first() {
        let own =
            BTreeMap::from([(Transition::Stop, Figure::Fixed(2.0)), (Transition::Run, Figure::Spread(0.0, 1.0, 3.0))]);
        let timing = Timing::new(Pace::Instant, 7, own);
        assert_eq!(timing.draw(Transition::Stop), Duration::from_secs(2));
        assert_eq!(timing.draw(Transition::Image), Duration::ZERO);
        assert!((0..99).all(|_| timing.draw(Transition::Run) <= Duration::from_secs(3)));
    }
}
