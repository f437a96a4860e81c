//! `conformance/vectors/exchange.txt`: a whole sealed line, octet for octet. `BLESS=1` writes it anew.

use std::fmt::Write;
use std::string::String;
use std::vec::Vec;

use zeroize::Zeroizing;

use super::schedule::{self, Label};
use super::{ChaCha20Poly1305, Identity, Pattern, Policy, Psk, PublicKey, Rule, Sealer, SecretKey};
use crate::sealing::Inner;
use crate::wire::Frame;
use crate::wire::seal::{HANDSHAKE, PREFIX, RECORD};
use crate::{Action, CloseCode, Config, Connection, Flow, Instant, Lane, Memory, Sealed, Send, Side};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../conformance/vectors/exchange.txt");
const HEAD: &str = "\
# A sealed line, octet for octet: Noise_XXpsk0_25519_ChaChaPoly_SHA256, then records of ChaCha20-Poly1305. README.md says how to read it.
";
const NOW: Instant = Instant::from_millis(1);
const TAG: usize = 16;
const KEYS: [[u8; 32]; 2] = [[0x11; 32], [0x22; 32]];
const ENTROPY: [[u8; 32]; 2] = [[0x33; 32], [0x44; 32]];
const PSK: [u8; 32] = [0x55; 32];
const FRESH: [u8; 32] = [0x66; 32];
const WHO: [&str; 2] = ["client", "server"];

type Line = Connection<Sealed<Memory<[Lane; 2], [Flow; 1], [u8; 256]>, Sealer<ChaCha20Poly1305, PublicKey>>>;

/// What it is for, who does it, and what.
type Verb<'a> = (&'a str, usize, &'a dyn Fn(&mut Line));

fn line(who: usize) -> Line {
    let key = |who: usize| SecretKey::new(KEYS[who]);
    let psk = Some(Psk::new(PSK));
    let identity = Identity { pattern: Pattern::Xx, key: Some(key(who)), psk, trust: key(1 - who).public() };
    let sealer = if who == 0 { Sealer::client } else { Sealer::server };
    let sealer = sealer(ChaCha20Poly1305, identity).unwrap().policy(Policy::both(Rule::Optional));
    let begin = if who == 0 { Line::client } else { Line::server };
    begin(NOW, Config::SMALL, ENTROPY[who], Memory::EMPTY.sealed_by(sealer))
}

/// What an end draws for the fresh agreement, to which the server's application brings entropy.
fn share(who: usize) -> Zeroizing<[u8; 32]> {
    let seed = schedule::derive(&ENTROPY[who], Label::Seed);
    let seed = if who == 1 { schedule::mix(&seed, &FRESH, b"entropy", b"") } else { seed };
    schedule::derive(&seed, Label::Drawn)
}

/// All that an end has to say, and what the other makes of it.
fn say(lines: &mut [Line; 2], who: usize, rows: &mut String) {
    let mut octets = [0; 1024];
    let len = lines[who].poll_transmit(NOW, &mut octets);
    let mut rest = &mut octets[..len];
    while !rest.is_empty() {
        let u16 = |at: usize| usize::from(u16::from_le_bytes([rest[at], rest[at + 1]]));
        let (what, len) = match rest[0] {
            0xf2 => ("hello", 6 + u16(4)),
            HANDSHAKE => ("handshake", PREFIX + u16(1)),
            RECORD => ("record", PREFIX + u16(1)),
            _ => ("plain", Frame::read(rest, u32::MAX).unwrap().1),
        };
        let (part, behind) = rest.split_at_mut(len);
        write!(rows, "{} {what} {}", WHO[who], hex(part)).unwrap();
        let mut at = 0;
        while at < part.len() {
            at += lines[1 - who].handle_input(NOW, &mut part[at..]).unwrap().consumed;
        }
        if what == "record" {
            write!(rows, " content={}", hex(&part[PREFIX..part.len() - TAG])).unwrap();
        }
        rows.push('\n');
        rest = behind;
    }
}

#[test]
fn a_sealed_line_says_the_same_for_ever() {
    let mut lines = [line(0), line(1)];
    let mut rows = String::from(HEAD);
    for (who, name) in WHO.into_iter().enumerate() {
        for (what, octets) in [
            ("key", KEYS[who]),
            // In the order in which they are drawn: for the handshake, then for fresh agreements.
            ("ephemeral", *schedule::derive(&ENTROPY[who], Label::Drawn)),
            ("share", *share(who)),
        ] {
            writeln!(rows, "{name} secret {} of={what}", hex(&octets)).unwrap();
        }
    }
    writeln!(rows, "both secret {} of=psk", hex(&PSK)).unwrap();
    for who in [0, 1, 0, 1, 0] {
        say(&mut lines, who, &mut rows);
    }
    assert!(lines.iter().all(Line::is_ready));
    let binding = lines[0].sealer().binding().map(|octets| hex(octets)).unwrap();
    assert_eq!(lines[1].sealer().binding().map(|octets| hex(octets)).unwrap(), binding);
    writeln!(rows, "both binding {binding}").unwrap();
    let notice = |line: &mut Line, text, sealed| {
        line.notify(NOW, &Send { sealed, ..Send::text(Action::Number(7), text) }).unwrap();
    };
    let mut verbs: Vec<Verb<'_>> = Vec::new();
    let seven = |line: &mut Line| notice(line, "hello", false);
    let alone = |line: &mut Line| notice(line, "alone", true);
    verbs.push(("notices, each end's first records", 0, &seven));
    verbs.push(("", 1, &seven));
    verbs.push(("the client's next key", 0, &|line| line.rekey().unwrap()));
    verbs.push(("", 0, &seven));
    verbs.push(("fresh keys for both directions", 1, &|line| line.rekey_afresh(FRESH).unwrap()));
    verbs.push(("", 0, &seven));
    verbs.push(("", 1, &seven));
    verbs.push(("", 0, &seven));
    verbs.push(("the client stops sealing", 0, &|line| line.seal(false).unwrap()));
    verbs.push(("in the clear, and one message alone in a record", 0, &seven));
    verbs.push(("", 0, &alone));
    verbs.push(("the server wishes that it seals again, and it does", 1, &|line| line.ask_to_seal(true).unwrap()));
    verbs.push(("", 0, &seven));
    verbs.push(("goodbye", 0, &|line| line.close(CloseCode::DONE, "")));
    for (what, who, verb) in verbs {
        if !what.is_empty() {
            writeln!(rows, "# {what}").unwrap();
        }
        verb(&mut lines[who]);
        say(&mut lines, who, &mut rows);
    }
    for line in &lines {
        assert!(line.closed().is_some() && !line.sealer().has_keys(), "of what is over the keys are wiped");
        assert_eq!((line.sealer().binding().is_some(), line.is_sealed(Side::Us)), (true, true));
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(PATH, &rows).unwrap();
    }
    assert_eq!(std::fs::read_to_string(PATH).unwrap_or_default(), rows, "it says otherwise; look at it after BLESS=1");
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |text, octet| text + &std::format!("{octet:02x}"))
}
