//! Which hardware an instance gets: reserved capacity, dedicated hosts, licences, enclaves.

use crate::aws::launch::Capacity;

use super::options::Options;

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

/// Whether the template says anything of reserved capacity.
pub fn is_given(options: &Options) -> bool {
    let all = [
        &options.capacity_reservation_id,
        &options.capacity_reservation_group_arn,
        &options.capacity_reservation_preference,
    ];
    all.into_iter().any(|text| given(text).is_some())
}

/// The reserved capacity that a launch may use. None at all when the template is silent: it may be kept for something else.
pub fn of(options: &Options) -> Capacity {
    let preference =
        || Capacity::Preference(given(&options.capacity_reservation_preference).unwrap_or("none").to_owned());
    let group = given(&options.capacity_reservation_group_arn).map(|arn| Capacity::Group(arn.to_owned()));
    let one = given(&options.capacity_reservation_id).map(|id| Capacity::Reservation(id.to_owned()));
    one.or(group).unwrap_or_else(preference)
}

/// ARNs of the licence configurations.
pub fn licenses(options: &Options) -> Vec<String> {
    let requests = options.license_specifications.iter().map(|one| &one.license_configuration_request);
    requests.map(|request| request.license_configuration_arn.clone()).filter(|arn| !arn.is_empty()).collect()
}

/// What is wrong with them.
pub fn problems(options: &Options) -> Vec<String> {
    let mut problems = Vec::new();
    let one = given(&options.capacity_reservation_id).is_some();
    let group = given(&options.capacity_reservation_group_arn).is_some();
    let preference = given(&options.capacity_reservation_preference);
    if one && group {
        problems.push("capacity_reservation_id and capacity_reservation_group_arn are mutually exclusive, only one should be used".to_owned());
    }
    if (one || group) && preference.is_some() {
        problems.push("capacity_reservation_id, capacity_reservation_group_arn and capacity_reservation_preference are mutually exclusive, only one should be set".to_owned());
    }
    if preference.is_some_and(|value| !["none", "open"].contains(&value)) {
        problems.push("capacity_reservation_preference only accepts 'none' or 'open' values".to_owned());
    }
    problems.extend(host_problems(options));
    if options.enable_nitro_enclave {
        problems.extend(enclave_problems(options));
    }
    problems
}

fn host_problems(options: &Options) -> Vec<String> {
    let Some(placement) = &options.placement else { return Vec::new() };
    let (host, group) = (given(&placement.host_id), given(&placement.host_resource_group_arn));
    let mut problems = Vec::new();
    if host.is_some() && group.is_some() {
        let text = "The `host_id` and `host_resource_group_arn` settings cannot be specified at the same time.";
        problems.push(text.to_owned());
    }
    if (host.is_some() || group.is_some()) && given(&placement.tenancy).is_some_and(|tenancy| tenancy != "host") {
        let text = "The tenancy should be `host` if either the `host_id` or `host_resource_group_arn` attributes are specified.";
        problems.push(text.to_owned());
    }
    problems
}

/// Families of burstable types, which have no enclaves.
const BURSTABLE: [&str; 5] = ["t1.", "t2.", "t3.", "t3a.", "t4g."];

fn enclave_problems(options: &Options) -> Vec<String> {
    let mut problems = Vec::new();
    if options.is_spot() {
        problems.push("Error: Nitro Enclave cannot be used in conjunction with Spot Instances".to_owned());
    }
    let kinds = options.instance_types();
    let burstable = kinds.iter().filter(|kind| BURSTABLE.iter().any(|family| kind.starts_with(family)));
    problems.extend(burstable.map(|kind| {
        format!("Error: Nitro Enclaves cannot be used in conjunction with burstable instance types: {kind}")
    }));
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_template_uses_no_reserved_capacity() {
        assert_eq!(of(&Options::default()), Capacity::Preference("none".into()));
        let options = Options { capacity_reservation_id: Some("cr-1".into()), ..Options::default() };
        assert_eq!(of(&options), Capacity::Reservation("cr-1".into()));
        assert!(problems(&options).is_empty());
        let both = Options { capacity_reservation_preference: Some("open".into()), ..options };
        assert_eq!(problems(&both).len(), 1);
    }
}
