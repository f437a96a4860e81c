//! Random programs over a faulty wire: what is heard is what was said.

use quickcheck::QuickCheck;
use ropeway_core::{Config};
use ropeway_tests::dice::Dice;
use ropeway_tests::plan::Plan;
use ropeway_tests::storage::arrays;
use ropeway_tests::world::{Weather, check, run};

const CONFIG: Config = Config { max_aborts: 1000, timeout: std::time::Duration::ZERO, ..Config::SMALL };

fn plays(choices: &[u8], seed: u64, most: usize) {
    let plan = Plan::draw(&mut Dice::bytes(choices), most);
    let weather = Weather::draw(&mut Dice::seed(seed));
    let (client, server) = run(plan, CONFIG, (arrays(), arrays()), weather, seed);
    check(&client, &server, true);
}

#[test]
fn all_that_is_said_is_heard_whole_once_and_in_order() {
    fn property(choices: Vec<u8>, seed: u64) -> bool {
        plays(&choices, seed, 40);
        true
    }
    QuickCheck::new().tests(400).quickcheck(property as fn(Vec<u8>, u64) -> bool);
}

#[test]
fn long_conversations_leave_nothing_behind() {
    for seed in 0..60 {
        let choices: Vec<u8> = random(seed, 3000);
        plays(&choices, seed, 200);
    }
}

/// Octets that follow from a seed.
fn random(seed: u64, len: usize) -> Vec<u8> {
    let mut dice = Dice::seed(seed);
    (0..len).map(|_| dice.below(256) as u8).collect()
}
