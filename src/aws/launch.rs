//! The launch of an instance.

use aws_sdk_ec2::types::{
    CapacityReservationPreference, CapacityReservationSpecification, CapacityReservationTarget,
    CreditSpecificationRequest, EnclaveOptionsRequest, HttpTokensState, IamInstanceProfileSpecification,
    InstanceMetadataEndpointState, InstanceMetadataOptionsRequest, InstanceMetadataTagsState,
    InstanceNetworkInterfaceSpecification, InstanceType, LicenseConfigurationRequest, Placement, ResourceType,
    ShutdownBehavior, TagSpecification, Tenancy,
};

use super::clients::Ec2;
use super::device::{BlockDevice, sdk_devices};
use super::error::{Error, Kind};
use super::instance::find;
use super::repeat::create;
use super::tags::{BUILD, RUN, Tags, specification};

/// Metadata options of a launch.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    /// `enabled` or `disabled`.
    pub endpoint: Option<String>,
    /// `optional` or `required`.
    pub tokens: Option<String>,
    /// 1 to 64.
    pub hop_limit: Option<i32>,
    /// `enabled` or `disabled`.
    pub tags: Option<String>,
}

impl Metadata {
    /// Whether any of them is set.
    pub(super) fn is_given(&self) -> bool {
        let Self { endpoint, tokens, hop_limit, tags } = self;
        hop_limit.is_some() || [endpoint, tokens, tags].into_iter().any(Option::is_some)
    }
}

/// Reserved capacity that a launch may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// `none`, or `open` for any that fits.
    Preference(String),
    /// One reservation, by id.
    Reservation(String),
    /// A group of reservations, by ARN.
    Group(String),
}

/// What to launch. Empty means: not sent.
#[derive(Clone, Debug, Default)]
pub struct Launch {
    /// Client token: the same for every try of this build.
    pub token: String,
    /// Source image.
    pub image: String,
    /// Instance type.
    pub instance_type: String,
    /// Key pair name.
    pub key: Option<String>,
    /// Security groups.
    pub groups: Vec<String>,
    /// Subnet.
    pub subnet: Option<String>,
    /// Availability zone.
    pub zone: Option<String>,
    /// Tenancy.
    pub tenancy: Option<String>,
    /// Id of a dedicated host.
    pub host: Option<String>,
    /// ARN of a group of dedicated hosts.
    pub host_group: Option<String>,
    /// Capacity that was reserved before.
    pub capacity: Option<Capacity>,
    /// ARNs of licence configurations.
    pub licenses: Vec<String>,
    /// Whether the instance can have enclaves.
    pub enclave: bool,
    /// Whether the instance gets a public address; the subnet decides when unset.
    pub public_ip: Option<bool>,
    /// Instance profile name.
    pub profile: Option<String>,
    /// Whether that was made just now: EC2 does not know it for a while.
    pub awaits_profile: bool,
    /// User data, base64.
    pub user_data: Option<String>,
    /// EBS optimisation.
    pub ebs_optimized: Option<bool>,
    /// CPU credits of burstable types: `standard` or `unlimited`.
    pub cpu_credits: Option<String>,
    /// What a power-off inside the guest does: `stop` or `terminate`.
    pub shutdown: Option<String>,
    /// Metadata options.
    pub metadata: Metadata,
    /// Block devices.
    pub devices: Vec<BlockDevice>,
    /// Tags of the instance and its network interface, the run's included.
    pub tags: Tags,
    /// Tags of its volumes, the run's included.
    pub volume_tags: Tags,
}

/// Launches one instance and returns its id. A lost reply is answered by looking for the run's and build's tags, then by asking again with the same token.
pub async fn launch(ec2: &Ec2, spec: &Launch) -> Result<String, Error> {
    let found = async || find(ec2, spec.tags.get(RUN), spec.tags.get(BUILD)).await;
    create(ec2, async || run(ec2, spec).await.map_err(|error| wait_for_profile(spec, error)), found).await
}

/// A profile that is too young to be known is only a matter of time.
fn wait_for_profile(spec: &Launch, error: Error) -> Error {
    let is_young = spec.awaits_profile && says_unknown_profile(&error.message);
    if is_young { Error { kind: Kind::Throttled, ..error } } else { error }
}

async fn run(ec2: &Ec2, spec: &Launch) -> Result<String, Error> {
    let groups = (!spec.groups.is_empty()).then(|| spec.groups.clone());
    let mut request = ec2
        .client
        .run_instances()
        .client_token(&spec.token)
        .image_id(&spec.image)
        .instance_type(InstanceType::from(spec.instance_type.as_str()))
        .min_count(1)
        .max_count(1)
        .set_key_name(spec.key.clone())
        .set_user_data(spec.user_data.clone())
        .set_ebs_optimized(spec.ebs_optimized)
        .set_credit_specification(credits(spec))
        .set_placement(placement(spec))
        .set_iam_instance_profile(profile(spec))
        .set_instance_initiated_shutdown_behavior(spec.shutdown.as_deref().map(ShutdownBehavior::from))
        .set_capacity_reservation_specification(spec.capacity.as_ref().map(capacity))
        .set_license_specifications(licenses(&spec.licenses))
        .set_enclave_options(spec.enclave.then(|| EnclaveOptionsRequest::builder().enabled(true).build()))
        .set_metadata_options(metadata(&spec.metadata))
        .set_block_device_mappings(sdk_devices(&spec.devices))
        .set_tag_specifications(Some(tag_specifications(spec)));
    // EC2 takes the public-address choice only on a network interface, and then group and subnet must be there, too.
    request = match (spec.public_ip, &spec.subnet) {
        (Some(public), Some(subnet)) => request.network_interfaces(
            InstanceNetworkInterfaceSpecification::builder()
                .device_index(0)
                .subnet_id(subnet)
                .set_groups(groups)
                .associate_public_ip_address(public)
                .delete_on_termination(true)
                .build(),
        ),
        _ => request.set_subnet_id(spec.subnet.clone()).set_security_group_ids(groups),
    };
    let made = request.send().await.map_err(|e| Error::from_sdk("RunInstances", &spec.image, &e))?;
    let id = made.instances().first().and_then(|instance| instance.instance_id());
    let missing = || Error::new("RunInstances", &spec.image, Kind::NoReply, "the reply names no instance");
    id.map(str::to_owned).ok_or_else(missing)
}

/// CPU credits as EC2 takes them.
pub(super) fn credits(spec: &Launch) -> Option<CreditSpecificationRequest> {
    let credits = spec.cpu_credits.as_ref()?;
    Some(CreditSpecificationRequest::builder().cpu_credits(credits).build())
}

/// Whether anything is said of where the instance shall be.
pub(super) fn placed(spec: &Launch) -> bool {
    [&spec.zone, &spec.tenancy, &spec.host, &spec.host_group].into_iter().any(Option::is_some)
}

fn placement(spec: &Launch) -> Option<Placement> {
    let tenancy = spec.tenancy.as_deref().map(Tenancy::from);
    placed(spec).then(|| {
        Placement::builder()
            .set_availability_zone(spec.zone.clone())
            .set_tenancy(tenancy)
            .set_host_id(spec.host.clone())
            .set_host_resource_group_arn(spec.host_group.clone())
            .build()
    })
}

/// EC2's words for an instance profile that it does not know (yet).
pub(super) fn says_unknown_profile(message: &str) -> bool {
    message.contains("Invalid IAM Instance Profile")
}

fn profile(spec: &Launch) -> Option<IamInstanceProfileSpecification> {
    spec.profile.as_ref().map(|name| IamInstanceProfileSpecification::builder().name(name).build())
}

fn metadata(options: &Metadata) -> Option<InstanceMetadataOptionsRequest> {
    let Metadata { endpoint, tokens, hop_limit, tags } = options;
    options.is_given().then(|| {
        InstanceMetadataOptionsRequest::builder()
            .set_http_endpoint(endpoint.as_deref().map(InstanceMetadataEndpointState::from))
            .set_http_tokens(tokens.as_deref().map(HttpTokensState::from))
            .set_http_put_response_hop_limit(*hop_limit)
            .set_instance_metadata_tags(tags.as_deref().map(InstanceMetadataTagsState::from))
            .build()
    })
}

fn tag_specifications(spec: &Launch) -> Vec<TagSpecification> {
    let kinds = [
        (ResourceType::Instance, &spec.tags),
        (ResourceType::NetworkInterface, &spec.tags),
        (ResourceType::Volume, &spec.volume_tags),
    ];
    kinds.into_iter().filter_map(|(kind, tags)| specification(kind, tags)).collect()
}

fn capacity(capacity: &Capacity) -> CapacityReservationSpecification {
    let builder = CapacityReservationSpecification::builder();
    let target = CapacityReservationTarget::builder();
    match capacity {
        Capacity::Preference(text) => {
            builder.capacity_reservation_preference(CapacityReservationPreference::from(text.as_str()))
        }
        Capacity::Reservation(id) => builder.capacity_reservation_target(target.capacity_reservation_id(id).build()),
        Capacity::Group(arn) => {
            builder.capacity_reservation_target(target.capacity_reservation_resource_group_arn(arn).build())
        }
    }
    .build()
}

fn licenses(arns: &[String]) -> Option<Vec<LicenseConfigurationRequest>> {
    let one = |arn: &String| LicenseConfigurationRequest::builder().license_configuration_arn(arn).build();
    (!arns.is_empty()).then(|| arns.iter().map(one).collect())
}
