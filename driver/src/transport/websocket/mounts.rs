//! Servers on paths of an HTTP server that is there already.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_tungstenite::tungstenite::protocol::Role;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Request, Response, StatusCode};
use hyper::upgrade::OnUpgrade;

use super::octets::Octets;
use super::upgrade::{Refusal, grant, refused};
use super::upgraded::Upgraded;
use crate::runtime::{Endpoints, Runtime};
use crate::server::{Entrance, Server};
use crate::transport::Channel;

/// Servers on paths of an HTTP server that hyper runs, such as axum's: a service of tower's and of hyper's that upgrades
/// requests to WebSocket, and each to a line.
///
/// What a request must be is what it must be at a `ws://` address, [`origins`](crate::ServerBuilder::origins) of the server
/// included, and a client connects to `ws://host:port/path`, or to `wss://` if the HTTP server has TLS. Other requests are
/// answered with a short text and
///
/// | status | for a request that |
/// | --- | --- |
/// | 400 | is not of HTTP/1.1, has a body or no valid key, or does not offer the subprotocol |
/// | 403 | is a page's of another origin |
/// | 404 | is for none of the paths |
/// | 405 | is no GET |
/// | 426 | asks for no upgrade to WebSocket, or not for version 13; over HTTP/2 there is none |
/// | 501 | comes from an HTTP server that can't let go of its connection |
/// | 503 | comes to a server that has stopped, or has [`max_lines`](crate::ServerBuilder::max_lines) already: nobody waits |
///
/// A line counts from its request on, and its hello must come in time from then on, as of those that are accepted. It is the
/// server's, not the HTTP server's: it ends with the former and outlives the latter. What a client showed over TLS is known to
/// the HTTP server alone. How sockets are set up is for the HTTP server to say; it should set `TCP_NODELAY`. A server that
/// listens for nothing else is bound to `mem://`, where nobody comes.
///
/// With axum it is a `fallback_service`, or a `route_service` of the path that it has here. With hyper alone it is the
/// service of a connection `with_upgrades`. What else is wanted of a request is for a layer around it. Clones are the same
/// servers on the same paths.
///
/// # Panics
/// As a service, outside of the runtime where one is needed to spawn, as with tokio.
pub struct Mounts<R> {
    paths: Arc<BTreeMap<String, Entrance<R>>>,
    locate: Option<Locate>,
}

type Locate = Arc<dyn Fn(&Parts) -> Endpoints + Send + Sync>;

/// Why a server can't be on a path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MountError {
    /// Another server is on it.
    Taken(String),
    /// It is not the path of an URL: from a slash on, in visible ASCII, without a query.
    NoPath(String),
}

impl<R: Runtime> Mounts<R> {
    /// No server on any path.
    pub fn new() -> Mounts<R> {
        Mounts { paths: Arc::new(BTreeMap::new()), locate: None }
    }

    /// Puts a server on a path, and does not keep it from being dropped.
    ///
    /// A request is for it if its path is the same, octet for octet: a slash at the end counts, and so does how a letter
    /// is encoded. Its query does not.
    ///
    /// # Errors
    /// [`MountError`] if the path is taken, or is none.
    pub fn mount(mut self, path: impl Into<String>, server: &Server<R>) -> Result<Mounts<R>, MountError> {
        let path = path.into();
        if !is_path(&path) {
            return Err(MountError::NoPath(path));
        }
        if self.paths.contains_key(&path) {
            return Err(MountError::Taken(path));
        }
        Arc::make_mut(&mut self.paths).insert(path, server.entrance());
        Ok(self)
    }

    /// Tells where the ends of a line are, by the request that asks for it: [`Line::endpoints`](crate::Line::endpoints) are
    /// none otherwise. Axum has the peer's address among the request's extensions, a proxy's backend in a header.
    pub fn endpoints(mut self, locate: impl Fn(&Parts) -> Endpoints + Send + Sync + 'static) -> Mounts<R> {
        self.locate = Some(Arc::new(locate));
        self
    }

    /// The answer to a request. If it is an upgrade, its line is there once that has been sent.
    pub fn answer<B>(&self, request: Request<B>) -> Response<String> {
        let path = request.uri().path();
        let Some(entrance) = self.paths.get(path) else { return Refusal::no_such_path(path).answer() };
        let granted = match grant(&request, entrance.origins()) {
            Ok(granted) => granted,
            Err(refusal) => {
                tracing::debug!(why = %refusal.why, "an upgrade was refused");
                return refusal.answer();
            }
        };
        let (mut request, _) = request.into_parts();
        let Some(upgrade) = request.extensions.remove::<OnUpgrade>() else {
            return refused(StatusCode::NOT_IMPLEMENTED, &"the server can't let go of the connection");
        };
        let endpoints = self.locate.as_ref().map_or_else(Endpoints::default, |locate| locate(&request));
        let upgraded = Channel::handshaking(async {
            let stream = Upgraded(upgrade.await.map_err(io::Error::other)?);
            // What came right behind the request comes first of the stream.
            Ok(Box::new(Octets::over(stream, Vec::new(), Role::Server).await) as _)
        });
        match entrance.enter(upgraded, endpoints) {
            Ok(()) => granted,
            Err(why) => refused(StatusCode::SERVICE_UNAVAILABLE, &why),
        }
    }
}

/// Whether a request may have it for its path.
fn is_path(path: &str) -> bool {
    path.starts_with('/')
        && path.bytes().all(|octet| octet.is_ascii_graphic())
        && PathAndQuery::try_from(path).is_ok_and(|parsed| parsed.path() == path)
}

impl<R: Runtime> Default for Mounts<R> {
    fn default() -> Mounts<R> {
        Mounts::new()
    }
}

impl<R> Clone for Mounts<R> {
    fn clone(&self) -> Mounts<R> {
        Mounts { paths: self.paths.clone(), locate: self.locate.clone() }
    }
}

impl<R: Runtime, B> tower_service::Service<Request<B>> for Mounts<R> {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(request)))
    }
}

impl<R: Runtime, B> hyper::service::Service<Request<B>> for Mounts<R> {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(request)))
    }
}

impl<R> fmt::Debug for Mounts<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mounts").field("paths", &self.paths.keys()).finish_non_exhaustive()
    }
}

impl fmt::Display for MountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MountError::Taken(path) => write!(f, "there is a server on the path {path:?} already"),
            MountError::NoPath(path) => write!(f, "{path:?} is not the path of an url without a query"),
        }
    }
}

impl std::error::Error for MountError {}
