//! Addresses on the other side of connections: none of the internet may take all places, or all room of strangers.
//!
//! Loopback and private addresses are not limited: what comes from there is a proxy that stands for everybody, or
//! a machine of one's own.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::body::Room;

/// One address may have this part of all places, and of the room that strangers share: a quarter, and half.
const PLACES_PART: usize = 4;
const ROOM_PART: usize = 2;

/// The addresses that are connected.
pub(crate) struct Peers {
    /// Connections of one address.
    each_max: usize,
    /// Bytes of bodies from one address whose callers are not known yet.
    room_bytes: usize,
    strangers_room: Room,
    open: Mutex<HashMap<IpAddr, Open>>,
}

/// What an address has open.
struct Open {
    connections: usize,
    room: Room,
}

/// A connection of an address, as long as it lasts.
pub(crate) struct Entered {
    /// As the connection has it.
    pub(crate) exact: IpAddr,
    /// As it is counted: see [`network`].
    address: IpAddr,
    peers: Arc<Peers>,
    /// For bodies of callers that are not known yet.
    room: Room,
    is_counted: bool,
}

/// Who sent a request, for those who answer it.
#[derive(Clone)]
pub(crate) struct Peer(pub(crate) Arc<Entered>);

impl Entered {
    /// For bodies of callers that are not known yet.
    pub(crate) fn strangers_room(&self) -> &Room {
        &self.room
    }
}

impl Peers {
    /// For `places` connections, and bodies of strangers with `room_bytes` in this room; one body may have
    /// `body_bytes_max`.
    pub(crate) fn new(
        places: usize,
        (strangers_room, room_bytes): (Room, usize),
        body_bytes_max: usize,
    ) -> Self {
        Self {
            each_max: places.div_ceil(PLACES_PART),
            room_bytes: (room_bytes / ROOM_PART).max(body_bytes_max),
            strangers_room,
            open: Mutex::default(),
        }
    }

    /// A connection from an address; `None` if it has as many as it may.
    pub(crate) fn enter(self: &Arc<Self>, exact: IpAddr) -> Option<Entered> {
        let address = network(exact);
        let is_counted = !may_be_a_proxy(address);
        let room = if is_counted {
            let mut open = self.open();
            let open = open.entry(address).or_insert_with(|| Open {
                connections: 0,
                room: self.strangers_room.part(self.room_bytes),
            });
            if open.connections == self.each_max {
                return None;
            }
            open.connections += 1;
            open.room.clone()
        } else {
            self.strangers_room.clone()
        };
        Some(Entered {
            exact,
            address,
            peers: Arc::clone(self),
            room,
            is_counted,
        })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, Open>> {
        // Counts are whole numbers: there is no half-written state.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if !self.is_counted {
            return;
        }
        let mut open = self.peers.open();
        if let Some(mine) = open.get_mut(&self.address) {
            mine.connections -= 1;
            if mine.connections == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// The address by which a caller is known, without the zone of a link: one has 2^64 addresses of IPv6 as easily as
/// one.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            if address.is_loopback() {
                return IpAddr::V6(address);
            }
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// Whether an address is of this machine or of a network of one's own (RFC 1918, 6598, 4193, 3927, 4291).
fn may_be_a_proxy(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            address.is_loopback() || address.is_private() || address.is_link_local() || is_shared
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::body::{BodyError, Reserved};

    fn peers(places: usize) -> Arc<Peers> {
        let room = Room::new(64 * 1024);
        Arc::new(Peers::new(places, (room, 64 * 1024), 8 * 1024))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_takes_a_quarter_of_the_places() {
        let peers = peers(8);
        let first = peers.enter(address("203.0.113.1")).unwrap();
        let second = peers.enter(address("::ffff:203.0.113.1")).unwrap();
        assert!(peers.enter(address("203.0.113.1")).is_none());
        assert!(peers.enter(address("203.0.113.2")).is_some());
        drop(first);
        assert!(peers.enter(address("203.0.113.1")).is_some());
        drop(second);
        assert!(peers.open().is_empty());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let peers = peers(4);
        let first = peers.enter(address("2001:db8::1"));
        assert!(first.is_some() && peers.enter(address("2001:db8::ffff:2")).is_none());
        assert!(peers.enter(address("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn a_proxy_of_ones_own_stands_for_everybody() {
        let peers = peers(4);
        for proxy in [
            "127.0.0.1",
            "::1",
            "10.1.2.3",
            "192.168.0.1",
            "100.64.0.1",
            "fd00::1",
            "fe80::1",
        ] {
            let all: Vec<_> = (0..100)
                .filter_map(|_| peers.enter(address(proxy)))
                .collect();
            assert_eq!(all.len(), 100, "{proxy}");
        }
    }

    #[test]
    fn an_address_takes_half_of_the_room_of_strangers() {
        let peers = peers(100);
        let one = peers.enter(address("203.0.113.1")).unwrap();
        let same = peers.enter(address("203.0.113.1")).unwrap();
        let other = peers.enter(address("203.0.113.2")).unwrap();
        let [mut first, mut second, mut third] =
            [one, same, other].map(|peer| Reserved::of(peer.strangers_room()));
        assert_eq!(first.more(30 * 1024), Ok(()));
        assert_eq!(second.more(30 * 1024), Err(BodyError::NoRoom));
        assert_eq!(third.more(30 * 1024), Ok(()));
    }
}
