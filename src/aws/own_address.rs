//! The address from which we reach the internet, so that a temporary security group need let nobody else in.

use std::net::IpAddr;

use super::clients::Aws;
use super::error::{Error, Kind};

/// Amazon's service that answers with the caller's address.
const SERVICE: &str = "https://checkip.amazonaws.com";

/// The CIDR block that holds just the caller. On an endpoint of this machine (local EC2, moto) that is the loopback address.
pub async fn cidr(aws: &Aws) -> Result<String, Error> {
    let address = if aws.is_loopback() { IpAddr::from([127, 0, 0, 1]) } else { ask().await? };
    Ok(format!("{address}/{}", if address.is_ipv4() { 32 } else { 128 }))
}

async fn ask() -> Result<IpAddr, Error> {
    let failed = |message: String| {
        let hint = "set temporary_security_group_source_cidrs to the addresses you connect from";
        Error::new("find your public address", SERVICE, Kind::Unreachable, format!("{message} ({hint})"))
    };
    let answer = tokio::task::spawn_blocking(|| ureq::get(SERVICE).call()?.body_mut().read_to_string()).await;
    let text = answer.map_err(|e| failed(e.to_string()))?.map_err(|e| failed(e.to_string()))?;
    text.trim().parse().map_err(|_| failed(format!("the answer is no address: {:?}", text.trim())))
}
