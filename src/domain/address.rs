//! Addresses of a network that may be given away.

use core::net::Ipv4Addr;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;

/// What may be given away of a subnet: a stretch of it but for what is excluded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRange {
    stretch: RangeInclusive<u32>,
    excluded: Vec<RangeInclusive<u32>>,
}

/// Why a range can't be as it is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressRangeError {
    #[error("`{0}` is no subnet; write it as `10.20.0.0/24`, with a length from 8 to 30")]
    Subnet(String),
    #[error("`{0}` is no range of addresses; write it as `10.20.0.10-10.20.0.99`, or a single address")]
    Range(String),
    #[error("`{0}` is not within the subnet {1}")]
    Outside(String, String),
}

impl AddressRange {
    /// All host addresses of `subnet` (`10.20.0.0/24`), or those of `range` (`10.20.0.10-10.20.0.99`) in it, without
    /// those of `exclusions` (ranges or single addresses).
    pub fn within(subnet: &str, range: Option<&str>, exclusions: &[String]) -> Result<Self, AddressRangeError> {
        let hosts = hosts(subnet).ok_or_else(|| AddressRangeError::Subnet(subnet.to_owned()))?;
        let stretch = range.map_or(Ok(hosts.clone()), stretch)?;
        if let Some(range) = range
            && !(hosts.contains(stretch.start()) && hosts.contains(stretch.end()))
        {
            return Err(AddressRangeError::Outside(range.to_owned(), subnet.to_owned()));
        }
        let excluded = exclusions.iter().map(|one| self::stretch(one)).collect::<Result<_, _>>()?;
        Ok(Self { stretch, excluded })
    }

    /// The lowest address that is not taken.
    pub fn free(&self, taken: &BTreeSet<Ipv4Addr>) -> Option<Ipv4Addr> {
        let given = |address: &u32| !self.excluded.iter().any(|out| out.contains(address));
        self.stretch.clone().filter(given).map(Ipv4Addr::from).find(|address| !taken.contains(address))
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", Ipv4Addr::from(*self.stretch.start()), Ipv4Addr::from(*self.stretch.end()))
    }
}

/// The addresses of a subnet that hosts may have: neither the network's own nor the broadcast address.
fn hosts(subnet: &str) -> Option<RangeInclusive<u32>> {
    let (network, length) = subnet.trim().split_once('/')?;
    let (network, length) = (u32::from(network.parse::<Ipv4Addr>().ok()?), length.parse::<u32>().ok()?);
    if !(8..=30).contains(&length) {
        return None;
    }
    let last = network | (u32::MAX >> length);
    let first = last & !(u32::MAX >> length);
    (first == network).then(|| first + 1..=last - 1)
}

/// `10.20.0.10-10.20.0.99`, or a single address.
fn stretch(text: &str) -> Result<RangeInclusive<u32>, AddressRangeError> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let one = |address: &str| address.trim().parse::<Ipv4Addr>().map(u32::from).ok();
    let ends = one(first).zip(one(last)).filter(|(first, last)| first <= last);
    ends.map(|(first, last)| first..=last).ok_or_else(|| AddressRangeError::Range(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn free(range: &AddressRange, taken: &[&str]) -> Option<String> {
        let taken = taken.iter().map(|address| address.parse().expect("an address")).collect();
        range.free(&taken).map(|address| address.to_string())
    }

    #[test]
    fn a_subnet_gives_neither_its_own_address_nor_the_broadcast_address() {
        let range = AddressRange::within("10.20.0.0/30", None, &[]).expect("a subnet");
        assert_eq!(free(&range, &[]).as_deref(), Some("10.20.0.1"));
        assert_eq!(free(&range, &["10.20.0.1"]).as_deref(), Some("10.20.0.2"));
        assert_eq!(free(&range, &["10.20.0.1", "10.20.0.2"]), None);
    }

    #[test]
    fn what_is_excluded_is_never_given() {
        let exclusions = ["10.20.0.10-10.20.0.12".to_owned(), "10.20.0.14".to_owned()];
        let range = AddressRange::within("10.20.0.0/24", Some("10.20.0.10-10.20.0.15"), &exclusions).expect("a range");
        assert_eq!(free(&range, &[]).as_deref(), Some("10.20.0.13"));
        assert_eq!(free(&range, &["10.20.0.13"]).as_deref(), Some("10.20.0.15"));
        assert_eq!(free(&range, &["10.20.0.13", "10.20.0.15"]), None);
        assert_eq!(range.to_string(), "10.20.0.10-10.20.0.15");
    }

    #[test]
    fn a_slip_of_the_pen_is_named() {
        for (subnet, range, says) in [
            ("10.20.0.0", None, "no subnet"),
            ("10.20.0.7/24", None, "no subnet"),
            ("10.20.0.0/31", None, "no subnet"),
            ("10.20.0.0/24", Some("10.20.0.9-10.20.0.2"), "no range"),
            ("10.20.0.0/24", Some("10.20.1.1-10.20.1.9"), "not within the subnet 10.20.0.0/24"),
        ] {
            let refused = AddressRange::within(subnet, range, &[]).expect_err(subnet);
            assert!(refused.to_string().contains(says), "{refused}");
        }
    }
}
