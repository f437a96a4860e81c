//! What somebody on the way, or a peer without manners, does to a sealed line: nothing comes of it but the line's end, with the right
//! code on both sides.

mod agreement;
mod keys;
mod records;
mod secrets;

use std::cell::Cell;
use std::time::Duration;

use ropeway_core::seal::{
    Aes256CbcHmacSha512, Aes256Gcm, Anyone, ChaCha20Poly1305, Identity, Pattern, Policy, Psk, PublicKey, RekeyAfter,
    Rule, Sealer, SecretKey, Suite, Suites, Trust,
};
use ropeway_core::wire::{Close, Frame, Switch};
use ropeway_core::{
    Action, CloseCode, Config, Connection, Event, Field, Instant, Kind, PeerError, Reason, Refused, Sealing, Send,
    Side, Storage,
};
use ropeway_tests::dice::Dice;
use ropeway_tests::hand::{bytes, hear};
use ropeway_tests::say;
use ropeway_tests::storage::arrays;

const NOW: Instant = Instant::from_millis(1000);
const KEYS: [[u8; 32]; 2] = [[0x3c; 32], [0x5e; 32]];
const PSK: [u8; 32] = [0x77; 32];
const PATTERNS: [Pattern; 3] = [Pattern::Nn, Pattern::Nx, Pattern::Xx];
const ALL: ((Aes256Gcm, ChaCha20Poly1305), Aes256CbcHmacSha512) = ((Aes256Gcm, ChaCha20Poly1305), Aes256CbcHmacSha512);
const TEXT: &[u8] = b"a text that nobody else may read";
/// The head of a record, and that of a message of the handshake.
const RECORD: u8 = 27 << 3;
const HANDSHAKE: u8 = RECORD | 1;

fn identity(pattern: Pattern, is_client: bool) -> Identity<Anyone> {
    Identity { pattern, key: Some(SecretKey::new(KEYS[usize::from(is_client)])), psk: None, trust: Anyone }
}

fn sealer<C: Suites, T: Trust>(suites: C, identity: Identity<T>, is_client: bool) -> Sealer<C, T> {
    let new = if is_client { Sealer::client } else { Sealer::server };
    new(suites, identity).expect("it has a key")
}

/// An end of a line, and what it has heard.
struct End<S: Storage> {
    line: Connection<S>,
    events: Vec<Event<Vec<u8>>>,
    error: Option<PeerError>,
    /// What came and was not taken.
    input: Vec<u8>,
}

fn end(is_client: bool, sealer: impl Sealing) -> End<impl Storage> {
    let new = if is_client { Connection::client } else { Connection::server };
    let line = new(NOW, Config::SMALL, [if is_client { 1 } else { 2 }; 32], arrays().sealed_by(sealer));
    End { line, events: Vec::new(), error: None, input: Vec::new() }
}

fn ends_by(pattern: Pattern, psk: bool, suites: impl Suites + Copy) -> (End<impl Storage>, End<impl Storage>) {
    let one = |is_client| {
        let psk = psk.then(|| Psk::new(PSK));
        end(is_client, sealer(suites, Identity { psk, ..identity(pattern, is_client) }, is_client))
    };
    (one(true), one(false))
}

fn ends(pattern: Pattern, psk: bool) -> (End<impl Storage>, End<impl Storage>) {
    ends_by(pattern, psk, ChaCha20Poly1305)
}

/// Two ends that have keys.
fn open(suites: impl Suites + Copy) -> (End<impl Storage>, End<impl Storage>) {
    let (mut client, mut server) = ends_by(Pattern::Nn, false, suites);
    pump(&mut client, &mut server);
    assert!(client.line.is_ready() && server.line.is_ready());
    (client, server)
}

impl<S: Storage> End<S> {
    fn said(&mut self) -> Vec<u8> {
        hear(&mut self.line, NOW, 4096)
    }

    fn hear(&mut self, octets: &[u8]) {
        self.input.extend_from_slice(octets);
        loop {
            match self.line.handle_input(NOW, &mut self.input) {
                Ok(step) => {
                    let consumed = step.consumed;
                    self.events.extend(step.event.map(|event| event.map(<[u8]>::to_vec)));
                    self.input.drain(..consumed);
                    if consumed == 0 || self.input.is_empty() {
                        return;
                    }
                }
                Err(error) => {
                    assert_eq!(self.error.replace(error), None, "it erred twice");
                    return;
                }
            }
        }
    }

    fn notify(&mut self, text: &[u8]) {
        self.line.notify(NOW, &Send::new(Action::Number(1), Kind::Bytes, text)).expect("room");
    }

    fn messages(&self) -> Vec<&[u8]> {
        let texts = self.events.iter().filter_map(|event| match event {
            Event::Message(message) => Some(&message.body.bytes[..]),
            _ => None,
        });
        texts.collect()
    }

    /// Says a notice: its record.
    fn record(&mut self, text: &[u8]) -> Vec<u8> {
        self.notify(text);
        let said = self.said();
        assert_eq!((said[0], said.len()), (RECORD, 3 + usize::from(u16::from_le_bytes([said[1], said[2]]))));
        said
    }

    /// It found this error, and has heard nothing.
    fn failed(&self, error: PeerError, what: &str) {
        assert_eq!((self.error, self.messages()), (Some(error), vec![]), "{what}");
    }

    /// The peer told it that.
    fn was_told(&self, error: PeerError, what: &str) {
        let told = self.error == Some(error) || self.line.ending() == Some(Reason::ByPeer(error.code()));
        assert!(told, "{what}: {:?}, {:?}", self.line.ending(), self.error);
    }
}

/// Moves all there is between two ends.
fn pump<A: Storage, B: Storage>(a: &mut End<A>, b: &mut End<B>) {
    pump_by(a, b, |octets| octets);
}

/// The same by somebody who changes what is said.
fn pump_by<A: Storage, B: Storage>(a: &mut End<A>, b: &mut End<B>, mut by: impl FnMut(Vec<u8>) -> Vec<u8>) {
    loop {
        let from_a = a.said();
        b.hear(&by(from_a.clone()));
        let from_b = b.said();
        a.hear(&by(from_b.clone()));
        if from_a.is_empty() && from_b.is_empty() {
            return;
        }
    }
}
