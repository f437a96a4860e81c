//! Handles of files: pausing, giving up, dropping at any time.

use std::future::Future;

use ropeway_driver::core::CloseCode;
use ropeway_driver::{Code, Download, Error, Line, Reason, Upload, Uploading};

use super::by_hand::{cut_short, octets, turn, until};
use super::files_by_hand::{Folder, Giving, offered, read_file, until_done};
use super::{Scenario, scenarios};
use crate::world::{World, patient};

pub(super) const LIST: &[Scenario] = scenarios![
    either_end_pauses_and_both_must_resume,
    either_end_gives_up_and_both_are_told,
    dropped_handles_of_transfers_change_nothing,
    transfers_keep_their_line_open,
    a_dropped_reader_stops_the_sender,
    an_exchange_given_up_leaves_its_files,
    an_offer_cut_short_at_every_poll_is_whole_or_void,
    an_answer_cut_short_at_every_poll_is_told,
    waiting_cut_short_at_every_poll_loses_nothing,
];

async fn either_end_pauses_and_both_must_resume(world: World) {
    // Less credit than content, so that it can't all be on its way already.
    let mut config = patient();
    config.protocol.max_frame = 1024;
    config.protocol.flow_credit = 4096;
    let (near, far) = world.pair_with(config.clone(), config).await;
    world.serve(&near, echo());
    let content = octets(world.much(1 << 20), 1);
    let upload = near.send_file(Uploading::from_bytes("x", content.clone())).await.expect("it is offered");
    upload.pause().expect("it is not over");
    let download = offered(&far).await.1.write_to(Vec::new()).await.expect("it is asked for");
    assert_eq!(at_rest(&far).await, 0, "paused before it began");

    upload.resume().expect("it is not over");
    until_done(&mut download.progress(), 1).await;
    download.pause().expect("it is not over");
    let rested = at_rest(&far).await;
    assert!(rested < content.len() as u64, "the receiver pauses it");

    upload.pause().expect("it is not over");
    download.resume().expect("it is not over");
    assert_eq!(at_rest(&far).await, rested, "the sender still does");
    download.pause().expect("it is not over");
    upload.resume().expect("it is not over");
    assert_eq!(at_rest(&far).await, rested, "the receiver still does");

    download.resume().expect("it is not over");
    assert!(download.finished().await.expect("it comes") == content);
    upload.finished().await.expect("it is told");
    for over in [upload.pause(), upload.resume(), download.pause(), download.resume()] {
        assert!(matches!(over, Err(Error::Misuse(_))), "{over:?}");
    }
    world.part(near, far).await;
}

async fn either_end_gives_up_and_both_are_told(world: World) {
    let mut config = patient();
    config.protocol.max_frame = 1024;
    config.protocol.flow_credit = 4096;
    let (near, far) = world.pair_with(config.clone(), config).await;
    let (folder, content) = (Folder::new(), octets(world.much(1 << 20), 1));
    let code = Code::new(99).expect("below 4096");
    let send = async || near.send_file(Uploading::from_bytes("x", content.clone())).await.expect("it is offered");
    let receive = async || offered(&far).await.1.save_in(folder.path()).await.expect("it is asked for");

    // Before anybody has asked for it.
    let upload = send().await;
    let (_, file) = offered(&far).await;
    upload.cancel(code);
    assert!(matches!(upload.finished().await, Err(Error::Cancelled(told)) if told == code));
    let late = match file.save_in(folder.path()).await {
        Ok(download) => download.finished().await.err(),
        Err(error) => Some(error),
    };
    assert!(matches!(late, Some(Error::Aborted(told)) if told == code), "{late:?}");

    type Cancel = fn(&Upload, &Download<std::path::PathBuf>, Code);
    let cancels: [(bool, Cancel); 2] =
        [(true, |upload, _, code| upload.cancel(code)), (false, |_, download, code| download.cancel(code))];
    for (by_sender, cancel) in cancels {
        for paused in [false, true] {
            let (upload, download) = (send().await, receive().await);
            until_done(&mut download.progress(), 1).await;
            if paused {
                upload.pause().expect("it is not over");
                download.pause().expect("it is not over");
            }
            cancel(&upload, &download, code);
            cancel(&upload, &download, Code::OK);
            let (sent, received) = (upload.finished().await, download.finished().await);
            let [here, there] = if by_sender { [sent.err(), received.err()] } else { [received.err(), sent.err()] };
            assert!(matches!(here, Some(Error::Cancelled(told)) if told == code), "{here:?}");
            assert!(matches!(there, Some(Error::Aborted(told)) if told == code), "{there:?}");
            assert!(!folder.names().contains(&"x".into()), "half a file is no file");
        }
    }
    // Over means over.
    let (upload, download) = (send().await, receive().await);
    let path = download.finished().await.expect("it comes, and was continued");
    upload.finished().await.expect("it is told");
    upload.cancel(code);
    download.cancel(code);
    upload.finished().await.expect("still");
    assert!(matches!(download.finished().await, Err(Error::Misuse(_))), "it was given");
    assert!(std::fs::read(path).expect("it is there") == content);
    world.part(near, far).await;
}

async fn dropped_handles_of_transfers_change_nothing(world: World) {
    let (near, far) = world.pair().await;
    let (folder, content) = (Folder::new(), octets(world.much(300_000), 1));
    let upload = near.send_file(Uploading::from_bytes("x", content.clone())).await.expect("it is offered");
    drop(upload);
    let download = offered(&far).await.1.save_in(folder.path()).await.expect("it is asked for");
    let mut progress = download.progress();
    drop(download);
    while progress.next().await.is_some() {}
    assert!(folder.read("x") == content);
    world.part(near, far).await;
}

async fn transfers_keep_their_line_open(world: World) {
    let (near, far) = world.pair().await;
    let content = octets(world.much(300_000), 1);
    drop(near.send_file(Uploading::from_bytes("x", content.clone())).await.expect("it is offered"));
    drop(near);
    let download = offered(&far).await.1.write_to(Vec::new()).await.expect("it is asked for");
    assert!(download.finished().await.expect("it comes") == content);
    assert_eq!(far.ended().await.reason, Reason::ByPeer(CloseCode::DONE), "and then it is let go");
}

async fn a_dropped_reader_stops_the_sender(world: World) {
    let (near, far) = world.pair().await;
    let content = octets(world.much(4 << 20), 1);
    let code = Code::new(99).expect("below 4096");
    for told in [Code::CANCELLED, code] {
        let upload = near.send_file(Uploading::from_bytes("x", content.clone())).await.expect("it is offered");
        let mut reader = offered(&far).await.1.read().await.expect("it is asked for");
        reader.chunk().await.expect("it comes");
        if told == code { reader.stop(code) } else { drop(reader) }
        let stopped = upload.finished().await;
        assert!(matches!(stopped, Err(Error::Aborted(stopped)) if stopped == told), "{stopped:?}");
    }
    // Between two ranges it stops nothing: all that was asked for has come.
    let upload = near.send_file(Uploading::from_bytes("x", content.clone())).await.expect("it is offered");
    let mut reader = offered(&far).await.1.read_range(1..2).await.expect("it is asked for");
    read_file(&mut reader).await.expect("it comes");
    drop(reader);
    upload.finished().await.expect("it is told");
    world.part(near, far).await;
}

/// Who gives a request up may still want to bring what belongs to it.
async fn an_exchange_given_up_leaves_its_files(world: World) {
    let (near, far) = world.pair().await;
    let content = octets(world.much(300_000), 1);
    let request = near.open("take", &()).file(Uploading::from_bytes("x", content.clone()));
    let mut exchange = request.send().await.expect("it is sent");
    let upload = exchange.uploads().next().expect("it brings one");
    let (mut message, file) = offered(&far).await;
    let download = file.write_to(Vec::new()).await.expect("it is asked for");
    drop(exchange);
    assert_eq!(message.aborted().await, Code::CANCELLED);
    assert!(download.finished().await.expect("it comes") == content);
    upload.finished().await.expect("it is told");
    drop(message);
    world.part(near, far).await;
}

// ---- B19

async fn an_offer_cut_short_at_every_poll_is_whole_or_void(world: World) {
    let mut config = patient();
    // One at a time, so that the next has to wait.
    config.flows = 1;
    let (near, far) = world.pair_with(config, patient()).await;
    let (from, content) = (Folder::new(), octets(1000, 1));
    let path = from.put("x", &content);
    for waits in [false, true] {
        let mut polls = 0;
        loop {
            polls += 1;
            let first = match waits {
                true => Some(near.send_file(Uploading::from_bytes("first", "")).await.expect("it is offered")),
                false => None,
            };
            let ours = near.clone();
            let path = path.clone();
            let offering = async move { ours.send_file(path).await };
            let offering = world.spawn(async move { cut_short(polls, offering).await });
            let upload = match offering_result(offering, first.as_ref()).await {
                Some(upload) => Some(upload.expect("the line is up")),
                None => None,
            };
            let done = upload.is_some();
            drop(first);
            // All that did arrive.
            near.request::<_, ()>("last", &()).await.expect_err("nobody answers");
            let mut messages = far.messages();
            let mut offers = 0;
            while let Some(mut message) = messages.next().await {
                if message.wants_answer() {
                    break;
                }
                match message.file().await {
                    Ok(Some(file)) if file.name() == "x" => {
                        offers += 1;
                        if done {
                            let download = file.write_to(Vec::new()).await.expect("it is asked for");
                            assert!(download.finished().await.expect("it comes") == content);
                        }
                    }
                    _ => {}
                }
            }
            let _ = offers;
            if done {
                break;
            }
        }
    }
    world.part(near, far).await;
}
