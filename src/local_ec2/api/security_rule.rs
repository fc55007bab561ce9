//! Rules of security groups as requests spell them: protocols, ports, blocks.

use std::net::IpAddr;

use crate::local_ec2::state::{Peer, Rule, Tags, id};
use crate::local_ec2::wire::{Error, Params};

/// All rules of a request: `IpPermissions.N` and the flat form, one rule for each peer.
pub fn read_rules(params: &Params) -> Result<Vec<Rule>, Error> {
    let mut rules = Vec::new();
    for permission in params.each("IpPermissions") {
        rules.extend(read_permission(&permission)?);
    }
    if params.get("IpProtocol").is_some() || params.get("CidrIp").is_some() {
        let (protocol, ports) = protocol_and_ports(params)?;
        let cidr = canonical_cidr(params.need("CidrIp")?)?;
        rules.push(rule(&protocol, ports, cidr, ""));
    }
    Ok(rules)
}

fn read_permission(permission: &Params) -> Result<Vec<Rule>, Error> {
    let (protocol, ports) = protocol_and_ports(permission)?;
    let mut rules = Vec::new();
    for (list, field) in [("IpRanges", "CidrIp"), ("Ipv6Ranges", "CidrIpv6")] {
        for range in permission.each(list) {
            let cidr = canonical_cidr(range.need(field)?)?;
            rules.push(rule(&protocol, ports, cidr, range.get("Description").unwrap_or_default()));
        }
    }
    for group in permission.each("Groups") {
        let peer = Peer::Group(group.need("GroupId")?.to_owned());
        rules.push(rule(&protocol, ports, peer, group.get("Description").unwrap_or_default()));
    }
    if rules.is_empty() {
        return Err(Error::new("InvalidPermission.Malformed", "A permission must name an address range or a group"));
    }
    Ok(rules)
}

fn rule(protocol: &str, ports: Option<(i32, i32)>, peer: Peer, description: &str) -> Rule {
    Rule {
        id: id::fresh("sgr"),
        protocol: protocol.to_owned(),
        ports,
        peer,
        description: description.to_owned(),
        tags: Tags::new(),
    }
}

fn protocol_and_ports(params: &Params) -> Result<(String, Option<(i32, i32)>), Error> {
    let protocol = match params.need("IpProtocol")?.to_lowercase().as_str() {
        "6" => "tcp".to_owned(),
        "17" => "udp".to_owned(),
        "1" => "icmp".to_owned(),
        "58" => "icmpv6".to_owned(),
        "all" => "-1".to_owned(),
        name @ ("tcp" | "udp" | "icmp" | "icmpv6" | "-1") => name.to_owned(),
        number if number.parse::<u8>().is_ok() => number.to_owned(),
        other => return Err(Error::value(format!("Invalid value '{other}' for IP protocol. Unknown protocol."))),
    };
    let (from, to) = (params.int("FromPort")?, params.int("ToPort")?);
    if !["tcp", "udp", "icmp", "icmpv6"].contains(&protocol.as_str()) {
        return Ok((protocol, None));
    }
    let (Some(from), Some(to)) = (from, to) else {
        return Err(Error::value("Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange."));
    };
    let is_ip = protocol == "tcp" || protocol == "udp";
    let legal = if is_ip { 0..=65535 } else { -1..=255 };
    for port in [from, to] {
        if !legal.contains(&port) {
            return Err(Error::value(format!("Invalid value '{port}' for portRange. Must be between 0 and 65535.")));
        }
    }
    if is_ip && from > to {
        return Err(Error::value(format!("Invalid TCP/UDP port range ({from}:{to})")));
    }
    // Both are in -1..=65535 now.
    Ok((protocol, Some((i32::try_from(from).unwrap_or(0), i32::try_from(to).unwrap_or(0)))))
}

/// EC2 stores a block with its host bits cleared.
fn canonical_cidr(text: &str) -> Result<Peer, Error> {
    let malformed = || Error::value(format!("CIDR block {text} is malformed"));
    let (address, prefix) = text.split_once('/').ok_or_else(malformed)?;
    let address: IpAddr = address.parse().map_err(|_| malformed())?;
    let prefix: u32 = prefix.parse().map_err(|_| malformed())?;
    match address {
        IpAddr::V4(v4) if prefix <= 32 => {
            let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
            Ok(Peer::V4(format!("{}/{prefix}", std::net::Ipv4Addr::from(u32::from(v4) & mask))))
        }
        IpAddr::V6(v6) if prefix <= 128 => {
            let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
            Ok(Peer::V6(format!("{}/{prefix}", std::net::Ipv6Addr::from(u128::from(v6) & mask))))
        }
        _ => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_canonical() {
        for (text, want) in [
            ("10.1.2.3/8", Some("10.0.0.0/8")),
            ("1.2.3.4/32", Some("1.2.3.4/32")),
            ("1.2.3.4/0", Some("0.0.0.0/0")),
            ("2001:db8::1/32", Some("2001:db8::/32")),
            ("999.1.1.1/8", None),
            ("10.0.0.0/33", None),
            ("10.0.0.0", None),
        ] {
            let got = canonical_cidr(text).ok().map(|(Peer::V4(x) | Peer::V6(x) | Peer::Group(x))| x);
            assert_eq!(got.as_deref(), want, "{text}");
        }
    }

    #[test]
    fn ports_are_checked() {
        for (query, ok) in [
            ("IpProtocol=tcp&FromPort=22&ToPort=22", true),
            ("IpProtocol=tcp&FromPort=22&ToPort=70000", false),
            ("IpProtocol=tcp&FromPort=23&ToPort=22", false),
            ("IpProtocol=-1", true),
            ("IpProtocol=tcp", false),
            ("IpProtocol=carrier-pigeon", false),
        ] {
            assert_eq!(protocol_and_ports(&Params::parse(query)).is_ok(), ok, "{query}");
        }
    }
}
