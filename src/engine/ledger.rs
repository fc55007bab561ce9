//! What a run owes: a pure state machine over journal entries. No I/O, no clock, no AWS.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Number of a claim within its run.
pub type ClaimId = u64;

/// How long a resource is meant to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Temporary: released on every exit.
    Never,
    /// A step towards products: released on every exit, but for that of a build whose products are still being made of it.
    Meanwhile,
    /// A product: undone only when its build fails.
    OnSuccess,
}

/// Where a resource lives, so that another process can find it again.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// Region, `eu-west-1` for one.
    pub region: String,
    /// Endpoint that was used instead of the region's own; empty when none was.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub endpoint: String,
    /// Shared-config profile that was named in the template; empty when none was.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub profile: String,
    /// The state directory of local EC2, when the run rehearsed there; empty otherwise.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub local: String,
}

/// What is about to be created. Written before the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Display name of the build that wants it.
    pub build: String,
    /// Resource kind, `key-pair` for one: it decides who releases it.
    pub kind: String,
    /// Temporary or product.
    pub keep: Keep,
    /// Where it will live.
    pub place: Place,
    /// Its name, where the kind has names; the way to find it when the reply is lost.
    pub name: String,
    /// When, in seconds since 1970; what is young may not be visible yet.
    #[serde(default)]
    pub at: i64,
    /// The client token of the call, where it takes one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub token: String,
}

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum Entry {
    /// The run began. First, once.
    Run { version: u32, run: String, started: i64, pid: u32, host: String, command: Vec<String>, directory: String },
    /// Another process goes on with the run.
    Resumed { at: i64, pid: u32, host: String },
    /// A resource is about to be created.
    Intent { claim: ClaimId, intent: Intent },
    /// The call returned this id.
    Made { claim: ClaimId, id: String },
    /// The call certainly had no effect.
    Refused { claim: ClaimId },
    /// The product is complete and usable, though perhaps not yet all that the template asks for is done to it.
    Ready { claim: ClaimId },
    /// What the product replaces goes from here on: it stays, whatever becomes of its build.
    Precious { claim: ClaimId },
    /// The resource is gone; the API said so.
    Released { claim: ClaimId },
    /// The product was handed over.
    Kept { claim: ClaimId },
    /// A step of a build ended well.
    Step { build: String, step: String },
    /// A machine is about to get these provisioners, in the template's order; dropped ones follow.
    Provisioners { build: String, known: Vec<Known> },
    /// The provisioner at this index (from 0) ended well; `digest` is of its inputs.
    Provisioned {
        build: String,
        index: usize,
        #[serde(default)]
        kind: String,
        digest: String,
    },
    /// What the build's machine had done to it is lost with the machine: its steps begin anew.
    Restarted { build: String },
    /// A build ended well, with its post-processors.
    Built { build: String },
    /// The run ended and settled all it could. Claims still owed are leftovers.
    End { outcome: Outcome },
}

/// A provisioner that a run knows of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Its type, `shell` for one.
    pub kind: String,
    /// The digest of its inputs: of what it did, once it ended well.
    pub digest: String,
    /// The digest of what the template made of it after it had ended well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<String>,
    /// How far it is.
    pub progress: Progress,
}

/// How far a provisioner is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// It has not ended well (yet).
    Due,
    /// It ended well.
    Done,
    /// It ended well, and the template has it no more.
    Dropped,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every build succeeded.
    Success,
    /// Some build failed.
    Failure,
    /// A signal ended it.
    Interrupted,
    /// It failed and was told to leave things as they are.
    Aborted,
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimState {
    /// The call may have been made; nobody knows whether it had an effect.
    Intended,
    /// It exists under this id.
    Held(String),
    /// It never came to be.
    Refused,
    /// It is gone.
    Released,
    /// It was handed over as a product, under this id.
    Kept(String),
}

/// A resource that the run made or may have made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its number.
    pub id: ClaimId,
    /// What was intended.
    pub intent: Intent,
    /// What became of it.
    pub state: ClaimState,
    /// Whether it is a product that is complete.
    pub ready: bool,
    /// Whether it is one that stays, whatever becomes of its build: what it replaces may be gone.
    pub precious: bool,
}

impl Claim {
    /// The resource's id, when it is there and the call returned one.
    pub fn resource_id(&self) -> Option<&str> {
        match &self.state {
            ClaimState::Held(id) | ClaimState::Kept(id) => Some(id),
            _ => None,
        }
    }

    /// Whether it exists or may exist.
    pub fn is_open(&self) -> bool {
        matches!(self.state, ClaimState::Intended | ClaimState::Held(_))
    }
}

/// How a build (or a whole run) came out, for deciding what is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Products that are complete stay.
    Success,
    /// Products go, too.
    Failure,
    /// It was cut short: products that are complete stay, the others go.
    CutShort,
    /// Nobody waits any longer for a product that is still being made elsewhere: all products stay.
    Waiting,
}

impl Verdict {
    fn releases(self, claim: &Claim) -> bool {
        match (claim.intent.keep, self) {
            (Keep::Never, _) | (Keep::OnSuccess, Self::Failure) => true,
            (Keep::Meanwhile, verdict) => verdict != Self::Waiting,
            // What never became complete is no product: an earlier process asked for it and did not hear, or the template wants it no more.
            (Keep::OnSuccess, Self::CutShort | Self::Success) => !claim.ready,
            (Keep::OnSuccess, Self::Waiting) => false,
        }
    }
}

/// An entry that cannot follow what came before it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("journal entry `{entry}` of claim {claim} cannot follow state {state}")]
pub struct Illegal {
    entry: &'static str,
    claim: ClaimId,
    state: String,
}

/// The state that a sequence of entries leads to.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    claims: BTreeMap<ClaimId, Claim>,
    outcome: Option<Outcome>,
    steps: BTreeSet<(String, String)>,
    provisioners: BTreeMap<String, Vec<Known>>,
    built: BTreeSet<String>,
    resumptions: usize,
}

impl Ledger {
    /// Takes the next entry, or says why it cannot come now (the ledger is then unchanged).
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Illegal> {
        match entry {
            Entry::Intent { claim, intent } => self.intend(*claim, intent),
            Entry::Made { claim, id } => self.change("made", *claim, |state| match state {
                ClaimState::Intended => Some(ClaimState::Held(id.clone())),
                _ => None,
            }),
            Entry::Refused { claim } => self.change("refused", *claim, |state| match state {
                ClaimState::Intended => Some(ClaimState::Refused),
                _ => None,
            }),
            Entry::Ready { claim } => {
                self.change("ready", *claim, |state| match state {
                    ClaimState::Held(id) => Some(ClaimState::Held(id.clone())),
                    _ => None,
                })?;
                self.claims.entry(*claim).and_modify(|claim| claim.ready = true);
                Ok(())
            }
            Entry::Precious { claim } => {
                self.change("precious", *claim, |state| match state {
                    ClaimState::Held(id) => Some(ClaimState::Held(id.clone())),
                    _ => None,
                })?;
                self.claims.entry(*claim).and_modify(|claim| claim.precious = true);
                Ok(())
            }
            // Two sweepers may run at once, so a second release is legal.
            Entry::Released { claim } => self.change("released", *claim, |state| match state {
                ClaimState::Intended | ClaimState::Held(_) | ClaimState::Released => Some(ClaimState::Released),
                _ => None,
            }),
            Entry::Kept { claim } => self.change("kept", *claim, |state| match state {
                ClaimState::Held(id) | ClaimState::Kept(id) => Some(ClaimState::Kept(id.clone())),
                _ => None,
            }),
            Entry::End { outcome } => {
                self.outcome = Some(*outcome);
                Ok(())
            }
            Entry::Step { build, step } => {
                self.steps.insert((build.clone(), step.clone()));
                Ok(())
            }
            Entry::Provisioners { build, known } => {
                self.provisioners.insert(build.clone(), known.clone());
                Ok(())
            }
            Entry::Provisioned { build, index, kind, digest } => {
                let done = Known { kind: kind.clone(), digest: digest.clone(), edited: None, progress: Progress::Done };
                let known = self.provisioners.entry(build.clone()).or_default();
                match known.get_mut(*index) {
                    Some(known) => *known = done,
                    // The journal has lost the line that names them all.
                    None => known.push(done),
                }
                Ok(())
            }
            Entry::Resumed { .. } => {
                self.outcome = None;
                self.resumptions += 1;
                Ok(())
            }
            Entry::Restarted { build } => {
                self.steps.retain(|(of, _)| of != build);
                self.provisioners.remove(build);
                Ok(())
            }
            Entry::Built { build } => {
                self.built.insert(build.clone());
                Ok(())
            }
            Entry::Run { .. } => Ok(()),
        }
    }

    fn intend(&mut self, id: ClaimId, intent: &Intent) -> Result<(), Illegal> {
        if let Some(claim) = self.claims.get(&id) {
            return Err(Illegal { entry: "intent", claim: id, state: format!("{:?}", claim.state) });
        }
        let (intent, state) = (intent.clone(), ClaimState::Intended);
        self.claims.insert(id, Claim { id, intent, state, ready: false, precious: false });
        Ok(())
    }

    fn change(
        &mut self,
        entry: &'static str,
        id: ClaimId,
        next: impl FnOnce(&ClaimState) -> Option<ClaimState>,
    ) -> Result<(), Illegal> {
        let Some(claim) = self.claims.get_mut(&id) else {
            return Err(Illegal { entry, claim: id, state: "unknown".into() });
        };
        match next(&claim.state) {
            Some(state) => claim.state = state,
            None => return Err(Illegal { entry, claim: id, state: format!("{:?}", claim.state) }),
        }
        Ok(())
    }

    /// What one build (or, with `None`, the whole run) must release, newest first.
    pub fn owed(&self, build: Option<&str>, verdict: Verdict) -> Vec<Claim> {
        let wanted = |claim: &&Claim| {
            claim.is_open()
                && build.is_none_or(|name| claim.intent.build == name)
                && verdict.releases(claim)
                && !self.is_irreplaceable(claim)
        };
        self.claims.values().rev().filter(wanted).cloned().collect()
    }

    /// A precious claim, unless a later one has taken its place.
    fn is_irreplaceable(&self, claim: &Claim) -> bool {
        let of_same = |other: &Claim| {
            other.intent.build == claim.intent.build && other.intent.place.region == claim.intent.place.region
        };
        claim.precious && !self.claims.values().any(|other| other.precious && other.id > claim.id && of_same(other))
    }

    /// Whether a product of a build stays, whatever becomes of it.
    pub fn has_precious(&self, build: &str) -> bool {
        self.claims(build).any(|claim| claim.precious && claim.is_open())
    }

    /// Complete products of a build that were not handed over yet, oldest first.
    pub fn products(&self, build: &str) -> Vec<Claim> {
        let wanted =
            |claim: &&Claim| claim.intent.build == build && claim.ready && matches!(claim.state, ClaimState::Held(_));
        self.claims.values().filter(wanted).cloned().collect()
    }

    /// All claims, oldest first.
    pub fn all(&self) -> impl Iterator<Item = &Claim> {
        self.claims.values()
    }

    /// All claims of a build, newest first.
    pub fn claims(&self, build: &str) -> impl Iterator<Item = &Claim> {
        self.claims.values().rev().filter(move |claim| claim.intent.build == build)
    }

    /// Whether a step of a build ended well.
    pub fn has_done(&self, build: &str, step: &str) -> bool {
        self.steps.contains(&(build.to_owned(), step.to_owned()))
    }

    /// The provisioners that the machine of a build has got or was about to get; `None` when it did not come so far.
    pub fn provisioners(&self, build: &str) -> Option<&[Known]> {
        self.provisioners.get(build).map(Vec::as_slice)
    }

    /// Whether a build ended well, with its post-processors.
    pub fn is_built(&self, build: &str) -> bool {
        self.built.contains(build)
    }

    /// How often another process has gone on with the run.
    pub fn resumptions(&self) -> usize {
        self.resumptions
    }

    /// Whether a claim stands for this resource of a build, or may: what was asked for and never answered may have got the id.
    pub fn names(&self, wanted: &Intent, id: &str) -> bool {
        self.claims.values().any(|Claim { intent, state, .. }| {
            let is_alike = intent.kind == wanted.kind && intent.place.region == wanted.place.region;
            is_alike
                && match state {
                    ClaimState::Held(own) | ClaimState::Kept(own) => own == id,
                    ClaimState::Intended if intent.name.is_empty() => intent.build == wanted.build,
                    ClaimState::Intended => intent.name == wanted.name,
                    ClaimState::Refused | ClaimState::Released => false,
                }
        })
    }

    /// Whether another claim than this one stands for a resource: the two were asked for under the same name.
    pub fn is_anothers(&self, claim: &Claim, id: &str) -> bool {
        let is_alike = |other: &Claim| {
            other.intent.kind == claim.intent.kind && other.intent.place.region == claim.intent.place.region
        };
        self.claims.values().any(|other| other.id != claim.id && is_alike(other) && other.resource_id() == Some(id))
    }

    /// One claim.
    pub fn claim(&self, id: ClaimId) -> Option<&Claim> {
        self.claims.get(&id)
    }

    /// How the run ended; `None` while it runs, or when it was killed.
    pub fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// The number that the next claim gets.
    pub fn next_claim(&self) -> ClaimId {
        self.claims.last_key_value().map_or(1, |(id, _)| id + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent(keep: Keep) -> Intent {
        let (place, name) = (Place::default(), "n".to_owned());
        Intent { build: "b".into(), kind: "key-pair".into(), keep, place, name, at: 0, token: String::new() }
    }

    fn ledger(entries: &[Entry]) -> Ledger {
        let mut ledger = Ledger::default();
        for entry in entries {
            ledger.apply(entry).unwrap();
        }
        ledger
    }

    fn ids(claims: &[Claim]) -> Vec<ClaimId> {
        claims.iter().map(|claim| claim.id).collect()
    }

    #[test]
    fn temporaries_are_always_owed_and_products_only_after_a_failure() {
        let ledger = ledger(&[
            Entry::Intent { claim: 1, intent: intent(Keep::Never) },
            Entry::Made { claim: 1, id: "key-1".into() },
            Entry::Intent { claim: 2, intent: intent(Keep::OnSuccess) },
            Entry::Made { claim: 2, id: "ami-1".into() },
            Entry::Intent { claim: 3, intent: intent(Keep::Never) },
            Entry::Intent { claim: 4, intent: intent(Keep::OnSuccess) },
            Entry::Made { claim: 4, id: "ami-2".into() },
            Entry::Ready { claim: 4 },
            Entry::Intent { claim: 5, intent: intent(Keep::Meanwhile) },
        ]);
        assert_eq!(ids(&ledger.owed(None, Verdict::Success)), [5, 3, 2, 1]);
        assert_eq!(ids(&ledger.owed(None, Verdict::Waiting)), [3, 1]);
        assert_eq!(ids(&ledger.owed(None, Verdict::CutShort)), [5, 3, 2, 1]);
        assert_eq!(ids(&ledger.owed(Some("b"), Verdict::Failure)), [5, 4, 3, 2, 1]);
        assert!(ledger.owed(Some("other"), Verdict::Failure).is_empty());
        assert_eq!(ids(&ledger.products("b")), [4]);
    }

    #[test]
    fn what_is_gone_refused_or_kept_is_not_owed() {
        let mut entries = Vec::new();
        for claim in 1..=3 {
            entries.push(Entry::Intent { claim, intent: intent(Keep::OnSuccess) });
        }
        entries.extend([
            Entry::Refused { claim: 1 },
            Entry::Made { claim: 2, id: "a".into() },
            Entry::Kept { claim: 2 },
            Entry::Released { claim: 3 },
            Entry::Released { claim: 3 },
        ]);
        assert!(ledger(&entries).owed(None, Verdict::Failure).is_empty());
    }

    #[test]
    fn what_a_claim_names_is_no_other_claims() {
        let named = |kind: &str| Intent { kind: kind.into(), ..intent(Keep::OnSuccess) };
        let ledger = ledger(&[
            Entry::Intent { claim: 1, intent: named("image") },
            Entry::Intent { claim: 2, intent: named("image") },
            Entry::Made { claim: 2, id: "ami-1".into() },
            Entry::Intent { claim: 3, intent: named("role") },
            Entry::Made { claim: 3, id: "n".into() },
        ]);
        let is_anothers = |claim: ClaimId, id: &str| ledger.is_anothers(ledger.claim(claim).unwrap(), id);
        assert!(is_anothers(1, "ami-1") && !is_anothers(2, "ami-1") && !is_anothers(1, "ami-2"));
        // A role has the name of its profile.
        assert!(!is_anothers(1, "n"));
        let names = |kind: &str, id: &str| ledger.names(&named(kind), id);
        assert!(names("image", "ami-1") && names("role", "n") && !names("role", "m") && !names("key-pair", "n"));
        assert!(names("image", "ami-2"), "the first image may have got that id");
    }

    #[test]
    fn what_has_taken_a_place_stays_until_something_takes_its_own() {
        let mut ledger = ledger(&[
            Entry::Intent { claim: 1, intent: intent(Keep::OnSuccess) },
            Entry::Made { claim: 1, id: "ami-1".into() },
            Entry::Ready { claim: 1 },
            Entry::Precious { claim: 1 },
            Entry::Intent { claim: 2, intent: intent(Keep::OnSuccess) },
            Entry::Made { claim: 2, id: "ami-2".into() },
        ]);
        assert_eq!(ids(&ledger.owed(None, Verdict::Failure)), [2]);
        ledger.apply(&Entry::Precious { claim: 2 }).unwrap();
        assert_eq!(ids(&ledger.owed(None, Verdict::Failure)), [1]);
        assert!(ledger.has_precious("b") && !ledger.has_precious("other"));
    }

    #[test]
    fn a_machine_that_is_lost_takes_its_steps_with_it() {
        let build = || "b".to_owned();
        let known = |progress| Known { kind: "shell".into(), digest: "d".into(), edited: None, progress };
        let mut ledger = ledger(&[
            Entry::Step { build: build(), step: "StepProvision".into() },
            Entry::Step { build: "other".into(), step: "StepProvision".into() },
            Entry::Provisioners { build: build(), known: vec![known(Progress::Due), known(Progress::Due)] },
            Entry::Provisioned { build: build(), index: 1, kind: "shell".into(), digest: "d".into() },
        ]);
        assert!(ledger.has_done("b", "StepProvision"));
        assert_eq!(ledger.provisioners("b"), Some(&[known(Progress::Due), known(Progress::Done)][..]));
        ledger.apply(&Entry::Restarted { build: build() }).unwrap();
        assert!(!ledger.has_done("b", "StepProvision") && ledger.provisioners("b").is_none());
        assert!(ledger.has_done("other", "StepProvision"));
    }

    #[test]
    fn illegal_transitions_are_errors_and_change_nothing() {
        let made = Entry::Made { claim: 1, id: "a".into() };
        let mut ledger = ledger(&[Entry::Intent { claim: 1, intent: intent(Keep::Never) }, made.clone()]);
        for entry in [
            Entry::Intent { claim: 1, intent: intent(Keep::Never) },
            made,
            Entry::Refused { claim: 1 },
            Entry::Released { claim: 9 },
        ] {
            ledger.apply(&entry).unwrap_err();
        }
        assert_eq!(ledger.claim(1).unwrap().resource_id(), Some("a"));
        assert_eq!(ledger.next_claim(), 2);
    }
}
