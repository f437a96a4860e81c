//! More to hear than there is time, and more to say than there is room.

use super::*;

#[tokio::test]
async fn two_ends_with_buffers_do_not_wait_for_each_other() {
    let (near, mut far) = duplex(16);
    // It reads when all that it says has gone, and says more than the pipe takes.
    let said = [hello(false, PEER), bytes(&notice(&[0; 100])), bytes(&data(b"nobody asked"))].concat();
    let peer = async {
        far.write_all(&said).await.expect("it reads");
        heard(far).await
    };
    let (heard, (ended, _)) = tokio::join!(peer, run(near));
    assert_eq!(ended, Reason::PeerError(PeerError::Unexpected(13)));
    assert!(heard.last().is_some_and(|last| last.starts_with("Close")), "{heard:?}");
}

#[tokio::test(start_paused = true)]
async fn a_device_without_room_for_an_answer_says_busy() {
    for count in 1..=18 {
        // As many as its window allows. The pipe takes little, and the peer reads once all that it asks has gone: answers pile up.
        let (near, mut far) = duplex(16);
        let empty = wire::Open {
            lane: 0,
            action: say::ACTION,
            body: body(b""),
            wants_answer: true,
            timeout: None,
            size: None,
            attached: 0,
        };
        let asked = bytes(&Frame::Open(empty)).repeat(count);
        let peer = async {
            // Each makes it ask for the file again.
            let answers = bytes(&say::response(b"yes", None, false)).repeat(4);
            far.write_all(&[hello(false, PEER), answers, asked].concat()).await.expect("it reads");
            heard(far).await
        };
        // It ends when what it asks itself has no answer.
        let (heard, ended) = tokio::join!(peer, bare(near));
        assert_eq!(ended.expect("the pipe holds"), Reason::ByUs(CloseCode::INTERNAL));
        let answers: Vec<_> =
            heard.iter().filter(|said| said.starts_with("Response") || said.starts_with("Code")).collect();
        assert_eq!(answers.len(), count, "{heard:?}");
        if answers.last() == Some(&&format!("{:?}", Frame::Code { lane: 0, code: Code::BUSY })) {
            return;
        }
    }
    panic!("there is room for everything");
}

/// A peer that always has one more event for the device, and takes all it says. Each read takes a millisecond.
struct Flood<'a> {
    hello: &'a [u8],
    event: &'a [u8],
    at: usize,
    millis: &'a Cell<u64>,
}

impl ErrorType for Flood<'_> {
    type Error = io::Error;
}

impl embedded_io_async::Read for Flood<'_> {
    async fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.millis.set(self.millis.get() + 1);
        assert!(self.millis.get() < 60_000, "nothing ever expires");
        let said = self.hello.iter().chain(self.event.iter().cycle()).skip(self.at);
        let len = out.iter_mut().zip(said).map(|(to, octet)| *to = *octet).count();
        self.at += len;
        if self.at >= self.hello.len() + self.event.len() {
            self.at -= self.event.len();
        }
        Ok(len)
    }
}

#[tokio::test]
async fn a_flood_of_events_does_not_stop_time() {
    let millis = Cell::new(0);
    let (hello, event) = (hello(false, PEER), bytes(&Frame::Away));
    let flood = Flood { hello: &hello, event: &event, at: 0, millis: &millis };
    let now = || ropeway_core::Instant::from_millis(millis.get());
    let to = FromTokio::new(tokio::io::sink());
    let mut line = Connection::client(now(), Config::SMALL, [0; 32], host::MEMORY);
    let ended = device::run((&mut line, |_, _| Ok(())), (flood, to), (now, host::Timer)).await;
    // What it asked has no answer, which it waits 5 s for.
    assert_eq!(ended.expect("it can't fail"), Reason::ByUs(CloseCode::INTERNAL));
}
