//! The turn that `docs/EMBEDDING.md` shows, with ports that do as they like.

use ropeway_core::seal::{Anyone, ChaCha20Poly1305, Identity, Pattern, Sealer};
use ropeway_core::wire::Frame;
use ropeway_core::wire::hello::MAX_HELLO;
use ropeway_core::{Action, Code, Config, Flow, Lane, Limits, Memory, PeerError, SEALED_BY, Send};
use ropeway_tests::hand::{PEER, bytes, frames, hello};
use ropeway_tests::storage::arrays;

include!("embedding/turn.rs");

#[test]
fn the_turn_is_the_one_that_is_shown() {
    let shown = format!("```rust\n{}```\n", include_str!("embedding/turn.rs"));
    assert!(include_str!("../../docs/EMBEDDING.md").contains(&shown));
}

#[test]
fn the_sizes_are_the_ones_that_are_told() {
    let shown = include_str!("../../docs/EMBEDDING.md");
    let least = Limits { message: 0, lanes: 0, flows: 0, name: 0, definitions: 0, attached: 0, timeout: 0, ..PEER };
    let least = Limits { frame: Limits::MIN_FRAME, window: 96, lane_credit: 96, flow_credit: 96, ..least };
    let credit = Limits::MAX_OCTETS;
    let most = Limits {
        frame: Limits::MAX_FRAME,
        message: credit,
        lanes: Limits::MAX_LANES,
        flows: Limits::MAX_FLOWS,
        window: credit,
        lane_credit: credit,
        flow_credit: credit,
        name: Limits::MAX_NAME,
        definitions: u16::MAX,
        attached: Limits::MAX_FLOWS,
        timeout: u32::MAX,
    };
    let [least, most] = [least, most].map(|limits| hello(true, limits).len());
    assert!(
        shown.contains(&format!("a hello: {least} to {most} octets, up to {} if", MAX_HELLO + 6)),
        "{least}, {most}"
    );
    let device = size_of::<Connection<Memory<[Lane; 1], [Flow; 1], [u8; 256]>>>();
    assert!(shown.contains(&format!("takes {:.1} KB.", device as f64 / 1000.0)), "{device}");
}

/// What a port has to give, for ever again from `again` on if that is somewhere; and what it was given, `room` octets
/// and an interruption at a time.
struct Port {
    said: Vec<u8>,
    at: usize,
    again: Option<usize>,
    /// It ends behind all of that.
    ends: bool,
    heard: Vec<u8>,
    room: usize,
    calls: usize,
}

impl Port {
    fn new(said: Vec<u8>, again: Option<usize>, room: usize) -> Port {
        Port { said, at: 0, again, ends: false, heard: Vec::new(), room, calls: 0 }
    }

    /// Each third call is interrupted.
    fn call(&mut self) -> io::Result<()> {
        self.calls += 1;
        assert!(self.calls < 100_000, "a turn has no end");
        if self.calls.is_multiple_of(3) { Err(ErrorKind::Interrupted.into()) } else { Ok(()) }
    }
}

impl Read for Port {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.call()?;
        if self.at == self.said.len() && !self.ends {
            self.at = self.again.ok_or(ErrorKind::WouldBlock)?;
        }
        let len = (&self.said[self.at..]).read(out)?;
        self.at += len;
        Ok(len)
    }
}

impl Write for Port {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.call()?;
        let len = octets.len().min(self.room);
        self.room -= len;
        self.heard.extend_from_slice(&octets[..len]);
        if len == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(len) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Some turns of a client: how the last one ended, and the frames that it said behind its hello.
fn check(mut port: Port, turns: usize, room: usize) -> (Turn, Vec<String>) {
    let mut line = Connection::client(Instant::ZERO, Config::SMALL, [1; 32], arrays());
    let (mut input, mut held, mut output, mut unsent) = ([0; 256], 0, [0; 128], 0..0);
    let mut last = Turn::Wait;
    for _ in 0..turns {
        port.room += room;
        let (input, output) = ((&mut input[..], &mut held), (&mut output[..], &mut unsent));
        last = turn(&mut line, Instant::ZERO, &mut port, input, output, &mut |_, _, _| Ok(())).expect("it holds");
        if matches!(last, Turn::Over(_)) {
            break;
        }
    }
    let hello = 6 + usize::from(port.heard[4]);
    (last, frames(&port.heard[hello..]).iter().map(|frame| format!("{frame:?}")).collect())
}

#[test]
fn a_turn_has_an_end_when_the_peer_has_none() {
    let greeting = hello(false, PEER);
    let said = [greeting.clone(), bytes(&Frame::Ping { id: 7 })].concat();
    let (last, heard) = check(Port::new(said, Some(greeting.len()), 0), 2, 4096);
    assert_eq!(last, Turn::Again);
    assert!(heard.contains(&format!("{:?}", Frame::Pong { id: 7 })), "{heard:?}");
}

#[test]
fn who_sends_garbage_for_ever_hears_goodbye() {
    let said = [hello(false, PEER), vec![0; 100]].concat();
    let again = said.len() - 100;
    let error = PeerError::Unexpected(0);
    let (last, heard) = check(Port::new(said, Some(again), 0), 2, 4096);
    assert_eq!(last, Turn::Over(Reason::PeerError(error)));
    assert!(heard[0].contains(&format!("{:?}", error.code())), "{heard:?}");
}

/// Its input is full then, and nobody would take anything of it.
#[test]
fn a_hello_that_is_longer_than_the_input_is_no_reason_to_turn_for_ever() {
    let mut said = hello(false, PEER);
    said.truncate(6);
    said[4..6].copy_from_slice(&1000u16.to_le_bytes());
    said.extend([0; 1000]);
    let (last, _) = check(Port::new(said, None, 0), 20, 4096);
    assert_eq!(last, Turn::Over(Reason::Eof));
}

#[test]
fn what_the_port_does_not_take_goes_later() {
    let pings: Vec<u8> = (0..5).flat_map(|id| bytes(&Frame::Ping { id })).collect();
    let said = [hello(false, PEER), pings, bytes(&Frame::Code { lane: 0, code: Code::OK })].concat();
    let (last, heard) = check(Port::new(said.clone(), None, 0), 200, 1);
    assert!(matches!(last, Turn::Over(Reason::PeerError(PeerError::Unexpected(_)))), "{last:?}");
    assert!(heard.last().is_some_and(|said| said.starts_with("Close")), "{heard:?}");
}

#[test]
fn who_says_no_more_hears_goodbye() {
    let said = [hello(false, PEER), bytes(&Frame::Code { lane: 0, code: Code::OK })].concat();
    let (last, heard) = check(Port { ends: true, ..Port::new(said, None, 0) }, 200, 1);
    assert!(matches!(last, Turn::Over(Reason::PeerError(PeerError::Unexpected(_)))), "{last:?}");
    assert!(heard.last().is_some_and(|said| said.starts_with("Close")), "{heard:?}");
}

/// A peer whose line is sealed, as a port: what it has to say, and what was not read yet.
struct Sealed<S: Storage> {
    line: Connection<S>,
    said: Vec<u8>,
}

impl<S: Storage> Read for Sealed<S> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        assert!(!out.is_empty(), "that would be taken for the end");
        if self.said.is_empty() {
            let mut octets = [0; 1024];
            let len = self.line.poll_transmit(Instant::ZERO, &mut octets);
            self.said.extend_from_slice(&octets[..len]);
        }
        let len = out.len().min(self.said.len());
        out[..len].copy_from_slice(&self.said[..len]);
        self.said.drain(..len);
        if len == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(len) }
    }
}

impl<S: Storage> Write for Sealed<S> {
    /// Nothing is left of what is written: it comes as it was transmitted.
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let (mut octets, mut at) = (octets.to_vec(), 0);
        while at < octets.len() {
            at += self.line.handle_input(Instant::ZERO, &mut octets[at..]).expect("it is right").consumed;
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_turn_hears_all_frames_of_a_record() {
    let sealer = || {
        let identity = Identity { pattern: Pattern::Nn, key: None, psk: None, trust: Anyone };
        Sealer::server(ChaCha20Poly1305, identity).expect("it wants no key")
    };
    let mut line = Connection::client(Instant::ZERO, Config::SMALL, [1; 32], arrays().sealed_by(sealer()));
    let server = Connection::server(Instant::ZERO, Config::SMALL, [2; 32], arrays().sealed_by(sealer()));
    let mut port = Sealed { line: server, said: Vec::new() };
    let (mut input, mut held, mut output, mut unsent) = ([0; 256 + SEALED_BY], 0, [0; 128 + SEALED_BY], 0..0);
    let mut heard = Vec::new();
    for turns in 0..4 {
        if turns == 2 {
            for text in ["one", "two", "three"] {
                port.line.notify(Instant::ZERO, &Send::text(Action::Number(1), text)).expect("there is room");
            }
        }
        let mut hear = |_: &mut Connection<_>, _, event: &Event<&[u8]>| {
            if let Event::Message(message) = event {
                heard.push(String::from_utf8_lossy(message.body.bytes).into_owned());
            }
            Ok(())
        };
        let (input, output) = ((&mut input[..], &mut held), (&mut output[..], &mut unsent));
        let outcome = turn(&mut line, Instant::ZERO, &mut port, input, output, &mut hear).expect("it holds");
        assert!(matches!(outcome, Turn::Wait | Turn::Again), "{outcome:?}");
    }
    assert_eq!(heard, ["one", "two", "three"]);
}
