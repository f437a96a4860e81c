//! When a device ends its line, whatever its peer and its port do.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_device_waits_for_nobody_longer_than_it_may() {
    let greeting = hello(false, PEER);
    for (said, seconds, reason) in [
        (vec![], 3, Reason::HelloTimeout),
        (greeting.clone(), 5, Reason::ByUs(CloseCode::INTERNAL)),
        ([greeting, file(9)].concat(), 30, Reason::Dead),
    ] {
        let (near, mut far) = duplex(4096);
        far.write_all(&said).await.expect("there is room");
        let begun = Instant::now();
        assert_eq!(run(near).await.0, reason);
        assert_eq!(begun.elapsed().as_secs(), seconds, "{reason:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_waits_a_second_for_a_peer_that_takes_nothing() {
    let unasked = bytes(&data(b"nobody asked"));
    for (said, seconds, reason) in [
        (vec![], 4, Reason::HelloTimeout),
        (hello(false, PEER), 6, Reason::ByUs(CloseCode::INTERNAL)),
        ([hello(false, PEER), unasked].concat(), 1, Reason::PeerError(PeerError::Unexpected(13))),
    ] {
        for buffered in [false, true] {
            let (mut near, mut far) = duplex(4096);
            if !said.is_empty() {
                far.write_all(&said).await.expect("there is room");
            }
            // As much as the pipe takes, so that nothing more goes.
            near.write_all(&[0; 4096]).await.expect("there is room");
            let begun = Instant::now();
            let ended = if buffered { run(near).await.0 } else { bare(near).await.expect("the pipe holds") };
            assert_eq!((ended, begun.elapsed().as_secs()), (reason, seconds), "{buffered}");
        }
    }
}

#[tokio::test]
async fn a_device_ends_when_its_peer_goes_before_all_is_said() {
    for said in [vec![], hello(false, PEER)] {
        let (mut near, mut far) = duplex(4096);
        near.write_all(&[0; 4096]).await.expect("there is room");
        far.write_all(&said).await.expect("there is room");
        // It goes on one way: it says nothing more, and takes nothing.
        far.shutdown().await.expect("it is open");
        assert_eq!(bare(near).await.expect("the pipe holds"), Reason::Eof);
        drop(far);
    }
}

#[tokio::test]
async fn a_goodbye_reaches_a_peer_that_says_no_more() {
    // The pipe holds little, so what is said last has not gone when the device learns that nothing more comes.
    for buffered in [false, true] {
        let (near, mut far) = duplex(16);
        let peer = async {
            far.write_all(&[hello(false, PEER), bytes(&data(b"nobody asked"))].concat()).await.expect("it reads");
            far.shutdown().await.expect("it is open");
            tokio::task::yield_now().await;
            heard(far).await
        };
        let device = async { if buffered { run(near).await.0 } else { bare(near).await.expect("the pipe holds") } };
        let (heard, ended) = tokio::join!(peer, device);
        let error = PeerError::Unexpected(13);
        assert_eq!(ended, Reason::PeerError(error));
        assert_eq!(heard.last(), Some(&format!("{:?}", goodbye(error))), "{buffered}");
    }
}

#[tokio::test]
async fn a_device_ends_wherever_its_transport_does() {
    let frames = [say::begin(0), data(b"12345678"), request(0, None, 0), notice(b"of no interest")];
    let said = [hello(false, PEER), file(9), frames.iter().flat_map(bytes).collect()].concat();
    for len in 0..=said.len() {
        // It says no more, or it goes, which a port without a buffer tells when it is written to, and others when flushed.
        for (goes, buffered) in [(false, false), (true, false), (true, true)] {
            let (near, mut far) = duplex(4096);
            far.write_all(&said[..len]).await.expect("there is room");
            far.shutdown().await.expect("it is open");
            let far = Some(far).filter(|_| !goes);
            let ended = if buffered { bare(BufWriter::new(near)).await } else { bare(near).await };
            let ended = ended.map_err(|error| error.kind());
            let expected = if far.is_some() { Ok(Reason::Eof) } else { Err(io::ErrorKind::BrokenPipe) };
            assert_eq!(ended, expected, "{len} octets");
        }
    }
}

/// A port that gives these octets and then, once, the end.
struct Short<'a>(Option<&'a [u8]>);

impl ErrorType for Short<'_> {
    type Error = io::Error;
}

impl embedded_io_async::Read for Short<'_> {
    async fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let said = self.0.as_mut().expect("who has ended is not asked again");
        let len = io::Read::read(said, out)?;
        self.0 = self.0.filter(|_| len > 0);
        Ok(len)
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_does_not_read_behind_the_end() {
    let said = [hello(false, PEER), bytes(&data(b"nobody asked"))].concat();
    // As much as the pipe takes, so that the goodbye waits.
    let (mut near, _far) = duplex(4096);
    near.write_all(&[0; 4096]).await.expect("there is room");
    let begun = Instant::now();
    let now = || ropeway_core::Instant::from_millis(begun.elapsed().as_millis() as u64);
    let port = (Short(Some(&said)), FromTokio::new(near));
    let mut line = Connection::client(now(), Config::SMALL, [0; 32], host::MEMORY);
    let ended = device::run((&mut line, |_, _| Ok(())), port, (now, host::Timer)).await.expect("the pipe holds");
    assert_eq!((ended, begun.elapsed().as_secs()), (Reason::PeerError(PeerError::Unexpected(13)), 1));
}

#[tokio::test]
async fn a_device_ends_when_a_hello_is_longer_than_it_has_room_for() {
    // What it does not understand of a hello it may be told; it is an extension of a later version.
    let mut said = [hello(false, PEER), vec![2, 0x80, 4], vec![0; 512]].concat();
    let len = u16::try_from(said.len() - 6).expect("it is short");
    said[4..6].copy_from_slice(&len.to_le_bytes());
    let (near, mut far) = duplex(4096);
    far.write_all(&said).await.expect("there is room");
    assert_eq!(bare(near).await.expect("the pipe holds"), Reason::Eof);
}
