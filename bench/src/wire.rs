//! What lies between two ends: the transports that lines run over, and the same ones raw.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use async_tungstenite::bytes::{ByteReader, ByteWriter};
use async_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use async_tungstenite::{WebSocketReceiver, WebSocketSender, WebSocketStream};
use futures::{AsyncRead, AsyncWrite, try_join};
use futures_rustls::pki_types::pem::PemObject;
use futures_rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use futures_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs, ring};
use futures_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use futures_rustls::{TlsAcceptor, TlsConnector};

use crate::home::{Home, pair};
use crate::sealed::Seals;

/// What the certificate is for.
const HOST: &str = "localhost";
/// As the driver sets up a WebSocket: octets in a message, read at once, and of answers to pings.
const MESSAGE: usize = 64 * 1024;
const READ: usize = 16 * 1024;
const PONGS: usize = 1024;

/// A transport.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wire {
    /// Within the process: there is no raw one.
    Mem,
    Tcp,
    Tls,
    /// By AWS-LC instead of ring.
    TlsAwsLc,
    Ws,
    /// One of the others, and a line over it that is sealed.
    Sealed(&'static Wire, Seals),
}

impl Wire {
    /// Where a server listens.
    pub(crate) fn address(self) -> &'static str {
        match self {
            Wire::Mem => "mem://",
            Wire::Tcp => "tcp://127.0.0.1:0",
            Wire::Tls | Wire::TlsAwsLc => "tls://localhost:0",
            Wire::Ws => "ws://127.0.0.1:0/",
            Wire::Sealed(over, _) => over.address(),
        }
    }

    /// How lines over it are sealed, if they are.
    pub(crate) fn seals(self) -> Option<Seals> {
        match self {
            Wire::Sealed(_, seals) => Some(seals),
            _ => None,
        }
    }

    /// Whether there is something like it without lines.
    pub(crate) fn is_raw(self) -> bool {
        matches!(self, Wire::Tcp | Wire::Tls | Wire::TlsAwsLc | Wire::Ws)
    }

    /// Two ends, connected, and their handshakes done.
    pub(crate) async fn ends<H: Home>(self) -> io::Result<(End, End)> {
        let (near, far) = pair::<H>()?;
        Ok(match self {
            Wire::Mem | Wire::Sealed(..) => return Err(io::ErrorKind::Unsupported.into()),
            Wire::Tcp => (Box::new(near), Box::new(far)),
            Wire::Tls | Wire::TlsAwsLc => {
                let (client, server) = tls(self)?;
                let host = ServerName::try_from(HOST).map_err(io::Error::other)?;
                let near = TlsConnector::from(client).connect(host, near);
                let (near, far) = try_join!(near, TlsAcceptor::from(server).accept(far))?;
                (Box::new(near), Box::new(far))
            }
            Wire::Ws => {
                let config = WebSocketConfig::default()
                    .read_buffer_size(READ)
                    .write_buffer_size(0)
                    .max_write_buffer_size(MESSAGE + PONGS)
                    .max_message_size(Some(MESSAGE))
                    .max_frame_size(Some(MESSAGE));
                let near = WebSocketStream::from_raw_socket(near, Role::Client, Some(config)).await;
                let far = WebSocketStream::from_raw_socket(far, Role::Server, Some(config)).await;
                (Box::new(Octets::over(near)), Box::new(Octets::over(far)))
            }
        })
    }
}

/// One end of a raw transport.
pub(crate) type End = Box<dyn Duplex>;

/// Octets both ways.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

type Ready = (Arc<ClientConfig>, Arc<ServerConfig>);

/// One configuration for both ends, for lines and the raw transport alike.
pub(crate) fn tls(wire: Wire) -> io::Result<Ready> {
    static READY: [OnceLock<Ready>; 2] = [const { OnceLock::new() }; 2];
    let (place, provider): (_, fn() -> CryptoProvider) = match wire {
        Wire::TlsAwsLc => (&READY[1], aws_lc_rs::default_provider),
        _ => (&READY[0], ring::default_provider),
    };
    if let Some(ready) = place.get() {
        return Ok(ready.clone());
    }
    let provider = Arc::new(provider());
    let mut roots = RootCertStore::empty();
    for authority in certificates("authority.pem")? {
        roots.add(authority).map_err(io::Error::other)?;
    }
    let client = ClientConfig::builder_with_provider(provider.clone());
    let client = client.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let client = client.with_root_certificates(roots).with_no_client_auth();
    let key = PrivateKeyDer::from_pem_slice(&fs::read(file("server.key"))?).map_err(io::Error::other)?;
    let server = ServerConfig::builder_with_provider(provider);
    let server = server.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let server = server.with_no_client_auth().with_single_cert(certificates("server.pem")?, key);
    let made = (Arc::new(client), Arc::new(server.map_err(io::Error::other)?));
    Ok(place.get_or_init(|| made).clone())
}

fn certificates(name: &str) -> io::Result<Vec<CertificateDer<'static>>> {
    let octets = fs::read(file(name))?;
    CertificateDer::pem_slice_iter(&octets).collect::<Result<_, _>>().map_err(io::Error::other)
}

/// One of those that the tests use, which are for this machine's own addresses.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/certificates").join(name)
}

/// A WebSocket as a stream of octets.
struct Octets<S> {
    reader: ByteReader<WebSocketReceiver<S>>,
    writer: ByteWriter<WebSocketSender<S>>,
}

impl<S> Octets<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    fn over(socket: WebSocketStream<S>) -> Self {
        let (sender, receiver) = socket.split();
        Self { reader: ByteReader::new(receiver), writer: ByteWriter::new(sender) }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Octets<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.reader).poll_read(cx, out)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Octets<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(cx, &octets[..octets.len().min(MESSAGE)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_close(cx)
    }
}
