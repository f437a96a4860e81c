//! Files: from anything, to anything, in part and as a whole.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use futures_io::AsyncRead;
use ropeway_driver::{Code, Error, Existing, FileError, SafeName, Save, Source, Target, Uploading};

use super::by_hand::octets;
use super::files_by_hand::{Folder, Giving, Journal, file_error, follow, offered, read_file, until_done};
use super::{Scenario, scenarios};
use crate::weather::Way;
use crate::world::{World, patient};

pub(super) const LIST: &[Scenario] = scenarios![
    come_from_every_source_to_every_target,
    of_one_message_come_side_by_side,
    come_with_requests_and_with_answers,
    are_read_by_range,
    are_saved_and_written_by_range,
    that_are_declined_tell_why,
    are_continued_where_they_ended,
    outlive_their_line_in_part,
    tell_their_progress_to_the_end,
];

/// Octets of content that say where the interesting lengths are: of frames, and of what is read at once.
fn lengths(world: &World) -> Vec<usize> {
    match world.transport().is_slow() {
        true => vec![0, 1, 5000],
        false => vec![0, 1, 65_000, 65_536, 262_144, 262_145, 600_000],
    }
}

async fn come_from_every_source_to_every_target(world: World) {
    let (near, far) = world.pair().await;
    let (from, to) = (Folder::new(), Folder::new());
    for (number, len) in lengths(&world).into_iter().enumerate() {
        let content = octets(len, number);
        let name = format!("{number}.bin");
        let path = from.put(&name, &content);
        let reader = || Giving::new(content.clone(), 10_000).lazy();
        for source in [
            Uploading::from_path(&path),
            (&name, content.clone()).into(),
            Uploading::from_source(&name, Source::open(&path).expect("it is there")),
            Uploading::from_reader(&name, reader()),
            Uploading::from_reader(&name, reader()).size(len as u64),
        ] {
            let to_folder = near.send_file(source.media("x/y")).await.expect("it is offered");
            let (_, file) = offered(&far).await;
            assert_eq!((file.name(), file.media()), (&*name, "x/y"));
            assert!(file.size().is_none_or(|size| size == len as u64));
            let saved = file.save(Save::in_folder(to.path()).replace()).await.expect("it has room").finished().await;
            assert_eq!(saved.expect("it comes"), to.at(&name));
            assert!(to.read(&name) == content, "{name}: it is what was sent");
            to_folder.finished().await.expect("it is told");
        }
        let to_writer = near.send_file(Uploading::from_bytes("w", content.clone())).await.expect("it is offered");
        let written = offered(&far).await.1.write_to(Vec::new()).await.expect("it is asked for");
        assert!(written.finished().await.expect("it comes") == content);
        to_writer.finished().await.expect("it is told");

        let to_reader = near.send_file(path.as_path()).await.expect("it is offered");
        let mut reader = offered(&far).await.1.read().await.expect("it is asked for");
        assert!(read_file(&mut reader).await.expect("it comes") == content);
        to_reader.finished().await.expect("it is told");
    }
    assert_eq!(to.names().len(), lengths(&world).len(), "and nothing else: {:?}", to.names());
    world.part(near, far).await;
}

async fn of_one_message_come_side_by_side(world: World) {
    let (near, far) = world.pair().await;
    let from = Folder::new();
    let contents: Vec<_> = (0..3).map(|seed| octets(world.much(2 << 20), seed)).collect();
    let path = from.put("0", &contents[0]);
    let request = near
        .open("album", "three")
        .file(path)
        .file(Uploading::from_bytes("1", contents[1].clone()))
        .file(Uploading::from_reader("2", Giving::new(contents[2].clone(), 30_000)));
    let mut exchange = request.send().await.expect("it is sent");
    let uploads: Vec<_> = exchange.uploads().collect();
    assert!(uploads.iter().map(|upload| upload.name()).eq(["0", "1", "2"]));

    let mut message = far.messages().next().await.expect("it comes");
    assert_eq!(message.attached(), 3);
    let (journal, mut coming) = (Journal::default(), Vec::new());
    while let Some(file) = message.file().await.expect("the line is up") {
        let number = coming.len();
        assert_eq!(file.name(), number.to_string());
        coming.push(file.write_to(journal.writer(number)).await.expect("it is asked for"));
    }
    assert_eq!(coming.len(), 3);
    for (coming, content) in coming.iter().zip(&contents) {
        assert!(coming.finished().await.expect("it comes").octets == *content);
    }
    message.answer("thanks").await.expect("it is answered");
    for upload in uploads {
        upload.finished().await.expect("it is told");
    }
    assert_eq!(exchange.answer::<String>().await.expect("it is answered"), "thanks");
    // Each fills its credit twice, and writers are given what has come in one go.
    assert!(world.transport().is_slow() || journal.turns() >= 6, "{} turns", journal.turns());
    world.part(near, far).await;
}

async fn come_with_requests_and_with_answers(world: World) {
    let (near, far) = world.pair().await;
    let contents: Vec<_> = (0..3).map(|seed| octets(world.much(300_000), seed)).collect();
    let (there, back) = (contents[0].clone(), contents[1..].to_vec());
    let theirs = far.clone();
    let answering = world.spawn(async move {
        let (mut message, file) = offered(&theirs).await;
        let written = file.write_to(Vec::new()).await?.finished().await?;
        let [first, second] = [0, 1].map(|at| Uploading::from_bytes(at.to_string(), back[at].clone()));
        let uploads = message.respond(&written.len()).file(first).file(second).send().await?;
        for upload in uploads {
            upload.finished().await?;
        }
        Ok::<_, Error>(written)
    });
    let mut exchange = near.open("swap", &()).file(Uploading::from_bytes("", there)).send().await.expect("it is sent");
    for content in &contents[1..] {
        let file = exchange.file().await.expect("the line is up").expect("it comes");
        let written = file.write_to(Vec::new()).await.expect("it is asked for");
        assert!(written.finished().await.expect("it comes") == *content);
    }
    assert!(exchange.file().await.expect("the line is up").is_none(), "that was all");
    assert_eq!(exchange.answer::<usize>().await.expect("it is answered"), contents[0].len());
    assert!(answering.await.expect("it goes well") == contents[0]);
    drop(exchange);
    world.part(near, far).await;
}

async fn are_read_by_range(world: World) {
    let (near, far) = world.pair().await;
    let len = world.much(600_000);
    let content = octets(len, 1);
    let upload = near.send_file(Uploading::from_bytes("r", content.clone())).await.expect("it is offered");
    let (_, file) = offered(&far).await;
    let mut reader = file.range(5..6).read().await.expect("it is asked for");
    assert!(read_file(&mut reader).await.expect("it comes") == content[5..6]);
    let chunk = 262_144.min(len / 2);
    let ends = [(0, 1), (len - 1, len), (chunk, 2 * chunk), (chunk - 1, chunk + 1), (0, len), (7, len)];
    for (start, end) in ends {
        reader.range(start as u64..end as u64).await.expect("it is asked for");
        let read = read_file(&mut reader).await.expect("it comes");
        assert!(read == content[start..end], "{start}..{end}");
        assert!(reader.chunk().await.expect("still").is_none(), "the end stays");
    }
    // Octet by octet at first, and what is left of the chunk then.
    reader.range(5..500).await.expect("it is asked for");
    let mut read = vec![0; 3];
    for octet in read.chunks_mut(1) {
        let len = poll_fn(|cx| Pin::new(&mut reader).poll_read(cx, octet)).await;
        assert_eq!(len.expect("it comes"), 1);
    }
    read.extend(read_file(&mut reader).await.expect("it comes"));
    assert!(read == content[5..500]);
    drop(reader);
    upload.finished().await.expect("it is told that all is well");

    // What has no beginning to go back to is given from its beginning, once.
    let source = Uploading::from_reader("u", Giving::new(content.clone(), 1000));
    let upload = near.send_file(source).await.expect("it is offered");
    let mut reader = offered(&far).await.1.range(10..500).read().await.expect("it is asked for");
    assert!(read_file(&mut reader).await.expect("it comes") == content[10..500]);
    reader.range(0..10).await.expect("it is asked for");
    let again = read_file(&mut reader).await;
    assert!(matches!(again, Err(Error::Aborted(Code::BAD_RANGE))), "{again:?}");
    file_error(upload.finished().await);
    world.part(near, far).await;
}

async fn are_saved_and_written_by_range(world: World) {
    let (near, far) = world.pair().await;
    let (folder, len) = (Folder::new(), world.much(600_000));
    let content = octets(len, 1);
    let reader = || Uploading::from_reader("r", Giving::new(content.clone(), 10_000));
    for (start, end) in [(1, len / 2), (len - 1, len), (0, 1)] {
        for source in [("r", content.clone()).into(), reader().size(len as u64), reader()] {
            let upload = near.send_file(source).await.expect("it is offered");
            let (_, file) = offered(&far).await;
            let total = file.size().map(|_| (end - start) as u64);
            let save = Save::in_folder(folder.path()).replace().max_size((end - start) as u64);
            let saving = file.range(start as u64..end as u64).save(save).await.expect("it has room");
            let told = saving.progress().next().await.and_then(|progress| progress.total);
            // Once it is over its size is known.
            assert!([total, Some((end - start) as u64)].contains(&told), "{told:?}");
            assert_eq!(saving.finished().await.expect("it comes"), folder.at("r"));
            assert!(folder.read("r") == content[start..end], "{start}..{end}");
            upload.finished().await.expect("it is told");
        }
        for source in [("r", content.clone()).into(), reader().size(len as u64), reader()] {
            let upload = near.send_file(source).await.expect("it is offered");
            let file = offered(&far).await.1.range(start as u64..end as u64);
            let writing = file.write_to(Vec::new()).await.expect("it is asked for");
            assert!(writing.finished().await.expect("it comes") == content[start..end], "{start}..{end}");
            upload.finished().await.expect("it is told");
        }
    }
    // A partial file is of all of a file, and no range goes on from it.
    let safe = SafeName::new("p").expect("it is harmless");
    let mut target = Target::create(folder.path(), &safe, Existing::Refuse).expect("it is alone");
    target.write_at_end(&content[..2]).expect("there is room");
    drop(target);
    near.send_file(("p", content.clone())).await.expect("it is offered");
    let saving = offered(&far).await.1.range(1..).save_in(folder.path()).await.expect("it has room");
    saving.finished().await.expect("it comes");
    assert!(folder.read("p") == content[1..]);
    // And what there is of a range goes with it.
    let held = Giving::new(content.clone(), 1000).holding(&Arc::default());
    near.send_file(Uploading::from_reader("h", held)).await.expect("it is offered");
    let saving = offered(&far).await.1.range(1..).save_in(folder.path()).await.expect("it has room");
    until_done(&mut saving.progress(), 1).await;
    saving.cancel(Code::CANCELLED);
    assert!(matches!(saving.finished().await, Err(Error::Cancelled(Code::CANCELLED))));
    // What there is none of.
    for written in [true, false] {
        let upload = near.send_file(("n", content.clone())).await.expect("it is offered");
        let file = offered(&far).await.1.range(1..=len as u64);
        let error = match written {
            true => file_error(file.write_to(Vec::new()).await),
            false => file_error(file.save_in(folder.path()).await),
        };
        assert!(matches!(*error, FileError::Range), "{error:?}");
        let told = upload.finished().await;
        assert!(matches!(told, Err(Error::Aborted(Code::BAD_RANGE))), "{told:?}");
    }
    assert_eq!(folder.names(), ["p", "r"]);
    world.part(near, far).await;
}

async fn that_are_declined_tell_why(world: World) {
    let (near, far) = world.pair().await;
    let own = Code::new(77).expect("below 4096");
    for code in [own, Code::REJECTED, Code::CANCELLED] {
        let upload = near.send_file(Uploading::from_bytes("d", "content")).await.expect("it is offered");
        let mut message = far.messages().next().await.expect("it comes");
        match code {
            // Nobody looks at it.
            Code::CANCELLED => drop(message),
            // Nobody wants it.
            Code::REJECTED => drop(message.file().await.expect("the line is up").expect("it is there")),
            code => message.file().await.expect("the line is up").expect("it is there").decline(code),
        }
        let why = upload.finished().await;
        assert!(matches!(why, Err(Error::Aborted(why)) if why == code), "{code}: {why:?}");
    }
    assert_eq!(near.stats().sent.flow_octets, 0);
    world.part(near, far).await;
}

async fn are_continued_where_they_ended(world: World) {
    let (near, far) = world.pair().await;
    let (folder, name) = (Folder::new(), "c.bin");
    let len = world.much(400_000);
    let (content, other) = (octets(len, 1), octets(2 * len, 2));
    let path = folder.put("source", &content);
    let safe = SafeName::new(name).expect("it is safe");
    // What is there already; how much of it is not sent again.
    for (there, kept) in [
        (&content[..len / 2], len / 2),
        (&content[..1], 1),
        (&content[..], len),
        (&other[..len / 2], 0),
        (&other[..len], 0),
        (&other[..], 0),
        (&[], 0),
    ] {
        for (source, kept) in [
            (Uploading::from_path(&path).name(name), kept),
            (Uploading::from_bytes(name, content.clone()), kept),
            (Uploading::from_reader(name, Giving::new(content.clone(), 9999)).size(len as u64), 0),
        ] {
            let mut target = Target::create(folder.path(), &safe, Existing::Refuse).expect("it is alone");
            target.write_at_end(there).expect("it has room");
            target.keep().expect("it has room");
            let before = near.stats().sent.flow_octets;
            let upload = near.send_file(source).await.expect("it is offered");
            let download = offered(&far).await.1.save_in(folder.path()).await.expect("it is asked for");
            assert_eq!(download.finished().await.expect("it comes"), folder.at(name));
            upload.finished().await.expect("it is told");
            assert!(folder.read(name) == content, "{} were there", there.len());
            let sent = near.stats().sent.flow_octets - before;
            assert_eq!(sent, (len - kept) as u64, "{} were there", there.len());
            std::fs::remove_file(folder.at(name)).expect("it is there");
        }
    }
    // Unless it is to begin anew.
    let mut target = Target::create(folder.path(), &safe, Existing::Refuse).expect("it is alone");
    target.write_at_end(&content[..len / 2]).expect("it has room");
    drop(target);
    let before = near.stats().sent.flow_octets;
    let upload = near.send_file(Uploading::from_path(&path).name(name)).await.expect("it is offered");
    let save = Save::in_folder(folder.path()).anew();
    let download = offered(&far).await.1.save(save).await.expect("it is asked for");
    download.finished().await.expect("it comes");
    upload.finished().await.expect("it is told");
    assert_eq!(near.stats().sent.flow_octets - before, len as u64);
    world.part(near, far).await;
}

async fn outlive_their_line_in_part(world: World) {
    let (from, to) = (Folder::new(), Folder::new());
    let len = world.much(1 << 20);
    let content = octets(len, 1);
    let path = from.put("big.bin", &content);
    let mut config = patient();
    config.protocol.max_frame = 1024;

    // Where it is read: what was written may stay behind in the transport, and then none of it would come.
    let gate = world.gate_far();
    let (near, far) = world.pair_with(config.clone(), config.clone()).await;
    let upload = near.send_file(&path).await.expect("it is offered");
    let (_, file) = offered(&far).await;
    gate.shut(Way::Read);
    gate.allow(Way::Read, len / 2);
    let download = file.save_in(to.path()).await.expect("it is asked for");
    gate.held(Way::Read).await;
    assert!(far.stats().received.flow_octets > 0);
    near.cut();
    far.cut();
    for lost in [upload.finished().await.err(), download.finished().await.err()] {
        assert!(matches!(lost, Some(Error::Closed(_))), "{lost:?}");
    }
    assert_eq!(to.names(), [".ropeway-big.bin.part"], "what has come is there");
    let there = std::fs::metadata(to.partial("big.bin")).expect("it is there").len();
    assert!((1..len as u64).contains(&there), "{there} have come");
    drop((near, far));

    let (near, far) = world.pair_with(config.clone(), config).await;
    let upload = near.send_file(&path).await.expect("it is offered");
    let download = offered(&far).await.1.save_in(to.path()).await.expect("it is asked for");
    assert_eq!(download.progress().next().await.expect("at once").total, Some(len as u64));
    download.finished().await.expect("it comes");
    upload.finished().await.expect("it is told");
    assert!(to.read("big.bin") == content);
    assert_eq!(to.names(), ["big.bin"]);
    assert_eq!(near.stats().sent.flow_octets, len as u64 - there);
    world.part(near, far).await;
}

async fn tell_their_progress_to_the_end(world: World) {
    let (near, far) = world.pair().await;
    let folder = Folder::new();
    for len in lengths(&world) {
        let content = octets(len, 1);
        for known in [true, false] {
            let total = known.then_some(len as u64);
            let source = match known {
                true => Uploading::from_bytes("p", content.clone()),
                false => Uploading::from_reader("p", Giving::new(content.clone(), 5000)),
            };
            let upload = near.send_file(source).await.expect("it is offered");
            let sending = world.spawn(follow(upload.progress()));
            let save = Save::in_folder(folder.path()).replace();
            let download = offered(&far).await.1.save(save).await.expect("it is asked for");
            let receiving = world.spawn(follow(download.progress()));
            upload.finished().await.expect("it is told");
            for (first, last) in [sending.await, receiving.await] {
                assert!(first.total == total || first == last, "at first {first:?}");
                assert_eq!((last.done, last.total), (len as u64, Some(len as u64)), "in the end");
            }
        }
    }
    world.part(near, far).await;
}
