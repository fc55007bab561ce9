//! A profile: how long things take, what goes wrong, and what there is from the start.
//!
//! Profiles that have a name: `instant` (every change is there at the next look), `realistic` (what was measured on EC2), `slow` (three times
//! that) and `chaos` (realistic, with faults that a client must survive). Anything else is the path of a JSON file. All its fields may be left out:
//!
//! ```json
//! {
//!   "base": "realistic", "scale": 0.02, "seed": 7,
//!   "timings": {"stop": [10, 31, 112], "copy_across": 3.5},
//!   "buckets": true,
//!   "faults": [{"action": "CopyImage", "region": "us-east-1", "kind": "fails_later"}],
//!   "accounts": {"AKIDOTHER": "222233334444"},
//!   "parameters": {"/golden/base": "ami-0123456789abcdef0"},
//!   "secrets": {"registry": "hunter2"},
//!   "kms_keys": ["alias/images", "1234abcd-12ab-34cd-56ef-1234567890ab"],
//!   "machines": "none"
//! }
//! ```
//!
//! - `base` is `instant` or `realistic`; `scale` multiplies all times (0.02 is fifty times as fast as EC2); `seed` fixes every draw.
//! - `timings` are own figures in seconds, by the names of [`Transition`](super::timing::Transition): one number, or minimum, median and maximum.
//!   They count with every base, and `scale` multiplies them too.
//! - `buckets` throttles as EC2 does, by account, region and action.
//! - `faults` are rules as in a faults file; they come before those of the file.
//! - `accounts` says which account an access key belongs to. A key of twelve digits is its own account, any other belongs to `000000000000`.
//! - `parameters` (SSM) and `secrets` are there in every region and account until somebody overwrites them.
//! - `kms_keys` are all the keys there are, by id, ARN or alias; without the field every well-formed key exists.
//! - `machines`: `containers` (usual) or `none`. With `none` instances only change state, and nothing boots: for clients that never log in, on machines
//!   where no container can run, and for thousands of launches.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::faults::{self, Rule};
use super::server::Options;
use super::timing::{Figure, Pace, Transition};

/// See the module's documentation.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    base: Base,
    scale: Option<f64>,
    seed: u64,
    timings: BTreeMap<Transition, Figure>,
    buckets: bool,
    faults: Vec<Rule>,
    accounts: BTreeMap<String, String>,
    parameters: BTreeMap<String, String>,
    secrets: BTreeMap<String, String>,
    kms_keys: Vec<String>,
    machines: Behind,
}

/// What stands behind an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Behind {
    /// A container that boots.
    #[default]
    Containers,
    /// Nothing: it only changes state.
    None,
}

/// What there is without anybody having made it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seeds {
    /// SSM parameters: name and value.
    pub parameters: BTreeMap<String, String>,
    /// Secrets: name and text.
    pub secrets: BTreeMap<String, String>,
    /// The only KMS keys there are; all that are well-formed when empty.
    pub kms_keys: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Base {
    #[default]
    Instant,
    Realistic,
}

/// What goes wrong in `chaos`: all of it now and then, on EC2 too.
const CHAOS: &str = r#"{"base": "realistic", "scale": 0.02, "buckets": true, "faults": [
    {"action": "Describe*", "kind": "throttle", "probability": 0.05},
    {"effect": "writes", "kind": "throttle", "probability": 0.02},
    {"action": "Describe*", "kind": "internal", "probability": 0.01},
    {"action": "Describe*", "kind": "bad_gateway", "probability": 0.01},
    {"action": "Describe*", "kind": "truncated", "probability": 0.01},
    {"action": "RunInstances", "kind": "lost_reply", "probability": 0.1},
    {"kind": "not_found", "window_seconds": 0.3, "probability": 0.2}
]}"#;

impl Profile {
    /// A profile by its name, or from a file. The error names what is wrong with it.
    pub fn named(name: &str) -> Result<Self, String> {
        let realistic = |scale| Self { base: Base::Realistic, scale: Some(scale), ..Self::default() };
        match name {
            "instant" => Ok(Self::default()),
            "realistic" => Ok(realistic(1.0)),
            "slow" => Ok(realistic(3.0)),
            "chaos" => Self::parse(CHAOS),
            path if Path::new(path).is_file() => {
                let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
                Self::parse(&text).map_err(|error| format!("{path}: {error}"))
            }
            other => Err(format!(
                "unknown profile `{other}`: instant, realistic, slow, chaos, or the path of a profile file"
            )),
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let profile: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if profile.scale.is_some_and(|scale| !scale.is_finite() || scale < 0.0) {
            return Err("`scale` must be a number from 0 on".to_owned());
        }
        if let Some((name, _)) = profile.timings.iter().find(|(_, figure)| !figure.is_sound()) {
            return Err(format!("timing of `{name:?}`: seconds from 0 on, and minimum <= median <= maximum"));
        }
        let is_account = |id: &str| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit());
        if let Some((key, id)) = profile.accounts.iter().find(|(_, id)| !is_account(id)) {
            return Err(format!("`accounts`: `{id}` of `{key}` is no account id, which has twelve digits"));
        }
        faults::check_all(&profile.faults).map_err(|reason| format!("`faults`: {reason}"))?;
        Ok(profile)
    }

    /// What stands behind instances. Whoever makes a server's options must know it first.
    pub fn machines(&self) -> Behind {
        self.machines
    }

    /// Makes a server's options say the same.
    pub fn apply(self, options: &mut Options) {
        let scale = self.scale.unwrap_or(1.0);
        options.pace = match self.base {
            Base::Instant => Pace::Instant,
            Base::Realistic => Pace::Realistic(scale),
        };
        options.timings = self.timings.into_iter().map(|(name, figure)| (name, figure.scaled(scale))).collect();
        options.buckets = self.buckets.then_some(scale);
        options.seed = self.seed;
        options.rules = self.faults;
        options.accounts = self.accounts;
        options.seeds = Seeds { parameters: self.parameters, secrets: self.secrets, kms_keys: self.kms_keys };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::local_ec2::machine::NoMachines;

    #[test]
    fn files_say_everything() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("profile.json");
        let text = r#"{"base":"realistic","scale":0.5,"seed":3,"timings":{"stop":[1,2,4],"run":1},"buckets":true,
                       "faults":[{"kind":"internal"}],"accounts":{"A":"111122223333"},"parameters":{"p":"v"},"kms_keys":["alias/x"],"machines":"none"}"#;
        std::fs::write(&path, text).unwrap();
        let mut options = Options::new("x", Arc::new(NoMachines::default()));
        let profile = Profile::named(path.to_str().unwrap()).unwrap();
        assert_eq!(profile.machines(), Behind::None);
        profile.apply(&mut options);
        assert_eq!((options.pace, options.seed, options.rules.len()), (Pace::Realistic(0.5), 3, 1));
        assert_eq!(options.timings[&Transition::Run], Figure::Fixed(0.5));
        assert_eq!(options.seeds.parameters["p"], "v");
    }

    #[test]
    fn names_and_mistakes() {
        for name in ["instant", "realistic", "slow", "chaos"] {
            assert!(Profile::named(name).is_ok(), "{name}");
        }
        assert!(Profile::named("warp").unwrap_err().contains("unknown profile `warp`"));
        for text in [
            r#"{"speed":1}"#,
            r#"{"timings":{"stop":[3,2,1]}}"#,
            r#"{"timings":{"nap":1}}"#,
            r#"{"scale":-1}"#,
            r#"{"accounts":{"A":"12"}}"#,
            r#"{"faults":[{"kind":"throttle","probability":7}]}"#,
        ] {
            assert!(Profile::parse(text).is_err(), "{text}");
        }
    }
}
