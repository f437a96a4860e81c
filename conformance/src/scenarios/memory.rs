//! Memory: what a line costs, and that no peer can make it cost more.
//!
//! Each scenario measures the heap of its process, and so must be alone in it: see [`crate::heap`].

mod afterwards;
mod hand;
pub(super) mod peer;
mod said;
mod sealed;
mod ungreeted;
mod unread;
mod unshaken;
mod untaken;

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_io::AsyncRead;
use ropeway_driver::{CloseCode, Config, Ended, Error, Line, Reason};

use crate::weather;

pub use self::afterwards::{
    an_idle_line_gives_back_what_a_burst_took, idle_streams_give_back_what_a_burst_took,
    requests_given_up_leave_nothing,
};
use self::hand::{Doing, Hand};
pub use self::said::{
    a_million_tiny_fragments_pass_through, declared_lengths_allocate_nothing, floods_of_control_cost_nothing,
    tiny_fragments_cost_what_was_allowed,
};
pub use self::sealed::{
    a_peer_that_does_not_say_who_it_is_costs_little_and_is_gone_in_time,
    a_peer_that_stops_before_there_are_keys_costs_little_and_is_gone_in_time,
    an_idle_sealed_line_costs_little_more_than_a_plain_one,
};
pub use self::ungreeted::{
    a_peer_without_hello_costs_little_and_is_gone_in_time, connections_without_hello_cost_little_and_are_gone_in_time,
};
pub use self::unread::{
    a_peer_that_does_not_read_stops_its_sender, a_slow_reader_costs_its_own_queue_and_nobody_else,
    a_socket_that_is_not_read_stops_its_sender, files_to_a_peer_that_does_not_read_wait,
};
pub use self::unshaken::handshakes_that_stop_cost_little_and_are_gone_in_time;
pub use self::untaken::what_is_not_taken_is_what_was_allowed;

/// What the driver may keep of a write that the transport took in part.
const UNWRITTEN: usize = 256 * 1024;
/// What the driver keeps of each message, answer or piece besides its octets, row by row, the rows doubled as they grow.
const ROW: usize = 160;
/// What is as good as nothing: names, and rows with room for a few.
const LITTLE: usize = 8 * 1024;
/// What a line and its tasks cost by themselves, and what growing row by row wastes.
const SMALL: usize = 64 * 1024;

/// Room in a transport: less than anything that is measured.
const PIPE: usize = 16 * 1024;

/// Ends that hear nothing more wait for just so long, and no longer.
fn are_gone_in_time(hand: &Hand, lines: Vec<((Line, Doing<Ended>), weather::End)>, timeout: Duration, what: &str) {
    let moment = Duration::from_millis(1);
    hand.pass(timeout - moment);
    assert!(lines.iter().all(|((_, ended), _)| ended.done().is_none()), "{what}: gone early");
    hand.pass(moment);
    for ((_, ended), _) in &lines {
        let Some(Ended { reason, .. }) = ended.done() else { panic!("{what}: still there") };
        assert_eq!(reason, Reason::HelloTimeout, "{what}");
    }
}

fn to_usize(octets: u64) -> usize {
    octets.try_into().expect("less than there is memory")
}

/// A thread on which lines have run, so that what they share is there.
fn warm() -> Hand {
    let hand = Hand::new();
    let (client, server) = hand.lines(Config::DEFAULT, Config::DEFAULT);
    let taking = take_all(&hand, &server);
    hand.finish(client.notify(1, "warm")).expect("it is sent");
    hand.finish(client.close(CloseCode::DONE, ""));
    hand.run();
    assert!(taking.done().is_some());
    drop((client, server));
    hand.pass(Duration::from_secs(60));
    hand
}

/// Takes messages, each as a whole, and drops them.
fn take_all(hand: &Hand, line: &Line) -> Doing<()> {
    let mut messages = line.messages();
    hand.start(async move {
        while let Some(mut message) = messages.next().await {
            // It may never come.
            let _ = message.body().await;
        }
    })
}

type Job = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

fn job(work: impl Future<Output = Result<(), Error>> + Send + 'static) -> Job {
    Box::pin(work)
}

fn small() -> &'static str {
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
}

/// A mebibyte.
fn large() -> &'static str {
    static LARGE: OnceLock<String> = OnceLock::new();
    LARGE.get_or_init(|| small().repeat(16 * 1024))
}

/// Content without end.
struct Endless;

impl AsyncRead for Endless {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(out.len()))
    }
}

/// Sends a stream without end.
async fn pour(line: Line, piece: &str) -> Result<(), Error> {
    let (mut writer, _reader) = line.open(1, "").timeout(Duration::ZERO).into_stream().await?;
    loop {
        writer.send(piece.as_bytes()).await?;
    }
}

/// Whether it waits. It is given up if it does.
fn is_pending(work: impl Future) -> bool {
    pin!(work).poll(&mut Context::from_waker(Waker::noop())).is_pending()
}
