//! One machine whose peer is written by hand, frame by frame.

use ropeway_core::wire::Frame;
use ropeway_core::wire::hello::Hello;
use ropeway_core::{Config, Connection, Event, Instant, Limits, PeerError, Storage, VERSION};

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

/// All that a machine has to say, taken in stretches of at most `most` octets.
pub fn hear<S: Storage>(line: &mut Connection<S>, now: Instant, most: usize) -> Vec<u8> {
    let mut all = Vec::new();
    let mut out = vec![0; most];
    loop {
        let len = line.poll_transmit(now, &mut out);
        if len == 0 {
            return all;
        }
        all.extend_from_slice(&out[..len]);
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
