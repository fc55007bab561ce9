//! Injected faults: rules in a JSON file that is read again whenever it changes.
//!
//! ```json
//! {"rules": [
//!   {"action": "RunInstances", "kind": "no_capacity", "nth": [1]},
//!   {"effect": "writes", "kind": "lost_reply", "nth": [7]},
//!   {"action": "Describe*", "region": "eu-west-1", "kind": "throttle", "probability": 0.1},
//!   {"action": "CopyImage", "kind": "fails_later", "message": "Copy image failed with an internal error"},
//!   {"kind": "not_found", "resource": "i", "window_seconds": 2.0}
//! ]}
//! ```

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::api::{Effect, Kind, LateFailure};
use super::timing::uniform;
use super::wire::Error;

/// One rule: which calls it hits, and what happens to them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// The action's name; `*` and `?` are wildcards. All actions when left out.
    pub action: Option<String>,
    /// Only calls to this region.
    pub region: Option<String>,
    /// Only calls that change something (`writes`) or only those that look (`reads`).
    pub effect: Option<EffectName>,
    /// Only these of the matching calls, from 1. All when left out.
    pub nth: Vec<u64>,
    /// Each matching call with this probability, drawn from the seed.
    pub probability: Option<f64>,
    /// What happens.
    pub kind: FaultKind,
    /// `after`: the call has its effect first. For `internal`, `reset`, `hang` and `error`.
    pub when: When,
    /// The code, for `error` and `fails_later`.
    pub code: Option<String>,
    /// The text, for `error` and `fails_later`.
    pub message: Option<String>,
    /// The status, for `error`; by default the one that goes with the code.
    pub status: Option<u16>,
    /// The prefix of the ids (`i`, `sg`, `ami`, …) for `not_found`.
    pub resource: Option<String>,
    /// For how long after it was made a resource is unknown, for `not_found`; how long to wait, for `delay`.
    pub window_seconds: f64,
}

/// See [`Rule::effect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectName {
    /// Calls that look.
    Reads,
    /// Calls that change something.
    Writes,
}

/// See [`Rule::when`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// The call has no effect.
    #[default]
    Before,
    /// The call has its effect; only the answer is bad.
    After,
}

/// What can happen to a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// 503 `RequestLimitExceeded` (JSON services and STS: 400 with their own codes).
    Throttle,
    /// 500 `InternalError`.
    #[default]
    Internal,
    /// No answer, ever; the connection stays open.
    Hang,
    /// The effect takes place and the connection is closed without an answer.
    LostReply,
    /// The connection is reset.
    Reset,
    /// 500 `InsufficientInstanceCapacity`.
    NoCapacity,
    /// An error with `code`, `message` and `status`.
    Error,
    /// A resource named in the call is unknown as long as it is younger than `window_seconds`.
    NotFound,
    /// The call is accepted, and the image or instance it makes fails later.
    FailsLater,
    /// The answer comes `window_seconds` later.
    Delay,
}

/// What is to happen to one call.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Answer with an error; `after` lets the call have its effect first.
    Error(Error, When),
    /// Never answer.
    Hang(When),
    /// Close the connection without an answer, after the effect.
    LostReply,
    /// Reset the connection.
    Reset(When),
    /// What the call makes fails later.
    Later(LateFailure),
    /// Ids of this kind are unknown while younger than this.
    NotFound(Option<Kind>, Duration),
    /// Answer later.
    Delay(Duration),
}

/// What a rule can look at.
pub struct Facts<'a> {
    /// The action's name.
    pub action: &'a str,
    /// The region.
    pub region: &'a str,
    /// Whether it changes anything.
    pub effect: Effect,
    /// The code of a throttled call in the service's own words.
    pub throttled: Error,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rules: Vec<Rule>,
}

/// The rules and how often each was looked at.
pub struct Faults {
    path: Option<PathBuf>,
    seed: u64,
    read_at: Option<SystemTime>,
    rules: Vec<Rule>,
    counts: HashMap<String, u64>,
}

impl Faults {
    /// Rules from a file; without one there are none.
    pub fn open(path: Option<&Path>, seed: u64) -> Result<Self, Error> {
        let mut faults =
            Self { path: path.map(Path::to_owned), seed, read_at: None, rules: Vec::new(), counts: HashMap::new() };
        faults.refresh()?;
        Ok(faults)
    }

    /// Which faults hit this call, in the order of the rules. A file that cannot be read is an error for every call: better seen than ignored.
    pub fn decide(&mut self, facts: &Facts<'_>) -> Result<Vec<Fault>, Error> {
        self.refresh()?;
        let mut found = Vec::new();
        for rule in &self.rules {
            if !rule.matches(facts) {
                continue;
            }
            let name = serde_json::to_string(rule).map_err(Error::internal)?;
            let count = self.counts.entry(name.clone()).or_default();
            *count += 1;
            let is_due = rule.nth.is_empty() || rule.nth.contains(count);
            let is_drawn = rule.probability.is_none_or(|p| uniform(self.seed, &format!("{name} {count}")) < p);
            if is_due && is_drawn {
                found.push(rule.fault(facts));
            }
        }
        Ok(found)
    }

    fn refresh(&mut self) -> Result<(), Error> {
        let Some(path) = &self.path else { return Ok(()) };
        let bad = |reason: String| Error::new("InvalidFaultsFile", format!("{}: {reason}", path.display()));
        // A file that is not there yet has no rules.
        let Ok(changed) = std::fs::metadata(path).and_then(|meta| meta.modified()) else {
            self.rules.clear();
            self.read_at = None;
            return Ok(());
        };
        if self.read_at == Some(changed) {
            return Ok(());
        }
        let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
        let file: File = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        self.rules = file.rules;
        self.read_at = Some(changed);
        Ok(())
    }
}

impl Rule {
    fn matches(&self, facts: &Facts<'_>) -> bool {
        let effect = match facts.effect {
            Effect::Reads => EffectName::Reads,
            Effect::Writes => EffectName::Writes,
        };
        self.action.as_deref().is_none_or(|pattern| super::api::wildcard(pattern, facts.action))
            && self.region.as_deref().is_none_or(|region| region == facts.region)
            && self.effect.is_none_or(|wanted| wanted == effect)
    }

    fn fault(&self, facts: &Facts<'_>) -> Fault {
        let window = Duration::try_from_secs_f64(self.window_seconds).unwrap_or_default();
        let text = |default: &str| self.message.clone().unwrap_or_else(|| default.to_owned());
        let code = |default: &str| self.code.clone().unwrap_or_else(|| default.to_owned());
        match self.kind {
            FaultKind::Throttle => Fault::Error(facts.throttled.clone(), When::Before),
            FaultKind::Internal => {
                Fault::Error(Error::new("InternalError", "An internal error has occurred"), self.when)
            }
            FaultKind::Hang => Fault::Hang(self.when),
            FaultKind::LostReply => Fault::LostReply,
            FaultKind::Reset => Fault::Reset(self.when),
            FaultKind::NoCapacity => Fault::Error(
                Error::new(
                    "InsufficientInstanceCapacity",
                    "We currently do not have sufficient capacity in the Availability Zone you requested. Our system will be working on \
                     provisioning additional capacity.",
                ),
                When::Before,
            ),
            FaultKind::Error => {
                let error = Error::new(code("InternalError"), text("An internal error has occurred"));
                let status = self.status.unwrap_or(error.status);
                Fault::Error(Error { status, ..error }, self.when)
            }
            FaultKind::NotFound => {
                let kind = self.resource.as_deref();
                Fault::NotFound(kind.and_then(|prefix| Kind::ALL.into_iter().find(|k| k.prefix() == prefix)), window)
            }
            FaultKind::FailsLater => Fault::Later(LateFailure {
                code: code("Client.InternalError"),
                message: text("Client.InternalError: Client error on launch"),
            }),
            FaultKind::Delay => Fault::Delay(window),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(action: &str) -> Facts<'_> {
        Facts { action, region: "eu-west-1", effect: Effect::Writes, throttled: Error::new("RequestLimitExceeded", "") }
    }

    fn decide(faults: &mut Faults, action: &str) -> usize {
        faults.decide(&facts(action)).unwrap().len()
    }

    #[test]
    fn rules_count_their_calls_and_are_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("faults.json");
        let mut faults = Faults::open(Some(&path), 1).unwrap();
        assert_eq!(decide(&mut faults, "RunInstances"), 0, "no file, no rules");
        std::fs::write(&path, r#"{"rules":[{"action":"Run*","kind":"throttle","nth":[2]}]}"#).unwrap();
        let hits: Vec<usize> = ["RunInstances", "StopInstances", "RunInstances", "RunInstances"]
            .map(|action| decide(&mut faults, action))
            .to_vec();
        assert_eq!(hits, [0, 0, 1, 0]);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(decide(&mut faults, "RunInstances"), 0);
        std::fs::write(&path, r#"{"rules":[{"kind":"nonsense"}]}"#).unwrap();
        assert_eq!(faults.decide(&facts("RunInstances")).unwrap_err().code, "InvalidFaultsFile");
    }

    #[test]
    fn probabilities_are_drawn_from_the_seed() {
        let rule: Rule = serde_json::from_str(r#"{"kind":"internal","probability":0.5}"#).unwrap();
        let draw = |seed| {
            let mut faults =
                Faults { path: None, seed, read_at: None, rules: vec![rule.clone()], counts: HashMap::new() };
            (0..64).map(|_| decide(&mut faults, "X")).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!((16..48).contains(&draw(1).iter().sum::<usize>()));
    }
}
