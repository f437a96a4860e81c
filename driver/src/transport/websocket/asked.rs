//! The end that is asked for the upgrade.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use async_tungstenite::tungstenite::Error as Tungstenite;
use async_tungstenite::tungstenite::error::ProtocolError;
use async_tungstenite::tungstenite::handshake::server::{Request, create_response, write_response};
use async_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use async_tungstenite::tungstenite::protocol::Role;
use futures_io::{AsyncRead, AsyncWrite};

use super::error::WebSocketError;
use super::octets::Octets;
use super::{SUBPROTOCOL, head};
use crate::error::Error;

/// Octets that a client may still send that was refused, lest they cost it the answer.
const REST: usize = 64 * 1024;

/// What a server may be asked for, and by whom. Clones are the same.
#[derive(Clone)]
pub(in crate::transport) struct Asked {
    path: Arc<str>,
    origins: Arc<[String]>,
}

/// A refusal: how it is answered, and what it is here.
type Refusal = (StatusCode, WebSocketError);

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
            Err(Failed::Refused(status, why)) => {
                refuse(&mut stream, status, &why).await?;
                Err(why.into())
            }
            Err(Failed::Broken(error)) => Err(error),
        }
    }

    /// Answers a request that is as it must be; what came right behind it.
    async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S) -> Result<Vec<u8>, Failed> {
        let (request, rest): (Request, _) = head::read(stream, b"GET ").await.map_err(Failed::of_head)?;
        let answer = self.answer(&request).map_err(|(status, why)| Failed::Refused(status, why))?;
        head::write(stream, &answer).await.map_err(|error| Failed::Broken(error.into()))?;
        Ok(rest)
    }

    /// The head of the answer.
    fn answer(&self, request: &Request) -> Result<Vec<u8>, Refusal> {
        if request.uri().path() != &*self.path {
            return Err((StatusCode::NOT_FOUND, WebSocketError::NoSuchPath(request.uri().path().into())));
        }
        let no_upgrade = |error| (status_of(&error), WebSocketError::no_upgrade(error));
        let mut response = create_response(request).map_err(no_upgrade)?;
        for origin in request.headers().get_all("origin") {
            if !self.origins.iter().any(|allowed| origin.as_bytes().eq_ignore_ascii_case(allowed.as_bytes())) {
                let origin = String::from_utf8_lossy(origin.as_bytes()).into_owned();
                return Err((StatusCode::FORBIDDEN, WebSocketError::BadOrigin(origin)));
            }
        }
        let offered =
            request.headers().get_all("sec-websocket-protocol").iter().filter_map(|value| value.to_str().ok());
        if !offered.flat_map(|list| list.split(',')).any(|one| one.trim() == SUBPROTOCOL) {
            return Err((StatusCode::BAD_REQUEST, WebSocketError::NoSubprotocol));
        }
        response.headers_mut().insert("Sec-WebSocket-Protocol", HeaderValue::from_static(SUBPROTOCOL));
        let mut head = Vec::new();
        write_response(&mut head, &response).map_err(no_upgrade)?;
        Ok(head)
    }
}

enum Failed {
    Refused(StatusCode, WebSocketError),
    Broken(Error),
}

impl Failed {
    fn of_head(error: Error) -> Failed {
        let Error::WebSocket(why) = error else { return Failed::Broken(error) };
        match Arc::into_inner(why) {
            Some(why @ WebSocketError::HeadTooLarge) => {
                Failed::Refused(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, why)
            }
            Some(why) => Failed::Refused(StatusCode::BAD_REQUEST, why),
            None => Failed::Broken(std::io::Error::from(std::io::ErrorKind::InvalidData).into()),
        }
    }
}

/// A request that asks for no upgrade, or for another version's, is told what there is.
fn status_of(error: &Tungstenite) -> StatusCode {
    match error {
        Tungstenite::Protocol(
            ProtocolError::MissingConnectionUpgradeHeader
            | ProtocolError::MissingUpgradeWebSocketHeader
            | ProtocolError::MissingSecWebSocketVersionHeader,
        ) => StatusCode::UPGRADE_REQUIRED,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// Says why, and lets the client read it.
async fn refuse<S>(stream: &mut S, status: StatusCode, why: &WebSocketError) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let offer = match status {
        StatusCode::UPGRADE_REQUIRED => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
        _ => "",
    };
    let why = format!("{why}\n");
    let answer = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\n{offer}Content-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {}\r\n\r\n{why}",
        why.len()
    );
    head::write(stream, answer.as_bytes()).await?;
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
