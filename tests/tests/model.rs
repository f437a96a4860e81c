//! Random programs over a faulty wire: what is heard is what was said.

use quickcheck::QuickCheck;
use ropeway_core::{Config, Event};
use ropeway_tests::dice::Dice;
use ropeway_tests::plan::Plan;
use ropeway_tests::storage::{arrays, boxes, growing, vectors};
use ropeway_tests::world::{Weather, check, run};

const CONFIG: Config = Config { max_aborts: 1000, timeout: std::time::Duration::ZERO, ..Config::SMALL };

/// A plan drawn from choices, and some weather.
fn draw(choices: &[u8], seed: u64, most: usize) -> (Plan, Weather) {
    (Plan::draw(&mut Dice::bytes(choices), most), Weather::draw(&mut Dice::seed(seed)))
}

/// Octets that follow from a seed.
fn random(seed: u64, len: usize) -> Vec<u8> {
    let mut dice = Dice::seed(seed);
    (0..len).map(|_| dice.below(256) as u8).collect()
}

#[test]
fn all_that_is_said_is_heard_whole_once_and_in_order() {
    fn property(choices: Vec<u8>, seed: u64) -> bool {
        let (plan, weather) = draw(&choices, seed, 40);
        let (client, server) = run(plan, CONFIG, (arrays(), arrays()), weather, seed);
        check(&client, &server, true);
        true
    }
    QuickCheck::new().tests(200).quickcheck(property as fn(Vec<u8>, u64) -> bool);
}

#[test]
fn long_conversations_leave_nothing_behind() {
    for seed in 0..6 {
        let (plan, weather) = draw(&random(seed, 3000), seed, 120);
        let (client, server) = run(plan, CONFIG, (arrays(), arrays()), weather, seed);
        check(&client, &server, true);
    }
}

#[test]
fn memory_large_and_small_carries_the_same() {
    let small = Config { max_frame: 64, window: 0, lane_credit: 0, flow_credit: 0, ..CONFIG };
    let large = Config { max_attached: 8, ..Config { max_aborts: 1000, timeout: CONFIG.timeout, ..Config::DEFAULT } };
    for seed in 0..30 {
        let (plan, mut weather) = draw(&random(seed, 300), seed, 20);
        weather.chunk = weather.chunk.max(50);
        let (config, lanes, flows, outbox) = match seed % 3 {
            0 => (small, 2, 2, 128),
            1 => (CONFIG, 3, 4, 64),
            _ => (large, 40, 40, 1 << 16),
        };
        let memories = (boxes(lanes, flows, outbox), growing(lanes, flows, outbox));
        let (client, server) = run(plan, config, memories, weather, seed);
        check(&client, &server, true);
    }
}

#[test]
fn every_storage_brings_the_same_events() {
    use ropeway_tests::storage::{FLOWS, LANES, OUTBOX};
    for seed in 0..20 {
        let make = || draw(&random(seed, 400), seed, 30);
        let (plan, weather) = make();
        let (client, server) = run(plan, CONFIG, (arrays(), arrays()), weather, seed);
        let right = (client.events, server.events);
        let (plan, weather) = make();
        let (client, server) = run(plan, CONFIG, (vectors(), boxes(LANES, FLOWS, OUTBOX)), weather, seed);
        assert!(right == (client.events, server.events), "seed {seed}: vectors and boxes");
        let (plan, weather) = make();
        let memories = (growing(LANES, FLOWS, OUTBOX), growing(LANES, FLOWS, OUTBOX));
        let (client, server) = run(plan, CONFIG, memories, weather, seed);
        assert!(right == (client.events, server.events), "seed {seed}: memory that grows");
    }
}

#[test]
fn a_cut_wire_loses_the_end_and_nothing_else() {
    for seed in 0..150 {
        let (plan, mut weather) = draw(&random(seed, 300), seed, 20);
        weather.cut = Some(1 + Dice::seed(seed).below(20_000) as usize);
        weather.chunk = weather.chunk.max(50);
        let (client, server) = run(plan, CONFIG, (arrays(), arrays()), weather, seed);
        let was_cut = client.line.closed().is_some();
        check(&client, &server, !was_cut);
        for events in [client.events, server.events] {
            let closed = events.iter().filter(|event| matches!(event, Event::Closed { .. })).count();
            assert_eq!(closed, usize::from(was_cut), "told once");
        }
    }
}
