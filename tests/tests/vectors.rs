//! The wire vectors of `conformance/vectors`, whose README says how a row is read: every row against the codec, and the
//! codec against the rows, so that neither has what the other lacks.

use std::collections::BTreeSet;

use ropeway_core::wire::hello::Hello;
use ropeway_core::wire::{Auth, FIRST_IGNORABLE, Frame, Rekey};
use ropeway_core::{
    Action, Body, Code, Config, Connection, Event, Flow, Instant, Kind, Lane, Limits, Memory, PeerError, Side, Table,
};

const FRAMES: [(&str, &str); 5] = [
    ("message.txt", include_str!("../../conformance/vectors/message.txt")),
    ("flow.txt", include_str!("../../conformance/vectors/flow.txt")),
    ("control.txt", include_str!("../../conformance/vectors/control.txt")),
    ("seal.txt", include_str!("../../conformance/vectors/seal.txt")),
    ("refused.txt", include_str!("../../conformance/vectors/refused.txt")),
];
const HELLOS: [(&str, &str); 1] = [("hello.txt", include_str!("../../conformance/vectors/hello.txt"))];

/// The largest frame, as the README of the vectors says.
const LIMIT: u32 = 256;
/// What may follow a row: more of nothing, a frame, and octets that are no frame.
const TRAILING: [&[u8]; 4] = [&[0], &[0xff; 16], &[0x90], &[0x80, 0x01, 0x61]];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Both,
    Read,
    Refuse,
}

/// One row of a file.
struct Row {
    place: String,
    verdict: Verdict,
    octets: Vec<u8>,
    text: &'static str,
}

impl Row {
    fn value(&self, key: &str) -> &'static str {
        let found = self.text.split(' ').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("{}: no {key}", self.place))
    }

    fn number<N: TryFrom<u64>>(&self, key: &str) -> N {
        let number = self.value(key).parse().ok().and_then(|number: u64| N::try_from(number).ok());
        number.unwrap_or_else(|| panic!("{}: {key} is no number that fits", self.place))
    }
}

fn rows(files: &[(&str, &'static str)]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (file, content) in files {
        for (number, line) in content.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let place = format!("{file}:{}", number + 1);
            let (verdict, rest) = line.split_once(' ').unwrap_or_else(|| panic!("{place}: no row"));
            let verdict = match verdict {
                "both" => Verdict::Both,
                "read" => Verdict::Read,
                "refuse" => Verdict::Refuse,
                other => panic!("{place}: {other} is no verdict"),
            };
            let (octets, text) = rest.split_once(' ').unwrap_or_else(|| panic!("{place}: no text"));
            let octets = from_hex(octets).unwrap_or_else(|| panic!("{place}: no hex"));
            rows.push(Row { place, verdict, octets, text });
        }
    }
    assert!(!rows.is_empty());
    rows
}

// ---- frames

/// Runs `test` on every row of a frame that is taken.
fn check_taken(test: impl Fn(&Row, Frame<'_>)) {
    for row in rows(&FRAMES).iter().filter(|row| row.verdict != Verdict::Refuse) {
        match Frame::decode(&row.octets, LIMIT) {
            Ok(Some((frame, len))) => {
                assert_eq!(len, row.octets.len(), "{}: not all was read", row.place);
                test(row, frame);
            }
            other => panic!("{}: {other:?}", row.place),
        }
    }
}

#[test]
fn a_row_decodes_to_its_value() {
    check_taken(|row, frame| assert_eq!(text_of(&frame), row.text, "{}", row.place));
}

#[test]
fn a_value_encodes_to_its_row() {
    check_taken(|row, frame| {
        let mut out = [0; LIMIT as usize + 1];
        let encoded = frame.encode(&mut out).map(|len| hex(&out[..len]));
        let same = encoded == Some(hex(&row.octets));
        assert_eq!(same, row.verdict == Verdict::Both, "{}: {encoded:?}", row.place);
    });
}

#[test]
fn a_buffer_that_is_too_short_takes_no_frame() {
    check_taken(|row, frame| {
        let mut out = vec![0; row.octets.len()];
        assert_eq!(frame.encode(&mut out), Some(row.octets.len()), "{}", row.place);
        for len in 0..row.octets.len() {
            assert_eq!(frame.encode(&mut out[..len]), None, "{}: {len} octets", row.place);
        }
    });
}

#[test]
fn the_beginning_of_a_row_needs_more() {
    for row in rows(&FRAMES) {
        for len in 0..row.octets.len() {
            assert_eq!(Frame::decode(&row.octets[..len], LIMIT), Ok(None), "{}: {len} octets", row.place);
        }
    }
}

#[test]
fn what_follows_a_row_changes_nothing() {
    for row in rows(&FRAMES) {
        for trailing in TRAILING {
            let input = [&row.octets, trailing].concat();
            assert_eq!(outcome(&input), outcome(&row.octets), "{}: before {trailing:02x?}", row.place);
        }
    }
}

#[test]
fn a_refused_row_is_refused_as_named() {
    for row in rows(&FRAMES).iter().filter(|row| row.verdict == Verdict::Refuse) {
        match Frame::decode(&row.octets, LIMIT) {
            Err(error) => assert_eq!(label(error), row.text, "{}", row.place),
            other => panic!("{}: {other:?}", row.place),
        }
    }
}

#[test]
fn every_type_and_flag_has_a_row() {
    let rows = rows(&FRAMES);
    for head in 0..=u8::MAX {
        let has_row = match Frame::decode(&[head], LIMIT) {
            Ok(_) => rows.iter().any(|row| row.verdict != Verdict::Refuse && row.octets[0] == head),
            Err(error) => rows.iter().any(|row| row.text == label(error) && row.octets[0] >> 3 == head >> 3),
        };
        assert!(has_row, "no row for type {} with flags {:03b}", head >> 3, head & 7);
    }
}

/// Every row with every octet changed to every value: what is accepted is the one encoding of its value, and what is
/// refused has a row of that type with that error.
#[test]
fn a_changed_octet_is_refused_as_a_row_is_or_makes_another_value() {
    let rows = rows(&FRAMES);
    let refused: BTreeSet<(u8, &str)> = rows
        .iter()
        .filter(|row| row.verdict == Verdict::Refuse)
        .map(|row| (row.octets[0] >> 3, word(row.text)))
        .collect();
    let mut out = [0; LIMIT as usize];
    for row in &rows {
        // What lies further back are octets of a payload.
        for at in 0..row.octets.len().min(48) {
            let mut input = row.octets.clone();
            for octet in 0..=u8::MAX {
                input[at] = octet;
                match Frame::decode(&input, LIMIT) {
                    Ok(None) => {}
                    Ok(Some((frame, len))) => {
                        let encoded = frame.encode(&mut out).map(|len| &out[..len]);
                        let one = encoded == Some(&input[..len]) || frame.kind() >= FIRST_IGNORABLE;
                        assert!(one, "{frame:?} is {} too", hex(&input[..len]));
                    }
                    Err(error) => {
                        let error = label(error);
                        let known = refused.contains(&(input[0] >> 3, word(&error)));
                        assert!(known, "no row for {error} in a frame like {}", hex(&input));
                    }
                }
            }
        }
    }
}

// ---- hellos

#[test]
fn a_hello_is_read_and_written_as_its_row() {
    for row in rows(&HELLOS).iter().filter(|row| row.verdict != Verdict::Refuse) {
        let hello = hello_of(row);
        let mut out = [0; 128];
        let encoded = hello.encode(&mut out).map(|len| hex(&out[..len]));
        assert_eq!(encoded == Some(hex(&row.octets)), row.verdict == Verdict::Both, "{}: {encoded:?}", row.place);
        for trailing in [&[][..]].iter().chain(&TRAILING) {
            let mut input = [&row.octets, *trailing].concat();
            let mut reader = reader_of(row);
            let step = reader.handle_input(Instant::ZERO, &mut input);
            let Ok(step) = step else { panic!("{}: {step:?}", row.place) };
            assert_eq!(step.consumed, row.octets.len(), "{}", row.place);
            let Some(Event::Ready(ready)) = step.event else { panic!("{}: {:?}", row.place, step.event) };
            assert_eq!(ready.peer, hello.limits, "{}", row.place);
            assert_eq!(ready.session == hello.session, row.value("by") == "server", "{}", row.place);
        }
    }
}

#[test]
fn the_beginning_of_a_hello_needs_more() {
    for row in rows(&HELLOS) {
        let mut patient = reader_of(&row);
        for len in 0..row.octets.len() {
            // One that saw it grow, and one that sees this much at once.
            for reader in [&mut patient, &mut reader_of(&row)] {
                let mut input = row.octets[..len].to_vec();
                let step = reader.handle_input(Instant::ZERO, &mut input);
                let waits = step.is_ok_and(|step| step.consumed == 0 && step.event.is_none());
                assert!(waits, "{}: {len} octets", row.place);
            }
        }
        let refused = patient.handle_input(Instant::ZERO, &mut row.octets.clone()).is_err();
        assert_eq!(refused, row.verdict == Verdict::Refuse, "{}", row.place);
    }
}

#[test]
fn a_refused_hello_is_refused_as_named_and_told_why() {
    for row in rows(&HELLOS).iter().filter(|row| row.verdict == Verdict::Refuse) {
        for trailing in [&[][..]].iter().chain(&TRAILING) {
            let mut input = [&row.octets, *trailing].concat();
            let mut reader = reader_of(row);
            let Err(error) = reader.handle_input(Instant::ZERO, &mut input) else { panic!("{}: taken", row.place) };
            assert_eq!(format!("{} by={}", label(error), row.value("by")), row.text, "{}", row.place);
            let mut out = [0; 128];
            let len = reader.poll_transmit(Instant::ZERO, &mut out);
            if matches!(error, PeerError::NotRopeway(_)) {
                assert_eq!(len, 0, "{}: a stranger is not answered", row.place);
            } else {
                let close = format!("CLOSE code={} reason=", row.value("code"));
                let said = Frame::decode(&out[..len][len - 3..], LIMIT).ok().flatten();
                assert_eq!(said.map(|(frame, _)| text_of(&frame)), Some(close), "{}", row.place);
            }
        }
    }
}

#[test]
fn a_changed_octet_of_a_hello_is_refused_as_a_row_is() {
    let rows = rows(&HELLOS);
    let refused: BTreeSet<String> =
        rows.iter().filter(|row| row.verdict == Verdict::Refuse).map(|row| essence(row.text)).collect();
    for row in rows.iter().filter(|row| row.verdict != Verdict::Refuse) {
        for at in 0..row.octets.len().min(96) {
            for octet in 0..=u8::MAX {
                let mut input = row.octets.clone();
                input[at] = octet;
                if let Err(error) = reader_of(row).handle_input(Instant::ZERO, &mut input) {
                    assert!(refused.contains(&essence(&label(error))), "no row for {error:?}, in {}", hex(&input));
                }
            }
        }
    }
}

type Small = Memory<[Lane; 1], [Flow; 1], [u8; 64]>;
type Reader = Connection<Small>;

fn memory() -> Small {
    Memory {
        opened: [Lane::EMPTY; 1],
        accepted: [Lane::EMPTY; 1],
        sending: [Flow::EMPTY; 1],
        receiving: [Flow::EMPTY; 1],
        outbox: [0; 64],
    }
}

/// The end that reads what this row's end says.
fn reader_of(row: &Row) -> Reader {
    match row.value("by") {
        "client" => Connection::server(Instant::ZERO, Config::SMALL, [7; 32], memory()),
        "server" => Connection::client(Instant::ZERO, Config::SMALL, [7; 32], memory()),
        other => panic!("{}: nobody is a {other}", row.place),
    }
}

fn hello_of(row: &Row) -> Hello {
    let session = from_hex(row.value("session")).and_then(|octets| octets.try_into().ok());
    Hello {
        oldest: row.number("oldest"),
        newest: row.number("newest"),
        session: session.unwrap_or_else(|| panic!("{}: a session has 16 octets", row.place)),
        limits: Limits {
            frame: row.number("frame"),
            message: row.number("message"),
            lanes: row.number("lanes"),
            flows: row.number("flows"),
            window: row.number("window"),
            lane_credit: row.number("lane_credit"),
            flow_credit: row.number("flow_credit"),
            name: row.number("name"),
            definitions: row.number("definitions"),
            attached: row.number("attached"),
            timeout: row.number("timeout"),
        },
    }
}

// ---- the document

/// What stands under this title in the description of the protocol.
fn section(title: &str) -> &'static str {
    let document = include_str!("../../docs/PROTOCOL.md");
    let (_, rest) = document.split_once(title).unwrap_or_else(|| panic!("no section {title}"));
    rest.split("\n## ").next().unwrap_or(rest)
}

#[test]
fn the_document_lists_every_code_type_and_error() {
    let answers = section("\n## Reply codes\n");
    for code in (0..=Code::MAX).filter_map(Code::new) {
        let listed = answers.contains(&format!("\n| {} | ", code.value()));
        let exact = code.meaning().map(|text| answers.contains(&format!("\n| {} | {text} |", code.value())));
        assert_eq!(listed.then_some(true), exact, "reply {code}");
    }
    let frames = section("\n## Frames\n");
    let errors = section("\n## Errors\n");
    for row in rows(&FRAMES).iter().chain(&rows(&HELLOS)) {
        if row.verdict == Verdict::Refuse {
            let line = format!("\n| {} | {} | ", row.value("code"), word(row.text));
            assert!(errors.contains(&line), "{}: {line}", row.place);
        } else if !matches!(word(row.text), "HELLO" | "SKIPPED") {
            let line = format!("\n| {} | {} | ", row.octets[0] >> 3, word(row.text));
            assert!(frames.contains(&line), "{}: {line}", row.place);
        }
    }
}

#[test]
fn the_document_lists_every_limit_with_its_defaults() {
    let hello = section("\n## The hello\n");
    let announced = |config| {
        let limits = *Reader::server(Instant::ZERO, config, [7; 32], memory()).limits();
        [
            ("frame", u64::from(limits.frame)),
            ("message", limits.message),
            ("window", limits.window),
            ("lane credit", limits.lane_credit),
            ("flow credit", limits.flow_credit),
            ("name", u64::from(limits.name)),
            ("definitions", u64::from(limits.definitions)),
            ("attached", u64::from(limits.attached)),
            ("timeout", u64::from(limits.timeout)),
        ]
    };
    for ((name, default), (_, small)) in announced(Config::DEFAULT).into_iter().zip(announced(Config::SMALL)) {
        let line = hello.lines().find(|line| line.contains(&format!(" | {name} | ")));
        let listed = line.is_some_and(|line| line.contains(&format!(" | {default} | {small} | ")));
        assert!(listed, "{name}: {default}, {small} on a device: {line:?}");
    }
}

// ---- text

/// A frame as it stands in a row.
fn text_of(frame: &Frame<'_>) -> String {
    let opener = |side| if side == Side::Us { "sender" } else { "receiver" };
    match *frame {
        Frame::Define(define) => format!(
            "DEFINE table={} index={}{} name={}",
            if define.table == Table::Actions { "actions" } else { "types" },
            define.index,
            maybe("fingerprint", define.fingerprint),
            define.name
        ),
        Frame::Notice(notice) => {
            format!("NOTICE action={}{}", action_of(notice.action), body_of(notice.body, String::new()))
        }
        Frame::Open(open) => {
            let extras = format!(" answer={}{}", yes(open.wants_answer), maybe("timeout", open.timeout));
            let rest = rest_of(extras, open.size, open.attached);
            format!("OPEN lane={} action={}{}", open.lane, action_of(open.action), body_of(open.body, rest))
        }
        Frame::Response(response) => {
            let code = Some(response.code.value()).filter(|_| !response.code.is_ok());
            let extras = format!(" more={}{}", yes(response.more), maybe("code", code));
            let rest = rest_of(extras, response.size, response.attached);
            format!("RESPONSE lane={}{}", response.lane, body_of(response.body, rest))
        }
        Frame::Code { lane, code } => format!("CODE lane={lane} code={}", code.value()),
        Frame::Update(update) => format!("UPDATE lane={}{}", update.lane, body_of(update.body, String::new())),
        Frame::Body(piece) => {
            format!("BODY opener={} lane={} octets={}", opener(piece.side), piece.lane, hex(piece.bytes))
        }
        Frame::Abort { side, lane, code } => {
            format!("ABORT opener={} lane={lane} code={}", opener(side), code.value())
        }
        Frame::End { lane } => format!("END lane={lane}"),
        Frame::Offer(offer) => format!(
            "OFFER flow={} opener={} lane={} push={}{} media={} name={}",
            offer.flow,
            opener(offer.side),
            offer.lane,
            yes(offer.push),
            maybe("size", offer.size),
            offer.media,
            offer.name
        ),
        Frame::Accept(accept) => format!(
            "ACCEPT flow={} start={}{}{}",
            accept.flow,
            accept.start,
            maybe("end", accept.end),
            maybe("prefix", accept.prefix.map(|prefix| hex(&prefix)))
        ),
        Frame::Begin { flow, start } => format!("BEGIN flow={flow} start={start}"),
        Frame::Data { flow, bytes } => format!("DATA flow={flow} octets={}", hex(bytes)),
        Frame::Finish { flow, digest } => {
            format!("FINISH flow={flow}{}", maybe("digest", digest.map(|digest| hex(&digest))))
        }
        Frame::Cancel { flow, code } => format!("CANCEL flow={flow} code={}", code.value()),
        Frame::Done { flow, code } => format!("DONE flow={flow} code={}", code.value()),
        Frame::Pause(pause) => {
            let by = if pause.by_receiver { "receiver" } else { "sender" };
            format!("PAUSE flow={} on={} by={by}", pause.flow, yes(pause.on))
        }
        Frame::Away => "AWAY".to_string(),
        Frame::Close(close) => format!("CLOSE code={} reason={}", close.code.value(), close.reason),
        Frame::Ack { count } => format!("ACK count={count}"),
        Frame::Ping { id } => format!("PING id={id}"),
        Frame::Pong { id } => format!("PONG id={id}"),
        Frame::Window { limit } => format!("WINDOW limit={limit}"),
        Frame::LaneCredit { side, lane, limit } => {
            format!("LANE_CREDIT opener={} lane={lane} limit={limit}", opener(side))
        }
        Frame::Credit { flow, limit } => format!("CREDIT flow={flow} limit={limit}"),
        Frame::Switch(switch) => format!("SWITCH on={} ask={}", yes(switch.on), yes(switch.ask)),
        Frame::Rekey(Rekey::Next) => "REKEY to=next".to_string(),
        Frame::Rekey(Rekey::Share(share)) => format!("REKEY share={}", hex(&share)),
        Frame::Rekey(Rekey::Fresh) => "REKEY to=fresh".to_string(),
        Frame::Auth(Auth::Key) => "AUTH claim=key".to_string(),
        Frame::Auth(Auth::Token { name, proof }) => format!("AUTH claim=token name={name} proof={}", hex(&proof)),
        Frame::Auth(Auth::Granted { name, seconds }) => format!("AUTH granted=yes name={name} seconds={seconds}"),
        Frame::Auth(Auth::Denied { code }) => format!("AUTH granted=no code={}", code.value()),
        Frame::Skipped { kind, bytes } => format!("SKIPPED type={kind} octets={}", hex(bytes)),
        other => panic!("{other:?} has no text"),
    }
}

fn action_of(action: Action) -> String {
    match action {
        Action::Number(number) => format!("number:{number}"),
        Action::Name(index) => format!("name:{index}"),
    }
}

/// A body, with what stands between its type and its octets.
fn body_of(body: Body<&[u8]>, between: String) -> String {
    let octets = hex(body.bytes);
    match body.kind {
        Kind::None => format!(" kind=none{between}"),
        Kind::Bytes => format!(" kind=bytes{between} octets={octets}"),
        Kind::Text => format!(" kind=text{between} octets={octets}"),
        Kind::Typed(index) => format!(" kind=typed type={index}{between} octets={octets}"),
    }
}

fn rest_of(extras: String, size: Option<u64>, attached: u16) -> String {
    extras + &maybe("size", size) + &maybe("attached", Some(attached).filter(|attached| *attached > 0))
}

fn maybe(key: &str, value: Option<impl std::fmt::Display>) -> String {
    value.map_or(String::new(), |value| format!(" {key}={value}"))
}

fn yes(flag: bool) -> &'static str {
    if flag { "yes" } else { "no" }
}

/// What decoding gives, as text.
fn outcome(input: &[u8]) -> Result<Option<(String, usize)>, PeerError> {
    Frame::decode(input, LIMIT).map(|found| found.map(|(frame, len)| (text_of(&frame), len)))
}

/// An error as it stands in a row.
fn label(error: PeerError) -> String {
    let debug = format!("{error:?}");
    let name = debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let detail = match error {
        PeerError::NotRopeway(foreign) => format!(" foreign={foreign:?}"),
        PeerError::BadHello(field) => format!(" field={field:?}"),
        PeerError::Version { oldest, newest } => format!(" oldest={oldest} newest={newest}"),
        PeerError::UnknownFrame(kind) | PeerError::ReservedBits(kind) => format!(" type={kind}"),
        PeerError::FrameTooLarge { size, limit } => format!(" size={size} limit={limit}"),
        _ => String::new(),
    };
    format!("{name} code={}{detail}", error.code().value())
}

/// An error's name, and the field or foreign protocol if it has one.
fn essence(label: &str) -> String {
    let telling = |part: &&str| part.starts_with("field=") || part.starts_with("foreign=");
    format!("{} {}", word(label), label.split(' ').find(telling).unwrap_or_default())
}

fn word(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}
