//! A network, as `10.20.0.0/16`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The addresses that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// How many bits of the address all have in common.
    bits: u32,
}

/// A text is no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no network: write one as `10.20.0.0/16`")]
pub struct NoNetwork(String);

impl Network {
    /// Whether the address is one of the network's. One of IPv4 that is written as IPv6 counts as what it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        let common = |one: u128, other: u128, size: u32| self.bits == 0 || (one ^ other) >> (size - self.bits) == 0;
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(mine), IpAddr::V4(other)) => common(mine.to_bits().into(), other.to_bits().into(), 32),
            (IpAddr::V6(mine), IpAddr::V6(other)) => common(mine.to_bits(), other.to_bits(), 128),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let wrong = || NoNetwork(text.to_owned());
        let (address, bits) = text.split_once('/').ok_or_else(wrong)?;
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let bits: u32 = bits.parse().map_err(|_| wrong())?;
        let size = if address.is_ipv4() { 32 } else { 128 };
        if bits > size { Err(wrong()) } else { Ok(Self { address, bits }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(network: &str, address: &str) -> bool {
        let network: Network = network.parse().expect("a network");
        network.contains(address.parse().expect("an address"))
    }

    #[test]
    fn a_network_has_the_addresses_that_begin_like_it() {
        assert!(holds("10.20.0.0/16", "10.20.255.1") && !holds("10.20.0.0/16", "10.21.0.1"));
        assert!(holds("10.20.0.7/32", "10.20.0.7") && !holds("10.20.0.7/32", "10.20.0.8"));
        assert!(holds("0.0.0.0/0", "8.8.8.8") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("fd00::/8", "fd12::1") && !holds("fd00::/8", "fe80::1"));
        assert!(holds("127.0.0.0/8", "::ffff:127.0.0.1"), "another way to write it leads nowhere else");
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in ["10.20.0.0", "10.20.0.0/33", "10.20/16", "fd00::/129", "example.org/8", ""] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
