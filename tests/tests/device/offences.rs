//! Peers that break the rules: what the device says of it.

use super::*;

/// More than it announced, or what is no protocol: the octets behind a hello, and what the device finds.
pub(super) fn offences() -> Vec<(Vec<u8>, PeerError)> {
    let config = Config::SMALL;
    let (frame, message) = (config.max_frame, config.max_message);
    let octets = |frames: &[Frame<'_>]| frames.iter().flat_map(bytes).collect::<Vec<_>>();
    let behind = |begun: Vec<u8>, frames: &[Frame<'_>]| [begun, octets(frames)].concat();
    let defined = |index, name| Frame::Define(wire::Define { table: Table::Actions, index, fingerprint: None, name });
    let name = "x".repeat(usize::from(config.max_name) + 1);
    let named = wire::Offer { flow: 0, side: Side::Us, lane: 0, push: false, size: None, media: "", name: &name };
    let unknown = Frame::Notice(wire::Notice { action: Action::Name(0), body: body(b"") });
    let second_flow = Frame::Offer(wire::Offer { flow: 1, name: "f", ..named });
    let (large, piece_of_large) = ([7; 200], |bytes| piece(ACCEPTED, bytes));
    let definitions: Vec<_> = (0..=config.max_definitions).map(|index| defined(index, "x")).collect();
    vec![
        (octets(&[notice(&[0; 300])]), PeerError::FrameTooLarge { size: 304, limit: frame }),
        (octets(&[request(0, Some(message + 1), 0)]), PeerError::MessageTooLarge { size: message + 1, limit: message }),
        (
            octets(&[say::response(b"1", Some(message + 1), false)]),
            PeerError::MessageTooLarge { size: message + 1, limit: message },
        ),
        (octets(&[request(1, None, 0)]), PeerError::LaneLimit(1)),
        (octets(&[request(0, Some(9), 0), request(0, None, 0)]), PeerError::LaneInUse(0)),
        // Each counts for 32 more than it has.
        (octets(&[notice(&large); 3]), PeerError::Window),
        (octets(&[request(0, Some(message), 0), piece_of_large(&large), piece_of_large(&large)]), PeerError::Credit),
        (behind(file(FILE as u64), &[say::begin(0), data(&large), data(&large), data(&large)]), PeerError::Credit),
        (behind(file(9), &[say::begin(0), data(b"0123456789")]), PeerError::Range),
        (behind(file(9), &[say::begin(0), data(b"01234567"), say::FINISH]), PeerError::Range),
        (behind(file(9), &[say::begin(1), data(b"9")]), PeerError::Range),
        (octets(&[request(0, None, 3)]), PeerError::FlowLimit(3)),
        (octets(&[request(0, None, 2), second_flow]), PeerError::FlowLimit(1)),
        (
            octets(&[request(0, None, 2), say::offer(ACCEPTED, true, None), say::offer(ACCEPTED, true, None)]),
            PeerError::FlowInUse(0),
        ),
        (octets(&[request(0, None, 0), say::offer(ACCEPTED, true, None)]), PeerError::FlowInUse(0)),
        (octets(&[defined(0, &name)]), PeerError::BadName),
        (octets(&[request(0, None, 1), Frame::Offer(named)]), PeerError::BadName),
        (
            octets(&[request(0, None, 1), Frame::Offer(wire::Offer { name: "", media: &name, ..named })]),
            PeerError::BadName,
        ),
        (octets(&definitions), PeerError::Definition(config.max_definitions)),
        (octets(&[unknown]), PeerError::Definition(0)),
        (octets(&[Frame::Ack { count: 1000 }]), PeerError::BadAck),
        (octets(&[Frame::Window { limit: 1 << 62 }]), PeerError::CreditOverflow),
        (octets(&[request(0, Some(4), 0)]), PeerError::BodyOverrun),
        (octets(&[request(0, Some(6), 0), piece(ACCEPTED, b"123")]), PeerError::BodyOverrun),
        (octets(&[data(b"nobody asked")]), PeerError::Unexpected(13)),
        (octets(&[Frame::End { lane: 0 }]), PeerError::Unexpected(9)),
        (b"\xf2RWY again".to_vec(), PeerError::SecondHello),
        (b"\0garbage".to_vec(), PeerError::Unexpected(0)),
        (vec![2 << 3, 0x80, 0], PeerError::BadVarint),
    ]
}

/// The last that the device says when it is sent this, which has to be that error's code, and that the next line is fine.
async fn offended(said: Vec<u8>, error: PeerError) {
    // The pipe holds little and the peer reads once all that it says has gone: nothing that the device may give back,
    // window or credit, makes up for what is too much.
    let (near, mut far) = duplex(16);
    let peer = async {
        far.write_all(&said).await.expect("it reads");
        // What counts for nothing.
        let _ = far.write_all(&[7; 1000]).await;
        heard(far).await
    };
    let (heard, (ended, _)) = tokio::join!(peer, run(near));
    assert_eq!(ended, Reason::PeerError(error));
    assert_eq!(heard.last(), Some(&format!("{:?}", goodbye(error))), "{said:02x?}");

    let (server, told) = serve("mem://", FILE).await;
    let (near, far) = duplex(4096);
    server.serve_stream(TokioIo(far)).await;
    check(run(near).await, &told);
}

#[tokio::test]
async fn a_device_that_is_sent_too_much_says_the_code_and_opens_the_next_line() {
    for (offence, error) in offences() {
        offended([hello(false, PEER), offence].concat(), error).await;
    }
}

#[tokio::test]
async fn a_device_that_is_greeted_wrongly_says_the_code_and_opens_the_next_line() {
    let changed = |at: usize, octets: &[u8]| {
        let mut hello = hello(false, PEER);
        hello[at..at + octets.len()].copy_from_slice(octets);
        hello
    };
    for (said, error) in [
        (changed(4, &[1, 4]), PeerError::BadHello(Field::Length)),
        (changed(6, &[0]), PeerError::BadHello(Field::Versions)),
        (changed(6, &[2, 3]), PeerError::Version { oldest: 2, newest: 3 }),
        (changed(8, &[0; 16]), PeerError::BadHello(Field::Session)),
        // A frame of one octet.
        (changed(24, &[0x81, 0]), PeerError::BadHello(Field::Frame)),
    ] {
        offended(said, error).await;
    }
}
