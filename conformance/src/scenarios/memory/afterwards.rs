//! What is left when it is over.

use std::pin::pin;
use std::time::Duration;

use ropeway_driver::{Code, Config, Error, Line, Uploading};

use super::hand::Hand;
use super::{LITTLE, is_pending, large, small, warm};
use crate::heap;

/// What a burst took is given back once the line is idle for two heartbeats.
pub fn an_idle_line_gives_back_what_a_burst_took() {
    let hand = warm();
    let idle = 3 * Config::DEFAULT.protocol.heartbeat;
    let (near, far) = hand.lines(Config::DEFAULT, Config::DEFAULT);
    let serving = hand.start(serve(far.clone()));
    hand.finish(burst(&hand, &near, 1));
    hand.pass(idle);
    let mark = heap::mark();
    hand.finish(burst(&hand, &near, 1000));
    let most = mark.peak();
    hand.pass(idle);
    assert!(most > 1 << 20, "it was a burst: {most} octets");
    assert!(mark.held() < LITTLE, "{} octets are left", mark.held());
    assert!(serving.done().is_none() && !near.is_over() && !far.is_over());
}

/// So it is of streams that stay open.
pub fn idle_streams_give_back_what_a_burst_took() {
    const STREAMS: usize = 20;
    let hand = warm();
    let idle = 3 * Config::DEFAULT.protocol.heartbeat;
    let (near, far) = hand.lines(Config::DEFAULT, Config::DEFAULT);
    let mut messages = far.messages();
    let mut streams: Vec<_> = (0..STREAMS)
        .map(|_| {
            let writer = hand.finish(near.open("any", "").notify_stream()).expect("the line is up");
            let mut message = hand.finish(messages.next()).expect("it comes");
            (writer, hand.finish(message.stream()).expect("it brings one"))
        })
        .collect();
    let some = &large().as_bytes()[..100_000];
    let mut burst = |many: usize| {
        for (writer, reader) in streams.iter_mut().take(many) {
            for _ in 0..5 {
                hand.finish(writer.send(some)).expect("there is room");
                let mut left = some.len();
                while left > 0 {
                    left -= hand.finish(reader.chunk()).expect("it comes").expect("it is not over").len();
                }
            }
        }
        hand.pass(idle);
    };
    burst(1);
    let mark = heap::mark();
    burst(STREAMS);
    assert!(mark.peak() > some.len(), "it was a burst");
    assert!(mark.held() < LITTLE, "{} octets are left", mark.held());
}

/// B1. Whoever opens requests and gives them up leaves nothing behind, at either end.
pub fn requests_given_up_leave_nothing() {
    let hand = warm();
    let mut config = Config::DEFAULT;
    config.protocol.max_aborts = u32::MAX;
    let (near, far) = hand.lines(config.clone(), config.clone());
    let holding = hand.start(hold_all(far.clone()));
    let ask = |count: usize| {
        for number in 0..count {
            let mut request = pin!(near.open(1, small()).send());
            // Given up while it is being sent, while it is under way, and when it has arrived.
            match number % 3 {
                0 => assert!(!is_pending(request), "there is room"),
                1 => drop(hand.finish(request)),
                _ => {
                    let exchange = hand.finish(&mut request).expect("it is sent");
                    hand.run();
                    drop(exchange);
                }
            }
            if number % 7 == 0 {
                hand.run();
            }
        }
        hand.pass(3 * config.protocol.heartbeat);
    };
    ask(10);
    let mark = heap::mark();
    ask(10_000);
    assert!(mark.held() < LITTLE, "{} octets are left", mark.held());
    assert!(mark.peak() < (1 << 20), "{} octets at once", mark.peak());
    assert!(holding.done().is_none() && !near.is_over() && !far.is_over());
}

/// Takes requests, and holds each until it is given up.
async fn hold_all(line: Line) {
    let mut messages = line.messages();
    let mut held = Vec::new();
    while let Some(message) = messages.next().await {
        held.push(message);
        if held.len() == 16 {
            held.clear();
        }
    }
}

/// Answers requests with what they say, and takes streams and files.
async fn serve(line: Line) {
    let mut messages = line.messages();
    while let Some(mut message) = messages.next().await {
        if *message.action() == "file" {
            let Ok(Some(file)) = message.file().await else { continue };
            let Ok(download) = file.write_to(Vec::new()).await else { continue };
            let _ = download.finished().await;
        } else if message.attached() > 0 {
            let Ok(mut stream) = message.stream().await else { continue };
            while let Ok(Some(_)) = stream.chunk().await {}
            message.code(Code::OK);
        } else if let Ok(text) = message.decode::<String>().await {
            let _ = message.answer(&text).await;
        }
    }
}

/// A little of everything, so many times at once.
async fn burst(hand: &Hand, line: &Line, times: usize) {
    let mut doing = Vec::new();
    for number in 0..times {
        let line = line.clone();
        doing.push(hand.start(async move {
            line.notify(1, small()).await?;
            line.request::<_, String>("echo", small()).await?;
            if number % 100 == 0 {
                line.notify(2, large()).await?;
                line.request::<_, String>("echo", large()).await?;
                let (mut writer, _reader) = line.open(3, "").timeout(Duration::ZERO).into_stream().await?;
                writer.send(large().as_bytes()).await?;
                writer.finish().await?;
                line.send_file(Uploading::from_bytes("x", large())).await?.finished().await?;
            }
            Ok::<_, Error>(())
        }));
    }
    hand.run();
    for doing in doing {
        doing.done().expect("it is done").expect("it went well");
    }
}
