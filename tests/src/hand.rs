//! One machine whose peer is written by hand, frame by frame.

use std::time::Duration;

use ropeway_core::wire::Frame;
use ropeway_core::wire::hello::Hello;
use ropeway_core::{Config, Connection, Event, Instant, Limits, PeerError, Send, Storage, VERSION};

use crate::say;
use crate::storage::{Arrays, arrays};

/// The id of a server written by hand.
pub const SESSION: [u8; 16] = *b"sixteen octets!!";

/// What the peer written by hand takes: more than any test needs.
pub const PEER: Limits = Limits {
    frame: 4096,
    message: 1 << 20,
    lanes: 16,
    flows: 16,
    window: 1 << 20,
    lane_credit: 1 << 20,
    flow_credit: 1 << 20,
    name: 255,
    definitions: 16,
    attached: 16,
    timeout: 5000,
};

/// Settings that ask for all there is, and more.
pub const HUGE: Config = Config {
    max_frame: u32::MAX,
    max_message: u64::MAX,
    window: u64::MAX,
    lane_credit: u64::MAX,
    flow_credit: u64::MAX,
    max_name: u16::MAX,
    max_definitions: u16::MAX,
    max_attached: u16::MAX,
    timeout: Duration::MAX,
    ..Config::DEFAULT
};

/// A machine, and the time.
#[derive(Debug)]
pub struct Hand<S: Storage = Arrays> {
    /// The machine.
    pub line: Connection<S>,
    /// Now.
    pub now: Instant,
}

impl Hand {
    /// A client or a server on arrays that has not heard anything.
    pub fn new(config: Config, is_server: bool) -> Hand {
        Hand::on(config, is_server, arrays())
    }

    /// A server that has heard the hello of a peer that takes what [`PEER`] says, and has said its own.
    pub fn server() -> Hand {
        Hand::greeted(Config::SMALL, true, arrays(), PEER)
    }

    /// A client that has said hello and heard that of a peer that takes what [`PEER`] says.
    pub fn client() -> Hand {
        Hand::greeted(Config::SMALL, false, arrays(), PEER)
    }
}

impl<S: Storage> Hand<S> {
    /// A client or a server that has not heard anything.
    pub fn on(config: Config, is_server: bool, memory: S) -> Hand<S> {
        let now = Instant::from_millis(1000);
        let line = if is_server {
            Connection::server(now, config, [7; 32], memory)
        } else {
            Connection::client(now, config, [7; 32], memory)
        };
        Hand { line, now }
    }

    /// A client or a server that has said and heard hello.
    pub fn greeted(config: Config, is_server: bool, memory: S, peer: Limits) -> Hand<S> {
        let mut hand = Hand::on(config, is_server, memory);
        let event = hand.say_bytes(&hello(is_server, peer)).expect("the hello is right");
        assert!(matches!(event, Some(Event::Ready(_))), "{event:?}");
        hand.hear();
        hand
    }

    /// The peer says one frame.
    pub fn say(&mut self, frame: &Frame<'_>) -> Result<Option<Event<Vec<u8>>>, PeerError> {
        self.say_bytes(&bytes(frame))
    }

    /// The peer says one frame that has no fault, and that brings no event.
    pub fn tell(&mut self, frame: &Frame<'_>) {
        assert_eq!(self.say(frame), Ok(None), "{frame:?}");
    }

    /// The peer sends octets that make one frame.
    pub fn say_bytes(&mut self, octets: &[u8]) -> Result<Option<Event<Vec<u8>>>, PeerError> {
        let mut input = octets.to_vec();
        let step = self.line.handle_input(self.now, &mut input)?;
        assert!(step.consumed == octets.len(), "{} of {} octets taken", step.consumed, octets.len());
        Ok(step.event.map(|event| event.map(<[u8]>::to_vec)))
    }

    /// The peer opens lane 0, with all of a body or the beginning of one of `size` octets. The machine takes it.
    pub fn opens(&mut self, wants_answer: bool, size: Option<u64>) {
        let frame = if wants_answer { say::request(0, size, 0) } else { say::large_notice(size.expect("a large one")) };
        assert!(matches!(self.say(&frame), Ok(Some(Event::Message(_)))));
        self.line.take_message(4);
    }

    /// The machine opens lane 0, with the first four octets of a body of `size`.
    pub fn requests(&mut self, size: u64) {
        let send = Send { size: Some(size), ..Send::bytes(say::ACTION, b"1234") };
        assert_eq!(self.line.request(self.now, &send).expect("room").lane, Some(say::OPENED));
        self.hear();
    }

    /// All that the machine has to say.
    pub fn hear(&mut self) -> Vec<u8> {
        hear(&mut self.line, self.now, 4096)
    }

    /// All frames that the machine has to say, one line each; its acknowledgements left out.
    pub fn heard(&mut self) -> Vec<String> {
        let octets = self.hear();
        frames(&octets).into_iter().filter(|f| !matches!(f, Frame::Ack { .. })).map(|f| format!("{f:?}")).collect()
    }

    /// Time passes; what that brings.
    pub fn pass(&mut self, millis: u64) -> Vec<Event<Vec<u8>>> {
        self.now = Instant::from_micros(self.now.as_micros() + millis * 1000);
        let mut events = Vec::new();
        while let Some(event) = self.line.handle_timeout(self.now) {
            events.push(event.map(<[u8]>::to_vec));
            assert!(events.len() < 10_000, "time never comes to rest");
        }
        events
    }
}

/// All that a machine has to say, taken in stretches of at most `most` octets. It says beforehand whether there is any.
pub fn hear<S: Storage>(line: &mut Connection<S>, now: Instant, most: usize) -> Vec<u8> {
    let mut all = Vec::new();
    let mut out = vec![0; most];
    loop {
        let wanted = line.wants_transmit();
        let len = line.poll_transmit(now, &mut out);
        if len == 0 {
            // In less there may be no room for the smallest thing that is due.
            assert!(most < 128 || !line.wants_transmit(), "it wants to transmit, and gives nothing");
            return all;
        }
        assert!(wanted, "nobody would have asked for these {len} octets");
        all.extend_from_slice(&out[..len]);
        assert!(all.len() < 1 << 24, "it never comes to an end");
    }
}

/// The hello of the peer of a client or a server.
pub fn hello(to_server: bool, limits: Limits) -> Vec<u8> {
    let session = if to_server { [0; 16] } else { SESSION };
    let mut out = vec![0; 256];
    let len = Hello { oldest: VERSION, newest: VERSION, session, limits }.encode(&mut out).expect("room enough");
    out.truncate(len);
    out
}

/// A frame's octets.
pub fn bytes(frame: &Frame<'_>) -> Vec<u8> {
    let mut out = vec![0; 70_000];
    let len = frame.encode(&mut out).expect("room enough");
    out.truncate(len);
    out
}

/// The frames that octets are.
pub fn frames(mut octets: &[u8]) -> Vec<Frame<'_>> {
    let mut frames = Vec::new();
    while !octets.is_empty() {
        let (frame, len) = Frame::decode(octets, Limits::MAX_FRAME).expect("a right frame").expect("a whole frame");
        frames.push(frame);
        octets = &octets[len..];
    }
    frames
}

/// Moves everything there is between two machines; what each heard goes to `heard`.
pub fn exchange<A: Storage, B: Storage>(a: &mut Hand<A>, b: &mut Hand<B>, heard: &mut Vec<Event<Vec<u8>>>) {
    loop {
        let (from_a, from_b) = (a.hear(), b.hear());
        if from_a.is_empty() && from_b.is_empty() {
            return;
        }
        feed(&mut b.line, b.now, from_a, heard);
        feed(&mut a.line, a.now, from_b, heard);
    }
}

fn feed<S: Storage>(line: &mut Connection<S>, now: Instant, mut octets: Vec<u8>, heard: &mut Vec<Event<Vec<u8>>>) {
    while !octets.is_empty() {
        let step = line.handle_input(now, &mut octets).expect("no fault");
        heard.extend(step.event.map(|event| event.map(<[u8]>::to_vec)));
        let consumed = step.consumed;
        assert!(consumed > 0);
        octets.drain(..consumed);
    }
}
