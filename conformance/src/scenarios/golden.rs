//! Short lines that are worth keeping as traces: each shows one thing, at both ends.

use ropeway_driver::{CloseCode, Code, Error, Failure, Reason, Router, Uploading};

use super::by_hand::{echo, hello, mirror, octets, read_some, read_stream, write_all};
use super::files_by_hand::{offered, read_file};
use super::{Scenario, scenarios};
use crate::world::{World, patient, tight};

/// All of them. A trace is called by the name, and which end it is of.
pub const GOLDEN: &[Scenario] = scenarios![handshake, request, refused, stream, file, peer_error, close];

async fn handshake(world: World) {
    let (near, far) = world.pair().await;
    near.ping().await.expect("the line is up");
    near.close(CloseCode::DONE, "").await;
    far.ended().await;
}

async fn request(world: World) {
    let (near, far) = world.pair().await;
    let refuse = |(): ()| async { Err::<(), _>(Failure::new(Code::REJECTED, "not today")) };
    world.serve(&far, Router::new().on("echo", echo).on("no", refuse));
    assert_eq!(near.request::<_, String>("echo", "Atreyuuuu!").await.expect("it is answered"), "Atreyuuuu!");
    near.request::<_, ()>("no", &()).await.expect_err("it is refused");
    near.request::<_, ()>("nobody", &(1u8, "a value")).await.expect_err("nobody handles it");
    near.notify(7u32, "a notice").await.expect("the line is up");
    near.close(CloseCode::DONE, "").await;
    far.ended().await;
}

/// What is more than the peer takes is refused here, and nothing is sent.
async fn refused(world: World) {
    let mut small = patient();
    small.protocol.max_message = 100;
    let (near, far) = world.pair_with(patient(), small).await;
    let large = near.notify(7u32, &"x".repeat(101)).await.expect_err("it is too large");
    assert!(matches!(large, Error::TooLarge(_)), "{large}");
    near.close(CloseCode::DONE, "").await;
    far.ended().await;
    near.notify(7u32, "too late").await.expect_err("the line is over");
}

async fn stream(world: World) {
    let (near, far) = world.pair_with(tight(), tight()).await;
    world.serve(&far, Router::new().on_message("mirror", mirror));
    let (mut writer, mut reader) = near.open("mirror", &()).into_stream().await.expect("the line is up");
    for piece in ["a stream ", "in two pieces"] {
        writer.send(piece.as_bytes()).await.expect("it is read");
    }
    writer.finish().await.expect("it is read");
    assert_eq!(read_stream(&mut reader).await.expect("it is complete"), b"a stream in two pieces");
    near.close(CloseCode::DONE, "").await;
    far.ended().await;
}

async fn file(world: World) {
    let (near, far) = world.pair_with(tight(), tight()).await;
    let content = octets(3000, 1);
    let upload = near.send_file(Uploading::from_bytes("three.bin", content.clone())).await.expect("it is offered");
    let (_message, file) = offered(&far).await;
    let mut reader = file.read().await.expect("it is asked for");
    assert!(read_file(&mut reader).await.expect("it comes") == content);
    upload.finished().await.expect("it is told");
    near.close(CloseCode::DONE, "").await;
    far.ended().await;
}

/// A client that says what makes no sense.
async fn peer_error(world: World) {
    let (listener, address) = world.listen().await;
    let mut by_hand = world.connect(&address).await.0;
    let (far, driver) = world.far_end(world.accept(&listener).await, patient());
    world.background(driver);
    write_all(&mut by_hand, &hello()).await.expect("it is read");
    read_some(&mut by_hand).await;
    // An answer to what was never asked.
    write_all(&mut by_hand, &[0x28, 0, 0]).await.expect("it is read");
    assert!(matches!(far.ended().await.reason, Reason::PeerError(_)));
    drop(by_hand);
}

async fn close(world: World) {
    let (near, far) = world.pair().await;
    far.go_away().await.expect("the line is up");
    near.ping().await.expect("the line is up");
    near.close(CloseCode::new(100).expect("one of our own"), "that was all").await;
    assert_eq!(&*far.ended().await.text, "that was all");
}
