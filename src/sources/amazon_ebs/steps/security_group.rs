//! The security group: existing ones, or a temporary one that lets only the caller in.

use crate::aws::{own_address, release, security_group};
use crate::engine::Cause;
use crate::engine::ledger::{ClaimId, Keep};
use crate::sources::options::filters::filters;

use super::super::bake::Bake;
use super::super::tags::BuildTags;
use super::Refused;
use super::network::Network;

/// The groups that the instance is launched in.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    /// Their ids.
    pub ids: Vec<String>,
    /// The claim on the temporary one, and its id.
    pub temporary: Option<(ClaimId, String)>,
    /// From where that lets somebody in.
    cidrs: Vec<String>,
}

impl Groups {
    fn of((claim, id): (ClaimId, String), cidrs: Vec<String>) -> Self {
        Self { ids: vec![id.clone()], temporary: Some((claim, id)), cidrs }
    }
}

/// Finds the template's groups, or makes a temporary one.
pub async fn choose(bake: &Bake<'_>, tags: &BuildTags, network: &Network) -> Result<Groups, Cause> {
    let options = &bake.source.options;
    let ids = options.group_ids();
    if !ids.is_empty() {
        let found = security_group::describe(&bake.ec2, Some(ids.clone()), &Default::default()).await;
        found.map_err(|e| Refused(format!("Couldn't find specified security group: {e}")))?;
        return Ok(Groups { ids, ..Groups::default() });
    }
    if let Some(filter) = &options.security_group_filter {
        let mut wanted = filters(&filter.filters, &filter.filter);
        wanted.extend(network.vpc.iter().map(|vpc| ("vpc-id".to_owned(), vec![vpc.clone()])));
        let ids = security_group::describe(&bake.ec2, None, &wanted).await?;
        if ids.is_empty() {
            return Err(Refused("no security group matches security_group_filter".to_owned()).into());
        }
        bake.cx.events.say(format!("Found Security Group(s): {}", ids.join(", ")));
        return Ok(Groups { ids, ..Groups::default() });
    }
    match (bake.past.group(), bake.past.instance()) {
        // This machine may have another address today.
        (Some(temporary), _) => Ok(Groups::of(temporary, cidrs(bake).await?)),
        // It was moved to its VPC's default group and the temporary one is gone.
        (None, Some(_)) => Ok(Groups::default()),
        (None, None) => make(bake, tags, network).await,
    }
}

async fn make(bake: &Bake<'_>, tags: &BuildTags, network: &Network) -> Result<Groups, Cause> {
    let name = &bake.names.temporary;
    bake.cx.events.say(format!("Creating temporary security group for this instance: {name}"));
    let group = security_group::Group { name, vpc: network.vpc.as_deref(), tags: &tags.run };
    let intent = bake.intent(release::SECURITY_GROUP, Keep::Never, name);
    let call = async { security_group::create_group(&bake.ec2, &group).await.map(|id| (id.clone(), id)) };
    let (created, cidrs) = tokio::join!(bake.cx.journal.acquire(intent, call), cidrs(bake));
    Ok(Groups::of(created?, cidrs?))
}

/// Lets the caller in. The instance can be launched meanwhile.
pub async fn let_in(bake: &Bake<'_>, groups: &Groups) -> Result<(), Cause> {
    let (Some((_, id)), false) = (&groups.temporary, bake.source.communicator.is_none()) else { return Ok(()) };
    let (port, cidrs) = (bake.source.communicator.port(), &groups.cidrs);
    let told = cidrs.join(" ");
    bake.cx.events.say(format!("Authorizing access to port {port} from [{told}] in the temporary security groups..."));
    Ok(security_group::allow(&bake.ec2, id, port, cidrs).await?)
}

async fn cidrs(bake: &Bake<'_>) -> Result<Vec<String>, Cause> {
    let options = &bake.source.options;
    if !options.temporary_security_group_source_cidrs.is_empty() {
        if options.temporary_security_group_source_public_ip {
            bake.cx.events.say(
                "temporary_security_group_source_cidrs is set, ignoring temporary_security_group_source_public_ip",
            );
        }
        return Ok(options.temporary_security_group_source_cidrs.clone());
    }
    if bake.source.communicator.is_none() {
        return Ok(Vec::new());
    }
    Ok(vec![own_address::cidr(&bake.aws).await?])
}
