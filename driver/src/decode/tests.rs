use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::*;
use crate::body::{Body, BodyKind, Octets, Shape};
use crate::label::label;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Node(Vec<Tree>),
    Boxed(Box<Tree>),
    Pair(u8, Box<Tree>),
    Named { by: BTreeMap<u8, Tree> },
    Chain(Chain),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Chain(Option<Box<Chain>>);

/// A value as deep as that, in octets: `level` opens one, `end` is the innermost.
fn octets(level: &[u8], levels: usize, end: &[u8]) -> Vec<u8> {
    let mut octets = level.repeat(levels);
    octets.extend_from_slice(end);
    octets
}

fn check<T: DeserializeOwned + Serialize>(level: &[u8], end: &[u8]) {
    let shallow = octets(level, 100, end);
    let value = take::<T>(&shallow, None).expect("it is within the limit");
    assert_eq!(postcard::to_allocvec(&value).expect("it is a value"), shallow);
    let deep = octets(level, 200_000, end);
    let kind = BodyKind::Typed(label::<T>().into());
    let body = Body { kind, octets: Octets::copy(&deep), shape: Shape::Unknown };
    let error = body.decode::<T>().err().expect("it is beyond the limit");
    assert_eq!(error.detail.as_deref(), Some("nested too deeply"), "{level:?}");
}

#[test]
fn what_is_nested_too_deeply_is_an_error_however_it_is() {
    check::<Tree>(&[1, 1], &[0]);
    check::<Tree>(&[2], &[0]);
    check::<Tree>(&[3, 7], &[0]);
    check::<Tree>(&[4, 1, 7], &[0]);
    check::<Chain>(&[1], &[0]);
}

#[test]
fn rows_may_be_long() {
    let long = Tree::Node((0..100_000).map(|_| Tree::Boxed(Box::new(Tree::Leaf))).collect());
    let octets = postcard::to_allocvec(&(&long, 7u64)).expect("it is a value");
    assert_eq!(take::<(Tree, u64)>(&octets, None), Ok((long, 7)));
}

#[test]
fn rows_of_nothing_end_long_before_their_count() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Nothing {
        inside: [(); 3],
    }
    fn check<T: DeserializeOwned + Serialize>(end: &[u8]) {
        // 2^63 of them: to count them all would take longer than anybody waits.
        let mut octets = vec![0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01];
        octets.extend_from_slice(end);
        let error = take::<T>(&octets, None).err().expect("nobody sent so many");
        assert_eq!(error.0, "more elements than octets", "{}", label::<T>());
    }
    check::<Vec<()>>(&[]);
    check::<Vec<Nothing>>(&[]);
    check::<BTreeMap<(), ()>>(&[]);
    check::<(Vec<()>, String)>(&[4, b't', b'e', b'x', b't']);
}

#[test]
fn rows_of_nothing_may_have_a_reasonable_length() {
    let value = (vec![(); 50_000], vec![vec![(); 3]; 1000], vec![[[7u8; 1]; 1]; 70_000]);
    let octets = postcard::to_allocvec(&value).expect("it is a value");
    assert_eq!(take(&octets, None), Ok(value));
}

#[test]
fn what_is_wrong_otherwise_is_said_in_words() {
    fn check<T: DeserializeOwned + fmt::Debug>(octets: &[u8], why: &str) {
        let error = take::<T>(octets, None).expect_err("it is no such value");
        assert!(error.0.contains(why), "{}: {error}", label::<T>());
    }
    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        _Number(#[allow(dead_code)] u8),
    }
    check::<Tree>(&[9], "expected variant index 0 <= i < 6");
    check::<u8>(&[], "ends too early");
    check::<u8>(&[1, 2], "left over");
    check::<String>(&[5, b'a'], "ends too early");
    check::<String>(&[0xff; 30], "out of range");
    check::<String>(&[1, 0xff], "UTF-8");
    check::<u16>(&[0xff, 0xff, 0x04], "out of range");
    check::<i128>(&[0xff; 19], "out of range");
    check::<bool>(&[2], "neither false nor true");
    check::<Option<u8>>(&[2], "neither none nor some");
    check::<char>(&[2, b'a', b'b'], "not one character");
    check::<std::num::NonZeroU8>(&[0], "expected a nonzero u8");
    check::<Untagged>(&[1], "untagged");
}
