//! Sealed lines: all that a plain line does, and nothing of it in the clear.

use ropeway_core::seal::{
    Aes256CbcHmacSha512, Aes256Gcm, Anyone, ChaCha20Poly1305, Identity, Pattern, Policy, Rule, Sealer, Suites,
};
use ropeway_core::{Action, Config, Connection, Event, Instant, Kind, Offer, SEALED_BY, Send};
use ropeway_tests::dice::Dice;
use ropeway_tests::plan::Plan;
use ropeway_tests::storage::arrays;
use ropeway_tests::world::{Weather, check, run};

const CONFIG: Config = Config { max_aborts: 1000, timeout: std::time::Duration::ZERO, ..Config::SMALL };

fn sealer<C: Suites>(suites: C) -> Sealer<C, Anyone> {
    let identity = Identity { pattern: Pattern::Nn, key: None, psk: None, trust: Anyone };
    Sealer::client(suites, identity).unwrap()
}

#[test]
fn all_that_is_said_is_heard_whole_once_and_in_order() {
    for seed in 0..40 {
        let mut dice = Dice::seed(seed);
        let choices: Vec<u8> = (0..400).map(|_| dice.below(256) as u8).collect();
        let plan = Plan::draw(&mut Dice::bytes(&choices), 40);
        let weather = Weather { out: 4096, ..Weather::draw(&mut Dice::seed(seed)) };
        let sealer = || sealer(((Aes256Gcm, ChaCha20Poly1305), Aes256CbcHmacSha512));
        let memories = (arrays().sealed_by(sealer()), arrays().sealed_by(sealer()));
        let (client, server) = run(plan, CONFIG, memories, weather, seed);
        check(&client, &server, true);
    }
}

/// A device has an output that holds the largest frame in a record, and no more. What flags have to say between, however often, does
/// not keep a frame back that leaves no room for it.
#[test]
fn a_frame_that_fills_the_output_goes_though_there_is_always_something_else_to_say() {
    for rule in [Rule::Required, Rule::Optional] {
        let now = Instant::ZERO;
        let policy = Policy::both(rule);
        let [mut client, mut server] = [false, true].map(|is_server| {
            let begin = if is_server { Connection::server } else { Connection::client };
            begin(
                now,
                CONFIG,
                [u8::from(is_server); 32],
                arrays().sealed_by(sealer(Aes256CbcHmacSha512).policy(policy)),
            )
        });
        let mut wire = vec![0; 4096];
        let mut pass = |from: &mut Connection<_>, to: &mut Connection<_>, room: usize| {
            let len = from.poll_transmit(now, &mut wire[..room]);
            let (mut at, mut data) = (0, 0);
            while at < len {
                let step = to.handle_input(now, &mut wire[at..len]).expect("it is right");
                at += step.consumed;
                data +=
                    step.event.map_or(0, |event| if let Event::Data { bytes, .. } = event { bytes.len() } else { 0 });
            }
            data
        };
        for _ in 0..3 {
            pass(&mut client, &mut server, 4096);
            pass(&mut server, &mut client, 4096);
        }
        if rule == Rule::Optional {
            client.seal(false).expect("it may");
        }
        let opened = client.request(now, &Send { attached: 1, ..Send::text(Action::Number(1), "") }).expect("room");
        let flow = client.offer(opened.lane.expect("a request has one"), &Offer::STREAM).expect("room");
        pass(&mut client, &mut server, 4096);
        let room = client.largest() + SEALED_BY;
        let taken = client.data(now, flow, &[7; 400]).expect("there is credit");
        let mut heard = 0;
        for _ in 0..20 {
            // Both to be answered, and to be acknowledged.
            server.ping().expect("it is open");
            server.notify(now, &Send::new(Action::Number(1), Kind::None, &[])).expect("room");
            pass(&mut server, &mut client, 4096);
            client.take_message(0);
            heard += pass(&mut client, &mut server, room);
        }
        assert_eq!(heard, taken, "{rule}");
    }
}
