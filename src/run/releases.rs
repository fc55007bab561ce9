//! Releases many things, for a build, for a dead run and for what was found by tags alike. All are asked for at once: what something else still uses
//! waits for it, and no longer once that other thing cannot go.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;

use crate::aws::release::{IMAGE, INSTANCE, SECURITY_GROUP, SNAPSHOT, VOLUME};
use crate::engine::ledger::Claim;
use crate::engine::wait::LastSeen;
use crate::engine::{Cause, chain};
use crate::event::{EventKind, Events, Leftover};

use super::cleanup::{describe, leftover};

/// How long a thing is still asked for when what most likely uses it cannot go: it may be free all the same.
const LAST_TRY: Duration = Duration::from_secs(2);

/// Something that is to go.
pub struct Owed<'a> {
    /// The run that made it.
    pub run: &'a str,
    /// What it is.
    pub claim: &'a Claim,
    /// What is said when it is asked for.
    pub announcement: String,
    /// The command that asks for it again.
    pub remedy: String,
}

/// Asked for, but nobody waited for the end.
#[derive(Debug, thiserror::Error)]
#[error("asked for, but not confirmed before the second signal")]
pub struct Unconfirmed;

/// Something else that uses it stays.
#[derive(Debug, thiserror::Error)]
#[error("{user} uses it and could not be {ended}")]
struct Used {
    user: String,
    ended: &'static str,
}

/// How far the release of one thing is.
enum Fate {
    /// Nobody has asked for it yet.
    Owed,
    /// It was asked for, and nobody knows yet that it is gone.
    Asked,
    /// It is gone.
    Gone,
    /// Nobody waits for it any longer, though it may go.
    Unconfirmed(String),
    /// It cannot go, for this reason.
    Refused(String),
}

/// Things that are to go, and how far each is. What is known of them outlives a release that is given up from outside.
pub struct Releases<'a> {
    owed: Vec<Owed<'a>>,
    seen: Vec<LastSeen>,
    fates: watch::Sender<Vec<Fate>>,
}

impl<'a> Releases<'a> {
    /// Nothing has been asked for yet.
    pub fn new(owed: Vec<Owed<'a>>) -> Self {
        let fates = watch::Sender::new(owed.iter().map(|_| Fate::Owed).collect());
        Self { seen: owed.iter().map(|_| LastSeen::default()).collect(), owed, fates }
    }

    /// Asks for all of them by `release`, which may be called twice for a thing, and tells at once what cannot go.
    pub async fn ask(&self, events: &Events, release: impl AsyncFn(&Owed<'a>) -> Result<(), Cause>) {
        let release = &release;
        join_all((0..self.owed.len()).map(async |at| {
            events.send(EventKind::Release(self.owed[at].announcement.clone()));
            self.comes_to(at, Fate::Asked);
            let result = self.seen[at].of(self.one(at, release)).await;
            self.settle(at, events, result);
        }))
        .await;
    }

    async fn one(&self, at: usize, release: &impl AsyncFn(&Owed<'a>) -> Result<(), Cause>) -> Result<(), Cause> {
        let owed = &self.owed[at];
        tokio::select! {
            biased;
            result = release(owed) => return result,
            () = self.users_settled(at) => {}
        }
        // Anew and not on: the pause before the next try may be long, and now is the moment.
        let again = release(owed);
        match self.used(at) {
            None => again.await,
            Some(used) => tokio::time::timeout(LAST_TRY, again).await.unwrap_or_else(|_| Err(used.into())),
        }
    }

    fn settle(&self, at: usize, events: &Events, result: Result<(), Cause>) {
        let fate = match result {
            Ok(()) => Fate::Gone,
            Err(error) if error.is::<Unconfirmed>() => Fate::Unconfirmed(self.last_known(at, chain(error.as_ref()))),
            Err(error) => {
                let left = leftover(self.owed[at].run, self.owed[at].claim, chain(error.as_ref()));
                events.error(format!("{} could not be removed: {}", left.thing(), left.reason));
                Fate::Refused(left.reason)
            }
        };
        self.comes_to(at, fate);
    }

    fn comes_to(&self, at: usize, fate: Fate) {
        self.fates.send_modify(|fates| fates[at] = fate);
    }

    /// What may use a thing so that it cannot go before them.
    fn users(&self, at: usize) -> impl Iterator<Item = usize> {
        let one = &self.owed[at];
        let user = user(&one.claim.intent.kind);
        let uses = move |other: &Owed| {
            let (mine, other_s) = (&one.claim.intent, &other.claim.intent);
            let is_near = mine.build == other_s.build && mine.place.region == other_s.place.region;
            user == Some(other_s.kind.as_str()) && one.run == other.run && is_near
        };
        self.owed.iter().enumerate().filter(move |(_, other)| uses(other)).map(|(at, _)| at)
    }

    /// Returns when all that may use a thing is gone, or one of them stays; never when there is none.
    async fn users_settled(&self, at: usize) {
        let users: Vec<usize> = self.users(at).collect();
        let is_settled = |fates: &Vec<Fate>| {
            let stays = users.iter().any(|user| matches!(fates[*user], Fate::Refused(_)));
            stays || users.iter().all(|user| matches!(fates[*user], Fate::Gone))
        };
        if users.is_empty() || self.fates.subscribe().wait_for(is_settled).await.is_err() {
            std::future::pending().await
        }
    }

    /// Why a thing will not go, when something that may use it stays.
    fn used(&self, at: usize) -> Option<Used> {
        let fates = self.fates.borrow();
        let stays = self.users(at).find(|user| matches!(fates[*user], Fate::Refused(_)))?;
        let claim = self.owed[stays].claim;
        let ended = if claim.intent.kind == INSTANCE { "terminated" } else { "deregistered" };
        Some(Used { user: describe(claim), ended })
    }

    /// What is being waited for; empty when there is nothing.
    pub fn awaited(&self) -> String {
        let fates = self.fates.borrow();
        let waiting = (0..self.owed.len()).filter(|at| matches!(fates[*at], Fate::Owed | Fate::Asked));
        let each = waiting.map(|at| self.last_known(at, describe(self.owed[at].claim)));
        each.collect::<Vec<_>>().join(", ")
    }

    /// What is not known to be gone, each with the reason, be it that `ask` was given up.
    pub fn left(&self) -> Vec<Leftover> {
        let fates = self.fates.borrow();
        let left = self.owed.iter().enumerate().filter_map(|(at, owed)| {
            let reason = match &fates[at] {
                Fate::Gone => return None,
                Fate::Owed => "interrupted before it was asked for".to_owned(),
                Fate::Asked => self.last_known(at, "asked for, but not confirmed before the interruption".to_owned()),
                Fate::Unconfirmed(reason) | Fate::Refused(reason) => reason.clone(),
            };
            Some(Leftover { remedy: owed.remedy.clone(), ..leftover(owed.run, owed.claim, reason) })
        });
        left.collect()
    }

    /// A text, and what was last seen of the thing.
    fn last_known(&self, at: usize, text: String) -> String {
        match self.seen[at].state() {
            state if state.is_empty() => text,
            state => format!("{text} ({state})"),
        }
    }
}

/// The kind of what uses things of this kind, and must be gone before them. Profiles and roles are not in the list: IAM lets them go from an instance that runs.
fn user(kind: &str) -> Option<&'static str> {
    match kind {
        SECURITY_GROUP | VOLUME => Some(INSTANCE),
        SNAPSHOT => Some(IMAGE),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::engine::ledger::{ClaimState, Intent, Keep, Place};
    use crate::engine::wait::{Pace, Probe, until};
    use crate::event::{Event, Sink};

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Sink for Heard {
        fn take(&self, event: Event) {
            if let EventKind::Error(text) = event.kind {
                self.0.lock().unwrap().push(text);
            }
        }
    }

    fn claim(kind: &str, id: &str, build: &str) -> Claim {
        let place = Place { region: "r".into(), ..Place::default() };
        let (kind, build, text) = (kind.to_owned(), build.to_owned(), String::new);
        let intent = Intent { build, kind, keep: Keep::Never, place, name: text(), at: 0, token: text() };
        Claim { id: 0, intent, state: ClaimState::Held(id.into()), ready: false, precious: false }
    }

    fn releases(claims: &[Claim]) -> Releases<'_> {
        let owed = |claim| Owed { run: "run", claim, announcement: String::new(), remedy: "do".to_owned() };
        Releases::new(claims.iter().map(owed).collect())
    }

    #[tokio::test]
    async fn who_waits_for_something_that_stays_waits_no_longer() {
        let claims = [
            claim(SECURITY_GROUP, "sg-1", "a"),
            claim(VOLUME, "vol-1", "a"),
            claim(INSTANCE, "i-1", "a"),
            claim(INSTANCE, "i-2", "b"),
        ];
        let releases = releases(&claims);
        let heard = Arc::new(Heard::default());
        let calls = RefCell::new(Vec::new());
        let release = async |owed: &Owed| {
            let id = owed.claim.resource_id().unwrap();
            calls.borrow_mut().push(id.to_owned());
            let tries = calls.borrow().iter().filter(|call| *call == id).count();
            match id {
                "i-1" => Err("denied".into()),
                "i-2" => Ok(()),
                // It was free all the same.
                "vol-1" if tries > 1 => Ok(()),
                _ => std::future::pending().await,
            }
        };
        releases.ask(&Events::new(heard.clone()), release).await;
        let left: Vec<_> = releases.left().into_iter().map(|one| (one.id, one.reason)).collect();
        let of_group = "instance i-1 uses it and could not be terminated".to_owned();
        assert_eq!(left, [("sg-1".to_owned(), of_group), ("i-1".to_owned(), "denied".to_owned())]);
        let heard = heard.0.lock().unwrap();
        assert_eq!(heard[0], "instance i-1 in r could not be removed: denied");
        assert_eq!(heard.len(), 2);
    }

    #[tokio::test]
    async fn what_was_in_use_goes_the_moment_its_user_is_gone() {
        let claims = [claim(SECURITY_GROUP, "sg-1", "a"), claim(INSTANCE, "i-1", "a")];
        let releases = releases(&claims);
        let is_gone = RefCell::new(false);
        let release = async |owed: &Owed| match owed.claim.resource_id() {
            Some("i-1") => {
                *is_gone.borrow_mut() = true;
                Ok(())
            }
            _ if *is_gone.borrow() => Ok(()),
            _ => std::future::pending().await,
        };
        releases.ask(&Events::new(Arc::new(Heard::default())), release).await;
        assert_eq!(releases.left(), []);
    }

    #[tokio::test]
    async fn what_is_known_outlives_an_interruption() {
        let claims = [claim(INSTANCE, "i-1", "a"), claim(IMAGE, "ami-1", "a"), claim(SECURITY_GROUP, "sg-1", "a")];
        let releases = releases(&claims);
        assert_eq!(releases.left()[0].reason, "interrupted before it was asked for");
        let release = async |owed: &Owed| match owed.claim.resource_id() {
            Some("i-1") => std::future::pending().await,
            Some("sg-1") => {
                let probe = async || Ok::<_, std::io::Error>(Probe::NotYet("in use".into(), None));
                Ok(until(Pace::millis(1, 1), None, probe, |_, _| ()).await?)
            }
            _ => Ok(()),
        };
        let events = Events::new(Arc::new(Heard::default()));
        let asking = releases.ask(&events, release);
        assert!(tokio::time::timeout(Duration::from_millis(10), asking).await.is_err());
        assert_eq!(releases.awaited(), "instance i-1, security-group sg-1 (in use)");
        let left = releases.left();
        assert_eq!((left.len(), left[0].remedy.as_str()), (2, "do"));
        assert_eq!(left[0].reason, "asked for, but not confirmed before the interruption");
        assert!(left[1].reason.ends_with(" (in use)"), "{}", left[1].reason);
    }
}
