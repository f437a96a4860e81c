//! Servers on paths of HTTP servers: axum's, and hyper alone.

mod mirror;

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::routing::get;
use hyper::server::conn::http1;
use ropeway_conformance::watchdog::watchdog;
use ropeway_tokio::{
    Client, CloseCode, Config, Endpoint, Endpoints, Error, Line, MountError, Mounts, Reason, Server, ServerBuilder,
    Tokio, WebSocketError,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::mirror::{comes_back, mirror};

const UPGRADE: &str = "Host: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n";
const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const PROTOCOL: &str = "Sec-WebSocket-Protocol: ropeway.1\r\n";

/// Ends the process if the test has not dropped it in time: nothing here may hang.
fn alarm() -> impl Sized {
    let test = std::thread::current();
    watchdog(test.name().unwrap_or_default(), Duration::from_secs(60), pending::<()>())
}

/// What a server is asked by a client that knows how.
fn whole() -> String {
    [UPGRADE, VERSION, KEY, PROTOCOL].concat()
}

/// Listens nowhere, and says its name.
fn named(name: &'static str) -> ServerBuilder<Tokio> {
    Server::bind("mem://").on("name", move |()| async move { Ok(name.to_owned()) }).on_message("mirror", mirror)
}

async fn name(line: &Line) -> String {
    line.request("name", &()).await.expect("the line is up")
}

/// A page, and these servers beside it, by axum.
async fn axum(mounts: Mounts) -> SocketAddr {
    let app = Router::new().route("/", get(|| async { "a page" })).fallback_service(mounts);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it listens");
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async { axum::serve(listener, app).await });
    address
}

/// A service for each connection, by hyper alone.
async fn hyper<S>(service: S) -> SocketAddr
where
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = String, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it listens");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let stream = hyper_util::rt::TokioIo::new(stream);
            tokio::spawn(http1::Builder::new().serve_connection(stream, service.clone()).with_upgrades());
        }
    });
    address
}

async fn connect(address: SocketAddr, path: &str) -> Result<Line, Error> {
    Client::connect(format!("ws://{address}{path}")).await
}

/// The status that a client was refused with.
async fn refused(address: SocketAddr, path: &str) -> u16 {
    match connect(address, path).await {
        Err(Error::WebSocket(why)) => match *why {
            WebSocketError::Refused(status) => status,
            ref other => panic!("{path}: {other}"),
        },
        other => panic!("{path}: {other:?}"),
    }
}

/// Asks by hand: the head of the answer, in small letters, its text, and the stream behind them.
async fn ask(address: SocketAddr, request: &[&str]) -> (String, String, TcpStream) {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all((request.concat() + "\r\n").as_bytes()).await.expect("it is read");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("an answer comes"));
    }
    let head = String::from_utf8(head).expect("it is text").to_lowercase();
    let length = head.split_once("content-length: ").map_or("0", |(_, rest)| rest.lines().next().expect("it is long"));
    let mut text = vec![0; length.parse().expect("it is a number")];
    stream.read_exact(&mut text).await.expect("it is as long as it says");
    (head, String::from_utf8(text).expect("it is text"), stream)
}

async fn page_is_served(address: SocketAddr) {
    let (head, text, _) = ask(address, &["GET / HTTP/1.1\r\nHost: localhost\r\n"]).await;
    assert!(head.starts_with("http/1.1 200 ok\r\n") && text == "a page", "{head}{text}");
}

#[tokio::test]
async fn a_page_and_a_line_share_a_port() {
    let _alarm = alarm();
    let server = named("it").serve().await.expect("nobody has its name");
    let address = axum(Mounts::new().mount("/ropeway", &server).expect("it is free")).await;
    page_is_served(address).await;
    let client = connect(address, "/ropeway").await.expect("it is served");
    assert_eq!(name(&client).await, "it");
    page_is_served(address).await;

    comes_back(&client).await;

    let echo = Server::bind("mem://").on("echo", |text: String| async move { Ok(text) });
    let echo = echo.serve().await.expect("nobody has its name");
    let address = axum(Mounts::new().mount("/echo", &echo).expect("it is free")).await;
    let client = connect(address, "/echo").await.expect("it is served");
    let text = "a large body ".repeat(100_000);
    assert!(client.request::<_, String>("echo", &text).await.expect("the line is up") == text);
}

#[tokio::test]
async fn a_request_that_may_not_be_is_refused_with_its_status() {
    let _alarm = alarm();
    let server = named("it").origins(["https://example.org"]).serve().await.expect("nobody has its name");
    let mounts = Mounts::new().mount("/line", &server).expect("it is free");
    let by_axum = axum(mounts.clone()).await;
    let by_hyper = hyper(mounts).await;
    let (get, whole) = ("GET /line HTTP/1.1\r\n", &*whole());
    let offer = ["connection: upgrade\r\n", "upgrade: websocket\r\n", "sec-websocket-version: 13\r\n"];
    const HOST: &str = "Host: localhost\r\n";
    const ASKS: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    let speaks = [VERSION, KEY, PROTOCOL].concat();
    type Case<'a> = (&'a str, &'a [&'a str], &'a [&'a str]);
    let cases: &[Case<'_>] = &[
        ("404 not found", &[], &["GET /lines HTTP/1.1\r\n", whole]),
        ("405 method not allowed", &["allow: get\r\n"], &["POST /line HTTP/1.1\r\nContent-Length: 0\r\n", whole]),
        ("405 method not allowed", &["allow: get\r\n"], &["DELETE /line HTTP/1.1\r\nHost: localhost\r\n"]),
        ("426 upgrade required", &offer, &[get, "Host: localhost\r\n"]),
        ("426 upgrade required", &offer, &[get, "Host: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"]),
        ("426 upgrade required", &offer, &[get, UPGRADE, KEY, PROTOCOL]),
        ("426 upgrade required", &offer, &[get, UPGRADE, "Sec-WebSocket-Version: 8\r\n", KEY, PROTOCOL]),
        ("426 upgrade required", &offer, &[get, whole, "Sec-WebSocket-Version: 8\r\n"]),
        ("400 bad request", &[], &[get, "Connection: Upgrade\r\nUpgrade: websocket\r\n", VERSION, KEY, PROTOCOL]),
        ("400 bad request", &[], &[get, whole, KEY]),
        ("400 bad request", &[], &[get, UPGRADE, VERSION, "Sec-WebSocket-Key: AAAA\r\n", PROTOCOL]),
        ("400 bad request", &[], &[get, whole, "Content-Length: 5\r\n"]),
        ("400 bad request", &[], &[get, whole, "Transfer-Encoding: chunked\r\n"]),
        ("400 bad request", &[], &[get, UPGRADE, VERSION, PROTOCOL]),
        ("400 bad request", &[], &[get, UPGRADE, VERSION, KEY]),
        ("400 bad request", &[], &[get, UPGRADE, VERSION, KEY, "Sec-WebSocket-Protocol: ropeway.10, chat\r\n"]),
        ("403 forbidden", &[], &[get, whole, "Origin: https://example.com\r\n"]),
        ("403 forbidden", &[], &[get, whole, "Origin: null\r\n"]),
        ("101 switching protocols", &[], &[get, whole, "Content-Length: 0\r\n"]),
        ("101 switching protocols", &[], &[get, HOST, "Connection: UPGRADE\r\nUpgrade: h2c, WebSocket\r\n", &speaks]),
        ("101 switching protocols", &[], &[get, HOST, "Connection: keep-alive\r\n", ASKS, &speaks]),
        ("101 switching protocols", &[&PROTOCOL.to_lowercase()], &[get, whole, "Origin: https://example.org\r\n"]),
    ];
    for address in [by_axum, by_hyper] {
        for (status, headers, request) in cases {
            let (head, text, _) = ask(address, request).await;
            assert!(head.starts_with(&format!("http/1.1 {status}\r\n")), "{request:?}: {head}{text}");
            for header in *headers {
                assert!(head.contains(header), "{request:?}: {head}");
            }
            if !status.starts_with("101") {
                assert!(head.contains("content-type: text/plain; charset=utf-8\r\n"), "{request:?}: {head}");
                assert!(text.ends_with('\n') && text.len() > 10, "{request:?} is told why: {text}");
            }
        }
        assert_eq!(refused(address, "/lines").await, 404);
        assert_eq!(name(&connect(address, "/line").await.expect("it is served")).await, "it");
    }
}

#[tokio::test]
async fn each_path_leads_to_its_own_server_and_to_no_other() {
    let _alarm = alarm();
    let (one, other) = (named("one").serve().await, named("other").serve().await);
    let (one, other) = (one.expect("nobody has its name"), other.expect("nobody has its name"));
    let mounts = Mounts::new().mount("/one", &one).and_then(|mounts| mounts.mount("/the/other%20one/", &other));
    let mounts = mounts.and_then(|mounts| mounts.mount("/", &other)).expect("they are free");
    let address = hyper(mounts).await;
    for (path, wanted) in [
        ("/one", Ok("one")),
        ("/one?token=1", Ok("one")),
        ("/the/other%20one/", Ok("other")),
        ("/", Ok("other")),
        ("/?/one", Ok("other")),
        ("/one/", Err(404)),
        ("/One", Err(404)),
        ("/%6fne", Err(404)),
        ("/the/../one", Err(404)),
        ("//one", Err(404)),
        ("/the/other%20one", Err(404)),
        ("/the/other+one/", Err(404)),
    ] {
        match wanted {
            Ok(wanted) => {
                assert_eq!(name(&connect(address, path).await.expect("it is served")).await, wanted, "{path}")
            }
            Err(status) => assert_eq!(refused(address, path).await, status, "{path}"),
        }
    }
}

#[tokio::test]
async fn a_path_that_is_taken_or_is_none_is_an_error_that_names_it() {
    let _alarm = alarm();
    let server = named("it").serve().await.expect("nobody has its name");
    for path in ["/ropeway", "/", "/a-b_c.d~e/f", "/with%20space", "/r/"] {
        let mounts = Mounts::new().mount(path, &server).and_then(|mounts| mounts.mount(path, &server));
        let error = mounts.expect_err("it is taken");
        assert_eq!(error, MountError::Taken(path.into()));
        assert_eq!(error.to_string(), format!("there is a server on the path {path:?} already"));
        assert_eq!(Error::from(error.clone()).to_string(), error.to_string());
    }
    for path in ["", "ropeway", "*", "/a?b", "/a#b", "/a b", "/caf\u{e9}", "/a\n", "ws://localhost/a", "/<a>"] {
        let error = Mounts::new().mount(path, &server).expect_err("it is no path");
        assert_eq!(error, MountError::NoPath(path.into()));
        assert_eq!(error.to_string(), format!("{path:?} is not the path of an url without a query"));
    }
}

#[tokio::test]
async fn a_frame_that_may_not_be_closes_the_websocket_with_its_code() {
    let _alarm = alarm();
    let server = named("it").serve().await.expect("nobody has its name");
    let address = axum(Mounts::new().mount("/line", &server).expect("it is free")).await;
    // A text, and a head that announces more than a message may have, under a mask that changes nothing.
    let text = [&[0x81, 0x80 | 5, 0, 0, 0, 0][..], b"hello"].concat();
    let large = [&[0x82, 0x80 | 127][..], &65_537u64.to_be_bytes(), &[0; 4]].concat();
    for (code, frame) in [(1003u16, text), (1009, large)] {
        let (head, _, mut stream) = ask(address, &["GET /line HTTP/1.1\r\n", &whole()]).await;
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        stream.write_all(&frame).await.expect("it is read");
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said).await;
        assert!(said.len() > 4 && said[0] == 0x88 && said[2..4] == code.to_be_bytes(), "{code}: {said:?}");
    }
}

#[tokio::test]
async fn what_comes_right_behind_the_request_is_of_the_line() {
    let _alarm = alarm();
    let server = named("it").serve().await.expect("nobody has its name");
    let address = hyper(Mounts::new().mount("/line", &server).expect("it is free")).await;
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let text = [&[0x81, 0x80 | 5, 0, 0, 0, 0][..], b"hello"].concat();
    let request = ["GET /line HTTP/1.1\r\n", &whole(), "\r\n"].concat();
    stream.write_all(&[request.as_bytes(), &text].concat()).await.expect("it is read");
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said).await;
    let end = said.windows(4).position(|four| four == b"\r\n\r\n").expect("the head has an end") + 4;
    assert_eq!(said.get(end + 2..end + 4), Some(&1003u16.to_be_bytes()[..]), "{said:?}");
}

#[tokio::test]
async fn a_server_that_ends_ends_its_lines_and_no_page() {
    let _alarm = alarm();
    type Ending = fn(Server) -> tokio::task::JoinHandle<()>;
    let endings: [Ending; 2] = [
        |server| {
            tokio::spawn(async {
                let shutdown = server.shutdown(Duration::from_secs(3600)).await;
                assert_eq!((shutdown.closed, shutdown.cut), (1, 0));
            })
        },
        |server| tokio::spawn(async { drop(server) }),
    ];
    for end in endings {
        let (server, other) = (named("it").serve().await, named("other").serve().await);
        let (server, other) = (server.expect("nobody has its name"), other.expect("nobody has its name"));
        let mounts = Mounts::new().mount("/it", &server).and_then(|mounts| mounts.mount("/other", &other));
        let address = axum(mounts.expect("they are free")).await;
        let client = connect(address, "/it").await.expect("it is served");
        let beside = connect(address, "/other").await.expect("it is served");
        end(server).await.expect("it ends in peace");
        assert_eq!(client.ended().await.reason, Reason::ByPeer(CloseCode::AWAY));
        assert_eq!(refused(address, "/it").await, 503);
        page_is_served(address).await;
        assert_eq!(name(&beside).await, "other");
    }
}

#[tokio::test]
async fn a_server_that_is_full_says_so_at_once_until_it_is_not() {
    let _alarm = alarm();
    let server = named("it").max_lines(1).serve().await.expect("nobody has its name");
    let address = axum(Mounts::new().mount("/it", &server).expect("it is free")).await;
    let client = connect(address, "/it").await.expect("there is a place");
    assert_eq!(refused(address, "/it").await, 503);
    assert_eq!(name(&client).await, "it");
    client.close(CloseCode::DONE, "").await;
    // The server may have to read that still.
    while let Err(Error::WebSocket(_)) = connect(address, "/it").await {}
}

#[tokio::test]
async fn a_mount_keeps_no_server_and_no_handler() {
    let _alarm = alarm();
    let held = Arc::new(());
    let kept = held.clone();
    let server = Server::bind("mem://").on("held", move |()| {
        let _kept = &kept;
        async { Ok(()) }
    });
    let server = server.serve().await.expect("nobody has its name");
    let mounts = Mounts::new().mount("/it", &server).expect("it is free");
    let client = connect(hyper(mounts.clone()).await, "/it").await.expect("it is served");
    client.request::<_, ()>("held", &()).await.expect("the line is up");
    server.shutdown(Duration::from_secs(3600)).await;
    while Arc::strong_count(&held) > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(format!("{mounts:?}"), r#"Mounts { paths: ["/it"], .. }"#);
}

#[tokio::test]
async fn a_line_knows_its_ends_if_the_mount_is_told_them() {
    let _alarm = alarm();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let server = named("it").on_line(move |line| {
        let _ = tell.send(line.endpoints().clone());
        async { Ok(()) }
    });
    let server = server.serve().await.expect("nobody has its name");
    let mounts = Mounts::new().mount("/it", &server).expect("it is free");
    let knowing = mounts.clone().endpoints(|request| {
        let peer = request.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| Endpoint::Tcp(peer.0));
        Endpoints::new(None, peer)
    });
    let client = connect(axum(mounts).await, "/it").await.expect("it is served");
    assert_eq!(told.recv().await, Some(Endpoints::default()));
    drop(client);
    let client = connect(axum(knowing).await, "/it").await.expect("it is served");
    let near = client.endpoints().local.clone();
    assert!(matches!(near, Some(Endpoint::Tcp(_))), "{near:?}");
    assert_eq!(told.recv().await, Some(Endpoints::new(None, near)));
}

#[tokio::test]
async fn an_upgrade_that_no_server_can_do_is_refused() {
    let _alarm = alarm();
    let server = named("it").serve().await.expect("nobody has its name");
    let mounts = Mounts::new().mount("/it", &server).expect("it is free");
    let request = Request::get("/it").header("host", "localhost").header("upgrade", "websocket");
    let request = request.header("connection", "upgrade");
    let request = request.header("sec-websocket-version", "13").header("sec-websocket-protocol", "ropeway.1");
    let request = request.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==").body(()).expect("it is a request");
    let answer = mounts.answer(request);
    assert_eq!((answer.status().as_u16(), &**answer.body()), (501, "the server can't let go of the connection\n"));
}

/// Answers that are held back, so that what follows them never comes.
#[tokio::test(start_paused = true)]
async fn a_stream_that_never_comes_has_its_place_no_longer_than_a_hello_may_take() {
    let _alarm = alarm();
    let mut config = Config::default();
    config.protocol.hello_timeout = Duration::from_secs(3600);
    let server = named("it").config(config).max_lines(1).serve().await.expect("nobody has its name");
    let mounts = Mounts::new().mount("/it", &server).expect("it is free");
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let held = Arc::new(Mutex::new(Vec::new()));
    let (holding, answering) = (held.clone(), mounts.clone());
    let holds = hyper::service::service_fn(move |request| {
        holding.lock().expect("nobody panicked").push(answering.answer(request));
        let _ = tell.send(());
        pending::<Result<hyper::Response<String>, Infallible>>()
    });
    let (holds, answers) = (hyper(holds).await, hyper(mounts).await);
    let mut stream = TcpStream::connect(holds).await.expect("it listens");
    stream.write_all(["GET /it HTTP/1.1\r\n", &whole(), "\r\n"].concat().as_bytes()).await.expect("it is read");
    told.recv().await.expect("it is answered");
    assert_eq!(held.lock().expect("nobody panicked")[0].status(), 101);
    assert_eq!(refused(answers, "/it").await, 503);
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert_eq!(name(&connect(answers, "/it").await.expect("there is a place")).await, "it");
}
