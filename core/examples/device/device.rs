//! A line in any memory, over any port of `embedded_io_async`: it reports, asks, answers, and fetches a file.

use embassy_futures::select::{Either3, select3};
use ropeway_core::{Accept, Action, Answer, CloseCode, Code, Connection, Event, Instant, Message, Reason, Refused};
use ropeway_core::{Respond, Send, Side, Step, Storage, Table};

/// Why the line ended: by this end with [`CloseCode::DONE`] once `keep` was given the file, each piece with its offset. A
/// read, write, flush or delay that is dropped must have done nothing. The peer has a second to take the goodbye.
pub(crate) async fn run<E>(
    (line, mut keep): (&mut Connection<impl Storage>, impl FnMut(u64, &[u8]) -> Result<(), Code>),
    (mut from, mut to): (impl embedded_io_async::Read<Error = E>, impl embedded_io_async::Write<Error = E>),
    (now, mut timer): (impl Fn() -> Instant, impl embedded_hal_async::delay::DelayNs),
) -> Result<Reason, E> {
    let (mut input, mut held, mut out, mut sent) = ([0; 320], 0, [0; 192], 0); // Frames of 256 and 128, and `SEALED_BY`.
    let (mut due, mut parting, mut gone) = (line.poll_transmit(now(), &mut out), None, false);
    while parting.is_none_or(|until| due > 0 && now() < until) {
        let us = parting.or(line.poll_timeout()).map_or(u64::MAX, Instant::as_micros).saturating_sub(now().as_micros());
        let mut write = async || match due {
            _ if line.is_sealed(Side::Them) && held == line.needs() => Ok((sent, due)), // There is more in a record.
            0 => core::future::pending().await,
            _ if sent == due => to.flush().await.map(|()| (0, 0)),
            _ => to.write(&out[sent..due]).await.map(|len| (sent + len, due)),
        };
        let mut read = async |into| if gone { core::future::pending().await } else { from.read(into).await };
        match select3(write(), read(&mut input[held..line.needs().min(320)]), timer.delay_us(us as u32)).await {
            Either3::First(wrote) => (sent, due) = wrote?,
            Either3::Second(Ok(0)) if parting.is_none() => break, // Else it may still take the goodbye.
            Either3::Second(read) => (held, gone) = read.map(|len| (held + len, len == 0))?, // No more than a frame.
            Either3::Third(()) => {} // Early, if it was cut to 32 bits: then nothing is due.
        }
        let step = line.handle_input(now(), &mut input[..held]).unwrap_or(Step { consumed: held, event: None });
        let used = step.consumed;
        let event = line.handle_timeout(now()).or(step.event); // What time brings ends the line.
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
                line.respond(lane, &Respond::text("21.5 °C")).map(drop).or_else(|_| line.respond_code(lane, Code::BUSY))
            }
            Event::Response(_) | Event::Code { .. } | Event::Expired { .. } => Err(Refused::WrongState),
            Event::Aborted { lane, .. } if lane.opened_by() == Side::Them => Ok(()),
            Event::Aborted { .. } | Event::Cancelled { .. } => Err(Refused::WrongState),
            _ => Ok(()),
        });
        heard.unwrap_or_else(|_| line.close(CloseCode::INTERNAL, ""));
        event.iter().for_each(|event| line.take(event));
        (used..held).filter(|_| line.is_sealed(Side::Them)).for_each(|at| input.swap(at - used, at));
        (held, due) = (held - used, if due > 0 { due } else { line.poll_transmit(now(), &mut out) });
        parting = parting.or(line.ending().map(|_| now().after(core::time::Duration::from_secs(1))));
    }
    Ok(line.ending().unwrap_or(Reason::Eof))
}
