//! A folder whose files a client fetches, whole and in part, and puts more into, with their progress.

use std::path::Path;

use ropeway_tokio::{Client, Code, Error, Line, Message, Offered, ProgressStream, SafeName, Server};

#[tokio::main]
pub(crate) async fn main() -> Result<(), Error> {
    let here = std::env::temp_dir().join(format!("ropeway-files-{}", std::process::id()));
    let [shared, inbox] = ["shared", "inbox"].map(|name| here.join(name));
    for folder in [&shared, &inbox] {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(shared.join("noise.bin"), vec![7; 5_000_000])?;

    let (from, to) = (shared.clone(), shared);
    let server = Server::bind("tcp://127.0.0.1:0")
        .on_message("files.get", move |mut message: Message| {
            let folder = from.clone();
            async move {
                let name = SafeName::new(&message.decode::<String>().await?)?;
                message.respond(&()).file(folder.join(name.as_str())).await?;
                Ok(())
            }
        })
        .on_message("file", move |mut message: Message| {
            let folder = to.clone();
            async move {
                while let Some(file) = message.file().await? {
                    file.save_in(&folder).await?.finished().await?;
                }
                Ok(())
            }
        });
    let server = server.serve().await?;
    let client = Client::connect(server.address()).await?;

    let download = fetch(&client, "noise.bin").await?.save_in(&inbox).await?;
    show(download.progress()).await;
    println!("fetched {}", name(&download.finished().await?));

    let part = fetch(&client, "noise.bin").await?.range(1000..1010).write_to(Vec::new()).await?;
    println!("and of that {:?}", part.finished().await?);

    let upload = client.send_file(("notes.txt", "no news")).await?;
    upload.finished().await?;
    match client.open("files.get", "missing.txt").send().await?.answer::<()>().await {
        Err(Error::Answered(Code::NOT_FOUND, _)) => println!("sent {}, and there is no other", upload.name()),
        other => other?,
    }
    std::fs::remove_dir_all(here)?;
    Ok(())
}

async fn fetch(client: &Line, name: &str) -> Result<Offered, Error> {
    let mut exchange = client.open("files.get", name).await?;
    exchange.file().await?.ok_or(Error::Missing("file"))
}

async fn show(mut progress: ProgressStream) {
    while let Some(progress) = progress.next().await {
        println!("{} of {} octets", progress.done, progress.total.unwrap_or_default());
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
