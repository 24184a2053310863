//! Which addresses are global, and which a URL of a stranger may not reach.
//!
//! Source: the IANA registries of special-purpose IPv4 and IPv6 addresses (RFC 6890 and its updates), read strictly:
//! what is not plainly part of the public Internet is refused.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Non-global IPv4 networks: address and prefix length.
const V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),       // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // carrier-grade NAT; also cloud metadata (100.100.100.200)
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local; cloud metadata
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // IETF protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // 6to4 relays, withdrawn
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarking
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved, broadcast
];

/// Non-global networks inside the global unicast space 2000::/3: first four groups and prefix length.
const V6: &[([u16; 4], u32)] = &[
    ([0x2001, 0, 0, 0], 23), // IETF protocol assignments: Teredo, benchmarking, ORCHID, AMT, AS112, ...
    ([0x2001, 0xdb8, 0, 0], 32), // documentation
    ([0x2002, 0, 0, 0], 16), // 6to4: leads to any IPv4 address through a relay
    ([0x3fff, 0, 0, 0], 20), // documentation
];

/// Whether `ip` is an address of the public Internet.
///
/// An IPv6 address that only carries an IPv4 one (mapped, or translated by NAT64 with the well-known prefix, which
/// networks without IPv4 need) is judged by the address that it carries.
pub(super) fn is_global(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => is_global_v4(v4),
        IpAddr::V6(v6) => match carried_v4(v6) {
            Some(v4) => is_global_v4(v4),
            None => is_global_v6(v6),
        },
    }
}

fn is_global_v4(ip: Ipv4Addr) -> bool {
    !V4.iter().any(|(network, prefix)| (ip.to_bits() ^ network.to_bits()) >> (32 - prefix) == 0)
}

/// Only 2000::/3 is assigned as global unicast: everything else (loopback, fc00::/7, fe80::/10, fec0::/10, ff00::/8,
/// 5f00::/16, 100::/64, 64:ff9b:1::/48, IPv4-compatible ::/96, ...) is refused without being named.
fn is_global_v6(ip: Ipv6Addr) -> bool {
    let bits = ip.to_bits();
    let inside = |groups: [u16; 4], prefix: u32| {
        let [a, b, c, d] = groups;
        let network = Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).to_bits();
        (bits ^ network) >> (128 - prefix) == 0
    };
    inside([0x2000, 0, 0, 0], 3) && !V6.iter().any(|&(groups, prefix)| inside(groups, prefix))
}

fn carried_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let nat64 = matches!(ip.segments(), [0x64, 0xff9b, 0, 0, 0, 0, _, _]);
    if nat64 { Some(Ipv4Addr::from_bits(ip.to_bits() as u32)) } else { ip.to_ipv4_mapped() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_outside_the_public_internet_are_not_global() {
        let refused = [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.100.100.200",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.0.0",
            "169.254.169.254",
            "169.254.255.255",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.0",
            "192.0.0.255",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::8.8.8.8",
            "::ffff:127.0.0.1",
            "::ffff:10.1.2.3",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::808:808",
            "100::1",
            "2001::1",
            "2001:0:808:808::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:1ff:ffff::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "3fff::1",
            "3fff:fff:ffff::1",
            "5f00::1",
            "fc00::1",
            "fd00::1",
            "fdff:ffff::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "feff::1",
            "ff00::1",
            "ff02::1",
            "4000::1",
            "1fff::1",
        ];
        for text in refused {
            assert!(!is_global(text.parse().unwrap()), "{text} must be refused");
        }
    }

    #[test]
    fn neighbours_of_the_special_networks_are_global() {
        let reached = [
            "1.0.0.0",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "203.0.114.0",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2000::1",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2001:db7::1",
            "2001:db9::1",
            "2003::1",
            "2606:4700::1111",
            "3ffe::1",
            "3fff:1000::1",
        ];
        for text in reached {
            assert!(is_global(text.parse().unwrap()), "{text} must be reachable");
        }
    }
}
