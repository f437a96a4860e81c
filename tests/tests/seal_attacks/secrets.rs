//! Secrets: nothing prints, keeps or lets be told what is nobody else's.

use super::*;

/// D16: what can be changed without being noticed is not offered.
#[test]
fn every_suite_authenticates() {
    let sealer = sealer(ALL, identity(Pattern::Nn, true), true);
    let names: Vec<&str> = sealer.suites().collect();
    assert_eq!(names, ["AES-256-GCM", "ChaCha20-Poly1305", "A256CBC-HS512"]);
}

/// D17: nothing that is printed has a secret in it, as text, hex or numbers.
#[test]
fn no_secret_is_printed() {
    let (mut client, mut server) = ends(Pattern::Xx, true);
    let mut printed =
        format!("{:?} {:?}", Psk::new(PSK), Identity { psk: Some(Psk::new(PSK)), ..identity(Pattern::Xx, true) });
    printed += &format!("{:?} {:?}", SecretKey::new(KEYS[0]), SecretKey::new(KEYS[1]));
    for turn in 0..6 {
        let octets = client.said();
        server.hear(&octets);
        if client.line.is_ready() && turn < 4 {
            client.notify(TEXT);
        }
        let octets = server.said();
        client.hear(&octets);
        printed += &format!("{:?} {:?}", client.line, server.line);
    }
    assert_eq!(server.messages(), [TEXT; 2]);
    server.hear(&[RECORD, 20, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    let error = server.error.expect("it is forged");
    printed += &format!("{error} {error:?} {:?} {:?}", server.line, server.line.closed());
    for secret in [KEYS[0], KEYS[1], PSK, [1; 32], [2; 32]] {
        let few = &secret[..4];
        let hex: String = few.iter().map(|octet| format!("{octet:02x}")).collect();
        for text in [
            hex.clone(),
            hex.to_uppercase(),
            format!("{few:?}").replace(['[', ']'], ""),
            format!("{few:x?}").replace(['[', ']'], ""),
        ] {
            assert!(!printed.contains(&text), "{text} in {printed}");
        }
    }
    assert!(!printed.contains("nobody else"));
}

/// D18: nothing is made smaller before it is sealed: how long a record is tells how long its content is, and not what it is.
#[test]
fn how_long_a_record_is_does_not_depend_on_what_it_says() {
    let (mut client, _) = open(ChaCha20Poly1305);
    let mut dice = Dice::seed(3);
    let same = client.record(&[7; 100]).len();
    let random: Vec<u8> = (0..100).map(|_| dice.below(256) as u8).collect();
    assert_eq!(client.record(&random).len(), same);
}

/// D19: behind what is transmitted there is nothing of what was said, and what could not be opened is wiped.
#[test]
fn no_buffer_keeps_what_it_should_not() {
    let (mut client, mut server) = open(Aes256CbcHmacSha512);
    for room in 100..400 {
        client.notify(TEXT);
        let mut out = vec![0xee; room];
        let len = client.line.poll_transmit(NOW, &mut out);
        let clear = |octets: &[u8]| octets.windows(8).any(|some| TEXT.windows(8).any(|text| text == some));
        assert!(!clear(&out), "{room}");
        let rest = client.said();
        assert!(!clear(&rest));
        server.hear(&out[..len]);
        server.hear(&rest);
        server.line.take_message(TEXT.len());
        client.hear(&server.said());
        assert_eq!(server.error, None);
    }
    let mut record = client.record(TEXT);
    *record.last_mut().unwrap() ^= 1;
    assert_eq!(server.line.handle_input(NOW, &mut record), Err(PeerError::Forged));
    assert!(record[3..].iter().all(|octet| *octet == 0), "{record:02x?}");
}
