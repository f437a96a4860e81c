//! Handles of files: pausing, giving up, dropping at any time.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ropeway_driver::{CloseCode, Code, Download, Error, FileReader, Line, Reason, Router, Upload, Uploading};

use super::by_hand::{cut_short, octets, still_works, turn};
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
    a_message_cut_short_between_its_files_is_void,
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
    // It can't be over before it is paused.
    let paused = Arc::<AtomicBool>::default();
    let held = Giving::new(content.clone(), 1000).holding(&paused);
    let upload = near.send_file(Uploading::from_reader("x", held)).await.expect("it is offered");
    upload.pause().expect("it is not over");
    let download = offered(&far).await.1.write_to(Vec::new()).await.expect("it is asked for");
    assert_eq!(at_rest(&far).await, 0, "paused before it began");

    upload.resume().expect("it is not over");
    until_done(&mut download.progress(), 1).await;
    download.pause().expect("it is not over");
    let rested = at_rest(&far).await;
    assert!(rested < content.len() as u64, "the receiver pauses it");
    paused.store(true, Ordering::Relaxed);

    upload.pause().expect("it is not over");
    download.resume().expect("it is not over");
    assert_eq!(at_rest(&far).await, rested, "the sender still does");
    download.pause().expect("it is not over");
    assert_eq!(at_rest(&far).await, rested, "both do");
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

    type Cancel = fn(&Upload, &Download<PathBuf>, Code);
    let cancels: [(bool, Cancel); 2] =
        [(true, |upload, _, code| upload.cancel(code)), (false, |_, download, code| download.cancel(code))];
    for (by_sender, cancel) in cancels {
        for paused in [false, true] {
            // It can't be over before it is given up.
            let held = Uploading::from_reader("x", Giving::new(content.clone(), 1000).holding(&Arc::default()));
            let held = held.size(content.len() as u64);
            let upload = near.send_file(held).await.expect("it is offered");
            let download = receive().await;
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
        if told == code {
            reader.stop(code)
        } else {
            drop(reader)
        }
        let stopped = upload.finished().await;
        assert!(matches!(stopped, Err(Error::Aborted(stopped)) if stopped == told), "{stopped:?}");
    }
    // Between two ranges it stops nothing: all that was asked for has come.
    let upload = near.send_file(Uploading::from_bytes("x", content.clone())).await.expect("it is offered");
    let mut reader = offered(&far).await.1.range(1..2).read().await.expect("it is asked for");
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
    let (near, far) = world.pair().await;
    let (from, content) = (Folder::new(), octets(1000, 1));
    let path = from.put("x", &content);
    world.background(take_files(far.clone(), content.clone()));
    for files in [1, 3] {
        let mut polls = 0;
        let uploads = loop {
            polls += 1;
            let open = (0..files).fold(near.open("files", &()), |open, _| open.file(&path));
            match cut_short(polls, open.notify()).await {
                Some(uploads) => break uploads.expect("the line is up"),
                None => assert_eq!(taken(&near).await, 0, "{polls} of {files}: given up, and so are its files"),
            }
        };
        assert_eq!(uploads.len(), files);
        for upload in uploads {
            upload.finished().await.expect("it is told");
        }
        assert_eq!(taken(&near).await, files, "whole");
    }
    world.part(near, far).await;
}

/// Of two files one is offered when the message is given up.
async fn a_message_cut_short_between_its_files_is_void(world: World) {
    let mut config = patient();
    config.flows = 2;
    let (near, far) = world.pair_with(config, patient()).await;
    let content = octets(1000, 1);
    let held = near.send_file(Uploading::from_bytes("held", "")).await.expect("it is offered");
    let file = |name: &str| Uploading::from_bytes(name, content.clone());
    let mut notify = Box::pin(near.open("files", &()).file(file("first")).file(file("second")).notify());
    assert!(cut_short(1, &mut notify).await.is_none(), "there is room for one");
    assert_eq!(near.stats().sent.flows, 2, "it is offered");
    drop(notify);
    // Not before: it would take what holds the first flow, and let go of it.
    world.background(take_files(far.clone(), content));
    assert_eq!(taken(&near).await, 0, "given up, and so are its files");
    held.cancel(Code::CANCELLED);
    world.part(near, far).await;
}

async fn an_answer_cut_short_at_every_poll_is_told(world: World) {
    let (near, far) = world.pair().await;
    let content = octets(world.much(100_000), 1);
    let len = content.len() as u64;
    for how in ["save", "write", "read", "range"] {
        for polls in 1.. {
            // Its own, as the pool may still be busy with it.
            let folder = Folder::new();
            let upload = near.send_file(Uploading::from_bytes("x", content.clone())).await.expect("it is offered");
            let (_, file) = offered(&far).await;
            let path = folder.path().to_owned();
            let answer: Pin<Box<dyn Future<Output = Result<Asked, Error>> + Send>> = Box::pin(async move {
                Ok(match how {
                    "save" => Asked::Saved(file.save_in(path).await?),
                    "write" => Asked::Written(file.write_to(Vec::new()).await?),
                    "read" => Asked::Reading(Box::new(file.read().await?)),
                    _ => Asked::Reading(Box::new(file.range(0..len).read().await?)),
                })
            });
            let Some(asked) = cut_short(polls, answer).await else {
                let told = upload.finished().await;
                assert!(
                    matches!(told, Err(Error::Aborted(Code::REJECTED | Code::CANCELLED))),
                    "{how}, after {polls}: {told:?}"
                );
                continue;
            };
            let came = match asked.expect("the line is up") {
                Asked::Saved(download) => {
                    std::fs::read(download.finished().await.expect("it comes")).expect("it is there")
                }
                Asked::Written(download) => download.finished().await.expect("it comes"),
                Asked::Reading(mut reader) => read_file(&mut reader).await.expect("it comes"),
            };
            assert!(came == content, "{how}, after {polls}");
            upload.finished().await.expect("it is told");
            break;
        }
    }
    world.part(near, far).await;
}

/// Tries again, from the beginning, what has not come to its end after so many polls. (No function: the compiler can't show
/// that what an async closure lends may go from thread to thread.)
macro_rules! persist {
    ($polls:expr, $attempt:expr) => {
        loop {
            if let Some(output) = cut_short($polls, $attempt).await {
                break output;
            }
            turn().await;
        }
    };
}

async fn waiting_cut_short_at_every_poll_loses_nothing(world: World) {
    let (near, far) = world.pair().await;
    let content = octets(world.much(300_000), 1);
    for polls in 1..4 {
        let lazy = Giving::new(content.clone(), 3000).lazy();
        let open = near.open("two", &()).file(Uploading::from_bytes("a", content.clone()));
        let mut exchange = open.file(Uploading::from_reader("b", lazy)).send().await.expect("it is sent");
        let uploads: Vec<_> = exchange.uploads().collect();
        let mut messages = far.messages();
        let mut message = persist!(polls, messages.next()).expect("it comes");
        let mut files = Vec::new();
        while let Some(file) = persist!(polls, message.file()).expect("the line is up") {
            files.push(file);
        }
        let (second, first) = (files.pop().expect("two"), files.pop().expect("two"));

        let download = first.write_to(Vec::new()).await.expect("it is asked for");
        let mut progress = download.progress();
        let mut last = None;
        while let Some(now) = persist!(polls, progress.next()) {
            last = Some(now.done);
        }
        assert_eq!(last, Some(content.len() as u64));
        assert!(persist!(polls, download.finished()).expect("it comes") == content);

        let len = content.len() as u64;
        let mut reader = second.range(0..len).read().await.expect("it is asked for");
        let mut read = Vec::new();
        while let Some(chunk) = persist!(polls, reader.chunk()).expect("it comes") {
            read.extend_from_slice(&chunk);
        }
        assert!(read == content);
        drop(reader);
        for upload in uploads {
            persist!(polls, upload.finished()).expect("it is told");
        }
        message.code(Code::OK);
        persist!(polls, exchange.answer::<()>()).expect("it is answered");
    }
    world.part(near, far).await;
}

enum Asked {
    Saved(Download<PathBuf>),
    Written(Download<Vec<u8>>),
    Reading(Box<FileReader>),
}

/// Takes every file that comes, but for those to be held, and tells who asks how many came whole since the last.
async fn take_files(line: Line, content: Vec<u8>) {
    let (mut messages, mut whole, mut held) = (line.messages(), 0_usize, Vec::new());
    while let Some(mut message) = messages.next().await {
        if *message.action() == "taken" {
            message.answer(&std::mem::take(&mut whole)).await.expect("the line is up");
            continue;
        }
        while let Ok(Some(file)) = message.file().await {
            if file.name() == "held" {
                held.push(file);
                continue;
            }
            let Ok(download) = file.write_to(Vec::new()).await else { continue };
            if let Ok(octets) = download.finished().await {
                assert!(octets == content, "whole or not at all");
                whole += 1;
            }
        }
    }
}

/// How many files came whole at the other end since this was last asked.
async fn taken(line: &Line) -> usize {
    line.request("taken", &()).await.expect("the line is up")
}

fn echo() -> Router {
    Router::new().on("echo", |text: String| async move { Ok(text) })
}

/// How many octets of files have come, once no more do: what the peer was told before it answers has had its effect, and
/// what that was crosses the answer at most.
async fn at_rest(line: &Line) -> u64 {
    for _ in 0..10 {
        still_works(line).await;
    }
    let come = line.stats().received.flow_octets;
    for _ in 0..10 {
        still_works(line).await;
    }
    assert_eq!(line.stats().received.flow_octets, come, "it rests");
    come
}
