use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::ffi::{CString, OsString};
use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::{NonZeroU32, Wrapping};
use std::ops::Bound;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use quickcheck::{Arbitrary, Gen, quickcheck};
use serde::{Deserialize, Serialize};

use super::*;
use crate::body::{Octets, Shape};

/// The body that arrives when a value is sent.
fn sent<T: Serialize + Sync + ?Sized>(value: &T) -> Body {
    let content = Value::new(value).expect("it can be serialised");
    let owned = Owned::new(value).expect("it can be serialised");
    let kind = match content.encoded() {
        Encoded::None => BodyKind::None,
        Encoded::Bytes => BodyKind::Bytes,
        Encoded::Text => BodyKind::Text,
        Encoded::Typed(_, label) => BodyKind::Typed(label().into()),
        Encoded::Named(name) => BodyKind::Typed(name.clone()),
    };
    let bodies: Vec<Body> = [false, true]
        .into_iter()
        .flat_map(|carried| [(&content as &dyn Content, carried), (&owned, carried)])
        .map(|(content, carried)| {
            let carried = carried && content.shape().is_some();
            content.carry_shape(carried);
            let mut octets = Octets::EMPTY;
            content.show(&mut |shown| octets = Octets::copy(shown));
            assert_eq!(octets.as_slice().len(), content.len());
            let told = content.shape().map_or(Shape::Unknown, Shape::Told);
            Body { kind: kind.clone(), octets, shape: if carried { Shape::Carried } else { told } }
        })
        .collect();
    // However it travels.
    bodies.iter().for_each(|body| assert_eq!(*body, bodies[0]));
    bodies.into_iter().next().expect("there are four")
}

/// What arrives, if the receiver's own type is called like the sender's.
fn as_if<T>(mut body: Body) -> Body {
    if let BodyKind::Typed(_) = body.kind {
        body.kind = BodyKind::Typed(label::<T>().into());
    }
    body
}

/// Sent as it is, read as a `T`.
fn read<T: DeserializeOwned>(value: &(impl Serialize + Sync + ?Sized)) -> Result<T, BodyError> {
    as_if::<T>(sent(value)).decode()
}

const KINDS: &str = "it is made of other types";
const NAMES: &str = "its fields or variants have other names";

fn refuses<T: DeserializeOwned + Debug>(value: &(impl Serialize + Sync + ?Sized), why: &str) {
    let error = read::<T>(value).expect_err("it is of another type");
    assert_eq!(error.detail.as_deref(), Some(why), "{error}");
}

fn takes<T: DeserializeOwned + Serialize + Sync + PartialEq + Debug>(value: T) {
    assert_eq!(read::<T>(&value).as_ref(), Ok(&value));
    assert_eq!(T::from_body_of(&value), Ok(value));
}

trait FromBodyOf: DeserializeOwned + Serialize + Sync {
    fn from_body_of(value: &Self) -> Result<Self, BodyError> {
        decode_owned(sent(value))
    }
}

impl<T: DeserializeOwned + Serialize + Sync> FromBodyOf for T {}

/// Types that two programs call alike, as each knows them.
macro_rules! types {
    ($($end:ident { $($item:item)* })*) => {
        $(#[allow(unreachable_pub, dead_code)]
        mod $end {
            use serde::{Deserialize, Serialize};
            $(#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)] $item)*
        })*
    };
}

types! {
    here {
        pub struct Number { pub v: i32 }
        pub struct Place { pub x: i32, pub y: i32 }
        pub struct Way { pub from: Place, pub to: Place }
        pub struct Pair(pub u32, pub String);
        pub struct Words { pub words: Vec<String> }
        pub enum Light { Red, Green }
        pub enum Choice { A(u8), B(u8) }
        pub enum Deep { At { x: u8, y: u8 }, Of(u8, u8) }
        pub struct Maybe { pub it: Option<u32> }
        pub struct Scores { pub by: std::collections::BTreeMap<String, u32> }
    }
    there {
        pub struct Number { pub v: u32 }
        pub struct Place { pub y: i32, pub x: i32 }
        pub struct Way { pub from: Place, pub to: Place }
        pub struct Pair(pub i32, pub Vec<u8>);
        pub struct Words { pub words: Vec<Vec<u8>> }
        pub enum Light { Green, Red }
        pub enum Choice { B(u8), A(u8) }
        pub enum Deep { At { y: u8, x: u8 }, Of(u8, i8) }
        pub struct Maybe { pub it: Option<i32> }
        pub struct Scores { pub by: std::collections::BTreeMap<String, i32> }
    }
}

#[test]
fn what_another_type_wrote_is_an_error_and_never_nonsense() {
    let place = || here::Place { x: 1, y: 2 };
    refuses::<there::Number>(&here::Number { v: -1 }, KINDS);
    refuses::<there::Place>(&place(), NAMES);
    refuses::<there::Way>(&here::Way { from: place(), to: place() }, NAMES);
    refuses::<there::Pair>(&here::Pair(5, "x".into()), KINDS);
    refuses::<(i32, Vec<u8>)>(&(5u32, "x"), KINDS);
    refuses::<there::Words>(&here::Words { words: vec!["word".into()] }, KINDS);
    refuses::<there::Light>(&here::Light::Red, NAMES);
    refuses::<Vec<there::Light>>(&vec![here::Light::Red, here::Light::Green], NAMES);
    refuses::<there::Choice>(&here::Choice::A(1), NAMES);
    refuses::<there::Deep>(&here::Deep::At { x: 1, y: 2 }, NAMES);
    refuses::<there::Deep>(&here::Deep::Of(1, 2), KINDS);
    refuses::<there::Maybe>(&here::Maybe { it: Some(1) }, KINDS);
    refuses::<there::Scores>(&here::Scores { by: [("a".into(), 1)].into() }, KINDS);
    refuses::<u8>(&true, KINDS);
    refuses::<bool>(&1u8, KINDS);
    refuses::<i8>(&1u8, KINDS);
    refuses::<Vec<(u8, u8)>>(&vec![(1u8, 1i8)], KINDS);
    refuses::<(u32,)>(&1f32, KINDS);
    refuses::<Vec<u32>>(&BTreeMap::from([(1u32, 2u32)]), KINDS);
    refuses::<Vec<(u32, u32)>>(&BTreeMap::from([(1u32, 2u32)]), KINDS);
    refuses::<(u8, (u8, u8))>(&((1u8, 2u8), 3u8), KINDS);
    refuses::<char>(&Some(1u8), KINDS);
    // What is not there can't be told apart.
    takes(here::Maybe { it: None });
    assert_eq!(read(&here::Maybe { it: None }), Ok(there::Maybe { it: None }));
    assert_eq!(read(&here::Words { words: vec![] }), Ok(there::Words { words: vec![] }));
}

#[test]
fn text_octets_and_nothing_are_never_taken_for_each_other() {
    fn wrong<T: DeserializeOwned + Debug>(value: &(impl Serialize + Sync + ?Sized), text: &str) {
        for error in [sent(value).decode::<T>().err(), decode_owned::<T>(sent(value)).err()] {
            assert_eq!(error.expect("it is of another type").to_string(), text);
        }
    }
    wrong::<String>(&vec![1u8, 2], "expected text, found bytes");
    wrong::<Box<str>>(&Bytes::from_static(b"ab"), "expected text, found bytes");
    wrong::<PathBuf>(&[1u8, 2], "expected PathBuf, found bytes");
    wrong::<Vec<u8>>("text", "expected bytes, found text");
    wrong::<Bytes>("text", "expected bytes, found text");
    wrong::<[u8; 4]>("text", "expected bytes, found text");
    wrong::<char>("t", "expected char, found text");
    wrong::<here::Light>("Red", "expected Light, found text");
    wrong::<()>("", "expected nothing, found text");
    wrong::<String>(&(), "expected text, found nothing");
    wrong::<Vec<u8>>(&(), "expected bytes, found nothing");
    wrong::<[u8; 2]>(&vec![1u8, 2, 3], "expected bytes, found bytes");
    wrong::<u8>(&7u16, "expected u8, found u16");
}

#[test]
fn octets_are_octets_in_every_form() {
    let octets = [1u8, 2, 3];
    for body in [sent(&octets), sent(&octets[..]), sent(&octets.to_vec()), sent(&Bytes::from_static(&[1, 2, 3]))] {
        assert_eq!((body.kind(), body.as_slice()), (&BodyKind::Bytes, &octets[..]));
        assert_eq!(body.decode(), Ok(octets));
        assert_eq!(body.decode(), Ok(octets.to_vec()));
        assert_eq!(body.decode(), Ok(Box::<[u8]>::from(octets)));
        assert_eq!(body.decode(), Ok(Bytes::from_static(&[1, 2, 3])));
        assert_eq!(decode_owned(body), Ok(Bytes::from_static(&[1, 2, 3])));
    }
    let within = (Bytes::from_static(&[1, 2, 3]), 7u8);
    assert_eq!(read(&within), Ok((vec![1u8, 2, 3], 7u8)));
    assert_eq!(read(&(vec![1u8, 2, 3], 7u8)), Ok(within));
    assert_eq!(read(&(Vec::<u8>::new(), 7u8)), Ok((Bytes::new(), 7u8)));
}

#[test]
fn values_of_the_standard_library_are_taken_as_what_they_are() {
    takes((true, 'ä', 1u8, 2u16, 3u32, 4u64, 5u128, 6usize));
    takes((-1i8, -2i16, -3i32, -4i64, -5i128, -6isize, 1.5f32, -2.5f64));
    takes((u8::MAX, u16::MAX, u32::MAX, u64::MAX, u128::MAX, f32::MAX, f64::MIN));
    takes((i8::MIN, i16::MIN, i32::MIN, i64::MIN, i128::MIN, i16::MAX, i64::MAX, i128::MAX));
    takes(String::from("text"));
    takes((String::from("text"), Box::<str>::from("text"), Cow::<'static, str>::from("text")));
    takes((
        vec![1u8],
        Box::<[u8]>::from([1u8]),
        Cow::<'static, [u8]>::from(vec![1u8]),
        [1u8; 5],
        Bytes::from("octets"),
    ));
    takes((Some(1u8), None::<u8>, Some(Some(2u8)), Some(None::<u8>), Some(())));
    takes(((), [(); 0], [0u16; 0], std::marker::PhantomData::<u8>, (1u8,), [[1u8; 2]; 3]));
    takes((Ok::<u8, String>(1), Err::<u8, String>("text".into())));
    takes((Box::new(1u8), Box::new((2u8, Box::new(3u8))), Cow::<'static, u8>::Owned(4)));
    takes((Wrapping(1u8), NonZeroU32::MIN, std::cmp::Reverse(2u16), std::num::Saturating(3u8)));
    takes((Duration::new(1, 2), SystemTime::UNIX_EPOCH + Duration::new(3, 4)));
    takes((IpAddr::from([1, 2, 3, 4]), IpAddr::from([1u16; 8]), Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST));
    takes((SocketAddr::from(([1, 2, 3, 4], 5)), SocketAddr::from(([1u16; 8], 5))));
    takes((PathBuf::from("a/b"), OsString::from("text"), CString::from(c"text")));
    takes((0..5u8, 0..=5i8, 1u16.., ..7u32, Bound::Included(1u8), Bound::Excluded(2u8), Bound::<u8>::Unbounded));
    takes((vec![1u16, 2], VecDeque::from([1u16]), LinkedList::from([1u16]), vec![Some("text".to_owned()), None]));
    takes((BTreeSet::from([1u16, 2]), HashSet::from(["text".to_owned()]), vec![vec![1u8], vec![], vec![2, 3]]));
    takes((BTreeMap::from([(1u16, "text".to_owned())]), HashMap::from([("text".to_owned(), vec![(1u8, true)])])));
    takes((BTreeMap::<u8, u8>::new(), Vec::<String>::new(), HashMap::<u8, Vec<u8>>::new()));
    let heap = BinaryHeap::from([3u32, 1, 2]);
    assert_eq!(read::<BinaryHeap<u32>>(&heap).expect("it is one").into_sorted_vec(), [1, 2, 3]);
    assert_eq!(
        read::<std::sync::Mutex<u16>>(&std::sync::Mutex::new(7u16)).expect("it is one").into_inner().ok(),
        Some(7)
    );
    assert!(read::<std::sync::atomic::AtomicBool>(&AtomicBool::new(true)).expect("it is one").into_inner());
    // As who borrows sends, and who owns receives.
    assert_eq!(sent(&[("a", 1u8)][..]).decode(), Ok(vec![("a".to_owned(), 1u8)]));
    assert_eq!(sent(&Box::new(7u32)).decode(), Ok(7u32));
    assert_eq!(sent(&7u32).decode(), Ok(Box::new(7u32)));
}

#[test]
fn whoever_writes_and_reads_otherwise_than_derived_is_understood() {
    /// Written as a newtype, read as what is in it.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(try_from = "u32")]
    struct Even(u32);
    impl TryFrom<u32> for Even {
        type Error = String;
        fn try_from(number: u32) -> Result<Even, String> {
            if number.is_multiple_of(2) { Ok(Even(number)) } else { Err(format!("{number} is odd")) }
        }
    }
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(try_from = "Raw")]
    struct Checked {
        even: Even,
        text: String,
    }
    #[derive(Deserialize)]
    struct Raw {
        even: Even,
        text: String,
    }
    impl From<Raw> for Checked {
        fn from(Raw { even, text }: Raw) -> Checked {
            Checked { even, text }
        }
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(transparent)]
    struct Transparent {
        inner: Even,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Nothing;
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Empty {}
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(into = "(u8, u8)", from = "(u8, u8)")]
    #[derive(Clone)]
    struct Both {
        one: u8,
        other: u8,
    }
    impl From<Both> for (u8, u8) {
        fn from(Both { one, other }: Both) -> (u8, u8) {
            (one, other)
        }
    }
    impl From<(u8, u8)> for Both {
        fn from((one, other): (u8, u8)) -> Both {
            Both { one, other }
        }
    }
    takes(Even(2));
    takes(vec![Checked { even: Even(2), text: "text".into() }]);
    takes(Transparent { inner: Even(2) });
    takes((Nothing, Empty {}, Both { one: 1, other: 2 }));
    refuses::<Even>(&3u32, "3 is odd");
}

#[test]
fn attributes_count_by_what_is_serialised() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Renamed {
        first_one: u8,
        #[serde(rename = "2nd", default)]
        second: String,
        #[serde(skip)]
        skipped: u8,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Plainly {
        #[serde(rename = "firstOne")]
        a: u8,
        #[serde(rename = "2nd", alias = "1st", alias = "zzz")]
        b: String,
        #[serde(with = "text")]
        c: u32,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Aliased {
        #[serde(alias = "Auburn", alias = "Zinnober")]
        Red,
        #[serde(alias = "Blue")]
        Green(u8),
        Last {
            x: u8,
        },
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Newer {
        Red,
        Green,
        Blue,
        Brown,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Older {
        Red,
        #[serde(other)]
        Unknown,
    }
    mod text {
        use serde::{Deserialize, Deserializer, Serializer};
        pub(super) fn serialize<S: Serializer>(number: &u32, to: S) -> Result<S::Ok, S::Error> {
            to.collect_str(number)
        }
        pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
            String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
        }
    }
    takes(Renamed { first_one: 1, second: "text".into(), skipped: 0 });
    takes(vec![Plainly { a: 1, b: "text".into(), c: 7 }]);
    takes((Aliased::Red, Aliased::Green(2), vec![Aliased::Last { x: 1 }, Aliased::Red]));
    takes((Older::Red, Older::Unknown));
    for newer in [Newer::Green, Newer::Blue, Newer::Brown] {
        assert_eq!(read(&newer), Ok(Older::Unknown));
    }
    // Kinds are looked at where names can't be.
    assert!(read::<Vec<Aliased>>(&vec![here::Choice::A(1)]).is_err());
    refuses::<Plainly>(&(1u8, "text", 7u32), "it ends too early");
}

#[test]
fn what_cannot_travel_is_said_in_words() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Inner {
        x: u8,
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Flat {
        #[serde(flatten)]
        inner: Inner,
    }
    #[derive(Debug, Serialize, Deserialize)]
    struct Gaps {
        #[serde(skip_serializing_if = "Option::is_none")]
        gap: Option<u8>,
        x: u8,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Number(u8),
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "t")]
    enum Tagged {
        Number { x: u8 },
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "t", content = "c")]
    enum Adjacent {
        Number(u8),
    }
    fn unfit(value: &(impl Serialize + Sync), why: &str) {
        let error = Value::new(value).map(drop).expect_err("it can't be serialised").to_string();
        assert!(error.contains(why), "{error}");
    }
    unfit(&Flat { inner: Inner { x: 1 } }, "flatten");
    unfit(&Gaps { gap: None, x: 1 }, "`gap` is left out");
    unfit(&(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), "UNIX_EPOCH");
    fn unread<T: DeserializeOwned + Debug>(value: &(impl Serialize + Sync)) {
        let error = read::<T>(value).expect_err("it does not say what it is");
        let detail = error.detail.expect("it is of the right name");
        assert!(detail.contains("enums that are untagged or tagged by a field"), "{detail}");
    }
    unread::<Untagged>(&Untagged::Number(1));
    unread::<Tagged>(&Tagged::Number { x: 1 });
    unread::<Adjacent>(&Adjacent::Number(1));
    unread::<Flat>(&vec![Inner { x: 1 }]);
}

#[test]
fn what_tells_no_shape_is_taken_by_its_name() {
    let body = Body { shape: Shape::Unknown, ..as_if::<there::Number>(sent(&here::Number { v: -1 })) };
    assert_eq!(body.decode(), Ok(there::Number { v: 1 }));
    let short = Body { shape: Shape::Carried, octets: Octets::copy(&[1; 7]), ..body };
    assert_eq!((short.len(), short.shape()), (0, None));
    let error = short.decode::<there::Number>().expect_err("there is no room for a shape");
    assert_eq!(error.detail.as_deref(), Some("it ends too early"));
}

/// Some of everything, derived.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Everything {
    Nothing,
    Number(i64),
    Long(u128, i128),
    Named { text: String, letter: char, maybe: Option<Box<Everything>> },
    Row(Vec<Everything>),
    Map(BTreeMap<String, Everything>),
    Bytes(#[serde(with = "octets")] Vec<u8>),
    Deep(Box<Wrapped>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped((f64, bool), (), [u16; 2], Vec<u8>, Everything);

mod octets {
    use serde::{Deserialize, Deserializer, Serializer};
    pub(super) fn serialize<S: Serializer>(octets: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(octets)
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        bytes::Bytes::deserialize(from).map(Vec::from)
    }
}

impl Arbitrary for Everything {
    fn arbitrary(dice: &mut Gen) -> Everything {
        let mut inner = Gen::new(dice.size() / 4);
        let more = dice.size() > 1;
        match u8::arbitrary(dice) % if more { 8 } else { 3 } {
            0 => Everything::Nothing,
            1 => Everything::Number(Arbitrary::arbitrary(dice)),
            2 => Everything::Long(Arbitrary::arbitrary(dice), Arbitrary::arbitrary(dice)),
            3 => Everything::Named {
                text: Arbitrary::arbitrary(&mut inner),
                letter: Arbitrary::arbitrary(dice),
                maybe: Arbitrary::arbitrary(&mut inner),
            },
            4 => Everything::Row(Arbitrary::arbitrary(&mut inner)),
            5 => Everything::Map(Arbitrary::arbitrary(&mut inner)),
            6 => Everything::Bytes(Arbitrary::arbitrary(dice)),
            _ => Everything::Deep(Box::new(Wrapped(
                (f64::from(i32::arbitrary(dice)), Arbitrary::arbitrary(dice)),
                (),
                [Arbitrary::arbitrary(dice), Arbitrary::arbitrary(dice)],
                Arbitrary::arbitrary(dice),
                Arbitrary::arbitrary(&mut inner),
            ))),
        }
    }
}

quickcheck! {
    fn a_value_is_taken_as_what_it_is(value: Everything) -> bool {
        let body = sent(&value);
        body.as_slice() == postcard::to_allocvec(&value).expect("it is a value") && body.decode() == Ok(value)
    }

    /// Whatever it is: an error, or a value that is written so.
    fn octets_of_anybody_do_no_harm(octets: Vec<u8>) -> bool {
        let body = Body { kind: BodyKind::Typed("Everything".into()), octets: Octets::copy(&octets), shape: Shape::Unknown };
        let theirs = postcard::take_from_bytes::<Everything>(&octets);
        match body.decode::<Everything>() {
            Ok(value) => theirs == Ok((value, &[][..])),
            Err(_) => !matches!(theirs, Ok((_, []))),
        }
    }
}
