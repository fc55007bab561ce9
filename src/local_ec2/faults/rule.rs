//! One rule of a faults file: which calls it hits, and what happens to them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::local_ec2::api::{Death, Effect, Kind, LateFailure, Scarcity, encode_denial, wildcard};
use crate::local_ec2::wire::{Error, Params};

/// One rule: which calls it hits, and what happens to them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// The action's name; `*` and `?` are wildcards. All actions when left out.
    pub action: Option<String>,
    /// Only calls to this region; `*` and `?` are wildcards.
    pub region: Option<String>,
    /// Only calls that change something (`writes`) or only those that look (`reads`).
    pub effect: Option<EffectName>,
    /// Only calls with these parameters: names and values with wildcards (`{"TagSpecification.*.Value": "web*"}`).
    pub params: BTreeMap<String, String>,
    /// Only these of the matching calls, from 1. All when left out.
    pub nth: Vec<u64>,
    /// Each matching call with this probability, drawn from the seed.
    pub probability: Option<f64>,
    /// What happens.
    pub kind: FaultKind,
    /// `after`: the call has its effect first. For `internal`, `reset`, `hang`, `bad_gateway` and `error`.
    pub when: When,
    /// The code: of the answer for `error`, of the reason for `fails_later` and `dies`.
    pub code: Option<String>,
    /// The text that goes with the code.
    pub message: Option<String>,
    /// The status, for `error`; by default the one that goes with the code.
    pub status: Option<u16>,
    /// The prefix of the ids (`i`, `sg`, `ami`, …) for `not_found`; all of [`Kind::YOUNG`] when left out.
    pub resource: Option<String>,
    /// Only this instance type (wildcards), for `no_capacity`.
    pub instance_type: Option<String>,
    /// Only this zone (wildcards), for `no_capacity`.
    pub zone: Option<String>,
    /// Seconds: how long after it was made a resource is unknown (`not_found`), how long to wait (`delay`), how long after the launch
    /// an instance ends (`dies`, `interrupted`), its SSH server's times (`ssh_late`, `ssh_cut`), how much later than it would have been done the thing fails (`fails_later`).
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
    /// 503 `RequestLimitExceeded` (other services: their own codes).
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
    /// The effect takes place, and the connection is closed in the middle of the answer.
    Truncated,
    /// The effect takes place, and the answer stops in the middle, for ever.
    Stalled,
    /// 502 with a page of HTML, as a proxy answers: no code.
    BadGateway,
    /// 500 `InsufficientInstanceCapacity` for launches and starts, of `instance_type` in `zone`; part of the answer of a fleet.
    NoCapacity,
    /// 403 `UnauthorizedOperation` (other services: `AccessDenied`), with an encoded message that can be decoded.
    Unauthorized,
    /// An error with `code`, `message` and `status`.
    Error,
    /// A resource named in the call is unknown as long as it is younger than `window_seconds`.
    NotFound,
    /// The call is accepted, and the image, snapshot, volume or instance it makes fails later.
    FailsLater,
    /// The instances that the call launches end `window_seconds` after it.
    Dies,
    /// The same for spot instances, for want of capacity.
    Interrupted,
    /// The SSH server of the instances that the call launches cannot be reached for `window_seconds` after each boot.
    SshLate,
    /// After each boot of these instances, the first SSH connection that lives for `window_seconds` is reset.
    SshCut,
    /// The answer comes `window_seconds` later.
    Delay,
}

/// The longest that a rule may wait, in seconds: a day. More is a mistake in the unit.
const LONGEST_WINDOW: f64 = 86_400.0;
/// The actions that can be short of capacity.
const CAPACITY: [&str; 4] = ["RunInstances", "StartInstances", "CreateFleet", "RequestSpotInstances"];
/// The actions that launch instances.
const LAUNCHES: [&str; 3] = ["RunInstances", "CreateFleet", "RequestSpotInstances"];
/// The actions whose work can fail after they were accepted.
const FAILING: [&str; 9] = [
    "RunInstances",
    "CreateFleet",
    "RequestSpotInstances",
    "CreateImage",
    "CopyImage",
    "CreateSnapshot",
    "CreateSnapshots",
    "CopySnapshot",
    "CreateVolume",
];

impl FaultKind {
    /// The only actions that it can happen to; none for those that can happen to any.
    fn actions(self) -> Option<&'static [&'static str]> {
        match self {
            Self::FailsLater => Some(&FAILING),
            Self::Dies | Self::Interrupted | Self::SshLate | Self::SshCut => Some(&LAUNCHES),
            _ => None,
        }
    }

    /// The fields that it looks at, beyond those that choose the calls.
    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Internal | Self::Reset | Self::Hang | Self::BadGateway => &["when"],
            Self::Error => &["when", "code", "status"],
            Self::NoCapacity => &["instance_type", "zone"],
            Self::NotFound => &["resource", "window_seconds"],
            Self::FailsLater | Self::Dies | Self::Interrupted => &["code", "window_seconds"],
            Self::SshLate | Self::SshCut | Self::Delay => &["window_seconds"],
            Self::Throttle | Self::Unauthorized | Self::LostReply | Self::Truncated | Self::Stalled => &[],
        }
    }

    /// True for what always takes place after the effect, so that saying so is no mistake.
    fn is_after_anyway(self) -> bool {
        matches!(self, Self::LostReply | Self::Truncated | Self::Stalled | Self::Delay)
    }
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
    /// Answer with half of the answer, then close.
    Truncated,
    /// Answer with half of the answer, then nothing.
    Stalled,
    /// Answer with a proxy's page.
    BadGateway(When),
    /// What the call makes fails later.
    Later(LateFailure),
    /// What the call launches ends.
    Death(Death),
    /// The way to the SSH server of what the call launches opens late.
    LinkOpens(Duration),
    /// It is cut.
    LinkCut(Duration),
    /// There is no capacity.
    Scarce(Scarcity),
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
    /// Its parameters.
    pub params: &'a Params,
    /// The code of a throttled call in the service's own words.
    pub throttled: Error,
    /// The service's name, as in the names of permissions.
    pub service: &'a str,
}

impl Facts<'_> {
    /// True for the calls whose launches or starts can be short of capacity.
    fn wants_capacity(&self) -> bool {
        CAPACITY.contains(&self.action)
    }
}

impl Rule {
    /// Whether it is about this call.
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        let effect = match facts.effect {
            Effect::Reads => EffectName::Reads,
            Effect::Writes => EffectName::Writes,
        };
        let fits =
            |pattern: &Option<String>, text: &str| pattern.as_deref().is_none_or(|pattern| wildcard(pattern, text));
        let has = |(name, value): (&String, &String)| {
            facts.params.iter().any(|(known, text)| wildcard(name, known) && wildcard(value, text))
        };
        fits(&self.action, facts.action)
            && fits(&self.region, facts.region)
            && self.effect.is_none_or(|wanted| wanted == effect)
            // Only a rule that names another action is about anything but launches and starts.
            && (self.kind != FaultKind::NoCapacity || self.action.is_some() || facts.wants_capacity())
            && self.kind.actions().is_none_or(|actions| actions.contains(&facts.action))
            && self.params.iter().all(has)
    }

    /// Refuses what would do something else than it says, or nothing. The error names the field and what may stand there.
    pub fn check(&self) -> Result<(), String> {
        if self.probability.is_some_and(|p| !(0.0..=1.0).contains(&p)) {
            return Err("`probability` must be a number from 0 to 1".to_owned());
        }
        if self.nth.contains(&0) {
            return Err("`nth` counts from 1".to_owned());
        }
        if !(0.0..=LONGEST_WINDOW).contains(&self.window_seconds) {
            return Err(format!("`window_seconds` must be a number from 0 to {LONGEST_WINDOW}"));
        }
        if self.status.is_some_and(|status| !(400..=599).contains(&status)) {
            return Err("`status` must be from 400 to 599".to_owned());
        }
        self.check_resource()?;
        self.check_kind()
    }

    fn check_resource(&self) -> Result<(), String> {
        let Some(wanted) = &self.resource else { return Ok(()) };
        if Kind::YOUNG.iter().any(|kind| kind.prefix() == wanted) {
            return Ok(());
        }
        let known: Vec<&str> = Kind::YOUNG.iter().map(|kind| kind.prefix()).collect();
        Err(format!("`resource` cannot be `{wanted}`: it is how the ids begin, one of {}", known.join(", ")))
    }

    /// Whether each field is one that this kind of fault looks at.
    fn check_kind(&self) -> Result<(), String> {
        let name = serde_json::to_value(self.kind).ok().and_then(|name| name.as_str().map(str::to_owned));
        let name = name.unwrap_or_default();
        let takes = self.kind.fields();
        // A message also tells rules apart that are alike but for it.
        let is_given = [
            ("code", self.code.is_some()),
            ("status", self.status.is_some()),
            ("resource", self.resource.is_some()),
            ("instance_type", self.instance_type.is_some()),
            ("zone", self.zone.is_some()),
            ("window_seconds", self.window_seconds > 0.0),
            ("when", self.when == When::After && !self.kind.is_after_anyway()),
        ];
        if let Some((field, _)) = is_given.into_iter().find(|(field, given)| *given && !takes.contains(field)) {
            return Err(format!("`{field}` says nothing to the kind `{name}`: leave it out, or use another kind"));
        }
        let needs_window = matches!(self.kind, FaultKind::NotFound | FaultKind::Delay | FaultKind::SshLate);
        if needs_window && self.window_seconds <= 0.0 {
            return Err(format!("the kind `{name}` needs `window_seconds`, more than 0"));
        }
        let (Some(actions), Some(wanted)) = (self.kind.actions(), &self.action) else { return Ok(()) };
        if actions.iter().any(|action| wildcard(wanted, action)) {
            return Ok(());
        }
        Err(format!("the kind `{name}` cannot happen to `{wanted}`: it is for {}", actions.join(", ")))
    }

    /// What it does to the call.
    pub fn fault(&self, facts: &Facts<'_>) -> Fault {
        // What cannot be a duration was refused when the rule was read.
        let window = Duration::try_from_secs_f64(self.window_seconds).unwrap_or_default();
        let text = |default: &str| self.message.clone().unwrap_or_else(|| default.to_owned());
        let code = |default: &str| self.code.clone().unwrap_or_else(|| default.to_owned());
        match self.kind {
            FaultKind::Throttle => Fault::Error(facts.throttled.clone(), When::Before),
            FaultKind::Internal => Fault::Error(internal(), self.when),
            FaultKind::Hang => Fault::Hang(self.when),
            FaultKind::LostReply => Fault::LostReply,
            FaultKind::Reset => Fault::Reset(self.when),
            FaultKind::Truncated => Fault::Truncated,
            FaultKind::Stalled => Fault::Stalled,
            FaultKind::BadGateway => Fault::BadGateway(self.when),
            FaultKind::NoCapacity if facts.wants_capacity() => {
                Fault::Scarce(Scarcity { instance_type: self.instance_type.clone(), zone: self.zone.clone() })
            }
            FaultKind::NoCapacity => Fault::Error(out_of_capacity(), When::Before),
            FaultKind::Unauthorized => Fault::Error(unauthorized(facts), When::Before),
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
                after: window,
            }),
            FaultKind::Dies => Fault::Death(Death {
                code: code("Server.InternalError"),
                message: text("Server.InternalError: Internal error on launch"),
                after: window,
                only_spot: false,
            }),
            FaultKind::Interrupted => Fault::Death(Death {
                code: code("Server.SpotInstanceTermination"),
                message: text("Server.SpotInstanceTermination: Spot instance termination"),
                after: window,
                only_spot: true,
            }),
            FaultKind::SshLate => Fault::LinkOpens(window),
            FaultKind::SshCut => Fault::LinkCut(window),
            FaultKind::Delay => Fault::Delay(window),
        }
    }
}

fn internal() -> Error {
    Error::new("InternalError", "An internal error has occurred")
}

fn out_of_capacity() -> Error {
    let text = "We currently do not have sufficient capacity in the Availability Zone you requested. Our system will be working on provisioning \
                additional capacity.";
    Error::new("InsufficientInstanceCapacity", text)
}

fn unauthorized(facts: &Facts<'_>) -> Error {
    let action = format!("{}:{}", facts.service, facts.action);
    if facts.service != "ec2" {
        let code = if ["ssm", "secretsmanager", "kms"].contains(&facts.service) {
            "AccessDeniedException"
        } else {
            "AccessDenied"
        };
        let text = format!("User: arn:aws:iam::000000000000:user/kiln is not authorized to perform: {action}");
        return Error::new(code, format!("{text} because no identity-based policy allows the {action} action"));
    }
    let blob = encode_denial(&action, facts.region);
    let text = format!(
        "You are not authorized to perform this operation. User: arn:aws:iam::000000000000:user/kiln is not authorized to perform: {action} \
         because no identity-based policy allows the {action} action. Encoded authorization failure message: {blob}"
    );
    Error::new("UnauthorizedOperation", text)
}
