//! Server, line and folder of the demo.

use std::path::Path;
use std::time::Duration;

use ropeway_tokio::{Client, CloseCode, Line, Server};
use tempfile::TempDir;

use super::material::Material;
#[cfg(feature = "seal")]
use super::sealed::Sealed;
use super::server;
#[cfg(feature = "seal")]
use super::table::Table;
use crate::exit::Failed;

/// How long what is open may still take in the end.
const GRACE: Duration = Duration::from_secs(1);

/// What the client calls itself.
pub(super) const NAME: &str = "Atreyu";

pub(super) struct Stage {
    server: Server,
    line: Line,
    folder: TempDir,
    #[cfg(feature = "seal")]
    sealed: Sealed,
}

impl Stage {
    pub(super) async fn build(material: &Material, #[cfg(feature = "seal")] sealed: Sealed) -> Result<Stage, Failed> {
        let folder = TempDir::with_prefix("ropeway-").map_err(Failed::file("can't make a temporary folder"))?;
        let server = server::building(material.base.clone(), folder.path().to_owned());
        #[cfg(feature = "seal")]
        let server = sealed.serve(server);
        let server = server.serve().await.map_err(Failed::unconnected)?;
        let client = Client::to(server.address()).on("who are you", |()| async { Ok(NAME) });
        #[cfg(feature = "seal")]
        let client = sealed.main(client);
        let line = client.connect().await.map_err(|error| Failed::unreached(error, server.address()))?;
        Ok(Stage {
            server,
            line,
            folder,
            #[cfg(feature = "seal")]
            sealed,
        })
    }

    #[cfg(feature = "seal")]
    pub(super) async fn show_sealed(&self, table: &mut Table<'_>) -> Result<(), Failed> {
        self.sealed.show(self.server.address(), table).await
    }

    pub(super) fn line(&self) -> &Line {
        &self.line
    }

    /// Where files are received.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends the line, then the server, so that nothing is written to the folder any more, and removes it.
    pub(super) async fn strike(self) -> Result<(), Failed> {
        let Stage { server, line, folder, .. } = self;
        let _ = tokio::time::timeout(GRACE, line.close(CloseCode::DONE, "")).await;
        server.shutdown(GRACE).await;
        folder.close().map_err(Failed::file("can't remove the temporary folder"))
    }
}
