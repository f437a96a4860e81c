//! An application that does not take what comes.

use std::future::pending;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::AsyncWrite;
use ropeway_driver::protocol::CHARGE;
use ropeway_driver::{CloseCode, Config, Error, Line, Uploading};

use super::{Endless, Job, ROW, SMALL, UNWRITTEN, job, large, pour, small, to_usize, warm};
use crate::heap;
use crate::scenarios::files_by_hand::offered;

/// About what a frame carries.
const PIECE: usize = 16 * 1024;

/// The peer waits, and what is here is what was allowed.
pub fn what_is_not_taken_is_what_was_allowed() {
    let config = Config::DEFAULT.protocol;
    let [window, lane, flow] = [config.window, config.lane_credit, config.flow_credit].map(to_usize);
    // What; the sender, the receiver; how much the receiver allows, in pieces of about what size.
    let cases: [(&str, Part, Part, usize, usize); 7] = [
        (
            "small notices",
            |line| {
                job(async move {
                    loop {
                        line.notify(1, small()).await?
                    }
                })
            },
            |line| job(hold(line)),
            window,
            small().len(),
        ),
        (
            "a large notice",
            |line| job(async move { line.notify(1, large()).await }),
            |line| job(hold(line)),
            window + lane,
            PIECE,
        ),
        ("a stream that nobody asked for", |line| job(pour(line, large())), |line| job(hold(line)), flow, PIECE),
        (
            "a stream in crumbs",
            |line| job(pour(line, "x")),
            |line| {
                job(async move {
                    let mut message = line.messages().next().await.ok_or(Error::Missing("message"))?;
                    let _stream = message.stream().await?;
                    pending().await
                })
            },
            flow,
            1,
        ),
        (
            "a file to a writer that is stuck",
            |line| {
                job(async move { line.send_file(Uploading::from_reader("endless", Endless)).await?.finished().await })
            },
            |line| {
                job(async move {
                    let (_, file) = offered(&line).await;
                    file.write_to(Stuck).await?.finished().await.map(|_| ())
                })
            },
            flow,
            PIECE,
        ),
        (
            "answers",
            |line| {
                job(async move {
                    let mut message = line.messages().next().await.ok_or(Error::Missing("message"))?;
                    loop {
                        message.respond(small()).more().send().await?;
                    }
                })
            },
            |line| {
                job(async move {
                    let _exchange = line.open(1, "").send().await?;
                    pending().await
                })
            },
            lane,
            small().len(),
        ),
        (
            "a large answer",
            |line| {
                job(async move {
                    let message = line.messages().next().await.ok_or(Error::Missing("message"))?;
                    message.answer(large()).await
                })
            },
            |line| {
                job(async move {
                    let _exchange = line.open(1, "").send().await?;
                    pending().await
                })
            },
            lane,
            PIECE,
        ),
    ];
    for (what, send, take, allowed, piece) in cases {
        let hand = warm();
        let (near, far) = hand.lines(Config::DEFAULT, Config::DEFAULT);
        let _warm = (small(), large());
        hand.run();
        let mark = heap::mark();
        let taking = hand.start(take(far.clone()));
        let sending = hand.start(send(near.clone()));
        hand.run();
        let most = mark.peak();
        for doing in [taking, sending] {
            if let Some(result) = doing.done() {
                panic!("{what}: it does not wait: {result:?}");
            }
        }
        let here = allowed + allowed / (piece + CHARGE as usize) * ROW;
        // A large body is there once more, to be sent from.
        let there = Config::DEFAULT.outbox + UNWRITTEN + if piece == PIECE { 2 * large().len() } else { 0 };
        assert!(most <= here + there + SMALL, "{what}: {most} octets");
        hand.finish(near.close(CloseCode::DONE, ""));
    }
}

/// What one end does.
type Part = fn(Line) -> Job;

/// Keeps the line, and takes nothing.
async fn hold(line: Line) -> Result<(), Error> {
    let _line = line;
    pending().await
}

/// A writer that takes nothing, for ever.
struct Stuck;

impl AsyncWrite for Stuck {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}
