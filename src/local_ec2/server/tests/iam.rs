//! A temporary instance profile, from its making to its end.

use super::*;

const TRUST: &str = "%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%7D%5D%7D";

#[tokio::test]
async fn a_profile_is_made_used_and_taken_apart() {
    let dir = tempfile::tempdir().unwrap();
    let ec2 = Ec2::plain(dir.path()).await;
    let iam = |query: String| {
        let ec2 = &ec2;
        async move { ec2.in_region("us-east-1", "iam", "AKIDTEST", &query).await }
    };
    let ok = |query: String| {
        let answer = iam(query.clone());
        async move {
            let answer = answer.await;
            assert_eq!(answer.status, 200, "{query}: {}", answer.body);
            answer
        }
    };
    ok("CreateInstanceProfile&InstanceProfileName=p".into()).await;
    let role = ok(format!("CreateRole&RoleName=r&AssumeRolePolicyDocument={TRUST}")).await;
    assert!(role.body.contains("xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\""));
    assert_eq!(role.text("AssumeRolePolicyDocument"), TRUST, "documents come encoded");
    ok(format!("PutRolePolicy&RoleName=r&PolicyName=i&PolicyDocument={TRUST}")).await;
    ok("AttachRolePolicy&RoleName=r&PolicyArn=arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore".into()).await;
    ok("AddRoleToInstanceProfile&InstanceProfileName=p&RoleName=r".into()).await;
    let second = iam("AddRoleToInstanceProfile&InstanceProfileName=p&RoleName=r".into()).await;
    assert_eq!(second.code(), (409, "LimitExceeded"));
    assert_eq!(ok("GetInstanceProfile&InstanceProfileName=p".into()).await.text("RoleName"), "r");
    let id = ec2.launch("&IamInstanceProfile.Name=p").await;
    let seen = ec2.call(&format!("DescribeInstances&InstanceId.1={id}")).await;
    assert_eq!(seen.text("arn"), "arn:aws:iam::000000000000:instance-profile/p");

    for (query, code) in [
        ("DeleteInstanceProfile&InstanceProfileName=p", (409, "DeleteConflict")),
        ("DeleteRole&RoleName=r", (409, "DeleteConflict")),
        ("GetRole&RoleName=none", (404, "NoSuchEntity")),
        ("GetInstanceProfile&InstanceProfileName=none", (404, "NoSuchEntity")),
        ("CreateInstanceProfile&InstanceProfileName=p", (409, "EntityAlreadyExists")),
        ("CreateRole&RoleName=x&AssumeRolePolicyDocument=nonsense", (400, "MalformedPolicyDocument")),
        ("CreateRole&RoleName=x", (400, "ValidationError")),
        ("AttachRolePolicy&RoleName=r&PolicyArn=arn:aws:iam::1:policy/mine", (404, "NoSuchEntity")),
        ("Nope", (400, "InvalidAction")),
    ] {
        assert_eq!(iam(query.into()).await.code(), code, "{query}");
    }
    for query in [
        "RemoveRoleFromInstanceProfile&InstanceProfileName=p&RoleName=r",
        "DeleteRolePolicy&RoleName=r&PolicyName=i",
        "DetachRolePolicy&RoleName=r&PolicyArn=arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore",
        "DeleteRole&RoleName=r",
        "DeleteInstanceProfile&InstanceProfileName=p",
    ] {
        assert!(!ok(query.into()).await.body.contains("Result"), "{query}: no output, no result element");
    }
}

#[tokio::test]
async fn ec2_learns_of_a_profile_late() {
    let dir = tempfile::tempdir().unwrap();
    let ec2 = Ec2::start(dir.path(), Arc::new(NoMachines::default()), |options| {
        options.timings.insert(
            crate::local_ec2::timing::Transition::ProfileVisible,
            crate::local_ec2::timing::Figure::Fixed(3600.0),
        );
    })
    .await;
    ec2.in_region("us-east-1", "iam", "AKIDTEST", "CreateInstanceProfile&InstanceProfileName=p").await;
    let image = ec2.image().await;
    let query = format!(
        "RunInstances&ImageId={image}&InstanceType=t3.nano&MinCount=1&MaxCount=1&IamInstanceProfile.Name=p&DryRun=true"
    );
    let answer = ec2.call(&query).await;
    assert_eq!(answer.code(), (400, "InvalidParameterValue"));
    assert!(answer.text("Message").contains("Invalid IAM Instance Profile name"));
}
