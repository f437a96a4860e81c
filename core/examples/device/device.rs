//! A line on arrays alone, over any port of `embedded_io_async`: it reports, asks, answers, and fetches a file.

use embassy_futures::select::{Either3, select3};
use embedded_hal_async::delay::DelayNs;
use embedded_io_async::{Read, Write};
use ropeway_core::{Accept, Action, Answer, CloseCode, Code, Config, Connection, Event, Flow, Instant, Lane, Memory};
use ropeway_core::{Message, Reason, Refused, Respond, Send, Step, Table};

/// Why the line ended: by this end with [`CloseCode::DONE`] once `keep` was given the file, each piece with its offset.
/// A read, write or delay that is dropped must have done nothing, as in embassy and tokio.
pub(crate) async fn run<E>(
    (mut from, mut to): (impl Read<Error = E>, impl Write<Error = E>),
    (now, mut timer): (impl Fn() -> Instant, impl DelayNs),
    (entropy, mut keep): ([u8; 32], impl FnMut(u64, &[u8]) -> Result<(), Code>),
) -> Result<Reason, E> {
    let mut line = Connection::client(now(), Config::SMALL, entropy, Memory::<[Lane; 1], [Flow; 1], [u8; 256]>::EMPTY);
    let (mut input, mut held, mut out, mut sent) = ([0; 256], 0, [0; 128], 0);
    let mut due = line.poll_transmit(now(), &mut out);
    while due > 0 || line.closed().is_none() {
        let left = |at: Instant| at.as_micros().saturating_sub(now().as_micros()).min(u32::MAX.into()) as u32;
        let wait = timer.delay_us(line.poll_timeout().map_or(u32::MAX, left));
        let write = async { if sent < due { to.write(&out[sent..due]).await } else { core::future::pending().await } };
        match select3(from.read(&mut input[held..line.needs().min(256)]), write, wait).await {
            Either3::First(Ok(0)) => drop(line.handle_eof()),
            Either3::First(read) => held += read?,
            Either3::Second(wrote) => sent += wrote?,
            Either3::Third(()) => {}
        }
        // An error is the peer's: its code goes out with the goodbye, and what else has come counts for nothing.
        let step = line.handle_input(now(), &mut input[..held]).unwrap_or(Step { consumed: held, event: None });
        let event = step.event.or_else(|| line.handle_timeout(now()));
        let text = |index, text| Send::text(Action::Name(index), text);
        let heard = event.map_or(Ok(()), |event| match event {
            Event::Ready(_) => {
                let _ = ["log", "echo", "files.get"].map(|name| line.define(Table::Actions, name, None));
                line.notify(now(), &text(0, "up")).and_then(|_| line.request(now(), &text(1, "anybody?"))).map(drop)
            }
            Event::Response(Answer { code: Code::OK, attached: 1.., .. }) => Ok(()),
            Event::Response(Answer { code: Code::OK, .. }) => line.request(now(), &text(2, "image.bin")).map(drop),
            Event::Offer { flow, push: false, size: Some(..=0x10000), .. } => line.accept(flow, &Accept::default()),
            Event::Offer { flow, .. } => line.done(flow, Code::TOO_LARGE),
            Event::Data { flow, offset, bytes } => keep(offset, bytes).or_else(|code| line.done(flow, code)),
            Event::Finished { flow, .. } => line.done(flow, Code::OK).map(|()| line.close(CloseCode::DONE, "")),
            Event::Message(Message { lane: Some(lane), wants_answer: true, .. }) => {
                line.respond(lane, &Respond::text("21.5 degrees")).map(drop)
            }
            Event::Response(_) | Event::Code { .. } | Event::Expired { .. } => Err(Refused::WrongState),
            Event::Aborted { .. } | Event::Cancelled { .. } => Err(Refused::WrongState),
            _ => Ok(()),
        });
        heard.unwrap_or_else(|_| line.close(CloseCode::INTERNAL, ""));
        event.iter().for_each(|event| line.take(event));
        held -= step.consumed; // All of it, for no more than a frame is read.
        if sent == due {
            to.flush().await?;
            (sent, due) = (0, line.poll_transmit(now(), &mut out));
        }
    }
    Ok(line.closed().unwrap_or(Reason::Eof))
}
