//! The server of the demo: an action for each kind of answer.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use ropeway_tokio::{Code, Failure, Message, Server, ServerBuilder, Tokio, Uploading};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::streams::{self, Endless};

/// How often, and how many times, long work reports its progress.
pub(super) const REPORTS: (Duration, u32) = (Duration::from_millis(60), 8);
/// What fails, fails with this.
pub(super) const FROZEN: (Code, &str) = (Code::BUSY, "the cable is frozen");

/// What was counted of notices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counted {
    pub(super) count: u64,
    pub(super) sum: u64,
}

/// A value of a type of one's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) number: u32,
    pub(super) text: String,
    pub(super) next: Option<Box<Entry>>,
}

/// Receives files into a folder.
pub(super) fn building(base: Bytes, folder: PathBuf) -> ServerBuilder<Tokio> {
    let counted = Arc::new(Mutex::new(Counted::default()));
    let counts = counted.clone();
    let piped = Arc::new(tokio::sync::Mutex::new(String::new()));
    let pipes = piped.clone();
    let endless = Endless::new(base.clone());
    let folder: Arc<Path> = folder.into();
    Server::bind("tcp://127.0.0.1:0")
        .on("count", move |number: u64| {
            let mut counted = counts.lock().unwrap_or_else(PoisonError::into_inner);
            *counted = Counted { count: counted.count + 1, sum: counted.sum + number };
            async { Ok(()) }
        })
        .on("counted", move |()| {
            let counted = *counted.lock().unwrap_or_else(PoisonError::into_inner);
            async move { Ok(counted) }
        })
        .on_message("code", async |mut message: Message| {
            let number = message.decode().await?;
            message.code(Code::new(number).unwrap_or(Code::BAD_REQUEST));
            Ok(())
        })
        .on("entry", |entry: Entry| async move { Ok(Entry { number: entry.number + 1, ..entry }) })
        .on_message("words", words)
        .on_message("work", work)
        .on("fail", |()| async { Err::<(), _>(Failure::new(FROZEN.0, FROZEN.1)) })
        .on_message("ask back", ask_back)
        .on_message("file of", move |message| file_of(message, base.clone()))
        .on_message("pipe", move |message| streams::serve(message, endless.clone(), pipes.clone()))
        .on("piped", move |()| {
            let piped = piped.clone();
            async move { Ok(piped.lock().await.clone()) }
        })
        .on_message("file", move |message| receive(message, folder.clone()))
}

/// A response for each word.
async fn words(mut message: Message) -> Result<(), Failure> {
    let text: String = message.decode().await?;
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let response = message.respond(word);
        let response = if words.peek().is_some() { response.more() } else { response };
        response.await?;
    }
    Ok(())
}

/// Takes longer than anybody waits, but tells that it gets on.
async fn work(mut message: Message) -> Result<(), Failure> {
    let (pause, times) = REPORTS;
    for done in 1..=times {
        sleep(pause).await;
        message.update(&done).await?;
    }
    message.answer("done").await?;
    Ok(())
}

/// Asks the client in return.
async fn ask_back(message: Message) -> Result<(), Failure> {
    let name: String = message.line().request("who are you", &()).await?;
    message.answer(&format!("you are {name}")).await?;
    Ok(())
}

async fn file_of(mut message: Message, base: Bytes) -> Result<(), Failure> {
    let name: String = message.decode().await?;
    message.respond("here it is").file(Uploading::from_bytes(name, base)).await?;
    Ok(())
}

/// Asks for all files of a message before it waits for any.
async fn receive(mut message: Message, folder: Arc<Path>) -> Result<(), Failure> {
    while let Some(offered) = message.file().await? {
        // Its sender hears how it ends, and so does the demo.
        offered.save_in(&folder).await?;
    }
    Ok(())
}
