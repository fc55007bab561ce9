//! The table that decides what a failed call leads to, by the call, the kind of error and the age of what the call is about. Nothing else decides it.
//!
//! What passes (throttling, faults of the other side, lost replies, a resource that does not show yet) never fails a build by itself; see [`patience`]
//! for how long that holds. A call that may have had its effect is never simply made again: what it may have made is looked for first, since not every
//! endpoint honours client tokens.

use std::time::Duration;

use super::error::Kind;

/// What a call does, as far as another try is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// It looks.
    Look,
    /// It makes something, and this run has not tried before.
    Make,
    /// It makes something, and nobody knows whether an earlier try did.
    MakeAgain,
    /// It changes something, and made twice it does the same.
    Change,
    /// It ends something.
    Release,
    /// It ends something, and nobody knows whether an earlier try did.
    ReleaseAgain,
}

impl Call {
    /// All of them.
    #[cfg(test)]
    const ALL: [Self; 6] = [Self::Look, Self::Make, Self::MakeAgain, Self::Change, Self::Release, Self::ReleaseAgain];
}

/// Whether EC2 may not show yet what a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// It was made less than [`YOUNG`] ago, or may have been.
    Young,
    /// It has been seen, or was there before the run.
    Old,
}

impl Age {
    /// Of what was made so long ago.
    pub fn after(time: Duration) -> Self {
        if time < YOUNG { Self::Young } else { Self::Old }
    }

    /// How long what does not show may still come to show.
    pub fn may_hide(self) -> Duration {
        if self == Self::Young { YOUNG } else { Duration::ZERO }
    }
}

/// What a failed call leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is made again after a pause.
    Again,
    /// What it may have made is looked for, and only when it is not there the call is made again.
    LookFirst,
    /// What it was to bring about is so: the thing is gone, or there.
    Done,
    /// The error is the caller's.
    Fail,
}

/// How long EC2 may answer NotFound for what it has just made: 5 s is common, 56 s the longest reported (ec2-api.md 2.0).
const YOUNG: Duration = Duration::from_secs(60);

/// The table.
pub fn verdict(call: Call, kind: Kind, age: Age) -> Verdict {
    match (kind, call, age) {
        // It certainly had no effect, and only time is needed.
        (Kind::Throttled | Kind::Unreachable, _, _) => Verdict::Again,
        // It may have had its effect.
        (Kind::Unavailable | Kind::NoReply, Call::Make | Call::MakeAgain, _) => Verdict::LookFirst,
        (Kind::Unavailable | Kind::NoReply, _, _) => Verdict::Again,
        // The name is taken: most likely by the try whose fate is not known.
        (Kind::Duplicate, Call::MakeAgain, Age::Young) => Verdict::LookFirst,
        (Kind::Duplicate, Call::Change, _) => Verdict::Done,
        // It does not show yet, or it is gone.
        (Kind::NotFound, Call::ReleaseAgain, _) => Verdict::Done,
        (Kind::NotFound, _, Age::Young) => Verdict::Again,
        (Kind::NotFound, Call::Release, Age::Old) => Verdict::Done,
        // Something still uses it, or it has not yet reached the state in which this can be done to it.
        (Kind::InUse, Call::Release | Call::ReleaseAgain, _) => Verdict::Again,
        (Kind::InUse, Call::Make | Call::MakeAgain | Call::Change, Age::Young) => Verdict::Again,
        _ => Verdict::Fail,
    }
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing has been made through it, so that giving up costs nothing, and somebody waits at a terminal.
    Nothing,
    /// Something was made, or may have been: giving up would throw a build away.
    Made,
}

/// How long calls of this kind of failure are made again, from the first failure on.
pub fn patience(kind: Kind, phase: Phase) -> Duration {
    match (kind, phase) {
        // A wrong URL, a proxy that is missing, a VPN that is off: not an outage.
        (Kind::Unreachable | Kind::NoReply, Phase::Nothing) => Duration::from_secs(20),
        (Kind::Unavailable, Phase::Nothing) => Duration::from_secs(60),
        // A volume, a snapshot or a group is in use until an instance has ended: bare metal takes up to 20 minutes (ec2-api.md 4.2).
        (Kind::InUse, _) => Duration::from_secs(20 * 60),
        // EC2's own outages are longer than this, or much shorter.
        _ => Duration::from_secs(300),
    }
}

/// How long an answer to one try is waited for; `None`: as long as the client waits by itself. EC2 answers what makes, changes or ends something within 5 s
/// (ec2-api.md 4.2), and made twice it does the same, so that nobody need sit out a call that hangs.
pub fn answer_within(call: Call) -> Option<Duration> {
    match call {
        Call::Change | Call::Release | Call::ReleaseAgain => Some(Duration::from_secs(20)),
        // What it may have made is looked for then.
        Call::Make | Call::MakeAgain => Some(Duration::from_secs(30)),
        Call::Look => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [Kind; 10] = [
        Kind::NotFound,
        Kind::Duplicate,
        Kind::InUse,
        Kind::Throttled,
        Kind::Unavailable,
        Kind::NoCapacity,
        Kind::Denied,
        Kind::Invalid,
        Kind::Unreachable,
        Kind::NoReply,
    ];

    /// Every entry of the table with its answer.
    fn all() -> impl Iterator<Item = (Call, Kind, Age, Verdict)> {
        let calls = Call::ALL.into_iter();
        let with_kinds = calls.flat_map(|call| KINDS.into_iter().map(move |kind| (call, kind)));
        let with_ages = with_kinds.flat_map(|(call, kind)| [Age::Young, Age::Old].map(|age| (call, kind, age)));
        with_ages.map(|(call, kind, age)| (call, kind, age, verdict(call, kind, age)))
    }

    #[test]
    fn what_passes_never_fails_a_call() {
        let passes = [Kind::Throttled, Kind::Unavailable, Kind::Unreachable, Kind::NoReply];
        for (call, kind, age, verdict) in all().filter(|(_, kind, _, _)| passes.contains(kind)) {
            assert!([Verdict::Again, Verdict::LookFirst].contains(&verdict), "{call:?} {kind:?} {age:?}: {verdict:?}");
        }
        for call in Call::ALL.into_iter().filter(|call| *call != Call::ReleaseAgain) {
            assert_eq!(verdict(call, Kind::NotFound, Age::Young), Verdict::Again, "{call:?}");
        }
    }

    #[test]
    fn what_may_exist_is_looked_for_before_it_is_made_again() {
        for call in [Call::Make, Call::MakeAgain] {
            for age in [Age::Young, Age::Old] {
                assert_eq!(verdict(call, Kind::NoReply, age), Verdict::LookFirst);
                assert_eq!(verdict(call, Kind::Unavailable, age), Verdict::LookFirst);
            }
        }
        let duplicate = |call, age| verdict(call, Kind::Duplicate, age);
        assert_eq!(duplicate(Call::MakeAgain, Age::Young), Verdict::LookFirst);
        // Nothing of ours can have taken the name: it is somebody else's.
        assert_eq!(duplicate(Call::Make, Age::Young), Verdict::Fail);
        assert_eq!(duplicate(Call::MakeAgain, Age::Old), Verdict::Fail);
    }

    #[test]
    fn only_a_release_takes_what_is_not_there_for_gone_and_only_when_it_could_be_seen() {
        let is_gone =
            |(_, kind, _, verdict): &(Call, Kind, Age, Verdict)| (*kind, *verdict) == (Kind::NotFound, Verdict::Done);
        let gone: Vec<_> = all().filter(is_gone).map(|(call, _, age, _)| (call, age)).collect();
        let again = [Age::Young, Age::Old].map(|age| (Call::ReleaseAgain, age));
        assert_eq!(gone, [(Call::Release, Age::Old), again[0], again[1]]);
    }

    #[test]
    fn what_no_time_mends_fails_at_once() {
        for (call, kind, age, verdict) in all() {
            if [Kind::NoCapacity, Kind::Denied, Kind::Invalid].contains(&kind) {
                assert_eq!(verdict, Verdict::Fail, "{call:?} {kind:?} {age:?}");
            }
        }
    }

    #[test]
    fn nobody_waits_long_for_an_endpoint_that_is_not_there() {
        for kind in KINDS {
            assert!(patience(kind, Phase::Nothing) <= patience(kind, Phase::Made), "{kind:?}");
        }
        assert_eq!(patience(Kind::Unreachable, Phase::Nothing), Duration::from_secs(20));
        assert_eq!(patience(Kind::Throttled, Phase::Nothing), patience(Kind::Throttled, Phase::Made));
    }
}
