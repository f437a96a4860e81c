//! Keys: how long one is used, and what the next follow from.

use super::*;

/// D9: keys are followed by others when their time has come, by records, by octets and by time, whichever comes first.
#[test]
fn a_key_that_was_used_enough_is_used_no_more() {
    let forever = RekeyAfter { records: 1 << 22, octets: 1 << 36, time: Duration::from_secs(1 << 20) };
    for limits in [
        RekeyAfter { records: 1, ..forever },
        RekeyAfter { octets: 1, ..forever },
        RekeyAfter { time: Duration::ZERO, ..forever },
    ] {
        let keys = Cell::new(0);
        let one = |is_client| {
            let sealer = sealer(Counted(&keys), identity(Pattern::Nn, is_client), is_client);
            end(is_client, sealer.rekey_after(limits))
        };
        let (mut client, mut server) = (one(true), one(false));
        pump(&mut client, &mut server);
        for turn in 0..2000usize {
            client.notify(&[turn as u8; 200]);
            pump(&mut client, &mut server);
            server.line.take_message(200);
            pump(&mut client, &mut server);
            assert_eq!((client.error, server.error), (None, None), "{limits:?}, turn {turn}");
        }
        assert_eq!(server.messages().len(), 2000);
        // Each change is paid for with sixteen records, and both ends have a cipher of it.
        assert!(keys.get() > 2 * 2000 / 16 - 10, "{limits:?}: {} keys", keys.get());
        // A line that says nothing is not kept busy by it.
        assert!(!client.line.wants_transmit() && !server.line.wants_transmit());
    }
}

/// D9: who has read all that an end knew, its entropy too, does not know what a fresh agreement gives: it follows from new entropy.
#[test]
fn a_fresh_agreement_follows_from_new_entropy() {
    let share = |entropy| {
        let (mut client, mut server) = open(ChaCha20Poly1305);
        client.line.rekey_afresh(entropy).expect("there are keys");
        let said = client.said();
        server.hear(&said);
        client.hear(&server.said());
        assert_eq!((client.error, server.error), (None, None));
        client.notify(TEXT);
        let by_fresh_key = client.said();
        server.hear(&by_fresh_key);
        assert_eq!(server.messages(), [TEXT]);
        (said, by_fresh_key)
    };
    let (one, other) = (share([1; 32]), share([2; 32]));
    assert_eq!(one, share([1; 32]), "all else is the same");
    assert!(one.0 != other.0 && one.1 != other.1);
}

/// A suite that counts the keys it is given.
#[derive(Clone, Copy)]
struct Counted<'a>(&'a Cell<u32>);

impl Suite for Counted<'_> {
    type Cipher = <ChaCha20Poly1305 as Suite>::Cipher;

    fn name(&self) -> &str {
        "counted"
    }

    fn cipher(&self, keys: &[[u8; 32]; ropeway_core::seal::KEYS]) -> Self::Cipher {
        self.0.set(self.0.get() + 1);
        Suite::cipher(&ChaCha20Poly1305, keys)
    }
}

/// D9: whoever asks for other keys all the time, on one end or on both, waits for them, and never ends the line by that.
#[test]
fn keys_that_are_asked_for_all_the_time_do_no_harm() {
    let (mut client, mut server) = open(ChaCha20Poly1305);
    for turn in 0..3000u32 {
        client.line.rekey_afresh([9; 32]).expect("it may");
        server.line.rekey_afresh([9; 32]).expect("it may");
        client.line.rekey().expect("it may");
        if turn % 3 == 0 {
            client.notify(b"x");
            server.notify(b"y");
        }
        pump(&mut client, &mut server);
        client.line.take_message(1);
        server.line.take_message(1);
        assert_eq!((client.error, server.error), (None, None), "turn {turn}");
    }
    assert_eq!((client.messages().len(), server.messages().len()), (1000, 1000));
}
