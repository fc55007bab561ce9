//! What a server leaves to the next one.

use super::*;

#[tokio::test]
async fn stopped_instances_outlive_their_server() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (Scripted::new(false), Scripted::new(false));
    let start = |machines: &Arc<Scripted>| Ec2::start(dir.path(), Arc::clone(machines) as Arc<dyn Machines>, |_| {});
    let ec2 = start(&first).await;
    let (stopped, running) = (ec2.launch("").await, ec2.launch("").await);
    let seen = |id: &str| format!("DescribeInstances&InstanceId.1={id}");
    ec2.call(&format!("StopInstances&InstanceId.1={stopped}")).await;
    ec2.until(&seen(&stopped), "name", "stopped").await;
    ec2.handle.shutdown().await;
    let ends = first.calls();
    let count = |call: &str| ends.iter().filter(|known| *known == call).count();
    assert_eq!((count("snapshot"), count("terminate")), (1, 2), "one disk is kept, no machine stays behind");

    let ec2 = start(&second).await;
    let answer = ec2.call(&seen(&stopped)).await;
    assert_eq!(answer.text("name"), "stopped");
    assert!(answer.body.contains("Client.UserInitiatedShutdown") && answer.body.contains("<volumeId>"));
    assert_eq!(ec2.call(&seen(&running)).await.text("name"), "terminated");
    assert_eq!(ec2.call("DescribeVolumes").await.texts("createTime").len(), 1);
    // Its image is its disk, for which no machine is asked.
    let image = ec2.call(&format!("CreateImage&InstanceId={stopped}&Name=kept")).await.text("imageId").to_owned();
    ec2.until(&format!("DescribeImages&ImageId.1={image}"), "imageState", "available").await;
    assert!(second.calls().is_empty());
    // Nobody who looks in between changes that.
    ec2.handle.shutdown().await;

    let ec2 = start(&second).await;
    ec2.call(&format!("StartInstances&InstanceId.1={stopped}")).await;
    ec2.until(&seen(&stopped), "name", "running").await;
    let spec = second.specs.lock().unwrap().last().cloned().unwrap();
    assert_eq!((spec.instance_id.as_str(), spec.image.layers.len()), (stopped.as_str(), 1), "its own disk");
    ec2.call(&format!("TerminateInstances&InstanceId.1={stopped}")).await;
    ec2.until(&seen(&stopped), "name", "terminated").await;
    assert!(ec2.call("DescribeVolumes").await.texts("volumeId").is_empty());
}
