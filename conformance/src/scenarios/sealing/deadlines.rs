//! A peer that stops before there are keys.

use std::time::Duration;

use futures_io::AsyncRead;
use ropeway_driver::protocol::seal::{Anyone, ChaCha20Poly1305, Identity, Pattern, Sealer};
use ropeway_driver::protocol::{Config, Connection, Flow, Instant, Lane, Memory, Sealed};
use ropeway_driver::{Error, Reason, Role, Seal};

use super::{concerned, end, keys};
use crate::scenarios::by_hand::{octets, read_some, read_to_end, still_works, write_all};
use crate::scenarios::{Scenario, scenarios};
use crate::weather::Way;
use crate::world::{World, patient};

pub(in crate::scenarios) const LIST: &[Scenario] = scenarios![
    a_client_that_stops_before_there_are_keys_is_gone_in_time if concerned,
    a_server_that_stops_before_there_are_keys_is_given_up_in_time if concerned,
    noise_instead_of_a_message_of_the_handshake_is_turned_away if concerned,
];

const TIMEOUT: Duration = Duration::from_secs(3);

type Arrays = Memory<[Lane; 1], [Flow; 1], [u8; 512]>;
pub(in crate::scenarios) type Machine = Connection<Sealed<Arrays, Sealer<ChaCha20Poly1305, Anyone>>>;

/// One that is driven by hand.
pub(in crate::scenarios) fn machine(role: Role) -> Machine {
    let [client, server, _] = keys();
    let key = Some(if role == Role::Client { client } else { server });
    let identity = Identity { pattern: Pattern::Xx, key, psk: None, trust: Anyone };
    let (now, config) = (Instant::ZERO, Config::SMALL);
    match role {
        Role::Client => {
            let sealer = Sealer::client(ChaCha20Poly1305, identity).expect("it has a key");
            Connection::client(now, config, [8; 32], Arrays::EMPTY.sealed_by(sealer))
        }
        Role::Server => {
            let sealer = Sealer::server(ChaCha20Poly1305, identity).expect("it has a key");
            Connection::server(now, config, [9; 32], Arrays::EMPTY.sealed_by(sealer))
        }
    }
}

pub(in crate::scenarios) fn says(machine: &mut Machine) -> Vec<u8> {
    let mut said = vec![0; 1024];
    let len = machine.poll_transmit(Instant::ZERO, &mut said);
    said.truncate(len);
    said
}

/// Gives the machine what comes, until it has something to say.
pub(in crate::scenarios) async fn hears(machine: &mut Machine, stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut heard = Vec::new();
    loop {
        heard.extend(read_some(stream).await);
        loop {
            let step = machine.handle_input(Instant::ZERO, &mut heard).expect("it is what it should be");
            if step.consumed == 0 {
                break;
            }
            let consumed = step.consumed;
            heard.drain(..consumed);
        }
        let said = says(machine);
        if !said.is_empty() {
            return said;
        }
    }
}

async fn a_client_that_stops_before_there_are_keys_is_gone_in_time(world: World) {
    let [client, key, _] = keys();
    let mut config = patient();
    config.protocol.hello_timeout = TIMEOUT;
    let seal = Seal::with_key(key.clone()).trust(client.public());
    let server = world.server().config(config).seal(seal).router(super::answering());
    let server = server.serve().await.expect("the address is free");
    let seal = Seal::with_key(client).trust(key.public());
    let line = world.client(server.address()).seal(seal).connect().await.expect("they agree");
    still_works(&line).await;
    for stage in 0..4 {
        let gate = world.gate_far();
        gate.shut(Way::Read);
        let (mut stream, _) = world.connect(server.address()).await;
        // Its time begins when the server has it.
        gate.held(Way::Read).await;
        gate.open(Way::Read);
        let mut client = machine(Role::Client);
        let hello = says(&mut client);
        write_all(&mut stream, &hello).await.expect("the server waits");
        if stage > 0 {
            let first = hears(&mut client, &mut stream).await;
            // Some of it, or all; and some of the last.
            let upto = if stage == 1 { first.len() / 2 } else { first.len() };
            write_all(&mut stream, &first[..upto]).await.expect("the server waits");
        }
        if stage > 2 {
            let last = hears(&mut client, &mut stream).await;
            write_all(&mut stream, &last[..last.len() - 1]).await.expect("the server waits");
        }
        for _ in 0..3 {
            world.time().pass(TIMEOUT / 2).await;
        }
        read_to_end(&mut stream).await;
        still_works(&line).await;
    }
    let far = super::far_end(&server).await;
    world.part(line, far).await;
}

async fn a_server_that_stops_before_there_are_keys_is_given_up_in_time(world: World) {
    let [client, key, _] = keys();
    let mut config = patient();
    config.protocol.hello_timeout = TIMEOUT;
    for stage in 0..2 {
        let (listener, address) = world.listen().await;
        let seal = Seal::with_key(client.clone()).trust(key.public());
        let connecting = world.spawn(world.client(&address).config(config.clone()).seal(seal).connect());
        let (mut stream, _) = world.accept(&listener).await;
        let mut server = machine(Role::Server);
        let hello = hears(&mut server, &mut stream).await;
        write_all(&mut stream, &hello).await.expect("the client waits");
        if stage > 0 {
            let second = hears(&mut server, &mut stream).await;
            write_all(&mut stream, &second[..second.len() - 1]).await.expect("the client waits");
        }
        for _ in 0..3 {
            world.time().pass(TIMEOUT / 2).await;
        }
        match connecting.await {
            Err(Error::Closed(ended)) => assert_eq!(ended.reason, Reason::HelloTimeout),
            other => panic!("{other:?}"),
        }
    }
}

async fn noise_instead_of_a_message_of_the_handshake_is_turned_away(world: World) {
    let (listener, address) = world.listen().await;
    for seed in 0..20 {
        let (mut stream, _) = world.connect(&address).await;
        let far = end(&world, Role::Server, world.accept(&listener).await, Some(Seal::anonymous()), patient());
        write_all(&mut stream, &says(&mut machine(Role::Client))).await.expect("the server reads");
        // A message of the right length that says nothing, or anything else.
        let noise = match seed % 2 {
            0 => [&[217, 48, 0][..], &octets(48, seed)].concat(),
            _ => octets(300, seed),
        };
        // It may hang up before all of it is there.
        let _ = write_all(&mut stream, &noise).await;
        let _ = write_all(&mut stream, &octets(3000, seed)).await;
        let reason = far.ended().await.reason;
        assert!(matches!(reason, Reason::PeerError(_)), "{reason}");
        read_to_end(&mut stream).await;
    }
}
