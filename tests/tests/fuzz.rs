//! The oracles, on random choices and on those that once broke something.

use quickcheck::QuickCheck;
use ropeway_tests::dice::Dice;
use ropeway_tests::hand::{PEER, hello};
use ropeway_tests::oracle::{get_along, get_along_sealed, is_the_same_in_any_chunks, survives};

/// Random choices of many lengths. The environment's `SOAK` makes them so many times more.
fn each_random(count: u64, len: usize, mut check: impl FnMut(&[u8])) {
    let soak = std::env::var("SOAK").ok().and_then(|soak| soak.parse().ok()).unwrap_or(1);
    for seed in 0..count * soak {
        let mut dice = Dice::seed(seed);
        let len = 1 + dice.below(len as u64) as usize;
        let choices: Vec<u8> = (0..len).map(|_| dice.below(256) as u8).collect();
        check(&choices);
    }
}

#[test]
fn no_peer_and_no_application_break_the_machine() {
    each_random(1500, 4000, survives);
    QuickCheck::new().tests(300).quickcheck(
        (|choices: Vec<u8>| {
            survives(&choices);
            true
        }) as fn(Vec<u8>) -> bool,
    );
}

#[test]
fn two_machines_never_quarrel_and_leave_nothing_behind() {
    each_random(500, 20_000, get_along);
}

#[test]
fn nor_do_two_that_seal_what_they_say_and_do_not() {
    each_random(200, 20_000, get_along_sealed);
}

#[test]
fn noise_is_the_same_in_any_chunks() {
    fn property(noise: Vec<u8>, choices: Vec<u8>, greeted: bool) -> bool {
        let mut octets = if greeted { hello(true, PEER) } else { Vec::new() };
        octets.extend(noise);
        is_the_same_in_any_chunks(&octets, &choices);
        true
    }
    QuickCheck::new().tests(500).quickcheck(property as fn(Vec<u8>, Vec<u8>, bool) -> bool);
}
