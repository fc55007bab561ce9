//! Spot instances, launch templates and instant fleets.

use super::*;

const SPOT: &str = "&InstanceMarketOptions.MarketType=spot";

#[tokio::test]
async fn a_spot_instance_has_a_request_that_ends_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let ec2 = Ec2::plain(dir.path()).await;
    let tags = "&TagSpecification.1.ResourceType=spot-instances-request&TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=b";
    let id = ec2.launch(&format!("{SPOT}{tags}")).await;
    let seen = ec2.call("DescribeInstances&Filter.1.Name=instance-lifecycle&Filter.1.Value.1=spot").await;
    assert_eq!((seen.text("instanceId"), seen.text("instanceLifecycle")), (id.as_str(), "spot"));
    let request = seen.text("spotInstanceRequestId").to_owned();
    let query = format!("DescribeSpotInstanceRequests&SpotInstanceRequestId.1={request}");
    let found = ec2.call(&query).await;
    assert_eq!(
        (found.text("state"), found.text("code"), found.text("instanceId")),
        ("active", "fulfilled", id.as_str())
    );
    assert_eq!((found.text("key"), found.text("value")), ("a", "b"));
    let stop = ec2.call(&format!("StopInstances&InstanceId.1={id}")).await;
    assert_eq!(stop.code(), (400, "UnsupportedOperation"));
    ec2.call(&format!("TerminateInstances&InstanceId.1={id}")).await;
    let closed = ec2.until(&query, "state", "closed").await;
    assert_eq!(closed.text("code"), "instance-terminated-by-user");
    let unknown = ec2.call("DescribeSpotInstanceRequests&SpotInstanceRequestId.1=sir-01234567").await;
    assert_eq!(unknown.text("Code"), "InvalidSpotInstanceRequestID.NotFound");
}

#[tokio::test]
async fn offers_requests_and_prices() {
    let dir = tempfile::tempdir().unwrap();
    let ec2 = Ec2::plain(dir.path()).await;
    let image = ec2.image().await;
    let run = format!("RunInstances&ImageId={image}&InstanceType=t3.micro&MinCount=1&MaxCount=1{SPOT}");
    let low = ec2.call(&format!("{run}&InstanceMarketOptions.SpotOptions.MaxPrice=0.0001")).await;
    assert_eq!(low.text("Code"), "SpotMaxPriceTooLow");
    let query = format!(
        "RequestSpotInstances&SpotPrice=1&ClientToken=t&LaunchSpecification.ImageId={image}&LaunchSpecification.InstanceType=t3.micro"
    );
    let made = ec2.call(&query).await;
    assert_eq!((made.text("state"), made.text("code")), ("open", "pending-evaluation"));
    let id = made.text("spotInstanceRequestId").to_owned();
    assert_eq!(ec2.call(&query).await.text("spotInstanceRequestId"), id, "the token answers repeats");
    let other = ec2.call(&query.replace("SpotPrice=1", "SpotPrice=2")).await;
    assert_eq!(other.text("Code"), "IdempotentParameterMismatch");
    let cancelled = ec2.call(&format!("CancelSpotInstanceRequests&SpotInstanceRequestId.1={id}")).await;
    assert_eq!(cancelled.text("state"), "cancelled");
    let prices =
        "DescribeSpotPriceHistory&InstanceType.1=t3.micro&AvailabilityZone=eu-west-1a&ProductDescription.1=Linux/UNIX";
    let prices = ec2.call(prices).await;
    assert!(prices.texts("spotPrice").iter().all(|price| price.parse::<f64>().unwrap() > 0.0));
    assert!(!prices.texts("spotPrice").is_empty());
}

#[tokio::test]
async fn templates_have_versions_and_requests_win_over_them() {
    let dir = tempfile::tempdir().unwrap();
    let ec2 = Ec2::plain(dir.path()).await;
    let image = ec2.image().await;
    let data = format!("LaunchTemplateData.ImageId={image}&LaunchTemplateData.InstanceType=t3.micro");
    let query = format!("CreateLaunchTemplate&LaunchTemplateName=web&{data}&ClientToken=t");
    let id = ec2.call(&query).await.text("launchTemplateId").to_owned();
    assert_eq!(ec2.call(&query).await.text("launchTemplateId"), id);
    let again = ec2.call(&format!("CreateLaunchTemplate&LaunchTemplateName=web&{data}")).await;
    assert_eq!(again.text("Code"), "InvalidLaunchTemplateName.AlreadyExistsException");
    let version = format!(
        "CreateLaunchTemplateVersion&LaunchTemplateId={id}&SourceVersion=1&LaunchTemplateData.InstanceType=t3.small"
    );
    assert_eq!(ec2.call(&version).await.text("versionNumber"), "2");
    let shown = format!("DescribeLaunchTemplateVersions&LaunchTemplateId={id}&LaunchTemplateVersion.1=$Latest");
    let shown = ec2.call(&shown).await;
    assert_eq!((shown.text("imageId"), shown.text("instanceType")), (image.as_str(), "t3.small"));
    let run = "RunInstances&MinCount=1&MaxCount=1&LaunchTemplate.LaunchTemplateName=web";
    assert_eq!(ec2.call(run).await.text("instanceType"), "t3.micro", "the default version");
    let latest = ec2.call(&format!("{run}&LaunchTemplate.Version=$Latest&InstanceType=t3.medium")).await;
    assert_eq!(latest.text("instanceType"), "t3.medium");
    assert!(latest.body.contains("<key>aws:ec2launchtemplate:version</key><value>2</value>"));
    let gone = format!("DeleteLaunchTemplate&LaunchTemplateId={id}");
    assert_eq!(ec2.call(&gone).await.text("launchTemplateName"), "web");
    assert_eq!(ec2.call(&gone).await.text("Code"), "InvalidLaunchTemplateId.NotFound");
}

#[tokio::test]
async fn a_fleet_tells_its_failures_and_takes_the_next_choice() {
    let dir = tempfile::tempdir().unwrap();
    let faults = dir.path().join("faults.json");
    let ec2 = Ec2::start(dir.path(), Arc::new(NoMachines::default()), |o| o.faults = Some(faults.clone())).await;
    std::fs::write(&faults, r#"{"rules":[{"kind":"no_capacity","instance_type":"t3.micro"}]}"#).unwrap();
    let image = ec2.image().await;
    let template = format!("CreateLaunchTemplate&LaunchTemplateName=fleet&LaunchTemplateData.ImageId={image}");
    let template = ec2.call(&template).await.text("launchTemplateId").to_owned();
    let base = format!(
        "CreateFleet&Type=instant&TargetCapacitySpecification.TotalTargetCapacity=1\
         &TargetCapacitySpecification.DefaultTargetCapacityType=spot&SpotOptions.AllocationStrategy=capacity-optimized\
         &LaunchTemplateConfigs.1.LaunchTemplateSpecification.LaunchTemplateId={template}\
         &LaunchTemplateConfigs.1.LaunchTemplateSpecification.Version=1"
    );
    let choice = |n: u32, name: &str| format!("&LaunchTemplateConfigs.1.Overrides.{n}.InstanceType={name}");
    let fleet =
        ec2.call(&format!("{base}{}{}{}", choice(1, "zz9.x"), choice(2, "t3.micro"), choice(3, "t3.small"))).await;
    assert_eq!(fleet.status, 200);
    assert_eq!(fleet.texts("errorCode"), ["InvalidParameterValue", "InsufficientInstanceCapacity"]);
    let id = fleet.body.split("<instanceIds><item>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let seen = ec2.until(&format!("DescribeInstances&InstanceId.1={id}"), "name", "running").await;
    assert_eq!((seen.text("instanceType"), seen.text("instanceLifecycle")), ("t3.small", "spot"));
    assert!(seen.body.contains("aws:ec2:fleet-id"));
    let none = ec2.call(&format!("{base}{}", choice(1, "t3.micro"))).await;
    assert_eq!((none.status, none.texts("errorCode").len()), (200, 1));
    assert!(!none.body.contains("<instanceIds>"));
    let fleet_id = fleet.text("fleetId").to_owned();
    let deleted = ec2.call(&format!("DeleteFleets&FleetId.1={fleet_id}&TerminateInstances=true")).await;
    assert_eq!(deleted.text("currentFleetState"), "deleted_terminating");
    ec2.until(&format!("DescribeInstances&InstanceId.1={id}"), "name", "terminated").await;
}

#[tokio::test]
async fn a_launch_without_a_zone_goes_where_there_is_capacity() {
    let dir = tempfile::tempdir().unwrap();
    let faults = dir.path().join("faults.json");
    let ec2 = Ec2::start(dir.path(), Arc::new(NoMachines::default()), |o| o.faults = Some(faults.clone())).await;
    std::fs::write(
        &faults,
        r#"{"rules":[{"kind":"no_capacity","zone":"eu-west-1a"},{"kind":"no_capacity","zone":"eu-west-1c"}]}"#,
    )
    .unwrap();
    let id = ec2.launch("").await;
    let seen = ec2.call(&format!("DescribeInstances&InstanceId.1={id}")).await;
    assert_eq!(seen.text("availabilityZone"), "eu-west-1b");
    let image = ec2.image().await;
    let query = format!(
        "RunInstances&ImageId={image}&InstanceType=t3.micro&MinCount=1&MaxCount=1&Placement.AvailabilityZone=eu-west-1a"
    );
    let refused = ec2.call(&query).await;
    assert_eq!(refused.code(), (500, "InsufficientInstanceCapacity"));
    assert!(refused.text("Message").ends_with("choosing eu-west-1b."), "{}", refused.body);
}
