//! Functions on networks written as `10.0.0.0/8` or `fd00::/48`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::arguments::{number_param, string, strings, text, text_param, whole};
use super::{Call, Function, FunctionError};
use crate::hcl::types::Type;
use crate::hcl::value::Value;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("cidrhost", &[text_param("prefix"), number_param("hostnum")], string, cidrhost),
    Function::new("cidrnetmask", &[text_param("prefix")], string, cidrnetmask),
    Function::new(
        "cidrsubnet",
        &[text_param("prefix"), number_param("newbits"), number_param("netnum")],
        string,
        cidrsubnet,
    ),
    Function::new("cidrsubnets", &[text_param("prefix")], strings, cidrsubnets).with_variadic(number_param("newbits")),
];

/// The most bits that a network may be divided by, as the language has it.
const MAX_NEW_BITS: i64 = 32;

/// A network: its first address and the bits that all its addresses share.
#[derive(Clone, Copy)]
struct Network {
    first: u128,
    shared: u32,
    /// Bits of an address: 32 or 128.
    bits: u32,
}

impl Network {
    /// The network of an argument; what the address says beyond the network does not count.
    fn of(args: &[Value], at: usize) -> Result<Self, FunctionError> {
        let prefix = text(args, at)?;
        Self::parse(prefix).ok_or_else(|| {
            FunctionError::argument(at, format!("{prefix:?} is no network such as \"10.0.0.0/8\" or \"fd00::/48\""))
        })
    }

    fn parse(prefix: &str) -> Option<Self> {
        let (address, shared) = prefix.split_once('/')?;
        let (address, bits) = match address.parse::<IpAddr>().ok()? {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
            IpAddr::V6(address) => (u128::from(address), 128),
        };
        let plain = !shared.is_empty() && shared.bytes().all(|byte| byte.is_ascii_digit());
        let shared: u32 = shared.parse().ok().filter(|shared| plain && *shared <= bits)?;
        let network = Self { first: 0, shared, bits };
        Some(Self { first: address & !network.host_mask(), ..network })
    }

    /// The bits that differ between the network's addresses.
    fn host_mask(&self) -> u128 {
        let free = self.bits - self.shared;
        u128::MAX.checked_shr(128 - free).unwrap_or(0)
    }

    fn last(&self) -> u128 {
        self.first | self.host_mask()
    }

    fn address(&self, address: u128) -> String {
        if self.bits == 32 {
            return Ipv4Addr::from(u32::try_from(address).unwrap_or(u32::MAX)).to_string();
        }
        Ipv6Addr::from(address).to_string()
    }

    fn written(&self) -> String {
        format!("{}/{}", self.address(self.first), self.shared)
    }
}

/// The address with a number; negative ones count from the end.
fn cidrhost(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let (network, number) = (Network::of(args, 0)?, whole(args, 1)?);
    let (most, distance) = (network.host_mask(), u128::from(number.unsigned_abs()));
    let offset = if number < 0 { (distance - 1 <= most).then(|| most - (distance - 1)) } else { Some(distance) };
    let offset = offset.filter(|offset| *offset <= most).ok_or_else(|| {
        FunctionError::argument(1, format!("{} has no host with the number {number}", network.written()))
    })?;
    Ok(Value::string(network.address(network.first | offset)))
}

fn cidrnetmask(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let network = Network::of(args, 0)?;
    let all = u128::MAX.checked_shr(128 - network.bits).unwrap_or(0);
    Ok(Value::string(network.address(all & !network.host_mask())))
}

/// The subnet with a number. Negative bits make a wider network.
fn cidrsubnet(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let (network, bits, number) = (Network::of(args, 0)?, whole(args, 1)?, whole(args, 2)?);
    if bits > MAX_NEW_BITS {
        return Err(FunctionError::argument(1, format!("a network can be extended by at most {MAX_NEW_BITS} bits")));
    }
    let shared = i64::from(network.shared) + bits;
    let shared = u32::try_from(shared).ok().filter(|shared| *shared <= network.bits).ok_or_else(|| {
        FunctionError::argument(1, format!("{} cannot be extended by {bits} bits", network.written()))
    })?;
    let number = u128::try_from(number)
        .ok()
        .filter(|number| bits < 0 || *number < 1_u128 << bits)
        .ok_or_else(|| FunctionError::argument(2, format!("{bits} bits hold no subnet with the number {number}")))?;
    let shift = network.bits - shared;
    let first = number.checked_shl(shift).unwrap_or(0) | network.first;
    if number > 0 && number.leading_zeros() + network.bits < shift + 128 {
        return Err(FunctionError::argument(2, format!("there is no network with the number {number}")));
    }
    Ok(Value::string(Network { first, shared, ..network }.written()))
}

/// Subnets one after the other, each at the next place where one of its size can begin.
fn cidrsubnets(_: &Call<'_>, args: &[Value]) -> Result<Value, FunctionError> {
    let network = Network::of(args, 0)?;
    let mut subnets: Vec<Value> = Vec::new();
    let mut next = Some(network.first);
    for at in 1..args.len() {
        let bits = whole(args, at)?;
        let invalid = |message: String| FunctionError::argument(at, message);
        let bits = u32::try_from(bits)
            .ok()
            .filter(|bits| (1..=MAX_NEW_BITS).contains(&i64::from(*bits)))
            .ok_or_else(|| invalid(format!("a network can be extended by 1 to {MAX_NEW_BITS} bits")))?;
        let shared = network.shared + bits;
        if shared > network.bits {
            return Err(invalid(format!("{} cannot be extended by {bits} bits", network.written())));
        }
        let subnet = next.and_then(|from| place(network, from, shared));
        let subnet = subnet.ok_or_else(|| invalid(format!("{} has no room left for it", network.written())))?;
        subnets.push(Value::string(subnet.written()));
        next = subnet.last().checked_add(1);
    }
    Ok(Value::list(Type::String, subnets))
}

/// The first network of a size that begins at an address or later and lies within another.
fn place(within: Network, from: u128, shared: u32) -> Option<Network> {
    let hosts = Network { first: 0, shared, ..within }.host_mask();
    let first = from.checked_add(hosts)? & !hosts;
    let subnet = Network { first, shared, ..within };
    (subnet.last() <= within.last()).then_some(subnet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        let cases = [
            ("10.1.2.3/16", Some("10.1.0.0/16")),
            ("0.0.0.0/0", Some("0.0.0.0/0")),
            ("::/0", Some("::/0")),
            ("fd00::1/128", Some("fd00::1/128")),
            ("10.0.0.0/33", None),
            ("10.0.0.0/+8", None),
            ("010.0.0.0/8", None),
            ("10.0.0.0", None),
            ("fe80::1%1/64", None),
        ];
        for (text, want) in cases {
            assert_eq!(Network::parse(text).map(|network| network.written()).as_deref(), want, "{text}");
        }
    }
}
