//! Live, with another implementation at either end.

use snow::Builder;

use super::{ALL, MAX_LEN, Pair, name, psk};
use crate::testing::roll;

#[test]
fn agrees_with_snow_at_either_end() {
    let mut seed = 1;
    for (pattern, with_psk) in ALL {
        for is_client in [true, false] {
            for _ in 0..4 {
                let prologue = octets(&mut seed);
                check(
                    &mut seed,
                    &Pair { prologue: &prologue.1[..prologue.0], ..Pair::new(pattern, with_psk) },
                    is_client,
                );
            }
        }
    }
}

/// Up to 64 octets.
fn octets(seed: &mut u64) -> (usize, [u8; 64]) {
    let len = roll(seed, 65);
    (len, core::array::from_fn(|_| roll(seed, 256) as u8))
}

/// We are the client, or the server, of that pair; the other end is not ours.
fn check(seed: &mut u64, pair: &Pair<'_>, is_client: bool) {
    let mut us = pair.end(is_client);
    let (own, theirs) = (pair.own(is_client), pair.own(!is_client));
    let mut builder = Builder::new(name(pair.pattern, pair.with_psk).parse().unwrap()).prologue(pair.prologue).unwrap();
    if pair.pattern.wants_key(!is_client) {
        builder = builder.local_private_key(theirs.octets()).unwrap();
    }
    let psk = psk();
    if pair.with_psk {
        builder = builder.psk(0, psk.octets()).unwrap();
    }
    let built = if is_client { builder.build_responder() } else { builder.build_initiator() };
    let mut them = built.unwrap();
    while !us.is_done() {
        let (len, payload) = octets(seed);
        let (mut message, mut heard) = ([0; MAX_LEN + 64], [0; 64]);
        let payload = &payload[..len];
        let count = if us.is_my_turn() {
            let sent = us.write(payload, &mut message).unwrap();
            them.read_message(&message[..sent], &mut heard).unwrap()
        } else {
            let sent = them.write_message(payload, &mut message).unwrap();
            us.read(&message[..sent], &mut heard).unwrap()
        };
        assert_eq!(&heard[..count], payload, "{pair:?}");
    }
    assert!(them.is_handshake_finished());
    let keys = us.keys().unwrap();
    assert_eq!(keys.hash, them.get_handshake_hash());
    assert_eq!((*keys.to_server, *keys.to_client), them.dangerously_get_raw_split());
    assert_eq!(us.peer_key(), pair.pattern.wants_key(!is_client).then(|| theirs.public()));
    assert_eq!(
        them.get_remote_static(),
        pair.pattern.wants_key(is_client).then(|| own.public().0).as_ref().map(|key| &key[..])
    );
}
