//! Files: from anything, to anything, in part and as a whole.

use ropeway_driver::{Code, Error, Line, Progress, SafeName, Save, Target, Uploading, Existing};

use super::by_hand::octets;
use super::files_by_hand::{Folder, Giving, Journal, follow, offered, read_file};
use super::{Scenario, scenarios};
use crate::world::World;

pub(super) const LIST: &[Scenario] = scenarios![
    come_from_every_source_to_every_target,
    of_one_message_come_side_by_side,
    come_with_requests_and_with_answers,
    are_read_by_range,
    that_are_declined_tell_why,
    are_continued_where_they_ended,
    outlive_their_line_in_part,
    tell_their_progress_to_the_end,
    let_others_through if |transport| !transport.is_slow(),
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
            Uploading::from_bytes(&name, content.clone()),
            Uploading::from_reader(&name, reader()),
            Uploading::from_reader(&name, reader()).size(len as u64),
        ] {
            let to_folder = send(&world, &near, source.media("x/y")).await;
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
