//! The end that is asked for the upgrade, and reads that by itself.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use async_tungstenite::tungstenite::handshake::server::{Request, write_response};
use async_tungstenite::tungstenite::protocol::Role;
use futures_io::{AsyncRead, AsyncWrite};
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderValue, Response, StatusCode};

use super::error::WebSocketError;
use super::head;
use super::octets::Octets;
use super::upgrade::{Refusal, grant};
use crate::error::Error;

/// Octets that a client may still send that was refused, lest they cost it the answer.
const REST: usize = 64 * 1024;

/// What a server may be asked for, and by whom. Clones are the same.
#[derive(Clone)]
pub(in crate::transport) struct Asked {
    path: Arc<str>,
    origins: Arc<[String]>,
}

impl Asked {
    pub(in crate::transport) fn new(path: &str, origins: &[String]) -> Asked {
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        Asked { path: path.into(), origins: origins.into() }
    }

    pub(in crate::transport) async fn accept<S>(self, mut stream: S) -> Result<Octets<S>, Error>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match self.upgrade(&mut stream).await {
            Ok(rest) => Ok(Octets::over(stream, rest, Role::Server).await),
            Err(Failed::Refused(refusal)) => {
                refuse(&mut stream, &refusal).await?;
                Err(refusal.why.into())
            }
            Err(Failed::Broken(error)) => Err(error),
        }
    }

    /// Answers a request that is as it must be; what came right behind it.
    async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S) -> Result<Vec<u8>, Failed> {
        let (request, rest): (Request, _) = head::read(stream, b"GET ").await.map_err(Failed::of_head)?;
        let answer = self.answer(&request).map_err(Failed::Refused)?;
        send(stream, &answer).await.map_err(Failed::Broken)?;
        Ok(rest)
    }

    fn answer(&self, request: &Request) -> Result<Response<String>, Refusal> {
        let path = request.uri().path();
        if path != &*self.path {
            return Err(Refusal::no_such_path(path));
        }
        grant(request, &self.origins)
    }
}

enum Failed {
    Refused(Refusal),
    Broken(Error),
}

impl Failed {
    fn of_head(error: Error) -> Failed {
        let Error::WebSocket(why) = error else { return Failed::Broken(error) };
        let status = match *why {
            WebSocketError::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        };
        match Arc::into_inner(why) {
            Some(why) => Failed::Refused(Refusal { status, why }),
            None => Failed::Broken(std::io::Error::from(std::io::ErrorKind::InvalidData).into()),
        }
    }
}

/// Says why, and lets the client read it.
async fn refuse<S>(stream: &mut S, refusal: &Refusal) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut answer = refusal.answer();
    let length = answer.body().len();
    answer.headers_mut().append(CONNECTION, HeaderValue::from_static("close"));
    answer.headers_mut().insert(CONTENT_LENGTH, length.into());
    send(stream, &answer).await?;
    poll_fn(|cx| Pin::new(&mut *stream).poll_close(cx)).await?;
    let (mut left, mut block) = (REST, [0; 1024]);
    while left > 0 {
        match poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut block)).await {
            Ok(0) | Err(_) => break,
            Ok(read) => left = left.saturating_sub(read),
        }
    }
    Ok(())
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), answer: &Response<String>) -> Result<(), Error> {
    let mut octets = Vec::new();
    write_response(&mut octets, answer).map_err(WebSocketError::no_upgrade)?;
    octets.extend_from_slice(answer.body().as_bytes());
    Ok(head::write(stream, &octets).await?)
}
