//! What is async-std's own: its sockets, its I/O traits.

use async_std::io::{Read, Write};
use ropeway_async_std::{AsyncStd, Socket, StreamReader, StreamWriter};
use ropeway_conformance::scenarios::small_segments_go_at_once_unless_told;

#[async_std::test]
async fn sockets_send_small_segments_at_once_unless_told() {
    small_segments_go_at_once_unless_told::<AsyncStd>(|socket| match socket {
        Socket::Tcp(stream) => stream.as_ref().nodelay().expect("it is open"),
        Socket::Unix(_) => panic!("it is of another kind"),
    })
    .await;
}

#[test]
fn streams_are_async_stds_readers_and_writers() {
    fn reads<T: Read>() {}
    fn writes<T: Write>() {}
    reads::<StreamReader>();
    writes::<StreamWriter>();
}
