//! The published vectors: those of our patterns and algorithms by [`Handshake`], and all by the framework over our X25519. Of NX and XX
//! with a pre-shared key those that are published mix it in last.

use std::string::String;
use std::vec;
use std::vec::Vec;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{AeadInOut, KeyInit};
use noise_protocol::patterns::HandshakePattern;
use noise_protocol::patterns::Token::{E, EE, ES, PSK, S, SE};
use noise_protocol::{Cipher, CipherState, HandshakeState, Hash, U8Array};

use super::super::{Handshake, Pattern};
use super::key;
use crate::seal::keys::Psk;
use crate::seal::primitives::{ChaChaPoly, Secret, Sha256, X25519};
use crate::testing::of_hex;

#[test]
fn published_vectors_pass() {
    let cases = cases();
    let ours = cases
        .iter()
        .filter(|case| case.name.ends_with("_25519_ChaChaPoly_SHA256") && !case.mixes_last())
        .inspect(|case| check::<Handshake>(case));
    assert_eq!(ours.count(), 7);
    for case in &cases {
        match &case.name.split('_').collect::<Vec<_>>()[3..] {
            ["ChaChaPoly", hash] => check_hash::<ChaChaPoly>(hash, case),
            ["AESGCM", hash] => check_hash::<AesGcm>(hash, case),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(cases.len(), 72);
}

fn check_hash<C: Cipher>(hash: &str, case: &Case) {
    match hash {
        "SHA256" => check::<HandshakeState<X25519, C, Sha256>>(case),
        "SHA512" => check::<HandshakeState<X25519, C, Sha512>>(case),
        "BLAKE2s" => check::<HandshakeState<X25519, C, Blake2s>>(case),
        "BLAKE2b" => check::<HandshakeState<X25519, C, Blake2b>>(case),
        other => panic!("{other}"),
    }
}

/// Both ends say what the case has, and hear it; then they say the rest by the keys that they agreed on.
fn check<E: End>(case: &Case) {
    let name = &case.name;
    let (mut client, mut server) = (E::begin(case, true), E::begin(case, false));
    let mut messages = case.messages.iter().enumerate();
    while !client.is_done() {
        let (turn, (payload, message)) = messages.next().unwrap();
        let (speaker, listener) = if turn % 2 == 0 { (&mut client, &mut server) } else { (&mut server, &mut client) };
        assert_eq!(&speaker.say(payload), message, "{name}, message {turn}");
        assert_eq!(&listener.hear(message), payload, "{name}, message {turn}");
    }
    assert!(server.is_done(), "{name}");
    assert_eq!(client.hash(), server.hash(), "{name}");
    assert!(case.hash.is_none() || case.hash == Some(client.hash()), "{name}");
    let (mut clients, mut servers) = (client.ciphers(), server.ciphers());
    for (turn, (payload, message)) in messages {
        let (speaker, listener) =
            if turn % 2 == 0 { (&mut clients.0, &mut servers.0) } else { (&mut servers.1, &mut clients.1) };
        let mut said = vec![0; payload.len() + 16];
        speaker.encrypt(payload, &mut said);
        assert_eq!(&said, message, "{name}, message {turn}");
        let mut heard = vec![0; payload.len()];
        listener.decrypt(message, &mut heard).unwrap();
        assert_eq!(&heard, payload, "{name}, message {turn}");
    }
}

trait End {
    type Cipher: Cipher;

    fn begin(case: &Case, is_client: bool) -> Self;
    fn say(&mut self, payload: &[u8]) -> Vec<u8>;
    fn hear(&mut self, message: &[u8]) -> Vec<u8>;
    fn is_done(&self) -> bool;
    fn hash(&self) -> Vec<u8>;
    fn ciphers(&self) -> (CipherState<Self::Cipher>, CipherState<Self::Cipher>);
}

impl End for Handshake {
    type Cipher = ChaChaPoly;

    fn begin(case: &Case, is_client: bool) -> Handshake {
        let (ephemeral, own) = if is_client { &case.client } else { &case.server };
        let own = own.map(key);
        let psk = case.psk.map(Psk::new);
        Handshake::new(case.pattern(), is_client, &case.prologue, ephemeral, own.as_ref(), psk.as_ref()).unwrap()
    }

    fn say(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut out = [0; 512];
        let len = self.write(payload, &mut out).unwrap();
        out[..len].to_vec()
    }

    fn hear(&mut self, message: &[u8]) -> Vec<u8> {
        let mut payload = [0; 512];
        let len = self.read(message, &mut payload).unwrap();
        payload[..len].to_vec()
    }

    fn is_done(&self) -> bool {
        self.is_done()
    }

    fn hash(&self) -> Vec<u8> {
        self.keys().unwrap().hash.to_vec()
    }

    fn ciphers(&self) -> (CipherState<ChaChaPoly>, CipherState<ChaChaPoly>) {
        let keys = self.keys().unwrap();
        (CipherState::new(&*keys.to_server, 0), CipherState::new(&*keys.to_client, 0))
    }
}

impl<C: Cipher, H: Hash> End for HandshakeState<X25519, C, H> {
    type Cipher = C;

    fn begin(case: &Case, is_client: bool) -> Self {
        let (ephemeral, own) = if is_client { &case.client } else { &case.server };
        let pattern = match &case.name[6..12] {
            "NXpsk2" => HandshakePattern::new(&[], &[], &[&[E], &[E, EE, S, ES, PSK]], "NXpsk2"),
            "XXpsk3" => HandshakePattern::new(&[], &[], &[&[E], &[E, EE, S, ES], &[S, SE, PSK]], "XXpsk3"),
            _ => case.pattern().of_noise(case.psk.is_some()),
        };
        let (own, ephemeral) = (own.map(Secret), Some(Secret(*ephemeral)));
        let mut state = Self::new(pattern, is_client, &case.prologue, own, ephemeral, None, None);
        if let Some(psk) = case.psk {
            state.push_psk(&psk);
        }
        state
    }

    fn say(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![0; payload.len() + self.get_next_message_overhead()];
        self.write_message(payload, &mut out).unwrap();
        out
    }

    fn hear(&mut self, message: &[u8]) -> Vec<u8> {
        let mut payload = vec![0; message.len() - self.get_next_message_overhead()];
        self.read_message(message, &mut payload).unwrap();
        payload
    }

    fn is_done(&self) -> bool {
        self.completed()
    }

    fn hash(&self) -> Vec<u8> {
        self.get_hash().to_vec()
    }

    fn ciphers(&self) -> (CipherState<C>, CipherState<C>) {
        self.get_ciphers()
    }
}

#[derive(Default)]
struct Case {
    name: String,
    prologue: Vec<u8>,
    client: ([u8; 32], Option<[u8; 32]>),
    server: ([u8; 32], Option<[u8; 32]>),
    psk: Option<[u8; 32]>,
    hash: Option<Vec<u8>>,
    messages: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Case {
    fn pattern(&self) -> Pattern {
        match &self.name[6..8] {
            "NN" => Pattern::Nn,
            "NX" => Pattern::Nx,
            "XX" => Pattern::Xx,
            other => panic!("{other}"),
        }
    }

    fn mixes_last(&self) -> bool {
        self.psk.is_some() && self.pattern() != Pattern::Nn
    }
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::<Case>::new();
    for line in include_str!("noise.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.split(' ');
        let first = words.next().unwrap();
        if first.starts_with("Noise_") {
            cases.push(Case { name: first.into(), ..Case::default() });
            continue;
        }
        let case = cases.last_mut().unwrap();
        let second = of_hex(words.next().unwrap());
        let end = |own: &str| (second[..].try_into().unwrap(), (own != "-").then(|| of_hex(own).try_into().unwrap()));
        match first {
            "prologue" => case.prologue = second,
            "client" => case.client = end(words.next().unwrap()),
            "server" => case.server = end(words.next().unwrap()),
            "psk" => case.psk = Some(second.try_into().unwrap()),
            "hash" => case.hash = Some(second),
            payload => case.messages.push((of_hex(payload), second)),
        }
    }
    cases
}

/// AES-256-GCM. Unlike the other, it counts with the highest octet first.
enum AesGcm {}

impl AesGcm {
    fn nonce(number: u64) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&number.to_be_bytes());
        nonce
    }
}

impl Cipher for AesGcm {
    type Key = Secret;

    fn name() -> &'static str {
        "AESGCM"
    }

    fn encrypt(key: &Secret, number: u64, head: &[u8], text: &[u8], out: &mut [u8]) {
        let (sealed, tag) = out.split_at_mut(text.len());
        sealed.copy_from_slice(text);
        let cipher = Aes256Gcm::new((&key.0).into());
        tag.copy_from_slice(&cipher.encrypt_inout_detached(&Self::nonce(number).into(), head, sealed.into()).unwrap());
    }

    fn encrypt_in_place(_: &Secret, _: u64, _: &[u8], _: &mut [u8], _: usize) -> usize {
        unreachable!("the framework seals from one buffer to another")
    }

    fn decrypt(key: &Secret, number: u64, head: &[u8], sealed: &[u8], out: &mut [u8]) -> Result<(), ()> {
        let (text, tag) = sealed.split_at(out.len());
        out.copy_from_slice(text);
        let cipher = Aes256Gcm::new((&key.0).into());
        let tag = tag.try_into().unwrap();
        cipher.decrypt_inout_detached(&Self::nonce(number).into(), head, out.into(), &tag).map_err(|_| ())
    }

    fn decrypt_in_place(_: &Secret, _: u64, _: &[u8], _: &mut [u8], _: usize) -> Result<usize, ()> {
        unreachable!("the framework opens from one buffer to another")
    }
}

macro_rules! hash {
    ($name:ident, $text:literal, $digest:path, $hash:ty, $block:literal, $output:literal) => {
        #[derive(Default)]
        struct $name($hash);

        impl Hash for $name {
            type Block = Secret<$block>;
            type Output = Secret<$output>;

            fn name() -> &'static str {
                $text
            }

            fn input(&mut self, data: &[u8]) {
                <$hash as $digest>::update(&mut self.0, data);
            }

            fn result(&mut self) -> Secret<$output> {
                Secret::from_slice(&<$hash as $digest>::finalize(core::mem::take(&mut self.0)))
            }
        }
    };
}

hash!(Sha512, "SHA512", sha2::Digest, sha2::Sha512, 128, 64);
hash!(Blake2s, "BLAKE2s", blake2::Digest, blake2::Blake2s256, 64, 32);
hash!(Blake2b, "BLAKE2b", blake2::Digest, blake2::Blake2b512, 128, 64);
