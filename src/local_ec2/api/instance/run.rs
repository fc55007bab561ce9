//! RunInstances.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use sha2::{Digest, Sha256};

use super::request::Request;
use super::view;
use crate::local_ec2::api::injected::no_capacity;
use crate::local_ec2::api::instance_type::InstanceType;
use crate::local_ec2::api::token::ClientToken;
use crate::local_ec2::api::{
    Call, Kind, encryption, iam, image, launch_template, snapshot, spot_price, spot_request, text_of,
};
use crate::local_ec2::state::{
    Attachment, Attributes, Change, Content, DiskType, Doom, Image, ImageState, Instance, InstanceState, Interface,
    MetadataOptions, Origin, Reason, Region, RegionInfo, Snapshot, Subnet, Tags, Volume, VolumeState, Work, id,
};
use crate::local_ec2::timing::Transition;
use crate::local_ec2::wire::{Error, Params, Xml};

/// What RunInstances takes. Anything else is an error, not ignored.
pub const RUN_PARAMS: &str = "ImageId InstanceType MinCount MaxCount KeyName SubnetId SecurityGroupId SecurityGroup NetworkInterface \
     Placement UserData BlockDeviceMapping IamInstanceProfile InstanceInitiatedShutdownBehavior MetadataOptions CreditSpecification \
     EbsOptimized EnclaveOptions CapacityReservationSpecification LicenseSpecification Monitoring DisableApiTermination DisableApiStop \
     InstanceMarketOptions LaunchTemplate TagSpecification ClientToken HibernationOptions CpuOptions PrivateDnsNameOptions \
     MaintenanceOptions PrivateIpAddress KernelId RamdiskId";

/// RunInstances.
pub fn run(call: &Call<'_>) -> Result<Xml, Error> {
    let subnet = call.params.get("SubnetId").or(call.params.get("NetworkInterface.1.SubnetId"));
    let zone = call.params.get("Placement.AvailabilityZone").or(subnet).unwrap_or_default();
    let token = ClientToken::read(call, zone)?;
    let (region, ids, age) = call.update(|region| {
        if let Some(ids) = token.earlier(region)? {
            // What was launched before is shown as it is now.
            return again(region, ids).map(|(region, ids)| (region, ids, view::Age::Known));
        }
        let applied = launch_template::apply(region, call.params)?;
        let there = Call { params: &applied.params, scope: call.scope.clone(), ..*call };
        let mut request = Request::read(&there)?;
        request.system_tags = applied.tags;
        let ids = launch(&there, region, &request)?;
        token.remember(region, call, ids.clone());
        Ok((region.clone(), ids, view::Age::JustMade))
    })?;
    let instances: Vec<&Instance> = ids.iter().filter_map(|id| region.instances.get(id)).collect();
    let mut xml = Xml::new();
    view::write_reservation(&mut xml, &region, &instances, age, call);
    Ok(xml)
}

fn again(region: &Region, ids: Vec<String>) -> Result<(Region, Vec<String>), Error> {
    let is_over = |id: &String| region.instances.get(id).is_none_or(|i| i.state.is_ending());
    if ids.iter().any(is_over) {
        let text = "The client token is associated with an instance that has been terminated.";
        return Err(Error::new("IdempotentInstanceTerminated", text));
    }
    Ok((region.clone(), ids))
}

/// Defaults come from the image: `imdsSupport=v2.0` means tokens and a hop limit of 2.
fn read_metadata(params: &Params, image: &Image) -> Result<MetadataOptions, Error> {
    let options = params.sub("MetadataOptions");
    let choice = |name: &str, legal: [&str; 2]| match options.get(name) {
        None => Ok(None),
        Some(value) if value == legal[0] => Ok(Some(false)),
        Some(value) if value == legal[1] => Ok(Some(true)),
        Some(value) => Err(Error::value(format!("Value ({value}) for parameter {name} is invalid."))),
    };
    let v2 = image.imds == "v2.0";
    let hops = options.int("HttpPutResponseHopLimit")?.unwrap_or(if v2 { 2 } else { 1 });
    if !(1..=64).contains(&hops) {
        return Err(Error::value(format!("Value ({hops}) for parameter HttpPutResponseHopLimit is invalid. 1 to 64.")));
    }
    Ok(MetadataOptions {
        tokens_required: choice("HttpTokens", ["optional", "required"])?.unwrap_or(v2),
        enabled: choice("HttpEndpoint", ["disabled", "enabled"])?.unwrap_or(true),
        hop_limit: u8::try_from(hops).unwrap_or(1),
        tags: choice("InstanceMetadataTags", ["disabled", "enabled"])?.unwrap_or(false),
    })
}

fn find_image(call: &Call<'_>, region: &Region, wanted: &InstanceType) -> Result<(Image, Content), Error> {
    let image_id = call.params.need("ImageId")?;
    Kind::Image.check_shape(image_id)?;
    let (image, content) = image::find(call, region, image_id)?.ok_or_else(|| Kind::Image.not_found(&[image_id]))?;
    if image.state != ImageState::Available {
        let text = format!("The image ID '{image_id}' is no longer available");
        return Err(Error::new("InvalidAMIID.Unavailable", text));
    }
    if image.architecture != wanted.architecture {
        return Err(Error::value(format!(
            "The architecture '{}' of the specified instance type does not match the architecture '{}' of the specified AMI. Specify an \
             instance type and an AMI that have matching architectures, and try again.",
            wanted.architecture, image.architecture
        )));
    }
    Ok((image, content))
}

fn find_key(call: &Call<'_>, region: &Region) -> Result<Option<(String, String)>, Error> {
    let Some(name) = call.params.get("KeyName") else { return Ok(None) };
    let pair = region.key_pairs.get(name).ok_or_else(|| Kind::KeyPair.not_found(&[name]))?;
    Ok(Some((name.to_owned(), pair.public_line.clone())))
}

/// Launches the instances of a request into the region, and gives their ids.
pub fn launch(call: &Call<'_>, region: &mut Region, request: &Request) -> Result<Vec<String>, Error> {
    let (image, content) = find_image(call, region, &request.instance_type)?;
    let key = find_key(call, region)?;
    let profile = iam::find_for_launch(call)?;
    let subnet = request.placement.subnet(call, region, &request.instance_type)?.clone();
    let groups = request.placement.groups(region, &subnet.vpc_id)?;
    if call.injected.is_scarce(&request.instance_type.name, &subnet.zone) {
        let others = zones_with(call, &request.instance_type);
        return Err(no_capacity(&request.instance_type.name, &subnet.zone, &others));
    }
    if let Some(terms) = &request.spot {
        spot_price::check_offer(terms.max_price.as_deref(), &request.instance_type, &subnet.zone, call.now)?;
    }
    let free = i64::from(subnet.capacity().saturating_sub(region.addresses_in_use(&subnet.id)));
    if free < request.counts.0 {
        let text = format!("The specified subnet '{}' does not have enough free addresses.", subnet.id);
        return Err(Error::new("InsufficientFreeAddressesInSubnet", text));
    }
    let metadata = read_metadata(call.params, &image)?;
    let disks = disks(call, region, &image, request)?;
    let locked = disks.iter().find_map(|disk| encryption::problem(call, disk.disk.kms_key.as_deref()?));
    let root_is_open = disks.iter().any(|disk| disk.device == image.root_device && !disk.disk.encrypted);
    if request.attributes.hibernation && root_is_open {
        let text = "The root volume of an instance that can hibernate must be encrypted";
        return Err(Error::new("UnsupportedHibernationConfiguration", text));
    }
    let wanted_ip = named_ip(region, &subnet, request)?;
    let reservation_id = id::fresh("r");
    let mut taken = taken_addresses(call, region)?;
    let mut ids = Vec::new();
    for index in 0..request.counts.1.min(free) {
        let instance_id = id::fresh("i");
        let origin = Origin {
            image_id: image.id.clone(),
            architecture: image.architecture.clone(),
            root_device: image.root_device.clone(),
            boot_mode: image.boot_mode.clone(),
            tpm: image.tpm.clone(),
            platform_details: image.platform_details.clone(),
            usage_operation: image.usage_operation.clone(),
            content: content.clone(),
        };
        let mut instance = Instance {
            reservation_id: reservation_id.clone(),
            launch_index: u32::try_from(index).unwrap_or(0),
            runner: call.world.me,
            origin,
            instance_type: request.instance_type.name.clone(),
            key: key.clone(),
            zone: subnet.zone.clone(),
            subnet_id: subnet.id.clone(),
            vpc_id: subnet.vpc_id.clone(),
            groups: groups.clone(),
            address: free_address(&mut taken, &instance_id)?,
            private_ip: wanted_ip.unwrap_or_else(|| free_private_ip(region, &subnet, &instance_id)),
            interface: interface(request, &subnet, &instance_id),
            launched: call.now,
            created: call.now,
            state: InstanceState::Pending,
            since: call.now,
            change: None,
            reason: Some(Reason::new("pending", "pending")),
            transition_reason: String::new(),
            checks_ok_at: call.now,
            user_data: request.user_data.clone(),
            client_token: text_of(call.params.get("ClientToken")),
            on_shutdown: request.on_shutdown,
            metadata: metadata.clone(),
            profile_arn: profile.as_ref().map(|(arn, _)| arn.clone()),
            profile_id: profile.as_ref().map(|(_, id)| id.clone()),
            spot_request: spot_request(call, region, request, &instance_id),
            doom: doom(call, request),
            link: call.injected.link,
            parked: false,
            attributes: Attributes {
                ena_support: image.ena_support,
                sriov_simple: image.sriov_simple,
                ..request.attributes.clone()
            },
            tags: request.tags.of(Kind::Instance).into_iter().chain(request.system_tags.clone()).collect(),
            orders: Vec::new(),
            last_order: 0,
            id: instance_id.clone(),
        };
        begin(call, &mut instance, locked.is_some());
        add_volumes(call, region, &instance, &disks, &content, &request.tags.of(Kind::Volume));
        region.instances.insert(instance_id.clone(), instance);
        ids.push(instance_id);
    }
    if let Some(own) = region.images.get_mut(&image.id) {
        own.last_launched = Some(call.now);
    }
    Ok(ids)
}

/// The zones where an instance of this type can still be had.
fn zones_with(call: &Call<'_>, wanted: &InstanceType) -> Vec<String> {
    let zones = RegionInfo::find(&call.scope.region).map(RegionInfo::zones).unwrap_or_default();
    let has = |zone: &String| !call.injected.is_scarce(&wanted.name, zone);
    zones.into_iter().filter(|zone| wanted.is_offered_in(zone)).map(|zone| zone.name).filter(has).collect()
}

/// Makes the request that a spot instance fulfils.
fn spot_request(call: &Call<'_>, region: &mut Region, request: &Request, instance_id: &str) -> Option<String> {
    let terms = request.spot.as_ref()?;
    let price = spot_price::text(request.instance_type.on_demand_price());
    let tags = request.tags.of(Kind::SpotRequest);
    Some(spot_request::fulfil(region, terms, &price, instance_id, tags, call.now))
}

/// The end that an injected fault has in store for it.
fn doom(call: &Call<'_>, request: &Request) -> Option<Doom> {
    let death = call.injected.death.as_ref().filter(|death| !death.only_spot || request.spot.is_some())?;
    Some(Doom { at: call.now.plus(death.after), reason: Reason::new(&death.code, &death.message) })
}

/// Sets the launch going, or (an injected fault, a key that cannot be used) the way to a failed one.
fn begin(call: &Call<'_>, instance: &mut Instance, is_locked: bool) {
    let up = call.due(Transition::Run);
    instance.checks_ok_at = up.plus(call.world.timing.draw(Transition::Checks));
    match call.injected.fails_at(up) {
        Some((failure, at)) => {
            let change = Change::timed(InstanceState::Terminated, at).because(&failure.code, &failure.message);
            instance.begin(InstanceState::Pending, change, call.now);
        }
        None if is_locked => {
            let text = "Client.InternalError: Client error on launch";
            let change = Change::timed(InstanceState::Terminated, up).because("Client.InternalError", text);
            instance.begin(InstanceState::Pending, change, call.now);
        }
        None => {
            instance.begin(InstanceState::Pending, Change::working(InstanceState::Running, up), call.now);
            instance.order(Work::Launch);
        }
    }
}

fn interface(request: &Request, subnet: &Subnet, instance_id: &str) -> Interface {
    let digest = Sha256::digest(instance_id.as_bytes());
    Interface {
        id: id::fresh("eni"),
        attachment_id: id::fresh("eni-attach"),
        description: request.placement.description.clone(),
        public: request.placement.public.unwrap_or(subnet.public_ip_on_launch),
        private_ip_named: request.placement.private_ip.is_some(),
        delete_on_termination: !request.placement.interface_stays,
        mac: format!("02:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", digest[0], digest[1], digest[2], digest[3], digest[4]),
        tags: request.tags.of(Kind::Interface),
    }
}

/// The addresses of this host that live instances of any region have.
fn taken_addresses(call: &Call<'_>, region: &Region) -> Result<BTreeSet<Ipv4Addr>, Error> {
    let live = |region: &Region| -> Vec<Ipv4Addr> {
        region.instances.values().filter(|i| i.is_live()).map(|i| i.address).collect()
    };
    let mut taken: BTreeSet<Ipv4Addr> = live(region).into_iter().collect();
    for scope in call.world.store.scopes()? {
        if scope != region.scope && scope.region != "global" {
            // One that has ended and is not settled yet may count: there are enough.
            taken.extend(call.world.store.look(&scope, live)?);
        }
    }
    Ok(taken)
}

/// One that is free, from 127.65.0.0 to 127.127.255.255, begun at a hash of the id; it is taken then.
fn free_address(taken: &mut BTreeSet<Ipv4Addr>, instance_id: &str) -> Result<Ipv4Addr, Error> {
    let digest = Sha256::digest(instance_id.as_bytes());
    let start = u32::from_be_bytes([digest[8], digest[9], digest[10], digest[11]]);
    const SIZE: u32 = 63 << 16;
    let first = u32::from(Ipv4Addr::new(127, 65, 0, 0));
    let candidates = (0..SIZE).map(|step| Ipv4Addr::from(first + start.wrapping_add(step) % SIZE));
    // Not .0 and .255, which some tools take for networks and broadcasts.
    let mut usable = candidates.filter(|address| !matches!(address.octets()[3], 0 | 255));
    let free = usable.find(|address| !taken.contains(address));
    let none = || Error::new("InsufficientAddressCapacity", "All loopback addresses for instances are in use");
    let free = free.ok_or_else(none)?;
    taken.insert(free);
    Ok(free)
}

/// The private address that the request names, if the subnet has it to give.
fn named_ip(region: &Region, subnet: &Subnet, request: &Request) -> Result<Option<Ipv4Addr>, Error> {
    let Some(wanted) = request.placement.private_ip else { return Ok(None) };
    if request.counts.1 > 1 {
        return Err(Error::combination("A private IP address can be named for the launch of one instance only"));
    }
    if !subnet.has(wanted) {
        let text = format!("Address {wanted} does not fall within the subnet's address range");
        return Err(Error::value(text));
    }
    if region.instances.values().any(|i| i.is_live() && i.private_ip == wanted) {
        return Err(Error::new("InvalidIPAddress.InUse", format!("Address {wanted} is in use.")));
    }
    Ok(Some(wanted))
}

fn free_private_ip(region: &Region, subnet: &Subnet, instance_id: &str) -> Ipv4Addr {
    let digest = Sha256::digest(instance_id.as_bytes());
    let start = u32::from_be_bytes([0, digest[12], digest[13], digest[14]]);
    let is_free = |ip: &Ipv4Addr| !region.instances.values().any(|i| i.is_live() && i.private_ip == *ip);
    let mut candidates = (0..subnet.capacity()).map(|step| subnet.address(start + step));
    // The caller has made sure that the subnet has a free address.
    candidates.find(is_free).unwrap_or_else(|| subnet.address(start))
}

/// A disk to make: device, properties, snapshot and what is on it, whether it goes with the instance.
struct Disk {
    device: String,
    disk: DiskType,
    snapshot_id: Option<String>,
    content: Content,
    delete_on_termination: bool,
}

/// The image's mappings with the request's merged in.
fn disks(call: &Call<'_>, region: &Region, image: &Image, request: &Request) -> Result<Vec<Disk>, Error> {
    let owner = image::snapshots_of(call, region, image)?;
    let content = |source: Option<&Snapshot>| source.map(|snapshot| snapshot.content.clone()).unwrap_or_default();
    let wanted = |device: &str| request.mappings.iter().find(|wanted| wanted.device == device);
    let mut disks = Vec::new();
    for mapping in &image.mappings {
        let Some(ebs) = &mapping.ebs else { continue };
        let change = wanted(&mapping.device);
        if change.is_some_and(|change| change.suppressed) {
            if mapping.device == image.root_device {
                let text = format!("Cannot suppress the root device {}", image.root_device);
                return Err(Error::new("InvalidBlockDeviceMapping", text));
            }
            continue;
        }
        let asked = change.map(|change| change.ebs.clone()).unwrap_or_default();
        if mapping.device == image.root_device && matches!(asked.kind.as_deref(), Some("st1" | "sc1")) {
            let text = "The volume type of the root device cannot be used to boot";
            return Err(Error::new("BootForVolumeTypeUnsupported", text));
        }
        let floor = ebs.snapshot_id.as_deref().map(|snapshot| (ebs.disk.size, snapshot));
        disks.push(Disk {
            device: mapping.device.clone(),
            disk: encryption::by_default(region, asked.resolve(Some(&ebs.disk), floor)?),
            snapshot_id: ebs.snapshot_id.clone(),
            content: content(ebs.snapshot_id.as_deref().and_then(|id| owner.get(id))),
            delete_on_termination: asked.delete_on_termination.unwrap_or(ebs.delete_on_termination),
        });
    }
    for extra in &request.mappings {
        // Suppressing a device that the image lacks has no effect; no type here has instance store volumes.
        let known = image.mappings.iter().any(|mapping| mapping.device == extra.device && mapping.ebs.is_some());
        if known || extra.suppressed || extra.virtual_name.is_some() {
            continue;
        }
        let source = extra.ebs.snapshot_id.as_ref().map(|id| snapshot::find(call, region, id)).transpose()?;
        let floor = source.as_ref().map(|snapshot| (snapshot.disk.size, snapshot.id.as_str()));
        let base = source.as_ref().map(|s| DiskType {
            size: s.disk.size,
            encrypted: s.disk.encrypted,
            kms_key: s.disk.kms_key.clone(),
            ..DiskType::default()
        });
        disks.push(Disk {
            device: extra.device.clone(),
            disk: encryption::by_default(region, extra.ebs.resolve(base.as_ref(), floor)?),
            snapshot_id: extra.ebs.snapshot_id.clone(),
            content: content(source.as_ref()),
            delete_on_termination: extra.ebs.delete_on_termination.unwrap_or(false),
        });
    }
    Ok(disks)
}

fn add_volumes(call: &Call<'_>, region: &mut Region, instance: &Instance, disks: &[Disk], root: &Content, tags: &Tags) {
    for disk in disks {
        let is_root = disk.device == instance.origin.root_device;
        let content = if is_root { root } else { &disk.content };
        let volume = Volume {
            id: id::fresh("vol"),
            zone: instance.zone.clone(),
            disk: disk.disk.clone(),
            snapshot_id: disk.snapshot_id.clone(),
            content: content.clone(),
            state: VolumeState::Ready,
            change: None,
            created: call.now,
            attachment: Some(Attachment {
                instance_id: instance.id.clone(),
                device: disk.device.clone(),
                since: call.now,
                delete_on_termination: disk.delete_on_termination,
                attached_at: call.now,
                detached_at: None,
            }),
            tags: tags.clone(),
        };
        region.volumes.insert(volume.id.clone(), volume);
    }
}
