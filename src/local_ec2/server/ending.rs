//! What the faults make of one call.

use std::time::Duration;

use crate::local_ec2::api::{Injected, Kind};
use crate::local_ec2::faults::{Fault, When};
use crate::local_ec2::wire::Error;

/// All faults of one call, by when they take place.
#[derive(Default)]
pub struct Plan {
    /// Ends the call before its effect.
    pub before: Option<Ending>,
    /// Ends it after that.
    pub after: Option<Ending>,
    /// For the action itself.
    pub injected: Injected,
    /// Ids that are not known yet.
    pub unknown: Vec<(Option<Kind>, Duration)>,
    /// How much later the answer comes.
    pub delay: Duration,
    /// The kinds of those faults that do not end the call, for the request log.
    pub accepted: Vec<&'static str>,
}

/// How a fault ends a call.
pub enum Ending {
    /// With an error.
    Error(Error),
    /// With a proxy's page.
    BadGateway,
    /// Never.
    Hang,
    /// Closed without an answer.
    Close,
    /// Reset.
    Reset,
    /// Closed in the middle of the answer.
    Truncated,
    /// Silent from the middle of the answer on.
    Stalled,
}

impl Ending {
    /// The name in the request log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Error(_) => "error",
            Self::BadGateway => "bad_gateway",
            Self::Hang => "hang",
            Self::Close => "lost_reply",
            Self::Reset => "reset",
            Self::Truncated => "truncated",
            Self::Stalled => "stalled",
        }
    }
}

impl Plan {
    /// Of several that end the call at the same time, the first.
    pub fn of(faults: Vec<Fault>) -> Self {
        let mut plan = Self::default();
        for fault in faults {
            if let Some((ending, when)) = plan.take(fault) {
                let slot = if when == When::Before { &mut plan.before } else { &mut plan.after };
                slot.get_or_insert(ending);
            }
        }
        plan
    }

    /// What the log says of a call that is carried out, if there is anything to say.
    pub fn note(&self) -> Option<String> {
        (!self.accepted.is_empty()).then(|| self.accepted.join(", "))
    }

    /// Takes what does not end the call; gives back what does.
    fn take(&mut self, fault: Fault) -> Option<(Ending, When)> {
        self.accepted.extend(name_of_accepted(&fault));
        match fault {
            Fault::Later(failure) => self.injected.late = Some(failure),
            Fault::Death(death) => self.injected.death = Some(death),
            Fault::LinkOpens(after) => self.injected.link.opens_after = after,
            Fault::LinkCut(after) => self.injected.link.cut_after = Some(after),
            Fault::Scarce(scarcity) => self.injected.scarce.push(scarcity),
            Fault::NotFound(kind, window) => self.unknown.push((kind, window)),
            Fault::Delay(delay) => self.delay += delay,
            Fault::Error(error, when) => return Some((Ending::Error(error), when)),
            Fault::Hang(when) => return Some((Ending::Hang, when)),
            Fault::BadGateway(when) => return Some((Ending::BadGateway, when)),
            Fault::Reset(when) => return Some((Ending::Reset, when)),
            Fault::LostReply => return Some((Ending::Close, When::After)),
            Fault::Truncated => return Some((Ending::Truncated, When::After)),
            Fault::Stalled => return Some((Ending::Stalled, When::After)),
        }
        None
    }
}

/// The name of a fault that every call bears which fits its rule. Those that a call may well pass by (an id that is old enough, capacity elsewhere)
/// show in its answer.
fn name_of_accepted(fault: &Fault) -> Option<&'static str> {
    match fault {
        Fault::Delay(_) => Some("delay"),
        Fault::Later(_) => Some("fails_later"),
        Fault::Death(death) if death.only_spot => Some("interrupted"),
        Fault::Death(_) => Some("dies"),
        Fault::LinkOpens(_) => Some("ssh_late"),
        Fault::LinkCut(_) => Some("ssh_cut"),
        _ => None,
    }
}
