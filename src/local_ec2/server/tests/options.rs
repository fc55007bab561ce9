//! Options of a launch that are kept and shown.

use super::*;

#[tokio::test]
async fn options_of_a_launch_are_shown() {
    let dir = tempfile::tempdir().unwrap();
    let ec2 = Ec2::plain(dir.path()).await;
    let options = "&PrivateIpAddress=172.31.16.9&CpuOptions.CoreCount=1&CpuOptions.ThreadsPerCore=1&KernelId=aki-12345678\
                   &PrivateDnsNameOptions.HostnameType=resource-name&MaintenanceOptions.AutoRecovery=disabled";
    let id = ec2.launch(options).await;
    let seen = ec2.call(&format!("DescribeInstances&InstanceId.1={id}")).await;
    for (element, text) in [
        ("privateIpAddress", "172.31.16.9"),
        ("coreCount", "1"),
        ("threadsPerCore", "1"),
        ("kernelId", "aki-12345678"),
        ("hostnameType", "resource-name"),
        ("autoRecovery", "disabled"),
        ("configured", "false"),
    ] {
        assert_eq!(seen.text(element), text, "{element}");
    }
    let image = ec2.image().await;
    let again = format!("RunInstances&ImageId={image}&InstanceType=t3.micro&MinCount=1&MaxCount=1{options}");
    assert_eq!(ec2.call(&again).await.text("Code"), "InvalidIPAddress.InUse");
    let stop = format!("StopInstances&InstanceId.1={id}&Hibernate=true");
    assert_eq!(ec2.call(&stop).await.text("Code"), "UnsupportedHibernationConfiguration");
}

#[tokio::test]
async fn one_that_can_hibernate_says_that_it_did() {
    let dir = tempfile::tempdir().unwrap();
    let ec2 = Ec2::plain(dir.path()).await;
    let disk = "&BlockDeviceMapping.1.DeviceName=/dev/xvda&BlockDeviceMapping.1.Ebs.Encrypted=true";
    let id = ec2.launch(&format!("&HibernationOptions.Configured=true{disk}")).await;
    ec2.call(&format!("StopInstances&InstanceId.1={id}&Hibernate=true")).await;
    let seen = ec2.until(&format!("DescribeInstances&InstanceId.1={id}"), "name", "stopped").await;
    assert!(seen.body.contains("Client.UserInitiatedHibernate") && seen.text("configured") == "true");
    let image = ec2.call(&format!("CreateImage&InstanceId={id}&Name=abc&SnapshotLocation=local")).await;
    assert_eq!(image.text("Code"), "InvalidParameterCombination");
}
