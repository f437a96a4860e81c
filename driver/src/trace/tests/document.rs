//! The format is what `docs/TRACES.md` says: what its tables describe is read, all of it, and nothing else.

use std::fmt::Debug;
use std::time::Duration;

use ropeway_core::wire::hello::Field as Limited;
use ropeway_core::{Config, Event, Foreign, Instant, PeerError, Reason, Refused, Room, Until};

use super::super::field::{Bad, Field, Fields};
use super::super::*;
use crate::line::Role;

const DOCUMENT: &str = include_str!("../../../../docs/TRACES.md");

/// What stands under this title.
fn section(title: &str) -> &'static str {
    let (_, rest) = DOCUMENT.split_once(&format!("\n### {title}\n")).unwrap_or_else(|| panic!("no section {title}"));
    rest.split("\n##").next().unwrap_or(rest)
}

/// The rows of the table that stands there, its heading left out.
fn rows(title: &str) -> Vec<Vec<&'static str>> {
    let lines = section(title).lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    // An empty field has but one space between its bars.
    let cells = |line: &'static str| line.split('|').map(str::trim).collect();
    lines.skip(2).map(cells).collect()
}

/// An example of what is called so, with what may be there or not.
fn example(what: &str, optional: bool) -> Vec<u8> {
    if let Some(inner) = what.strip_prefix('[') {
        let inner = inner.strip_suffix(']').unwrap_or_else(|| panic!("{what}"));
        return if optional { [vec![1], example(inner, true)].concat() } else { vec![0] };
    }
    match what {
        "number" | "index" | "code" => vec![5],
        "flag" => vec![1],
        "octets" | "text" => b"\x03abc".to_vec(),
        "id" => vec![7; 16],
        "digest" => vec![7; 32],
        "duration" => vec![1, 2],
        "lane" | "flow" => vec![2, 3],
        "action" => {
            if optional {
                vec![1, 9]
            } else {
                vec![2, 9]
            }
        }
        "kind" => {
            if optional {
                vec![4, 9]
            } else {
                vec![3]
            }
        }
        "table" => vec![2],
        "given" => b"\x05\x02ab".to_vec(),
        "limits" => (1..=11).collect(),
        title => {
            let title = format!("{}{}", title[..1].to_uppercase(), &title[1..]);
            let rows = rows(&title);
            let row = if optional { rows.last() } else { rows.first() }.expect("it has some");
            described(row, optional)
        }
    }
}

/// An example of what a row describes.
fn described(row: &[&str], optional: bool) -> Vec<u8> {
    let number = row[0].parse().expect("a number");
    let fields = row[2].split(" · ").filter(|field| !field.is_empty()).flat_map(|field| example(field, optional));
    std::iter::once(number).chain(fields).collect()
}

/// What the table of that title describes is read and written so, is called so, and is all there is.
fn check<T: Field<'static> + Debug>(title: &str, name: impl Fn(&T) -> String) {
    let rows = rows(title);
    for row in &rows {
        for optional in [false, true] {
            let octets: &'static [u8] = described(row, optional).leak();
            let mut from = Fields::new(octets);
            let read = from.field::<T>("it").and_then(|read| from.end().map(|()| read));
            let read = read.unwrap_or_else(|bad| panic!("{title} {row:?}: {bad:?} of {octets:?}"));
            let mut written = Vec::new();
            read.put(&mut written);
            assert_eq!(written, octets, "{title} {row:?}");
            assert!(row[1].is_empty() || name(&read) == row[1], "{title} {row:?}: {read:?}");
        }
    }
    for number in 0..=255 {
        let listed = rows.iter().any(|row| row[0] == number.to_string());
        let octets: &'static [u8] = [vec![number], vec![1; 64]].concat().leak();
        let unknown = matches!(Fields::new(octets).field::<T>("it"), Err(Bad { field: "it", at: 0 }));
        assert_eq!(listed, !unknown, "{title} {number}");
    }
}

/// What a variant is called.
fn variant(of: &impl Debug) -> String {
    format!("{of:?}").split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default().into()
}

#[test]
fn the_document_describes_every_record() {
    check::<Call<'_>>("Call", |call| call.name().into());
    check::<Outcome<'_>>("Outcome", |outcome| Described::from(outcome).name.into());
    check::<Event<&[u8]>>("Event", |event| Described::from(event).name.into());
    check::<Room>("Room", variant);
    check::<Reason>("Reason", variant);
    check::<Refused>("Refusal", variant);
    check::<Until>("Until", variant);
    check::<Limited>("Field", variant);
    check::<PeerError>("Error", variant);
    check::<Foreign>("Foreign", variant);
}

#[test]
fn an_error_has_the_number_of_its_goodbye() {
    for row in rows("Error") {
        let octets: &'static [u8] = described(&row, false).leak();
        let error: PeerError = Fields::new(octets).field("it").expect("as the document has it");
        assert_eq!(error.code().value().to_string(), row[0], "{error:?}");
    }
}

#[test]
fn the_document_describes_the_header() {
    // Each number is another one.
    let config = Config {
        max_frame: 1001,
        max_message: 1002,
        window: 2003,
        lane_credit: 2004,
        flow_credit: 2005,
        max_name: 206,
        max_definitions: 207,
        max_attached: 208,
        timeout: Duration::new(1, 9),
        hello_timeout: Duration::new(1, 10),
        heartbeat: Duration::new(1, 11),
        misses: 12,
        max_aborts: 13,
    };
    let start = Instant::from_micros(14);
    let (lanes, flows, outbox) = (15, 16, 17);
    let header = Header {
        role: Role::Server,
        session: [18; 16],
        start,
        recorded: 19,
        redacted: true,
        lanes,
        flows,
        outbox,
        config,
    };
    let mut octets = Vec::new();
    header.encode(&mut octets);
    let mut from = Fields::new(&octets[6..]);
    let mut read = Vec::new();
    for row in rows("The header") {
        for name in row[0].split(", ") {
            let value = match row[1] {
                "number" => from.field("it").map(|number: u64| number.to_string()),
                "flag" => from.field("it").map(|flag: bool| flag.to_string()),
                "id" => from.field("it").map(|id: [u8; 16]| id[0].to_string()),
                "duration" => from.field("it").map(|time: Duration| time.subsec_nanos().to_string()),
                other => panic!("{other}"),
            };
            read.push(format!("{name}={}", value.expect("it is there")));
        }
    }
    from.end().expect("that is all");
    let expected = "role=2 session=18 start=14 recorded=19 redacted=true lanes=15 flows=16 outbox=17 max_frame=1001 \
         max_message=1002 window=2003 lane_credit=2004 flow_credit=2005 max_name=206 max_definitions=207 \
         max_attached=208 timeout=9 hello_timeout=10 heartbeat=11 misses=12 max_aborts=13";
    assert_eq!(read.join(" "), expected);
}

#[test]
fn the_document_tells_every_bound() {
    let grouped = |number: usize| match number {
        0..10_000 => number.to_string(),
        _ => format!("{} {:03}", number / 1000, number % 1000),
    };
    for told in [
        format!("# Traces, version {}\n", header::VERSION),
        format!(" · version u8 ({}) · ", header::VERSION),
        format!("at most {} in a header and {} in a record", grouped(read::MOST_HEADER), grouped(record::MOST_RECORD)),
        format!("\nlast   = length · 0 · 0 · {} · missing", record::END),
        format!("if the peer erred at most {} octets", grouped(MOST)),
        format!("so many octets, at most {}, are", grouped(MOST)),
        format!("was given, at most {}; and", grouped(MOST)),
        format!("room for so many octets, at most {} |", grouped(MOST_OUTPUT)),
    ] {
        assert!(DOCUMENT.contains(&told), "{told}");
    }
}
