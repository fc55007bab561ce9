//! What the networks of instances need, asked of the kernel in its own words (rtnetlink(7)): addresses, routes, a pair of interfaces. Every call acts in the
//! network namespace of its thread.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket};

/// From `linux/if_link.h` and `linux/veth.h`.
const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;

const CREATE: u16 = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;

/// Brings an interface up.
///
/// # Errors
/// What the kernel answers; ENODEV when there is no such interface.
pub fn up(interface: &str) -> io::Result<()> {
    let index = if_nametoindex(interface)?;
    let up = libc::IFF_UP as u32;
    ask(libc::RTM_NEWLINK, 0, &link(index, up))
}

/// Gives an interface one more address, which alone is its network.
///
/// # Errors
/// What the kernel answers.
pub fn add_address(interface: &str, address: Ipv4Addr) -> io::Result<()> {
    let index = if_nametoindex(interface)?;
    // struct ifaddrmsg: family, prefix length, flags, scope, index.
    let head = [libc::AF_INET as u8, 32, 0, libc::RT_SCOPE_UNIVERSE];
    let octets = address.octets();
    let body =
        [&head[..], &index.to_ne_bytes(), &attribute(libc::IFA_LOCAL, &octets), &attribute(libc::IFA_ADDRESS, &octets)]
            .concat();
    ask(libc::RTM_NEWADDR, CREATE, &body)
}

/// Sends what goes to one address out of an interface, as from `source`.
///
/// # Errors
/// What the kernel answers.
pub fn add_route(interface: &str, to: Ipv4Addr, source: Ipv4Addr) -> io::Result<()> {
    let index = if_nametoindex(interface)?;
    // struct rtmsg: family, lengths of destination and source, type of service, table, protocol, scope, type, flags.
    let head = [
        libc::AF_INET as u8,
        32,
        0,
        0,
        libc::RT_TABLE_MAIN,
        libc::RTPROT_STATIC,
        libc::RT_SCOPE_LINK,
        libc::RTN_UNICAST,
        0,
        0,
        0,
        0,
    ];
    let attributes = [
        attribute(libc::RTA_DST, &to.octets()),
        attribute(libc::RTA_OIF, &index.to_ne_bytes()),
        attribute(libc::RTA_PREFSRC, &source.octets()),
    ];
    ask(libc::RTM_NEWROUTE, CREATE, &[&head[..], &attributes.concat()].concat())
}

/// Makes two interfaces that are joined, `near` here and `far` in another network namespace.
///
/// # Errors
/// What the kernel answers; EOPNOTSUPP when it has no `veth`.
pub fn add_pair(near: &str, far: &str, namespace: BorrowedFd<'_>) -> io::Result<()> {
    let fd = namespace.as_raw_fd().to_ne_bytes();
    let peer = [link(0, 0), attribute(libc::IFLA_IFNAME, &text(far)), attribute(libc::IFLA_NET_NS_FD, &fd)].concat();
    let data = attribute(VETH_INFO_PEER, &peer);
    let info = [attribute(INFO_KIND, b"veth"), attribute(INFO_DATA, &data)].concat();
    ask(
        libc::RTM_NEWLINK,
        CREATE,
        &[link(0, 0), attribute(libc::IFLA_IFNAME, &text(near)), attribute(libc::IFLA_LINKINFO, &info)].concat(),
    )
}

/// struct ifinfomsg: family, padding, type, index, flags, mask of flags to change.
fn link(index: u32, flags: u32) -> Vec<u8> {
    [&[0_u8; 4][..], &index.to_ne_bytes(), &flags.to_ne_bytes(), &flags.to_ne_bytes()].concat()
}

fn text(name: &str) -> Vec<u8> {
    [name.as_bytes(), &[0]].concat()
}

/// struct rtattr: length (without the padding), type, content padded to four bytes.
fn attribute(kind: u16, content: &[u8]) -> Vec<u8> {
    let length = 4 + u16::try_from(content.len()).unwrap_or(0);
    let padding = vec![0_u8; content.len().next_multiple_of(4) - content.len()];
    [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), content, &padding].concat()
}

/// Sends one request and reads its acknowledgement.
fn ask(kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
    let message = request(kind, flags | (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16, body);
    let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)?;
    sendto(socket.as_raw_fd(), &message, &NetlinkAddr::new(0, 0), MsgFlags::empty())?;
    let mut answer = [0; 1024];
    let length = recv(socket.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    verdict(&answer[..length])
}

/// struct nlmsghdr: length, type, flags, sequence, port; then the body.
fn request(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let length = 16 + u32::try_from(body.len()).unwrap_or(0);
    [
        &length.to_ne_bytes()[..],
        &kind.to_ne_bytes(),
        &flags.to_ne_bytes(),
        &1_u32.to_ne_bytes(),
        &0_u32.to_ne_bytes(),
        body,
    ]
    .concat()
}

/// The acknowledgement is an error message whose number is 0.
fn verdict(answer: &[u8]) -> io::Result<()> {
    let number = answer.get(16..20).and_then(|b| b.try_into().ok()).map(i32::from_ne_bytes);
    match number {
        Some(0) => Ok(()),
        Some(negative) => Err(io::Error::from_raw_os_error(-negative)),
        None => Err(io::Error::other("a short answer from the kernel")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_carry_their_length() {
        let message = request(20, 5, &[1, 2, 3, 4]);
        assert_eq!(message.len(), 20);
        assert_eq!(message[..4], 20_u32.to_ne_bytes());
    }

    #[test]
    fn attributes_are_padded_but_their_length_is_not() {
        assert_eq!(attribute(3, b"abcde"), [&9_u16.to_ne_bytes()[..], &3_u16.to_ne_bytes(), b"abcde\0\0\0"].concat());
        assert_eq!(attribute(3, b"abcd").len(), 8);
    }

    #[test]
    fn the_kernels_no_is_an_error() {
        let answer = |n: i32| [&[0_u8; 16][..], &n.to_ne_bytes()].concat();
        assert!(verdict(&answer(0)).is_ok());
        assert_eq!(verdict(&answer(-libc::EPERM)).unwrap_err().raw_os_error(), Some(libc::EPERM));
        assert!(verdict(&[]).is_err());
    }
}
