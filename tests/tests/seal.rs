//! Sealed lines: all that a plain line does, and nothing of it in the clear.

use ropeway_core::seal::{Aes256CbcHmacSha512, Aes256Gcm, Anyone, ChaCha20Poly1305, Identity, Pattern, Sealer};
use ropeway_core::{Config, Sealing};
use ropeway_tests::dice::Dice;
use ropeway_tests::plan::Plan;
use ropeway_tests::storage::arrays;
use ropeway_tests::world::{Weather, check, run};

const CONFIG: Config = Config { max_aborts: 1000, timeout: std::time::Duration::ZERO, ..Config::SMALL };

fn sealer() -> impl Sealing {
    let identity = Identity { pattern: Pattern::Nn, key: None, psk: None, trust: Anyone };
    Sealer::client(((Aes256Gcm, ChaCha20Poly1305), Aes256CbcHmacSha512), identity).unwrap()
}

#[test]
fn all_that_is_said_is_heard_whole_once_and_in_order() {
    for seed in 0..40 {
        let mut dice = Dice::seed(seed);
        let choices: Vec<u8> = (0..400).map(|_| dice.below(256) as u8).collect();
        let plan = Plan::draw(&mut Dice::bytes(&choices), 40);
        let weather = Weather { out: 4096, ..Weather::draw(&mut Dice::seed(seed)) };
        let memories = (arrays().sealed_by(sealer()), arrays().sealed_by(sealer()));
        let (client, server) = run(plan, CONFIG, memories, weather, seed);
        check(&client, &server, true);
    }
}
