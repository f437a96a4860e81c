use std::collections::VecDeque;
use std::io;

use ropeway_core::wire::hello::Hello;
use ropeway_core::{CloseCode, VERSION};

use super::*;
use crate::line::{Line, Role};
use crate::runtime::{Endpoints, Spawn};

/// Gives these pieces, one a read, and takes what is written as long as there is room.
struct Script {
    pieces: VecDeque<Vec<u8>>,
    written: Vec<Vec<u8>>,
    room: usize,
}

impl AsyncRead for Script {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        let Some(mut piece) = self.pieces.pop_front() else { return Poll::Pending };
        let len = piece.len().min(out.len());
        out[..len].copy_from_slice(&piece[..len]);
        if len < piece.len() {
            self.pieces.push_front(piece.split_off(len));
        }
        Poll::Ready(Ok(len))
    }
}

impl AsyncWrite for Script {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let len = octets.len().min(self.room);
        if len == 0 {
            return Poll::Pending;
        }
        self.room -= len;
        self.written.push(octets[..len].to_vec());
        Poll::Ready(Ok(len))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A clock that stands, and tasks that nobody starts.
struct Stopped(Duration);

impl Clock for Stopped {
    fn now(&self) -> Duration {
        self.0
    }

    fn poll_until(&mut self, _: &mut Context<'_>, at: Duration) -> Poll<()> {
        if at <= self.0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Spawn for Stopped {
    fn spawn(&self, _: Pin<Box<dyn Future<Output = ()> + Send>>) {}

    fn spawn_blocking(&self, _: Box<dyn FnOnce() + Send>) {}

    fn now(&self) -> Duration {
        self.0
    }
}

fn server(pieces: impl IntoIterator<Item = Vec<u8>>, config: Config) -> (Line, Driver<Script, Stopped>) {
    let script = Script { pieces: pieces.into_iter().collect(), written: Vec::new(), room: usize::MAX };
    let spawn = Arc::new(Stopped(Duration::ZERO));
    let line = Line::new(Role::Server, script, Stopped(Duration::ZERO), spawn, Endpoints::default(), [7; 32], config);
    line.expect("it is not sealed")
}

fn poll(driver: &mut Driver<Script, Stopped>) -> Poll<Ended> {
    Pin::new(driver).poll(&mut Context::from_waker(Waker::noop()))
}

fn hello() -> Vec<u8> {
    let mut octets = vec![0; 1024];
    let limits = Limits {
        frame: Limits::MAX_FRAME,
        message: 0,
        lanes: 8,
        flows: 0,
        window: 1 << 20,
        lane_credit: 1 << 20,
        flow_credit: 1 << 20,
        name: 0,
        definitions: 0,
        attached: 0,
        timeout: 0,
    };
    let hello = Hello { oldest: VERSION, newest: VERSION, session: [0; 16], limits };
    let len = hello.encode(&mut octets).expect("it has less than 1024 octets");
    octets.truncate(len);
    octets
}

#[test]
fn a_frame_that_has_begun_costs_one_frame_until_its_rest_comes() {
    let mut config = Config::DEFAULT;
    config.protocol.max_frame = 40_000;
    let (line, mut driver) = server([hello()], config);
    // One of a kind that is passed over, with 32752 octets.
    let frame = [&[28 << 3, 0xf0, 0xff, 0x01][..], &[0; 32752]].concat();
    // What comes; what is held of it, and how much memory: as for a record, which may hold such a frame.
    let steps: [(&[u8], usize, usize); 6] = [
        (&frame[..100], 100, 100),
        (&frame[100..MOVED], MOVED, MOVED),
        (&frame[MOVED..5000], 5000, 40_000 + SEALED_BY),
        (&frame[5000..30_000], 30_000, 40_000 + SEALED_BY),
        (&[&frame[30_000..], &frame[..7]].concat(), 7, 7),
        (&frame[7..], 0, 0),
    ];
    for (piece, kept, own) in steps {
        driver.stream.pieces.push_back(piece.to_vec());
        assert!(poll(&mut driver).is_pending());
        assert_eq!((driver.kept, driver.own.capacity()), (kept, own));
    }
    assert_eq!((line.is_over(), line.stats().received.octets > 0), (false, true));
}

#[test]
fn who_is_answered_together_asks_again_in_one_write() {
    let (line, mut driver) = server([hello()], Config::DEFAULT);
    assert!(poll(&mut driver).is_pending(), "they greet each other");
    let ask_twice = |_| {
        let line = line.clone();
        Box::pin(async move { (line.ask(1u32, &()).await.is_ok(), line.ask(1u32, &()).await.is_ok()) })
    };
    let mut callers: Vec<_> = (0..3).map(ask_twice).collect();
    // A lone request is written at once; of those who were answered together none is taken for one.
    for writes in [2, 1] {
        driver.stream.written.clear();
        for caller in &mut callers {
            assert!(caller.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            if driver.shared.lock().machine.lanes().0 == 1 {
                // Woken by the first, it runs before the second: so do runtimes.
                assert!(poll(&mut driver).is_pending());
            }
        }
        // It lets others speak first, then writes.
        assert!(poll(&mut driver).is_pending());
        assert!(poll(&mut driver).is_pending());
        assert_eq!(driver.stream.written.len(), writes);
        let code = |lane| [5 << 3, lane, 0];
        driver.stream.pieces.push_back((0..3).flat_map(code).collect());
        assert!(poll(&mut driver).is_pending());
    }
    for caller in &mut callers {
        let done = caller.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(done, Poll::Ready((true, true)));
    }
}

#[test]
fn a_peer_that_never_stops_does_not_keep_a_lingering_line() {
    let (_line, mut driver) = server(vec![vec![0]; 1000], Config::DEFAULT);
    driver.phase = Phase::Lingering;
    driver.closing = Some(Instant::ZERO);
    assert!(poll(&mut driver).is_pending());
    assert_eq!(driver.stream.pieces.len(), 1000 - STEPS, "others get a turn");
    driver.clock.0 = driver.config.close_timeout;
    assert!(poll(&mut driver).is_ready());
    assert_eq!(driver.stream.pieces.len(), 1000 - STEPS, "its time is over");
}

#[test]
fn what_was_begun_is_not_torn_by_the_goodbye_of_a_line_that_is_given_up() {
    // All there is room for when it is, of the hello.
    let said = |room| {
        let (line, mut driver) = server([hello()], Config::DEFAULT);
        driver.stream.room = room;
        assert!(poll(&mut driver).is_pending());
        driver.stream.room = usize::MAX;
        line.part(CloseCode::AWAY);
        // Others may speak first.
        assert!(poll(&mut driver).is_pending());
        assert!(poll(&mut driver).is_ready());
        driver.stream.written.concat()
    };
    assert_eq!(said(10), said(usize::MAX));
}
