//! The instance profile: an existing one, or a temporary one of the template's policy.

use crate::aws::{Kind, iam, release};
use crate::engine::Cause;
use crate::engine::ledger::Keep;

use super::super::bake::Bake;
use super::super::options::{Options, PolicyDocument};
use super::super::tags::BuildTags;
use super::Refused;

/// The profile that the instance is launched with.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Its name, when there is one.
    pub name: Option<String>,
    /// Whether it was made just now, so that EC2 may not know it yet.
    pub is_young: bool,
}

fn existing(options: &Options) -> Option<&str> {
    options.iam_instance_profile.as_deref().filter(|name| !name.is_empty())
}

/// Looks for the profile that the template names, before anything is made.
pub async fn check(bake: &Bake<'_>) -> Result<(), Cause> {
    let options = &bake.source.options;
    let Some(name) = existing(options).filter(|_| !options.skip_profile_validation) else { return Ok(()) };
    match iam::has_profile(&bake.aws, name).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Refused(format!("Couldn't find specified instance profile: {name}")).into()),
        Err(error) if error.kind == Kind::Denied => {
            let remedy = "allow iam:GetInstanceProfile, or set skip_profile_validation = true";
            Err(Refused(format!("Couldn't find specified instance profile: {error} ({remedy})")).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// The profile of the launch; makes a temporary one when the template has a policy for it.
pub async fn choose(bake: &Bake<'_>, tags: &BuildTags) -> Result<Profile, Cause> {
    let options = &bake.source.options;
    if let Some(name) = existing(options) {
        return Ok(Profile { name: Some(name.to_owned()), is_young: false });
    }
    // An instance that is there already has its own.
    let policy = options.temporary_iam_instance_profile_policy_document.as_ref();
    match policy.filter(|_| bake.past.instance().is_none()) {
        Some(policy) => make(bake, tags, policy).await,
        None => Ok(Profile::default()),
    }
}

async fn make(bake: &Bake<'_>, tags: &BuildTags, policy: &PolicyDocument) -> Result<Profile, Cause> {
    let (events, journal) = (&bake.cx.events, &bake.cx.journal);
    let name = bake.names.temporary.replacen("packer_", iam::PREFIX, 1);
    events.say(format!("Creating temporary instance profile for this instance: {name}"));
    let intent = bake.intent(release::INSTANCE_PROFILE, Keep::Never, &name);
    let call = async { iam::create_profile(&bake.aws, &name, &tags.run).await.map(|id| (id, ())) };
    journal.acquire(intent, call).await?;
    events.say(format!("Creating temporary role for this instance: {name}"));
    let intent = bake.intent(release::ROLE, Keep::Never, &name);
    let call = async { iam::create_role(&bake.aws, &name, &tags.run).await.map(|id| (id, ())) };
    journal.acquire(intent, call).await?;
    events.say(format!("Attaching policy to the temporary role: {name}"));
    iam::fill(&bake.aws, &name, &text(policy)?).await?;
    Ok(Profile { name: Some(name), is_young: true })
}

/// The policy as IAM takes it.
fn text(policy: &PolicyDocument) -> Result<String, Cause> {
    let mut policy = policy.clone();
    if policy.version.is_empty() {
        policy.version = "2012-10-17".to_owned();
    }
    Ok(serde_json::to_string(&policy)?)
}

#[cfg(test)]
mod tests {
    use super::super::super::options::Statement;
    use super::*;

    #[test]
    fn policies_are_written_as_iam_has_them() {
        let all = || vec!["*".to_owned()];
        let statement = Statement { effect: "Allow".into(), action: all(), resource: all() };
        let policy = PolicyDocument { version: String::new(), statement: vec![statement] };
        let expected = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["*"],"Resource":["*"]}]}"#;
        assert_eq!(text(&policy).unwrap(), expected);
    }
}
