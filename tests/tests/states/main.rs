//! Every state answers every frame: with an event, with silence, or with an error that has a name.

mod all_frames;
mod flows;
mod lanes;
mod lines;

use std::fmt::Write as _;

use ropeway_core::wire::{Close, FIRST_IGNORABLE, Frame};
use ropeway_core::{CloseCode, Event, Reason};
use ropeway_tests::hand::{Hand, bytes, frames};
use ropeway_tests::say::request;

use crate::all_frames::{CLOSE, all_frames};
use crate::lines::Make;

/// The table, checked in to be read. With `BLESS` set in the environment it is written anew.
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/states/table.txt");

#[test]
fn every_state_answers_every_frame() {
    let mut table = String::from(
        "What each frame does in every state of the machine: `!` is the error that ends the line, `-` silence.\n\
         Lane 0 and flow 0 are meant. What a lane does not name is as on an open line, what a flow does not name as on\n\
         a lane with a request that waits for its answer.\n",
    );
    let frames = all_frames();
    for kind in 0..FIRST_IGNORABLE {
        assert!(frames.iter().any(|(_, octets)| octets[0] >> 3 == kind), "no frame of type {kind}");
    }
    // What a lane or a flow has nothing to do with, as it is without.
    let usual = |make: Make| frames.iter().map(|(name, octets)| answer(make(), name, octets)).collect::<Vec<_>>();
    let line = usual(Hand::server);
    let asking = usual(|| lanes::opened(4, 0, true));
    let asked = usual(|| lanes::accepted(request(0, None, 0)));
    let states = [
        (lines::states(), None),
        (lanes::opened_lanes(), Some(&line)),
        (lanes::accepted_lanes(), Some(&line)),
        (flows::sent_flows(), Some(&asking)),
        (flows::received_flows(), Some(&asked)),
    ];
    for ((state, make), usual) in states.into_iter().flat_map(|(all, usual)| all.into_iter().map(move |s| (s, usual))) {
        let mut rows: Vec<(String, Vec<&str>)> = Vec::new();
        for (i, (name, octets)) in frames.iter().enumerate() {
            let outcome = answer(make(), name, octets);
            if usual.is_some_and(|usual| usual[i] == outcome) {
                continue;
            }
            match rows.iter_mut().find(|(known, _)| *known == outcome) {
                Some((_, names)) => names.push(name),
                None => rows.push((outcome, vec![name])),
            }
        }
        write!(table, "\n{state}\n").unwrap();
        for (outcome, names) in rows {
            writeln!(table, "    {outcome:<24} {}", names.join(" ")).unwrap();
        }
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(TABLE, &table).unwrap();
    }
    let known = std::fs::read_to_string(TABLE).unwrap_or_default();
    for (new, old) in table.lines().zip(known.lines()) {
        assert_eq!(new, old, "the table differs; look at it after BLESS=1");
    }
    assert_eq!(table.len(), known.len(), "the table differs; look at it after BLESS=1");
}

/// What a machine does with a frame, after which it must be sound still.
fn answer(mut hand: Hand, name: &str, octets: &[u8]) -> String {
    let was_over = hand.line.closed().is_some() || ignores(&hand);
    let was_ready = hand.line.is_ready();
    let mut octets = octets.to_vec();
    if !was_ready && hand.line.peer().is_none() && !was_over {
        // What is no hello is told after four octets.
        octets.resize(octets.len().max(4), 0);
    }
    match hand.say_bytes(&octets) {
        Ok(event) => {
            let said = hand.hear();
            if was_ready && !octets.starts_with(&bytes(&Frame::Close(CLOSE))) {
                assert!(hand.line.is_ready(), "{name}");
                frames(&said);
                hand.tell(&Frame::Ping { id: 77 });
                assert!(hand.heard().iter().any(|f| f.contains("77")), "no pong after {name}");
            }
            match event {
                None if was_over => "ignored".into(),
                None => "-".into(),
                Some(event) => word(&event),
            }
        }
        Err(error) => {
            let said = hand.hear();
            if let Some(Reason::PeerError(told)) = hand.line.closed() {
                assert_eq!(told, error);
            } else {
                panic!("{name}: {error} leaves the line at {:?}", hand.line.closed());
            }
            if was_ready {
                let last = frames(&said).last().copied();
                let Some(Frame::Close(Close { code, .. })) = last else { panic!("{name}: no goodbye but {last:?}") };
                assert_eq!(code, error.code(), "{name}");
            }
            assert_eq!(hand.say(&Frame::Away), Ok(None), "an error is the last word");
            assert!(hand.hear().is_empty());
            format!("! {}", word(&error))
        }
    }
}

/// A line that failed takes everything and heeds nothing.
fn ignores(hand: &Hand) -> bool {
    !hand.line.is_ready() && hand.line.peer().is_some() && format!("{:?}", hand.line).contains("PeerError")
}

/// The name of a variant, and of what it holds if that is another one.
fn word(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    let end = text.find([' ', '{']).unwrap_or(text.len());
    let text = &text[..end];
    // Of what is nested only the outer name counts, unless it is short.
    if text.ends_with(')') { text.into() } else { text.split('(').next().unwrap_or_default().into() }
}

#[test]
fn a_closed_line_tells_why() {
    let mut hand = Hand::server();
    let event = hand.say(&Frame::Close(Close { code: CloseCode::AWAY, reason: "so long" }));
    assert_eq!(event, Ok(Some(Event::Closed { reason: Reason::ByPeer(CloseCode::AWAY), text: b"so long".to_vec() })));
}
