//! Suites: which of several, and one of the user's own.

use ropeway_driver::Seal;
use ropeway_driver::seal::{Cipher, KEYS, Suite, Suites, rust_crypto};

use super::{agree, answering, concerned, pair, talk};
use crate::scenarios::{Scenario, scenarios};
use crate::world::World;

pub(in crate::scenarios) const LIST: &[Scenario] = scenarios![
    the_servers_order_counts if concerned,
    a_suite_of_the_users_own_seals_all_there_is if concerned,
];

async fn the_servers_order_counts(world: World) {
    let list = |names: &[&str]| Suites::default().named(names.iter().copied()).expect("they are all there");
    let (aes, chacha, cbc) = ("AES-256-GCM", "ChaCha20-Poly1305", "A256CBC-HS512");
    let cases: [(&[&str], &[&str], &str); 4] = [
        (&[aes, chacha, cbc], &[cbc, chacha, aes], cbc),
        (&[aes, chacha], &[cbc, chacha, aes], chacha),
        (&[cbc, aes], &[aes, cbc], aes),
        (&[chacha], &[aes, cbc, chacha], chacha),
    ];
    for (clients, servers, taken) in cases {
        let [near, far] = [clients, servers].map(|names| Seal::anonymous().suites(list(names)));
        let (near, far) = pair(&world, near, far).await;
        agree(&near, &far, taken);
        world.part(near, far).await;
    }
}

/// One of which a record is as much longer than its content as may be.
struct Own;

struct OwnCipher(<rust_crypto::ChaCha20Poly1305 as Suite>::Cipher);

const TAG: usize = 16;
const MARK: [u8; 32] = *b"a mark that is a user's own, too";

impl Suite for Own {
    type Cipher = OwnCipher;

    fn name(&self) -> &str {
        "x-own"
    }

    fn cipher(&self, keys: &[[u8; 32]; KEYS]) -> OwnCipher {
        OwnCipher(rust_crypto::ChaCha20Poly1305.cipher(keys))
    }
}

impl Cipher for OwnCipher {
    fn overhead(&self) -> usize {
        TAG + MARK.len()
    }

    fn seal(&mut self, number: u64, head: &[u8], record: &mut [u8], len: usize) -> Option<usize> {
        let marked = len + MARK.len();
        record.get_mut(..marked + TAG)?.get_mut(len..marked)?.copy_from_slice(&MARK);
        self.0.seal(number, head, record, marked)
    }

    fn open(&mut self, number: u64, head: &[u8], record: &mut [u8]) -> Option<usize> {
        let marked = self.0.open(number, head, record)?;
        marked.checked_sub(MARK.len()).filter(|len| record[*len..marked] == MARK)
    }
}

async fn a_suite_of_the_users_own_seals_all_there_is(world: World) {
    let near = Seal::anonymous().suites(Suites::default().and(Own));
    let far = Seal::anonymous().suites(Suites::none().and(Own).and(rust_crypto::Aes256Gcm));
    let (near, far) = pair(&world, near, far).await;
    agree(&near, &far, "x-own");
    world.serve(&far, answering());
    talk(&world, &near, 2).await;
    world.part(near, far).await;
}
