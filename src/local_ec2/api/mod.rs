//! The actions. To add one: write its function in the file of its resource and add one line to the table of its service below.

mod account_settings;
mod attachment;
mod copies;
mod encryption;
mod fast_launch;
mod filter;
mod fleet;
mod iam;
mod image;
mod injected;
mod instance;
mod instance_type;
mod key_pair;
mod kind;
mod kms;
mod launch_template;
mod mapping;
mod network;
mod page;
mod regions;
mod secretsmanager;
mod security_group;
mod security_rule;
mod snapshot;
mod spot_price;
mod spot_request;
mod ssm;
mod sts;
mod tags;
mod token;
mod volume;

use std::sync::Arc;

pub use filter::matches as wildcard;
pub use injected::{Death, Injected, LateFailure, Scarcity};
pub use kind::Kind;
pub use sts::encode_denial;

use super::machine::Machines;
use super::profile::Seeds;
use super::state::{Moment, Process, Region, Scope, Store, partition_of};
use super::timing::{Timing, Transition};
use super::wire::{Error, Params, Xml};

/// Everything that outlives a request.
pub struct World {
    /// The state.
    pub store: Store,
    /// The clockwork.
    pub timing: Timing,
    /// What runs instances.
    pub machines: Arc<dyn Machines>,
    /// This process, which runs the instances that are launched here.
    pub me: Process,
    /// What there is without anybody having made it.
    pub seeds: Seeds,
    /// Rung after every change: there may be orders for machines.
    pub bell: tokio::sync::Notify,
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Twelve digits.
    pub account: String,
    /// `arn:aws:iam::…:user/…`, or that of an assumed role.
    pub arn: String,
    /// `AIDA…` or `AROA…:session`.
    pub user_id: String,
}

/// A resource that a request names.
pub struct Named<'a> {
    /// Its kind.
    pub kind: Kind,
    /// The id or name that the request has.
    pub asked: &'a str,
    /// Its id.
    pub id: String,
}

/// The actions that need the key pairs they name; others make or delete them.
const USES_OF_KEY_NAMES: [&str; 3] = ["DescribeKeyPairs", "RunInstances", "RequestSpotInstances"];

/// One request to one action.
pub struct Call<'a> {
    /// Everything that outlives it.
    pub world: &'a World,
    /// The action's name.
    pub action: &'static str,
    /// Its parameters.
    pub params: &'a Params,
    /// The account and region that it is about.
    pub scope: Scope,
    /// Who calls.
    pub caller: &'a Caller,
    /// When it came.
    pub now: Moment,
    /// What faults have in store for it.
    pub injected: &'a Injected,
}

impl Call<'_> {
    /// The region as it is now.
    pub fn read(&self) -> Result<Region, Error> {
        Ok(self.world.store.read(&self.scope, self.now)?)
    }

    /// Changes the region. With `DryRun` everything is tried, and then refused with `DryRunOperation` instead of kept.
    pub fn update<R>(&self, change: impl FnOnce(&mut Region) -> Result<R, Error>) -> Result<R, Error> {
        let is_dry = self.is_dry_run()?;
        let result = self.world.store.update(&self.scope, self.now, |region| {
            // Whoever is asked for something runs what nobody runs.
            region.adopt(self.world.me);
            let result = change(region)?;
            if is_dry { Err(dry_run()) } else { Ok(result) }
        })?;
        self.world.bell.notify_one();
        Ok(result)
    }

    /// Whether `DryRun=true` was given.
    pub fn is_dry_run(&self) -> Result<bool, Error> {
        Ok(self.params.flag("DryRun")?.unwrap_or(false))
    }

    /// When something that begins now is over.
    pub fn due(&self, transition: Transition) -> Moment {
        self.now.plus(self.world.timing.draw(transition))
    }

    /// The resources that its parameters name and that it needs, by id and (key pairs) by name.
    pub fn named_resources(&self, region: &Region) -> Vec<Named<'_>> {
        // Deleting a pair that is not known is no error.
        let is_needed = |kind: Kind| kind != Kind::KeyPair || self.action != "DeleteKeyPair";
        let by_id = |value: &'_ str| Kind::of(value).map(|kind| (kind, value.to_owned()));
        let by_name = |name: &str, value: &str| {
            let field = name.rsplit('.').find(|part| part.parse::<u32>().is_err());
            let is_looked_up = field == Some("KeyName") && USES_OF_KEY_NAMES.contains(&self.action);
            Some((Kind::KeyPair, region.key_pairs.get(value).filter(|_| is_looked_up)?.id.clone()))
        };
        let found = self.params.iter().filter_map(|(name, asked)| {
            let (kind, id) = by_id(asked).or_else(|| by_name(name, asked))?;
            is_needed(kind).then_some(Named { kind, asked, id })
        });
        found.collect()
    }

    /// `arn:aws:ec2:REGION:ACCOUNT:WHAT`.
    pub fn arn(&self, service: &str, what: &str) -> String {
        let Scope { region, account } = &self.scope;
        format!("arn:{}:{service}:{region}:{account}:{what}", partition_of(region))
    }
}

fn dry_run() -> Error {
    Error::new("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Error::internal(error)
    }
}

/// Whether a call changes anything. Faults and the request log tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It looks.
    Reads,
    /// It changes.
    Writes,
}

/// One line of a table: a query action.
pub struct Action {
    /// Its name.
    pub name: &'static str,
    /// Whether it changes anything.
    pub effect: Effect,
    /// What it does.
    pub run: fn(&Call<'_>) -> Result<Xml, Error>,
    /// The first segments of its parameters, by spaces. Another one is refused rather than ignored.
    pub params: &'static str,
}

/// One line of a table: an action of a JSON service.
pub struct JsonAction {
    /// Its name, with the service's target prefix.
    pub name: &'static str,
    /// Whether it changes anything.
    pub effect: Effect,
    /// What it does.
    pub run: fn(&Call<'_>, &serde_json::Value) -> Result<serde_json::Value, Error>,
}

const fn reads(name: &'static str, run: fn(&Call<'_>) -> Result<Xml, Error>, params: &'static str) -> Action {
    Action { name, effect: Effect::Reads, run, params }
}

const fn writes(name: &'static str, run: fn(&Call<'_>) -> Result<Xml, Error>, params: &'static str) -> Action {
    Action { name, effect: Effect::Writes, run, params }
}

/// EC2.
pub const EC2: &[Action] = &[
    reads("DescribeRegions", regions::describe_regions, "RegionName AllRegions Filter"),
    reads("DescribeAvailabilityZones", regions::describe_zones, "ZoneName ZoneId AllAvailabilityZones Filter"),
    reads("DescribeInstanceTypes", instance_type::describe, "InstanceType Filter MaxResults NextToken"),
    reads(
        "DescribeInstanceTypeOfferings",
        instance_type::describe_offerings,
        "LocationType Filter MaxResults NextToken",
    ),
    reads("DescribeVpcs", network::describe_vpcs, "VpcId Filter MaxResults NextToken"),
    reads("DescribeSubnets", network::describe_subnets, "SubnetId Filter MaxResults NextToken"),
    writes("CreateSecurityGroup", security_group::create, "GroupName GroupDescription VpcId TagSpecification"),
    reads("DescribeSecurityGroups", security_group::describe, "GroupId GroupName Filter MaxResults NextToken"),
    writes("DeleteSecurityGroup", security_group::delete, "GroupId GroupName"),
    writes("AuthorizeSecurityGroupIngress", security_group::authorize_ingress, security_group::RULE_PARAMS),
    writes("RevokeSecurityGroupIngress", security_group::revoke_ingress, security_group::RULE_PARAMS),
    writes("CreateKeyPair", key_pair::create, "KeyName KeyType KeyFormat TagSpecification"),
    writes("ImportKeyPair", key_pair::import, "KeyName PublicKeyMaterial TagSpecification"),
    reads("DescribeKeyPairs", key_pair::describe, "KeyName KeyPairId IncludePublicKey Filter"),
    writes("DeleteKeyPair", key_pair::delete, "KeyName KeyPairId"),
    writes("RunInstances", instance::run, instance::RUN_PARAMS),
    reads("DescribeInstances", instance::describe, "InstanceId Filter MaxResults NextToken"),
    reads(
        "DescribeInstanceStatus",
        instance::describe_status,
        "InstanceId IncludeAllInstances Filter MaxResults NextToken",
    ),
    reads("DescribeInstanceAttribute", instance::describe_attribute, "InstanceId Attribute"),
    writes("ModifyInstanceAttribute", instance::modify_attribute, instance::MODIFY_PARAMS),
    writes("StopInstances", instance::stop, "InstanceId Force SkipOsShutdown Hibernate"),
    writes("StartInstances", instance::start, "InstanceId"),
    writes("RebootInstances", instance::reboot, "InstanceId"),
    writes("TerminateInstances", instance::terminate, "InstanceId Force SkipOsShutdown"),
    reads("GetConsoleOutput", instance::console_output, "InstanceId Latest"),
    reads("GetPasswordData", instance::password_data, "InstanceId"),
    writes("MonitorInstances", instance::monitor, "InstanceId"),
    writes("UnmonitorInstances", instance::unmonitor, "InstanceId"),
    reads("DescribeInstanceImageMetadata", instance::describe_image_metadata, "InstanceId Filter MaxResults NextToken"),
    writes("CreateVolume", volume::create, volume::CREATE_PARAMS),
    reads("DescribeVolumes", volume::describe, "VolumeId Filter MaxResults NextToken"),
    writes("AttachVolume", attachment::attach, "VolumeId InstanceId Device"),
    writes("DetachVolume", attachment::detach, "VolumeId InstanceId Device Force"),
    writes("DeleteVolume", volume::delete, "VolumeId"),
    writes("CreateSnapshot", snapshot::create, "VolumeId Description TagSpecification"),
    writes(
        "CreateSnapshots",
        snapshot::create_all,
        "InstanceSpecification CopyTagsFromSource Description TagSpecification",
    ),
    writes("CopySnapshot", snapshot::copy, snapshot::COPY_PARAMS),
    reads("DescribeSnapshots", snapshot::describe, "SnapshotId Owner RestorableBy Filter MaxResults NextToken"),
    writes("DeleteSnapshot", snapshot::delete, "SnapshotId"),
    writes(
        "ModifySnapshotAttribute",
        snapshot::modify_attribute,
        "SnapshotId Attribute OperationType UserId UserGroup CreateVolumePermission",
    ),
    reads("DescribeSnapshotAttribute", snapshot::describe_attribute, "SnapshotId Attribute"),
    writes(
        "CreateImage",
        image::create,
        "InstanceId Name Description NoReboot BlockDeviceMapping TagSpecification SnapshotLocation",
    ),
    writes("RegisterImage", image::register, image::REGISTER_PARAMS),
    writes("CopyImage", image::copy, image::COPY_PARAMS),
    reads(
        "DescribeImages",
        image::describe,
        "ImageId Owner ExecutableBy IncludeDeprecated IncludeDisabled Filter MaxResults NextToken",
    ),
    reads("DescribeImageAttribute", image::describe_attribute, "ImageId Attribute"),
    writes("ModifyImageAttribute", image::modify_attribute, image::MODIFY_PARAMS),
    writes("DeregisterImage", image::deregister, "ImageId DeleteAssociatedSnapshots"),
    writes("EnableImageDeprecation", image::enable_deprecation, "ImageId DeprecateAt"),
    writes("DisableImageDeprecation", image::disable_deprecation, "ImageId"),
    writes("EnableImageDeregistrationProtection", image::enable_protection, "ImageId WithCooldown"),
    writes("DisableImageDeregistrationProtection", image::disable_protection, "ImageId"),
    writes("EnableImage", image::enable, "ImageId"),
    reads("ListImagesInRecycleBin", account_settings::recycle_bin, "ImageId MaxResults NextToken"),
    writes(
        "EnableFastLaunch",
        fast_launch::enable,
        "ImageId ResourceType SnapshotConfiguration LaunchTemplate MaxParallelLaunches",
    ),
    writes("DisableFastLaunch", fast_launch::disable, "ImageId Force"),
    reads("DescribeFastLaunchImages", fast_launch::describe, "ImageId Filter MaxResults NextToken"),
    reads("GetEbsEncryptionByDefault", account_settings::encryption_by_default, ""),
    writes("EnableEbsEncryptionByDefault", account_settings::enable_encryption, ""),
    writes("DisableEbsEncryptionByDefault", account_settings::disable_encryption, ""),
    reads("GetEbsDefaultKmsKeyId", account_settings::default_key, ""),
    writes("ModifyEbsDefaultKmsKeyId", account_settings::set_default_key, "KmsKeyId"),
    writes("ResetEbsDefaultKmsKeyId", account_settings::reset_default_key, ""),
    reads("GetImageBlockPublicAccessState", account_settings::image_block, ""),
    writes("EnableImageBlockPublicAccess", account_settings::enable_image_block, "ImageBlockPublicAccessState"),
    writes("DisableImageBlockPublicAccess", account_settings::disable_image_block, ""),
    reads("GetSnapshotBlockPublicAccessState", account_settings::snapshot_block, ""),
    writes("EnableSnapshotBlockPublicAccess", account_settings::enable_snapshot_block, "State"),
    writes("DisableSnapshotBlockPublicAccess", account_settings::disable_snapshot_block, ""),
    reads("GetSerialConsoleAccessStatus", account_settings::serial_console, ""),
    writes("DisableImage", image::disable, "ImageId"),
    writes(
        "CreateLaunchTemplate",
        launch_template::create,
        "LaunchTemplateName VersionDescription LaunchTemplateData TagSpecification ClientToken",
    ),
    writes(
        "CreateLaunchTemplateVersion",
        launch_template::create_version,
        "LaunchTemplateId LaunchTemplateName SourceVersion VersionDescription LaunchTemplateData ClientToken",
    ),
    writes(
        "ModifyLaunchTemplate",
        launch_template::modify,
        "LaunchTemplateId LaunchTemplateName SetDefaultVersion ClientToken",
    ),
    reads(
        "DescribeLaunchTemplates",
        launch_template::describe,
        "LaunchTemplateId LaunchTemplateName Filter MaxResults NextToken",
    ),
    reads(
        "DescribeLaunchTemplateVersions",
        launch_template::describe_versions,
        "LaunchTemplateId LaunchTemplateName LaunchTemplateVersion MinVersion MaxVersion Filter MaxResults NextToken",
    ),
    writes("DeleteLaunchTemplate", launch_template::delete, "LaunchTemplateId LaunchTemplateName"),
    writes(
        "DeleteLaunchTemplateVersions",
        launch_template::delete_versions,
        "LaunchTemplateId LaunchTemplateName LaunchTemplateVersion",
    ),
    writes("CreateFleet", fleet::create, fleet::CREATE_PARAMS),
    reads("DescribeFleets", fleet::describe, "FleetId MaxResults NextToken"),
    reads("DescribeFleetInstances", fleet::describe_instances, "FleetId MaxResults NextToken"),
    writes("DeleteFleets", fleet::delete, "FleetId TerminateInstances"),
    writes("RequestSpotInstances", spot_request::request, spot_request::REQUEST_PARAMS),
    reads("DescribeSpotInstanceRequests", spot_request::describe, "SpotInstanceRequestId Filter MaxResults NextToken"),
    writes("CancelSpotInstanceRequests", spot_request::cancel, "SpotInstanceRequestId"),
    reads(
        "DescribeSpotPriceHistory",
        spot_price::describe_history,
        "InstanceType ProductDescription AvailabilityZone StartTime EndTime Filter MaxResults NextToken",
    ),
    writes("CreateTags", tags::create, "ResourceId Tag"),
    writes("DeleteTags", tags::delete, "ResourceId Tag"),
    reads("DescribeTags", tags::describe, "Filter MaxResults NextToken"),
];

/// STS.
pub const STS: &[Action] = &[
    reads("GetCallerIdentity", sts::get_caller_identity, ""),
    writes("AssumeRole", sts::assume_role, sts::ASSUME_ROLE_PARAMS),
    reads("DecodeAuthorizationMessage", sts::decode_authorization_message, "EncodedMessage"),
];

/// IAM.
pub const IAM: &[Action] = &[
    writes(
        "CreateRole",
        iam::create_role,
        "RoleName AssumeRolePolicyDocument Description Path MaxSessionDuration PermissionsBoundary Tags",
    ),
    reads("GetRole", iam::get_role, "RoleName"),
    writes("DeleteRole", iam::delete_role, "RoleName"),
    writes("TagRole", iam::tag_role, "RoleName Tags"),
    writes("PutRolePolicy", iam::put_policy, "RoleName PolicyName PolicyDocument"),
    reads("GetRolePolicy", iam::get_policy, "RoleName PolicyName"),
    writes("DeleteRolePolicy", iam::delete_policy, "RoleName PolicyName"),
    reads("ListRolePolicies", iam::list_policies, "RoleName Marker MaxItems"),
    writes("AttachRolePolicy", iam::attach, "RoleName PolicyArn"),
    writes("DetachRolePolicy", iam::detach, "RoleName PolicyArn"),
    reads("ListAttachedRolePolicies", iam::attached, "RoleName Marker MaxItems"),
    writes("CreateInstanceProfile", iam::create_profile, "InstanceProfileName Path Tags"),
    reads("GetInstanceProfile", iam::get_profile, "InstanceProfileName"),
    writes("AddRoleToInstanceProfile", iam::add_role, "InstanceProfileName RoleName"),
    writes("RemoveRoleFromInstanceProfile", iam::remove_role, "InstanceProfileName RoleName"),
    writes("DeleteInstanceProfile", iam::delete_profile, "InstanceProfileName"),
    reads("ListRoles", iam::list_roles, "PathPrefix Marker MaxItems"),
    reads("ListInstanceProfiles", iam::list_profiles, "PathPrefix Marker MaxItems"),
    writes("TagInstanceProfile", iam::tag_profile, "InstanceProfileName Tags"),
    reads("ListInstanceProfilesForRole", iam::list_profiles_for_role, "RoleName Marker MaxItems"),
];

/// SSM, Secrets Manager and KMS.
pub const JSON: &[JsonAction] = &[
    JsonAction { name: "AmazonSSM.GetParameter", effect: Effect::Reads, run: ssm::get_parameter },
    JsonAction { name: "AmazonSSM.GetParameters", effect: Effect::Reads, run: ssm::get_parameters },
    JsonAction { name: "AmazonSSM.PutParameter", effect: Effect::Writes, run: ssm::put_parameter },
    JsonAction { name: "AmazonSSM.DeleteParameter", effect: Effect::Writes, run: ssm::delete_parameter },
    JsonAction { name: "secretsmanager.GetSecretValue", effect: Effect::Reads, run: secretsmanager::get_value },
    JsonAction { name: "secretsmanager.DescribeSecret", effect: Effect::Reads, run: secretsmanager::describe },
    JsonAction { name: "secretsmanager.CreateSecret", effect: Effect::Writes, run: secretsmanager::create },
    JsonAction { name: "secretsmanager.PutSecretValue", effect: Effect::Writes, run: secretsmanager::put_value },
    JsonAction { name: "secretsmanager.DeleteSecret", effect: Effect::Writes, run: secretsmanager::delete },
    JsonAction { name: "TrentService.DescribeKey", effect: Effect::Reads, run: kms::describe_key },
];

impl Action {
    /// Does it: refuses unknown parameters, and answers a dry run of what only looks.
    pub fn answer(&self, call: &Call<'_>) -> Result<Xml, Error> {
        let known: Vec<&str> = self.params.split_whitespace().chain(["Action", "Version", "DryRun"]).collect();
        // A query-string signature travels among the parameters.
        let mut heads = call.params.heads().into_iter().filter(|head| !head.starts_with("X-Amz-"));
        if let Some(unknown) = heads.find(|head| !known.contains(head)) {
            return Err(Error::new("UnknownParameter", format!("The parameter {unknown} is not recognized")));
        }
        self.check_visible(call)?;
        let answer = (self.run)(call)?;
        if call.is_dry_run()? { Err(dry_run()) } else { Ok(answer) }
    }

    /// EC2 is eventually consistent: an id that was just returned may be unknown to other calls for a while.
    fn check_visible(&self, call: &Call<'_>) -> Result<(), Error> {
        let ids: Vec<(&str, Kind)> = call.params.iter().filter_map(|(_, v)| Some((v, Kind::of(v)?))).collect();
        if ids.is_empty() || call.scope.region == "global" {
            return Ok(());
        }
        let is_late = |region: &Region, id: &str, kind: Kind| {
            let window = call.world.timing.draw_for(Transition::Visible, id);
            kind.created(region, id).is_some_and(|created| created.plus(window) > call.now)
        };
        // Key pairs are not among what was seen to be late (section 2.0 of the specification).
        let mut ids = ids.into_iter().filter(|(_, kind)| *kind != Kind::KeyPair);
        match call.world.store.look(&call.scope, |region| ids.find(|(id, kind)| is_late(region, id, *kind)))? {
            Some((id, kind)) => Err(kind.not_found(&[id])),
            None => Ok(()),
        }
    }
}

/// `<return>true</return>`, the answer of everything that has nothing to say.
fn done() -> Xml {
    let mut xml = Xml::new();
    xml.text("return", true);
    xml
}

/// Takes the first of a list that a request must name exactly one of.
fn text_of(value: Option<&str>) -> String {
    value.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_action_is_there_once() {
        let names: Vec<&str> =
            EC2.iter().chain(STS).chain(IAM).map(|a| a.name).chain(JSON.iter().map(|a| a.name)).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }
}
