//! Networks of addresses: `10.0.0.0/8`, `2001:db8::/32`, or one address.

use std::net::IpAddr;
use std::str::FromStr;

/// All addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// How many of its bits count.
    bits: u8,
}

/// The text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidNetwork;

impl Network {
    /// Whether an address is in it. An address of IPv4 is the same when IPv6 carries it (`::ffff:10.0.0.1`).
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(mine), IpAddr::V4(other)) => {
                let differs = u32::from(mine) ^ u32::from(other);
                differs.leading_zeros() >= u32::from(self.bits)
            }
            (IpAddr::V6(mine), IpAddr::V6(other)) => {
                let differs = u128::from(mine) ^ u128::from(other);
                differs.leading_zeros() >= u32::from(self.bits)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let (address, bits) = match text.trim().split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text.trim(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| InvalidNetwork)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let is_number = |bits: &&str| bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits = match bits {
            None => most,
            Some(bits) => Some(bits)
                .filter(is_number)
                .and_then(|bits| bits.parse().ok())
                .filter(|bits| *bits <= most)
                .ok_or(InvalidNetwork)?,
        };
        let mapped = address.to_canonical();
        if mapped.is_ipv4() && address.is_ipv6() {
            let bits = u8::checked_sub(bits, 96).ok_or(InvalidNetwork)?;
            return Ok(Self {
                address: mapped,
                bits,
            });
        }
        Ok(Self { address, bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_the_addresses_that_begin_alike() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("10.1.2.3/8", "10.9.9.9", "9.255.255.255"),
            ("192.168.4.0/22", "192.168.7.255", "192.168.8.0"),
            ("203.0.113.7", "203.0.113.7", "203.0.113.8"),
            ("203.0.113.7/32", "::ffff:203.0.113.7", "203.0.113.6"),
            ("::ffff:10.0.0.0/104", "10.1.1.1", "::1"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("::1", "::1", "::2"),
            ("::/0", "2001:db8::1", "127.0.0.1"),
        ] {
            let network: Network = network.parse().unwrap();
            assert!(
                network.contains(inside.parse().unwrap()),
                "{network:?} {inside}"
            );
            assert!(
                !network.contains(outside.parse().unwrap()),
                "{network:?} {outside}"
            );
        }
    }

    #[test]
    fn what_is_no_network_is_none() {
        for text in [
            "",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "::/129",
            "10.0.0/8",
            "10.0.0.0/+8",
            "localhost",
            "10.0.0.1:80",
            "[::1]",
            "10.0.0.0/8/8",
            "::ffff:10.0.0.0/8",
        ] {
            assert_eq!(text.parse::<Network>(), Err(InvalidNetwork), "{text}");
        }
    }
}
