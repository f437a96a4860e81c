//! The same octets bring the same events and the same answers, in any chunks and on any storage.

use std::rc::Rc;

use quickcheck::QuickCheck;
use ropeway_core::{Config, Event, Instant, Storage};
use ropeway_tests::dice::Dice;
use ropeway_tests::plan::Plan;
use ropeway_tests::storage::{FLOWS, LANES, OUTBOX, arrays, boxes, growing, vectors};
use ropeway_tests::world::End;

const CONFIG: Config = Config { timeout: std::time::Duration::ZERO, ..Config::SMALL };

/// What one end hears and says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Transcript {
    events: Vec<Event<Vec<u8>>>,
    said: Vec<u8>,
}

/// Two ends talk over a perfect wire. Each speaks behind every frame it hears, and at no other time: what the server
/// heard, and its transcript.
fn talk(plan: &Rc<Plan>) -> (Vec<u8>, Transcript) {
    let now = Instant::ZERO;
    let mut client = End::new(true, CONFIG, arrays(), plan.clone(), 1);
    let mut server = End::new(false, CONFIG, arrays(), plan.clone(), 1);
    let mut heard = client.speak(now, 4096);
    let (mut fresh, mut said) = (heard.clone(), Vec::new());
    while !fresh.is_empty() {
        let mut answer = Vec::new();
        server.receive(now, &fresh, |end| answer.extend(end.speak(now, 4096)));
        said.extend_from_slice(&answer);
        fresh.clear();
        client.receive(now, &answer, |end| fresh.extend(end.speak(now, 4096)));
        heard.extend_from_slice(&fresh);
    }
    assert_eq!((client.error, server.error), (None, None));
    (heard, Transcript { events: server.events, said })
}

/// What a server on some storage makes of octets in some chunks.
fn replay<S: Storage>(plan: &Rc<Plan>, memory: S, mut heard: &[u8], mut cut: impl FnMut() -> usize) -> Transcript {
    let now = Instant::ZERO;
    let mut server = End::new(false, CONFIG, memory, plan.clone(), 1);
    let mut said = Vec::new();
    while !heard.is_empty() {
        let (chunk, rest) = heard.split_at(cut().clamp(1, heard.len()));
        heard = rest;
        server.receive(now, chunk, |end| said.extend(end.speak(now, 4096)));
    }
    Transcript { events: server.events, said }
}

fn check(choices: &[u8], mut cut: impl FnMut() -> usize) {
    let plan = Rc::new(Plan::draw(&mut Dice::bytes(choices), 30));
    let (heard, right) = talk(&plan);
    assert!(replay(&plan, arrays(), &heard, &mut cut) == right, "arrays");
    assert!(replay(&plan, vectors(), &heard, &mut cut) == right, "vectors");
    assert!(replay(&plan, boxes(LANES, FLOWS, OUTBOX), &heard, &mut cut) == right, "boxes");
    assert!(replay(&plan, growing(LANES, FLOWS, OUTBOX), &heard, &mut cut) == right, "memory that grows");
}

#[test]
fn a_conversation_is_the_same_in_any_chunks_on_any_storage() {
    fn property(choices: Vec<u8>, seed: u64) -> bool {
        let mut dice = Dice::seed(seed);
        check(&choices, || 1 + dice.below(90) as usize);
        true
    }
    QuickCheck::new().tests(100).quickcheck(property as fn(Vec<u8>, u64) -> bool);
}

/// A6.
#[test]
fn a_conversation_is_the_same_one_octet_at_a_time() {
    for seed in 0..15 {
        let mut dice = Dice::seed(seed);
        let choices: Vec<u8> = (0..200).map(|_| dice.below(256) as u8).collect();
        check(&choices, || 1);
    }
}

#[test]
fn who_reads_what_is_needed_never_holds_more_than_a_frame() {
    for seed in 0..15 {
        let mut dice = Dice::seed(seed);
        let choices: Vec<u8> = (0..300).map(|_| dice.below(256) as u8).collect();
        let plan = Rc::new(Plan::draw(&mut Dice::bytes(&choices), 30));
        let (heard, right) = talk(&plan);
        let mut server = End::new(false, CONFIG, arrays(), plan.clone(), 1);
        let (mut rest, mut said) = (&heard[..], Vec::new());
        while !rest.is_empty() {
            let (chunk, more) = rest.split_at(server.line.needs() - server.held());
            let mut taken = false;
            server.receive(Instant::ZERO, chunk, |end| {
                taken = true;
                said.extend(end.speak(Instant::ZERO, 4096));
            });
            assert!(!taken || server.held() == 0, "{} octets of another frame", server.held());
            rest = more;
        }
        assert!(Transcript { events: server.events, said } == right, "seed {seed}");
    }
}

#[test]
fn the_same_inputs_give_the_same_octets() {
    for seed in 0..15 {
        let mut dice = Dice::seed(seed);
        let choices: Vec<u8> = (0..300).map(|_| dice.below(256) as u8).collect();
        let plan = Rc::new(Plan::draw(&mut Dice::bytes(&choices), 30));
        let (first, second) = (talk(&plan), talk(&plan));
        assert!(first == second, "seed {seed}");
        assert!(first.0.len() > 100);
    }
}
