//! The codec alone: every frame that the rules of [`Frame::encode`] allow decodes to itself, and the rules are all needed.

use ropeway_core::wire::{
    Accept, Close, Define, FIRST_IGNORABLE, Frame, MAX_REASON, Notice, Offer, Open, Pause, Piece, Response, Update,
};
use ropeway_core::{Action, Body, CloseCode, Code, Kind, Limits, PeerError, Side, Table};
use ropeway_tests::dice::Dice;
use ropeway_tests::hand::bytes;

const OCTETS: &[u8] = &[0xa5; 20_000];
const TEXT: &str = "für Elise: ein Seil, zwei Enden, und was darüber geht, in beide Richtungen zugleich, bis einer aufhört. \
                    Dann ist Schluss, und wer noch etwas zu sagen hatte, hat Pech.";

/// A number as wide as 64 bits or as narrow as one, the edges of varints among them, at most `max`.
fn number(dice: &mut Dice<'_>, max: u64) -> u64 {
    let edge = 1u64 << dice.below(64);
    let between = edge | dice.below(1 << 16);
    let value = dice.pick(&[edge, edge - 1, edge + 1, between, max, max.saturating_sub(1), 0]);
    if value > max { value % (max + 1) } else { value }
}

fn short(dice: &mut Dice<'_>) -> u16 {
    number(dice, u64::from(u16::MAX)) as u16
}

fn maybe<T>(dice: &mut Dice<'_>, value: T) -> Option<T> {
    if dice.once_in(2) { Some(value) } else { None }
}

fn code(dice: &mut Dice<'_>) -> Code {
    Code::new(number(dice, u64::from(Code::MAX)) as u16).expect("at most the largest")
}

fn side(dice: &mut Dice<'_>) -> Side {
    dice.pick(&[Side::Us, Side::Them])
}

fn octets(dice: &mut Dice<'_>, least: u64) -> &'static [u8] {
    &OCTETS[..dice.pick(&[least, least + 1, 127, 128, 300, 16_383, 16_384, 20_000]) as usize]
}

fn text(dice: &mut Dice<'_>, most: usize) -> &'static str {
    let mut len = dice.below(most.min(TEXT.len()) as u64 + 1) as usize;
    while !TEXT.is_char_boundary(len) {
        len -= 1;
    }
    &TEXT[..len]
}

fn action(dice: &mut Dice<'_>) -> Action {
    let number = Action::Number(number(dice, u64::from(Action::MAX_NUMBER)) as u32);
    let name = Action::Name(short(dice));
    dice.pick(&[number, name])
}

fn body(dice: &mut Dice<'_>) -> Body<&'static [u8]> {
    let typed = Kind::Typed(short(dice));
    let kind = dice.pick(&[Kind::None, Kind::Bytes, Kind::Text, typed]);
    Body { kind, bytes: if kind == Kind::None { &[] } else { octets(dice, 0) } }
}

/// The size of a body that goes on, or none.
fn size(dice: &mut Dice<'_>, body: Body<&[u8]>) -> Option<u64> {
    let here = body.bytes.len() as u64;
    let size = here + 1 + number(dice, u64::MAX - here - 1);
    maybe(dice, size).filter(|_| body.kind != Kind::None)
}

/// A frame within the rules.
fn frame(dice: &mut Dice<'_>) -> Frame<'static> {
    let (lane, flow) = (short(dice), short(dice));
    let wide = number(dice, u64::MAX);
    let yes = dice.once_in(2);
    match dice.below(26) {
        0 => {
            let table = dice.pick(&[Table::Actions, Table::Types]);
            Frame::Define(Define { table, index: lane, fingerprint: maybe(dice, wide), name: text(dice, TEXT.len()) })
        }
        1 => Frame::Notice(Notice { action: action(dice), body: body(dice) }),
        2 => {
            let (action, body) = (action(dice), body(dice));
            let timeout = maybe(dice, wide as u32);
            let (size, attached) = (size(dice, body), short(dice));
            Frame::Open(Open { lane, action, body, wants_answer: yes, timeout, size, attached })
        }
        3 => {
            let (code, body) = (code(dice), body(dice));
            let (size, attached) = (size(dice, body), short(dice));
            Frame::Response(Response { lane, code, body, more: yes, size, attached })
        }
        4 => Frame::Code { lane, code: code(dice) },
        5 => Frame::Update(Update { lane, body: body(dice) }),
        6 => Frame::Body(Piece { side: side(dice), lane, bytes: octets(dice, 1) }),
        7 => Frame::Abort { side: side(dice), lane, code: code(dice) },
        8 => Frame::End { lane },
        9 => {
            let (side, size) = (side(dice), maybe(dice, wide));
            let (media, name) = (text(dice, 30), text(dice, TEXT.len()));
            Frame::Offer(Offer { flow, side, lane, push: yes, size, media, name })
        }
        10 => {
            let start = number(dice, u64::MAX - 1);
            let end = start + 1 + number(dice, u64::MAX - start - 1);
            let (end, prefix) = (maybe(dice, end), maybe(dice, [lane as u8; 32]));
            Frame::Accept(Accept { flow, start, end, prefix })
        }
        11 => Frame::Begin { flow, start: wide },
        12 => Frame::Data { flow, bytes: octets(dice, 1) },
        13 => Frame::Finish { flow, digest: maybe(dice, [lane as u8; 32]) },
        14 => Frame::Cancel { flow, code: code(dice) },
        15 => Frame::Done { flow, code: code(dice) },
        16 => Frame::Pause(Pause { flow, on: yes, by_receiver: dice.once_in(2) }),
        17 => Frame::Away,
        18 => {
            let code = CloseCode::new(number(dice, u64::from(CloseCode::MAX)) as u16).expect("at most the largest");
            Frame::Close(Close { code, reason: text(dice, MAX_REASON) })
        }
        19 => Frame::Ack { count: wide },
        20 => Frame::Ping { id: wide as u32 },
        21 => Frame::Pong { id: wide as u32 },
        22 => Frame::Window { limit: wide },
        23 => Frame::LaneCredit { side: side(dice), lane, limit: wide },
        24 => Frame::Credit { flow, limit: wide },
        _ => Frame::Skipped { kind: FIRST_IGNORABLE + dice.below(4) as u8, bytes: octets(dice, 0) },
    }
}

#[test]
fn a_frame_within_the_rules_decodes_to_itself() {
    let mut dice = Dice::seed(1);
    let mut seen = [0u32; 32];
    for _ in 0..50_000 {
        let frame = frame(&mut dice);
        let octets = bytes(&frame);
        assert_eq!(Frame::decode(&octets, Limits::MAX_FRAME), Ok(Some((frame, octets.len()))));
        seen[usize::from(frame.kind())] += 1;
    }
    for (kind, count) in seen.into_iter().enumerate() {
        let exists = !matches!(kind, 0 | 19 | 27);
        assert_eq!(count > 100, exists, "type {kind}: {count} frames");
    }
}

#[test]
fn a_frame_that_breaks_a_rule_does_not_decode_to_itself() {
    let body = Body { kind: Kind::Bytes, bytes: &b"1234"[..] };
    let none = Body { kind: Kind::None, bytes: &[][..] };
    let notice = |action, body| Frame::Notice(Notice { action, body });
    let open = |body, size| {
        let action = Action::Number(1);
        Frame::Open(Open { lane: 0, action, body, wants_answer: true, timeout: None, size, attached: 0 })
    };
    let respond =
        |body, size| Frame::Response(Response { lane: 0, code: Code::OK, body, more: false, size, attached: 0 });
    let accept = |start, end| Frame::Accept(Accept { flow: 0, start, end: Some(end), prefix: None });
    let long = "x".repeat(MAX_REASON + 1);
    let huge = vec![0; Limits::MAX_FRAME as usize];
    for (frame, error) in [
        (Frame::Body(Piece { side: Side::Us, lane: 0, bytes: &[] }), Some(PeerError::EmptyFragment)),
        (Frame::Data { flow: 0, bytes: &[] }, Some(PeerError::EmptyFragment)),
        (notice(Action::Number(1), Body { kind: Kind::None, ..body }), None),
        (notice(Action::Number(Action::MAX_NUMBER + 1), body), Some(PeerError::BadAction)),
        (open(none, Some(1)), Some(PeerError::ReservedBits(3))),
        (open(body, Some(4)), Some(PeerError::BodyOverrun)),
        (respond(none, Some(1)), Some(PeerError::ReservedBits(4))),
        (respond(body, Some(3)), Some(PeerError::BodyOverrun)),
        (accept(5, 5), Some(PeerError::Range)),
        (accept(5, 4), Some(PeerError::Range)),
        (Frame::Close(Close { code: CloseCode::DONE, reason: &long }), Some(PeerError::BadName)),
        (Frame::Skipped { kind: 27, bytes: b"x" }, Some(PeerError::UnknownFrame(27))),
        (Frame::Skipped { kind: 18, bytes: b"x" }, None),
        (Frame::Skipped { kind: 32, bytes: b"x" }, None),
        (
            Frame::Data { flow: 0, bytes: &huge },
            Some(PeerError::FrameTooLarge { size: u64::from(Limits::MAX_FRAME) + 5, limit: Limits::MAX_FRAME }),
        ),
    ] {
        let octets = bytes(&frame);
        match (Frame::decode(&octets, Limits::MAX_FRAME), error) {
            (Err(found), Some(error)) => assert_eq!(found, error, "{frame:?}"),
            (Ok(Some((other, _))), None) => assert_ne!(other, frame),
            (found, _) => panic!("{frame:?} decodes to {found:?}"),
        }
    }
}
