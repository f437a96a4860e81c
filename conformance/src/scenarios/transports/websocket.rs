//! WebSocket: upgrades that are refused, and frames that are.

use ropeway_driver::{Address, Error, WebSocketError};

use super::{beneath, carries_all_there_is, client_of, in_all_weathers, once};
use crate::lab::Duplex;
use crate::scenarios::by_hand::{echo, hello, read_some, read_to_end, still_works, write_all};
use crate::scenarios::{Scenario, scenarios};
use crate::world::World;

pub(in crate::scenarios) const LIST: &[Scenario] = scenarios![
    websocket_carries_all_there_is_in_any_weather if in_all_weathers,
    websocket_over_tls_carries_all_there_is_in_any_weather if in_all_weathers,
    an_upgrade_that_may_not_be_is_refused_with_its_status if in_all_weathers,
    an_upgrade_that_may_be_is_answered if in_all_weathers,
    a_client_says_what_is_wrong_with_an_answer if in_all_weathers,
    a_frame_that_may_not_be_ends_its_line_with_its_code if once,
    pings_are_answered_while_a_line_goes_on if once,
];

/// What RFC 6455 asks for, and answers with.
const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const ACCEPT: &str = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";
const UPGRADE: &str = "Host: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n";
const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
const PROTOCOL: &str = "Sec-WebSocket-Protocol: ropeway.1\r\n";

async fn websocket_carries_all_there_is_in_any_weather(world: World) {
    carries_all_there_is(&world, "ws://localhost:0/a/line?ignored", |address| {
        let Address::Ws { host, port, path } = address else { panic!("it is of another transport") };
        assert!(host == "localhost" && *port > 0 && path == "/a/line?ignored");
    })
    .await;
}

async fn websocket_over_tls_carries_all_there_is_in_any_weather(world: World) {
    carries_all_there_is(&world, "wss://localhost:0", |address| {
        let Address::Wss { host, port, path } = address else { panic!("it is of another transport") };
        assert!(host == "localhost" && *port > 0 && path == "/");
    })
    .await;
}

async fn an_upgrade_that_may_not_be_is_refused_with_its_status(world: World) {
    let server = world.server_at("ws://localhost:0/line").origins(["https://example.org"]).on("echo", echo);
    let server = server.serve().await.expect("a port is free");
    let line = world.client(server.address()).connect().await.expect("it listens");
    let get = "GET /line HTTP/1.1\r\n";
    let whole = [UPGRADE, VERSION, KEY, PROTOCOL].concat();
    let (long, many) = (format!("X: {}\r\n", "x".repeat(9000)), "X: y\r\n".repeat(130));
    for (status, head) in [
        ("400 Bad Request", &[&*String::from_utf8_lossy(&hello())][..]),
        ("400 Bad Request", &["POST /line HTTP/1.1\r\n", &whole]),
        ("400 Bad Request", &["GET /line HTTP/1.0\r\n", &whole]),
        ("400 Bad Request", &[get, "no header at all\r\n", &whole]),
        ("400 Bad Request", &[get, &many, &whole]),
        ("431 Request Header Fields Too Large", &[get, &long, &whole]),
        ("404 Not Found", &["GET /lines HTTP/1.1\r\n", &whole]),
        ("404 Not Found", &["GET / HTTP/1.1\r\n", &whole]),
        ("426 Upgrade Required", &[get, "Host: localhost\r\n"]),
        ("426 Upgrade Required", &[get, UPGRADE, KEY, PROTOCOL]),
        ("426 Upgrade Required", &[get, UPGRADE, "Sec-WebSocket-Version: 8\r\n", KEY, PROTOCOL]),
        ("400 Bad Request", &[get, &whole, "Content-Length: 5\r\n"]),
        ("400 Bad Request", &[get, &whole, "Transfer-Encoding: chunked\r\n"]),
        ("400 Bad Request", &[get, UPGRADE, VERSION, PROTOCOL]),
        ("400 Bad Request", &[get, UPGRADE, VERSION, "Sec-WebSocket-Key: short\r\n", PROTOCOL]),
        ("400 Bad Request", &[get, UPGRADE, VERSION, KEY]),
        ("400 Bad Request", &[get, UPGRADE, VERSION, KEY, "Sec-WebSocket-Protocol: ropeway.10, chat\r\n"]),
        ("403 Forbidden", &[get, &whole, "Origin: https://example.com\r\n"]),
        ("403 Forbidden", &[get, &whole, "Origin: http://example.org\r\n"]),
        ("403 Forbidden", &[get, &whole, "Origin: null\r\n"]),
        ("403 Forbidden", &[get, &whole, "Origin: https://example.org\r\nOrigin: https://example.com\r\n"]),
    ] {
        let (mut stream, _) = world.connect(&beneath(server.address())).await;
        write_all(&mut stream, &[head.concat().as_bytes(), b"\r\n"].concat()).await.expect("the server reads");
        let answer = String::from_utf8(read_to_end(&mut stream).await).expect("it is text");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{head:?}: {answer}");
        assert!(answer.ends_with('\n') && !answer.ends_with("\r\n"), "it says why: {answer}");
    }
    still_works(&line).await;
    let far = server.lines().remove(0);
    world.part(line, far).await;
}

async fn an_upgrade_that_may_be_is_answered(world: World) {
    let server = world.server_at("ws://localhost:0/line").origins(["https://example.org"]).on("echo", echo);
    let server = server.serve().await.expect("a port is free");
    for extra in [
        &[PROTOCOL][..],
        &[PROTOCOL, "Content-Length: 0\r\n"],
        &[PROTOCOL, "Origin: https://example.org\r\n"],
        &[PROTOCOL, "Origin: HTTPS://Example.org\r\n"],
        &["Sec-WebSocket-Protocol: chat, ropeway.1\r\n"],
        &["Sec-WebSocket-Protocol: chat\r\n", PROTOCOL],
    ] {
        for path in ["/line", "/line?token=1"] {
            let (mut stream, _) = world.connect(&beneath(server.address())).await;
            let answer = upgraded(&mut stream, path, &extra.concat()).await;
            assert!(answer.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{extra:?}: {answer}");
            let answer = answer.to_lowercase();
            for header in [ACCEPT, PROTOCOL] {
                assert!(answer.contains(&header.to_lowercase()), "{extra:?}: {answer}");
            }
        }
    }
}

async fn a_client_says_what_is_wrong_with_an_answer(world: World) {
    let long = format!("HTTP/1.1 101 Switching Protocols\r\nX: {}\r\n", "x".repeat(9000));
    let upgrade = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n";
    type Wanted = fn(&WebSocketError) -> bool;
    let cases: [(&str, Wanted); 7] = [
        ("HTTP/1.1 200 OK\r\n", |why| matches!(why, WebSocketError::Refused(200))),
        ("HTTP/1.1 403 Forbidden\r\n", |why| matches!(why, WebSocketError::Refused(403))),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n", |why| matches!(why, WebSocketError::NoUpgrade(_))),
        (upgrade, |why| matches!(why, WebSocketError::NoUpgrade(_))),
        ("SSH-2.0-OpenSSH_9.2\r\n", |why| matches!(why, WebSocketError::NoUpgrade(_))),
        ("HTTP/1.1 one\r\n", |why| matches!(why, WebSocketError::NoUpgrade(_))),
        (&long, |why| matches!(why, WebSocketError::HeadTooLarge)),
    ];
    for (said, wanted) in cases {
        let (listener, address) = world.listen().await;
        let Address::Tcp { port, .. } = address else { panic!("it is of another transport") };
        let host = "localhost".into();
        let client = client_of(&world, &Address::Ws { host, port, path: "/".into() });
        let connecting = world.spawn(async move { client.connect().await });
        let (mut stream, _) = world.accept(&listener).await;
        // The client may have heard enough before the end.
        let _ = write_all(&mut stream, format!("{said}\r\n").as_bytes()).await;
        match connecting.await {
            Err(Error::WebSocket(why)) => assert!(wanted(&why), "{said:?}: {why:?}"),
            other => panic!("{said:?}: {other:?}"),
        }
    }
    let server = world.server_at("ws://localhost:0/line").serve().await.expect("a port is free");
    let Address::Ws { host, port, .. } = server.address().clone() else { panic!("it is of another transport") };
    match world.client(Address::Ws { host, port, path: "/other".into() }).connect().await {
        Err(Error::WebSocket(why)) => {
            assert_eq!(why.to_string(), "the websocket upgrade was refused with status 404");
        }
        other => panic!("{other:?}"),
    }
}

async fn a_frame_that_may_not_be_ends_its_line_with_its_code(world: World) {
    let server = world.server_at("ws://localhost:0/line").on("echo", echo).serve().await.expect("a port is free");
    let line = world.client(server.address()).connect().await.expect("it listens");
    let large = [&[0x82, 0x80 | 127][..], &65_537u64.to_be_bytes(), &[0; 4]].concat();
    for (code, frame) in [
        (1003u16, masked(0x81, b"hello")),
        (1009, large),
        // Not masked, of no kind that there is, and a ping in pieces.
        (1002, vec![0x82, 1, 0]),
        (1002, masked(0x83, b"x")),
        (1002, masked(0x09, b"x")),
    ] {
        let (mut stream, _) = world.connect(&beneath(server.address())).await;
        upgraded(&mut stream, "/line", PROTOCOL).await;
        write_all(&mut stream, &frame).await.expect("the server reads");
        let said = read_to_end(&mut stream).await;
        // The server's hello is in a binary frame, if it was in time.
        let close = said.windows(4).any(|four| four[0] == 0x88 && four[2..] == code.to_be_bytes());
        assert!(close, "{code}: {said:?}");
        still_works(&line).await;
    }
    let far = server.lines().remove(0);
    world.part(line, far).await;
}

async fn pings_are_answered_while_a_line_goes_on(world: World) {
    let server = world.server_at("ws://localhost:0/line").on("echo", echo).serve().await.expect("a port is free");
    let (mut stream, _) = world.connect(&beneath(server.address())).await;
    upgraded(&mut stream, "/line", PROTOCOL).await;
    // The hello in two messages, and a ping in between.
    let hello = hello();
    let (first, second) = hello.split_at(5);
    let said = [masked(0x82, first), masked(0x89, b"hi"), masked(0x82, second)].concat();
    write_all(&mut stream, &said).await.expect("the server reads");
    let mut heard = Vec::new();
    while !heard.windows(4).any(|four| four == [0x8a, 2, b'h', b'i']) {
        let some = read_some(&mut stream).await;
        assert!(!some.is_empty(), "it ended: {heard:?}");
        heard.extend(some);
    }
    while server.lines().is_empty() {
        crate::scenarios::by_hand::turn().await;
    }
}

/// Asks for an upgrade by hand: the head of the answer.
async fn upgraded(stream: &mut Duplex, path: &str, extra: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\n{UPGRADE}{VERSION}{KEY}{extra}\r\n");
    write_all(stream, request.as_bytes()).await.expect("the server reads");
    let mut answer = Vec::new();
    while !answer.windows(4).any(|four| four == b"\r\n\r\n") {
        let some = read_some(stream).await;
        assert!(!some.is_empty(), "it ended: {}", String::from_utf8_lossy(&answer));
        answer.extend(some);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// A client's frame of at most 125 octets, under a mask that changes nothing.
fn masked(head: u8, payload: &[u8]) -> Vec<u8> {
    [&[head, 0x80 | payload.len() as u8][..], &[0; 4], payload].concat()
}
