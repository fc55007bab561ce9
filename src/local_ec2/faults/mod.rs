//! Injected faults: rules in a JSON file (`KILN_LOCAL_FAULTS`, `--faults`, `--local-faults`) that is read again whenever it changes, and
//! rules of the profile, which come first.
//!
//! ```json
//! {"rules": [
//!   {"action": "RunInstances", "kind": "no_capacity", "instance_type": "t3.*", "zone": "eu-west-1a"},
//!   {"effect": "writes", "kind": "hang", "when": "after", "nth": [7]},
//!   {"action": "Describe*", "region": "eu-west-1", "kind": "throttle", "probability": 0.1},
//!   {"action": "CopyImage", "region": "us-east-1", "kind": "fails_later", "window_seconds": 5},
//!   {"action": "RunInstances", "kind": "dies", "window_seconds": 30},
//!   {"action": "RunInstances", "kind": "ssh_cut", "window_seconds": 5},
//!   {"kind": "not_found", "resource": "i", "window_seconds": 2.0}
//! ]}
//! ```
//!
//! A rule says *which calls* by `action`, `region`, `effect` (`reads` or `writes`) and `params`; all that it does not say fits. Of the calls
//! that fit it takes all, or those that `nth` counts (from 1, since the endpoint was started), or each with a `probability`, which is drawn
//! from the seed: the same seed and the same calls always give the same faults. `kind` says *what happens*, see [`FaultKind`].
//!
//! | kind | before or after the effect | fields |
//! |---|---|---|
//! | `throttle`, `unauthorized` | before | |
//! | `internal`, `reset`, `hang`, `bad_gateway` | `when`: `before` (usual) or `after` | |
//! | `error` | `when` | `code`, `message`, `status` |
//! | `lost_reply`, `truncated`, `stalled` | after | |
//! | `no_capacity` | before | `instance_type`, `zone` |
//! | `not_found` | before | `resource`, `window_seconds` |
//! | `fails_later`, `dies`, `interrupted` | accepted; shows later | `code`, `message`, `window_seconds` |
//! | `ssh_late`, `ssh_cut` | accepted; shows on the way to the instance | `window_seconds` |
//! | `delay` | after | `window_seconds` |
//!
//! **To stop a client at exactly one call.** `{"effect": "writes", "kind": "hang", "when": "after", "nth": [k]}` lets the k-th call that changes
//! something have its effect and then never answers; with `"when": "before"` it has none. Either way a line with `"code": "Hang"`, the call's
//! parameters and `"fault": "hang after"` is in the request log (`KILN_LOCAL_LOG`) by then: whoever reads the log kills the client at that line.
//! The line of every other call is written when its effect is there and before its answer is sent. A call that is carried out all the same has the
//! kinds of its faults in its line (`"fault": "delay"`).
//!
//! A rule with a field that says nothing to its kind, or with a number that cannot be, is an error of the file. `fails_later` is for what is made in
//! time (instances, images, snapshots, volumes); `dies`, `interrupted`, `ssh_late` and `ssh_cut` are for launches.

mod rule;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Deserialize;

pub use rule::{Facts, Fault, Rule, When};

use super::timing::uniform;
use super::wire::Error;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rules: Vec<Rule>,
}

/// Refuses rules that would do something else than they say; the error says which one it is, counted from 1.
pub fn check_all(rules: &[Rule]) -> Result<(), String> {
    let problem = rules.iter().zip(1..).find_map(|(rule, n)| Some((n, rule.check().err()?)));
    problem.map_or(Ok(()), |(n, reason)| Err(format!("rule {n}: {reason}")))
}

/// The rules and how often each was looked at.
pub struct Faults {
    path: Option<PathBuf>,
    seed: u64,
    read_at: Option<SystemTime>,
    fixed: Vec<Rule>,
    rules: Vec<Rule>,
    counts: HashMap<String, u64>,
}

impl Faults {
    /// The rules of a profile, and those of a file if there is one.
    pub fn open(path: Option<&Path>, fixed: Vec<Rule>, seed: u64) -> Result<Self, Error> {
        let path = path.map(Path::to_owned);
        let mut faults = Self { path, seed, read_at: None, fixed, rules: Vec::new(), counts: HashMap::new() };
        faults.refresh()?;
        Ok(faults)
    }

    /// Which faults hit this call, in the order of the rules. A file that cannot be read is an error for every call: better seen than ignored.
    pub fn decide(&mut self, facts: &Facts<'_>) -> Result<Vec<Fault>, Error> {
        self.refresh()?;
        let mut found = Vec::new();
        let mut seen: HashMap<String, u32> = HashMap::new();
        for rule in self.fixed.iter().chain(&self.rules) {
            // A rule is counted by what it says, so that a file that changes elsewhere does not begin anew; two that say the same count apart.
            let text = serde_json::to_string(rule).map_err(Error::internal)?;
            let twin = seen.entry(text.clone()).and_modify(|n| *n += 1).or_insert(0);
            let name = format!("{twin} {text}");
            if !rule.matches(facts) {
                continue;
            }
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
        check_all(&file.rules).map_err(bad)?;
        self.rules = file.rules;
        self.read_at = Some(changed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::local_ec2::api::Effect;
    use crate::local_ec2::wire::Params;

    fn decide_with(faults: &mut Faults, action: &str, params: &str) -> Result<Vec<Fault>, Error> {
        let params = Params::parse(params);
        let throttled = Error::new("RequestLimitExceeded", "");
        faults.decide(&Facts {
            action,
            region: "eu-west-1",
            effect: Effect::Writes,
            params: &params,
            throttled,
            service: "ec2",
        })
    }

    fn decide(faults: &mut Faults, action: &str) -> usize {
        decide_with(faults, action, "").unwrap().len()
    }

    fn rules(text: &str) -> Vec<Rule> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn twins_count_apart_and_parameters_choose() {
        let twin = r#"{"kind":"throttle","nth":[1]}"#;
        let mut faults = Faults::open(None, rules(&format!("[{twin},{twin}]")), 1).unwrap();
        assert_eq!([decide(&mut faults, "A"), decide(&mut faults, "A")], [2, 0]);
        let by_name = r#"[{"kind":"internal","params":{"Name":"web-*"}}]"#;
        let mut faults = Faults::open(None, rules(by_name), 1).unwrap();
        let hits = ["Name=web-1", "Name=db-1", ""].map(|p| decide_with(&mut faults, "CreateImage", p).unwrap().len());
        assert_eq!(hits, [1, 0, 0]);
    }

    #[test]
    fn capacity_is_part_of_launches_and_an_error_elsewhere() {
        let mut faults = Faults::open(None, rules(r#"[{"kind":"no_capacity","zone":"*a"}]"#), 1).unwrap();
        let fault = decide_with(&mut faults, "CreateFleet", "").unwrap();
        assert!(matches!(&fault[..], [Fault::Scarce(scarcity)] if scarcity.zone.as_deref() == Some("*a")));
        assert_eq!(decide(&mut faults, "DescribeImages"), 0, "only launches and starts want capacity");
        let named = rules(r#"[{"kind":"no_capacity","action":"CreateVolume"}]"#);
        let fault = decide_with(&mut Faults::open(None, named, 1).unwrap(), "CreateVolume", "").unwrap();
        assert!(matches!(&fault[..], [Fault::Error(error, When::Before)] if error.status == 500));
    }

    #[test]
    fn rules_count_their_calls_and_are_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("faults.json");
        let mut faults = Faults::open(Some(&path), Vec::new(), 1).unwrap();
        assert_eq!(decide(&mut faults, "RunInstances"), 0, "no file, no rules");
        std::fs::write(&path, r#"{"rules":[{"action":"Run*","kind":"throttle","nth":[2]}]}"#).unwrap();
        let hits: Vec<usize> = ["RunInstances", "StopInstances", "RunInstances", "RunInstances"]
            .map(|action| decide(&mut faults, action))
            .to_vec();
        assert_eq!(hits, [0, 0, 1, 0]);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(decide(&mut faults, "RunInstances"), 0);
        std::fs::write(&path, r#"{"rules":[{"kind":"nonsense"}]}"#).unwrap();
        assert_eq!(decide_with(&mut faults, "RunInstances", "").unwrap_err().code, "InvalidFaultsFile");
    }

    #[test]
    fn rules_that_do_something_else_than_they_say_are_refused() {
        for (rule, part) in [
            (r#"{"kind":"not_found","resource":"security-group","window_seconds":9}"#, "one of ami, i, vol, snap, sg,"),
            (r#"{"kind":"not_found","resource":"sg"}"#, "needs `window_seconds`"),
            (r#"{"kind":"throttle","probability":7}"#, "from 0 to 1"),
            (r#"{"kind":"throttle","probability":-1}"#, "from 0 to 1"),
            (r#"{"kind":"delay","window_seconds":-1}"#, "from 0 to 86400"),
            (r#"{"kind":"delay","window_seconds":1e300}"#, "from 0 to 86400"),
            (r#"{"kind":"throttle","nth":[0]}"#, "counts from 1"),
            (r#"{"kind":"throttle","when":"after"}"#, "`when` says nothing"),
            (r#"{"kind":"error","status":42}"#, "400 to 599"),
            (r#"{"kind":"fails_later","action":"CreateTags"}"#, "it is for RunInstances,"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("faults.json");
            std::fs::write(&path, format!(r#"{{"rules":[{{"kind":"internal"}},{rule}]}}"#)).unwrap();
            let error = Faults::open(Some(&path), Vec::new(), 1).map(drop).unwrap_err();
            assert!(error.message.contains("rule 2: ") && error.message.contains(part), "{rule}: {}", error.message);
        }
        let fine = r#"[{"kind":"fails_later","action":"Copy*"},{"kind":"lost_reply","when":"after"},{"kind":"throttle","probability":0}]"#;
        assert_eq!(check_all(&rules(fine)), Ok(()));
    }

    #[test]
    fn late_failures_count_what_can_fail_late() {
        let mut faults = Faults::open(None, rules(r#"[{"kind":"fails_later","nth":[1]}]"#), 1).unwrap();
        assert_eq!([decide(&mut faults, "DescribeImages"), decide(&mut faults, "CreateVolume")], [0, 1]);
    }

    #[test]
    fn probabilities_are_drawn_from_the_seed() {
        let rule: Rule = serde_json::from_str(r#"{"kind":"internal","probability":0.5}"#).unwrap();
        let draw = |seed| {
            let mut faults = Faults::open(None, vec![rule.clone()], seed).unwrap();
            (0..64).map(|_| decide(&mut faults, "X")).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!((16..48).contains(&draw(1).iter().sum::<usize>()));
    }
}
