//! Snapshots: how far they are, whose they are, release.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::Filter;

use super::clients::Ec2;
use super::error::Error;
use super::repeat;
use super::retry::Age;
use super::tags::{Tags, from_sdk};

/// How far the slowest snapshot is, in percent. Failures to find out are no errors.
pub async fn progress(ec2: &Ec2, ids: &[String]) -> Option<u8> {
    if ids.is_empty() {
        return None;
    }
    let call = ec2.client.describe_snapshots().set_snapshot_ids(Some(ids.to_vec()));
    let found = call.send().await.ok()?;
    let percent = |text: &str| text.trim_end_matches('%').parse::<u8>().ok();
    found.snapshots().iter().filter_map(|snapshot| percent(snapshot.progress()?)).min()
}

/// The tags of snapshots, by id; what EC2 does not show is not there.
pub async fn tags_of(ec2: &Ec2, ids: &[String]) -> Result<BTreeMap<String, Tags>, Error> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let filter = Filter::builder().name("snapshot-id").set_values(Some(ids.to_vec())).build();
    let found = repeat::look(ec2, Age::Old, async || {
        let call = ec2.client.describe_snapshots().filters(filter.clone()).send().await;
        call.map_err(|e| Error::from_sdk("DescribeSnapshots", &ids.join(", "), &e))
    });
    let snapshots = found.await?.snapshots.unwrap_or_default();
    Ok(snapshots
        .into_iter()
        .filter_map(|one| Some((one.snapshot_id?, from_sdk(&one.tags.unwrap_or_default()))))
        .collect())
}

/// The snapshots that EC2 says it made for an image, whether that is there or not.
pub async fn made_for(ec2: &Ec2, id: &str) -> Result<Vec<String>, Error> {
    let texts = [format!("Created by CreateImage(*) for {id}*"), format!("Copied for DestinationAmi {id} from *")];
    let filter = Filter::builder().name("description").set_values(Some(texts.to_vec())).build();
    repeat::look(ec2, Age::Old, async || {
        let call = ec2.client.describe_snapshots().owner_ids("self").filters(filter.clone());
        let found = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let found = found.map_err(|e| Error::from_sdk("DescribeSnapshots", id, &e))?;
        Ok(found.into_iter().filter_map(|snapshot| snapshot.snapshot_id).collect())
    })
    .await
}

/// Deletes a snapshot once nothing uses it; one that is gone is no error.
pub async fn release(ec2: &Ec2, id: &str) -> Result<(), Error> {
    repeat::release(ec2, Age::Old, async || {
        let call = ec2.client.delete_snapshot().snapshot_id(id).send().await;
        call.map(drop).map_err(|e| Error::from_sdk("DeleteSnapshot", id, &e))
    })
    .await
}
