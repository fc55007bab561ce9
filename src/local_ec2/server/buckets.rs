//! EC2's request throttling: a token bucket for every account, region and action.
//!
//! Capacities and refills are those that the EC2 user guide lists for request rate limiting.

use std::collections::HashMap;

use crate::local_ec2::api::Effect;
use crate::local_ec2::state::Moment;
use crate::local_ec2::wire::Params;

/// Lists that cost more when they are asked for whole: without ids, filters and pages.
const HEAVY: [&str; 6] = [
    "DescribeInstances",
    "DescribeInstanceStatus",
    "DescribeSecurityGroups",
    "DescribeSnapshots",
    "DescribeSpotInstanceRequests",
    "DescribeVolumes",
];

/// The buckets of a server.
pub struct Buckets {
    /// How much slower than on EC2 time passes; none without throttling.
    scale: Option<f64>,
    levels: HashMap<String, (f64, Moment)>,
}

impl Buckets {
    /// Full ones.
    pub fn new(scale: Option<f64>) -> Self {
        Self { scale, levels: HashMap::new() }
    }

    /// Takes a token; false when there is none.
    pub fn take(&mut self, owner: &str, action: &str, effect: Effect, params: &Params, now: Moment) -> bool {
        let Some(scale) = self.scale else { return true };
        let (capacity, refill) = limits(action, effect, is_whole(action, params));
        // With no time at all between two calls, as at scale 0, nothing is ever throttled.
        let refill = if scale > 0.0 { refill / scale } else { f64::INFINITY };
        let (level, at) = self.levels.entry(format!("{owner} {action}")).or_insert((capacity, now));
        let gained = at.until(now).as_secs_f64() * refill;
        *level = (*level + if gained.is_nan() { 0.0 } else { gained }).min(capacity);
        *at = now;
        if *level < 1.0 {
            return false;
        }
        *level -= 1.0;
        true
    }
}

fn is_whole(action: &str, params: &Params) -> bool {
    let narrow = |head: &str| head == "Filter" || head == "MaxResults" || head == "NextToken" || head.ends_with("Id");
    HEAVY.contains(&action) && !params.heads().into_iter().any(narrow)
}

/// Capacity, and tokens a second.
fn limits(action: &str, effect: Effect, is_whole: bool) -> (f64, f64) {
    match action {
        _ if is_whole => (50.0, 10.0),
        _ if effect == Effect::Reads => (100.0, 20.0),
        "RunInstances" | "StartInstances" | "EnableFastLaunch" | "DisableFastLaunch" => (5.0, 2.0),
        "CopyImage" => (100.0, 1.0),
        "CreateTags" | "DeleteTags" => (100.0, 10.0),
        "TerminateInstances"
        | "CreateSnapshot"
        | "CreateSnapshots"
        | "CreateVolume"
        | "DeleteSnapshot"
        | "DeleteVolume"
        | "DeregisterImage"
        | "ModifyImageAttribute"
        | "ModifySnapshotAttribute" => (100.0, 5.0),
        _ => (50.0, 5.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let mut buckets = Buckets::new(Some(1.0));
        let none = Params::default();
        let mut take = |now| buckets.take("me", "RunInstances", Effect::Writes, &none, Moment(now));
        assert_eq!((0..6).map(|_| take(0)).collect::<Vec<_>>(), [true, true, true, true, true, false]);
        assert!(take(1000), "two a second");
        assert!(Buckets::new(None).take("me", "RunInstances", Effect::Writes, &none, Moment(0)));
    }

    #[test]
    fn whole_lists_cost_more() {
        assert_eq!(
            limits("DescribeVolumes", Effect::Reads, is_whole("DescribeVolumes", &Params::default())),
            (50.0, 10.0)
        );
        let narrow = Params::parse("VolumeId.1=vol-1");
        assert_eq!(limits("DescribeVolumes", Effect::Reads, is_whole("DescribeVolumes", &narrow)), (100.0, 20.0));
    }
}
