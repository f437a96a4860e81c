//! One message is sealed on a line that is plain, with all that belongs to it.

use ropeway_driver::{Message, Uploading};

use super::overheard::Ear;
use super::{concerned, optional};
use crate::scenarios::by_hand::{both, octets, queue, read_stream, write_stream};
use crate::scenarios::{Scenario, scenarios};
use crate::world::World;

pub(in crate::scenarios) const LIST: &[Scenario] = scenarios![
    a_message_sealed_alone_is_so_with_all_that_belongs_to_it if concerned,
    sealed_and_plain_messages_pass_each_other if concerned,
];

/// Enough of a content to be sure that it is that one.
const SOME: usize = 24;

async fn a_message_sealed_alone_is_so_with_all_that_belongs_to_it(world: World) {
    let (ear, much) = (Ear::default(), world.much(200_000).max(5000));
    let (give, take) = queue();
    let server = world.server().seal(optional()).on_message("ask", move |mut message: Message| {
        let give = give.clone();
        async move {
            let (body, sealed) = (message.decode::<String>().await?, message.is_sealed());
            message.update("this is under way").await?;
            let (mut content, mut read) = (Vec::new(), Vec::new());
            if body.starts_with("nor") {
                read = read_stream(&mut message.stream().await?).await?;
            } else if let Some(file) = message.file().await? {
                content = file.write_to(Vec::new()).await?.finished().await?;
            }
            give.put((body, sealed, content, read.len()));
            let mut writer = message.respond("and the answer").stream().await?;
            writer.send(&read).await?;
            Ok(writer.finish().await?)
        }
    });
    let server = server.serve().await.expect("the address is free");
    let (stream, _) = world.connect(server.address()).await;
    let near = world.client_over(ear.at(stream)).seal(optional()).connect().await.expect("they agree");
    for line in [&near, &super::far_end(&server).await] {
        line.seal(false).await.expect("it may");
    }
    let mut exchange = near.open("ask", "in the clear").send().await.expect("the line is up");
    assert_eq!(exchange.answer::<String>().await.expect("it answers"), "and the answer");
    assert!(ear.heard(b"in the clear") && ear.heard(b"and the answer"), "nothing is sealed");
    assert!(!take.next().await.1);

    let [file, flow] = [1, 2].map(|seed| octets(much, seed));
    let ear_of_file = (file[..SOME].to_vec(), file[much - SOME..].to_vec());
    let upload = Uploading::from_bytes("a name that tells all.txt", file.clone());
    let exchange = near.open("ask", "what nobody else may hear").file(upload).sealed().send().await;
    let mut exchange = exchange.expect("the line is up");
    let update = exchange.next().await.expect("it comes").expect("it is no failure");
    assert!(update.is_update());
    let answer = exchange.next().await.expect("it comes").expect("it is no failure");
    assert_eq!(answer.decode::<String>().expect("it is a text"), "and the answer");
    let (body, sealed, content, len) = take.next().await;
    assert_eq!((&*body, sealed, len), ("what nobody else may hear", true, 0));
    assert!(content == file);

    let sending = near.open("ask", "nor what comes behind it").sealed();
    let (writer, mut reader) = sending.into_stream().await.expect("the line is up");
    let (written, mirrored) = both(write_stream(writer, &flow), read_stream(&mut reader)).await;
    written.expect("it is read");
    assert!(mirrored.expect("it is complete") == flow);
    let (body, sealed, _, len) = take.next().await;
    assert_eq!((&*body, sealed, len), ("nor what comes behind it", true, much));
    let secrets: [&[u8]; 7] = [
        b"what nobody else may hear",
        b"nor what comes behind it",
        b"a name that tells all",
        &ear_of_file.0,
        &ear_of_file.1,
        &flow[..SOME],
        &flow[much - SOME..],
    ];
    for secret in secrets {
        assert!(!ear.heard(secret), "{} in the clear", secret.escape_ascii());
    }
    let far = super::far_end(&server).await;
    assert!([&near, &far].iter().all(|line| line.sealing().is_some_and(|sealing| !sealing.ours)), "the line is plain");
    world.part(near, far).await;
}

async fn sealed_and_plain_messages_pass_each_other(world: World) {
    let ear = Ear::default();
    let server = world.server().seal(optional()).on_message("note", |mut message: Message| async move {
        let text: String = message.decode().await?;
        assert_eq!(message.is_sealed(), text.starts_with("secret"));
        Ok(message.answer(&text).await?)
    });
    let server = server.serve().await.expect("the address is free");
    let (stream, _) = world.connect(server.address()).await;
    let near = world.client_over(ear.at(stream)).seal(optional()).connect().await.expect("they agree");
    for line in [&near, &super::far_end(&server).await] {
        line.seal(false).await.expect("it may");
    }
    let saying = [("secret", true), ("public", false)].map(|(what, is_secret)| {
        let (line, ear) = (near.clone(), ear.clone());
        world.spawn(async move {
            for number in 0..50 {
                let text = format!("{what} message, number {number}");
                let open = line.open("note", &text);
                let open = if is_secret { open.sealed() } else { open };
                let mut exchange = open.send().await.expect("the line is up");
                assert_eq!(exchange.answer::<String>().await.expect("it answers"), text);
                assert_eq!(ear.heard(text.as_bytes()), !is_secret, "{text}");
            }
        })
    });
    for side in saying {
        side.await;
    }
    let far = super::far_end(&server).await;
    world.part(near, far).await;
}
