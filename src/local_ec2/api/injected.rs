//! What injected faults do to a call that is carried out all the same.

use std::time::Duration;

use super::filter::matches;
use crate::local_ec2::machine::Link;
use crate::local_ec2::state::Moment;
use crate::local_ec2::wire::Error;

/// A fault that shows only after the call was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateFailure {
    /// `Server.InternalError` and the like.
    pub code: String,
    /// `Copy image failed with an internal error` and the like.
    pub message: String,
    /// How much later than usual it shows.
    pub after: Duration,
}

/// The end of an instance that is launched now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// The reason's code.
    pub code: String,
    /// Its text.
    pub message: String,
    /// How long after the launch.
    pub after: Duration,
    /// Only spot instances die of it.
    pub only_spot: bool,
}

/// Capacity that there is none of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scarcity {
    /// Instance types, with wildcards; all when left out.
    pub instance_type: Option<String>,
    /// Zones, with wildcards; all when left out.
    pub zone: Option<String>,
}

/// Everything that faults have in store for a call.
#[derive(Clone, Debug, Default)]
pub struct Injected {
    /// What it makes is to fail later on.
    pub late: Option<LateFailure>,
    /// The instances it launches are to end.
    pub death: Option<Death>,
    /// What cannot be launched.
    pub scarce: Vec<Scarcity>,
    /// What is wrong with the way to the instances that it launches.
    pub link: Link,
}

impl Injected {
    /// Whether there is none of this type in this zone.
    pub fn is_scarce(&self, instance_type: &str, zone: &str) -> bool {
        let hits =
            |pattern: &Option<String>, text: &str| pattern.as_deref().is_none_or(|pattern| matches(pattern, text));
        self.scarce.iter().any(|scarcity| hits(&scarcity.instance_type, instance_type) && hits(&scarcity.zone, zone))
    }

    /// The late failure, and when it shows if the thing would have been done at `due`.
    pub fn fails_at(&self, due: Moment) -> Option<(&LateFailure, Moment)> {
        self.late.as_ref().map(|failure| (failure, due.plus(failure.after)))
    }
}

/// `InsufficientInstanceCapacity`, with the zones that still have some.
pub fn no_capacity(instance_type: &str, zone: &str, others: &[String]) -> Error {
    let mut text = format!(
        "We currently do not have sufficient {instance_type} capacity in the Availability Zone you requested ({zone}). Our system will be \
         working on provisioning additional capacity."
    );
    if !others.is_empty() {
        text.push_str(&format!(
            " You can currently get {instance_type} capacity by not specifying an Availability Zone in your request or choosing {}.",
            others.join(", ")
        ));
    }
    Error::new("InsufficientInstanceCapacity", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scarcity_is_of_types_and_zones() {
        let scarce = Scarcity { instance_type: Some("t3.*".into()), zone: Some("eu-west-1a".into()) };
        let injected = Injected { scarce: vec![scarce], ..Injected::default() };
        assert!(injected.is_scarce("t3.micro", "eu-west-1a"));
        assert!(!injected.is_scarce("t3.micro", "eu-west-1b"));
        assert!(!injected.is_scarce("m5.large", "eu-west-1a"));
        assert!(Injected { scarce: vec![Scarcity::default()], ..Injected::default() }.is_scarce("x", "y"));
        let text = no_capacity("t3.micro", "eu-west-1a", &["eu-west-1b".into()]).message;
        assert!(text.contains("(eu-west-1a)") && text.ends_with("choosing eu-west-1b."));
    }
}
