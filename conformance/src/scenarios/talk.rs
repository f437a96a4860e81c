//! All that two programs can say to each other, at random, and books of what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use ropeway_driver::{Code, Error, Failure, Line, Message, Router, Uploading};

use super::by_hand::{both, octets, read_stream, write_stream};
use super::files_by_hand::read_file;
use crate::weather::Dice;

/// A kind of exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// A small message that wants no answer.
    Notice,
    /// A large one.
    LargeNotice,
    /// A request that is answered with a body like its own.
    Request,
    /// The same with large bodies.
    Large,
    /// A request that is answered with a bare code.
    Code,
    /// A request that is refused with a text.
    Refused,
    /// A request that is answered with progress and several responses.
    Several,
    /// A request whose handler asks back before it answers.
    AskedBack,
    /// Streams each way at once.
    Stream,
    /// A stream that a notice brings.
    NoticeStream,
    /// A file that a request brings.
    File,
    /// A file that an answer brings.
    Fetch,
    /// A request that is given up.
    GivenUp,
    /// A request that is never answered, in time that passes.
    TimedOut,
}

impl Kind {
    /// All there are.
    pub const ALL: &[Kind] = &[
        Kind::Notice,
        Kind::LargeNotice,
        Kind::Request,
        Kind::Large,
        Kind::Code,
        Kind::Refused,
        Kind::Several,
        Kind::AskedBack,
        Kind::Stream,
        Kind::NoticeStream,
        Kind::File,
        Kind::Fetch,
        Kind::GivenUp,
        Kind::TimedOut,
    ];

    /// Whether one that went well was heard.
    fn is_acknowledged(self) -> bool {
        !matches!(self, Kind::Notice | Kind::LargeNotice | Kind::GivenUp | Kind::TimedOut)
    }

    /// Whether it may never be heard, as nobody waits for it.
    fn may_be_passed_over(self) -> bool {
        matches!(self, Kind::GivenUp | Kind::TimedOut)
    }

    fn is_large(self) -> bool {
        use Kind::{Fetch, File, Large, LargeNotice, NoticeStream, Stream};
        matches!(self, LargeNotice | Large | Stream | NoticeStream | File | Fetch)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What one end says and hears. Clones are the same book.
#[derive(Clone)]
pub struct Book(Arc<Inner>);

struct Inner {
    /// Octets of what is large.
    large: usize,
    /// Where files go that come; nowhere if there is none.
    folder: Option<PathBuf>,
    pages: Mutex<Pages>,
    /// Handlers that run.
    handlers: AtomicUsize,
    /// Handlers that found something wrong. Nobody else hears of their panics.
    broken: AtomicUsize,
}

#[derive(Default)]
struct Pages {
    /// The number said last.
    last: u64,
    said: BTreeMap<Kind, BTreeSet<u64>>,
    went_well: BTreeMap<Kind, BTreeSet<u64>>,
    heard: BTreeMap<Kind, BTreeSet<u64>>,
}

/// A handler that runs.
struct Handler(Book);

impl Drop for Handler {
    fn drop(&mut self) {
        self.0.0.broken.fetch_add(usize::from(thread::panicking()), Ordering::Relaxed);
        self.0.0.handlers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Book {
    /// An empty book, whose numbers are unlike those of books with another `id`. What is large has up to `large` octets;
    /// files that come go to a folder, or nowhere.
    pub fn new(id: u32, large: usize, folder: Option<PathBuf>) -> Book {
        let pages = Pages { last: u64::from(id) << 32, ..Pages::default() };
        let (handlers, broken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Book(Arc::new(Inner { large, folder, pages: Mutex::new(pages), handlers, broken }))
    }

    /// Handlers for all that the other end says.
    pub fn router(&self) -> Router {
        Kind::ALL.iter().fold(Router::new(), |router, kind| {
            let kind = *kind;
            let book = self.clone();
            router.on_message(&*kind.to_string(), move |message| {
                book.0.handlers.fetch_add(1, Ordering::Relaxed);
                let handler = Handler(book.clone());
                async move { handler.0.hear(kind, message).await }
            })
        })
    }

    /// Handlers that run.
    pub fn handlers(&self) -> usize {
        self.0.handlers.load(Ordering::Relaxed)
    }

    /// How many of a kind were heard.
    pub fn heard(&self, kind: Kind) -> usize {
        self.pages().heard.get(&kind).map_or(0, BTreeSet::len)
    }

    /// Says something of the kind, and sees it to its end.
    ///
    /// # Errors
    /// Those of the line. What comes and is not what was wanted is a panic.
    pub async fn say(&self, line: &Line, kind: Kind) -> Result<(), Error> {
        let number = {
            let mut pages = self.pages();
            pages.last += 1;
            let number = pages.last;
            pages.said.entry(kind).or_default().insert(number);
            number
        };
        self.exchange(line, kind, number).await?;
        self.pages().went_well.entry(kind).or_default().insert(number);
        Ok(())
    }

    async fn exchange(&self, line: &Line, kind: Kind, number: u64) -> Result<(), Error> {
        let (to, content) = (&*kind.to_string(), self.content(kind, number));
        let body = &(number, Bytes::from(content.clone()));
        let like_it = |answer: (u64, Bytes)| assert!(answer == *body, "{kind} {number} is not answered with its like");
        match kind {
            Kind::Notice | Kind::LargeNotice => line.notify(to, body).await?,
            Kind::Request | Kind::Large | Kind::AskedBack => like_it(line.request(to, body).await?),
            Kind::Code => assert_eq!(line.ask(to, body).await?, code_of(number)),
            Kind::Refused => match line.request::<_, ()>(to, body).await {
                Err(Error::Answered(code, Some(why))) => {
                    assert_eq!((code, why.decode::<String>().expect("it is text")), (Code::BUSY, number.to_string()));
                }
                Err(error) => return Err(error),
                Ok(()) => panic!("{kind} {number} is answered"),
            },
            Kind::Several => {
                let mut exchange = line.open(to, body).send().await?;
                for step in 0..=number % 5 {
                    let update = exchange.next().await.expect("it goes on")?;
                    assert!(update.is_update() && update.decode::<u64>()? == step, "{number} at {step}");
                    let response = exchange.next().await.expect("it goes on")?;
                    assert!(!response.is_update() && response.is_last() == (step == number % 5));
                    like_it(response.decode()?);
                }
                assert!(exchange.next().await.is_none(), "that was the last");
            }
            Kind::Stream => {
                let (writer, mut reader) = line.open(to, &number).timeout(Duration::ZERO).into_stream().await?;
                let (written, read) = both(write_stream(writer, &content), read_stream(&mut reader)).await;
                assert!(read? == content, "{kind} {number} is torn");
                written?;
            }
            Kind::NoticeStream => {
                let writer = line.open(to, &number).notify_stream().await?;
                write_stream(writer, &content).await?;
            }
            Kind::File => {
                let file = Uploading::from_bytes(number.to_string(), content);
                let mut exchange = line.open(to, &number).timeout(Duration::ZERO).file(file).send().await?;
                let upload = exchange.uploads().next().expect("it brings one");
                upload.finished().await?;
                exchange.answer::<()>().await?;
            }
            Kind::Fetch => {
                let mut exchange = line.open(to, &number).timeout(Duration::ZERO).send().await?;
                let file = exchange.file().await?.expect("it brings one");
                assert!(read_file(&mut file.read().await?).await? == content, "{kind} {number} is torn");
                exchange.answer::<()>().await?;
            }
            Kind::GivenUp => drop(line.open(to, &number).timeout(Duration::ZERO).send().await?),
            Kind::TimedOut => {
                let mut exchange = line.open(to, &number).timeout(Duration::from_millis(5)).send().await?;
                match exchange.next().await.expect("it is told once") {
                    Err(Error::TimedOut) => {}
                    Err(error) => return Err(error),
                    Ok(_) => panic!("{number} is answered"),
                }
            }
        }
        Ok(())
    }

    async fn hear(&self, kind: Kind, mut message: Message) -> Result<(), Failure> {
        let (number, body): (u64, Bytes) = match kind {
            Kind::Stream | Kind::NoticeStream | Kind::File | Kind::Fetch | Kind::GivenUp | Kind::TimedOut => {
                (message.decode().await?, Bytes::new())
            }
            _ => {
                let (number, body): (u64, Bytes) = message.decode().await?;
                assert!(body == self.content(kind, number), "{kind} {number} is torn");
                (number, body)
            }
        };
        let content = || self.content(kind, number);
        self.note(kind, number);
        let like_it = (number, body);
        match kind {
            Kind::Notice | Kind::LargeNotice => {}
            Kind::Request | Kind::Large => message.answer(&like_it).await?,
            Kind::AskedBack => {
                self.say(&message.line().clone(), Kind::Request).await?;
                message.answer(&like_it).await?;
            }
            Kind::Code => message.code(code_of(number)),
            Kind::Refused => return Err(Failure::new(Code::BUSY, number.to_string())),
            Kind::Several => {
                for step in 0..=number % 5 {
                    message.update(&step).await?;
                    let response = message.respond(&like_it);
                    if step == number % 5 { response } else { response.more() }.await?;
                }
            }
            Kind::Stream => {
                let mut reader = message.stream().await?;
                let mut writer = message.respond(&()).stream().await?;
                let (content, mut at) = (content(), 0);
                while let Some(chunk) = reader.chunk().await? {
                    at = goes_on(&content, at, &chunk);
                    writer.send(&chunk).await?;
                }
                assert_eq!(at, content.len(), "{kind} {number} ends early");
                writer.finish().await?;
            }
            Kind::NoticeStream => {
                let mut reader = message.stream().await?;
                let (content, mut at) = (content(), 0);
                while let Some(chunk) = reader.chunk().await? {
                    at = goes_on(&content, at, &chunk);
                }
                assert_eq!(at, content.len(), "{kind} {number} ends early");
            }
            Kind::File => {
                let file = message.file().await?.expect("it brings one");
                match &self.0.folder {
                    Some(folder) => drop(file.save_in(folder).await?.finished().await?),
                    None => assert!(
                        file.write_to(Vec::new()).await?.finished().await? == content(),
                        "{kind} {number} is torn"
                    ),
                }
                message.answer(&()).await?;
            }
            Kind::Fetch => {
                let file = Uploading::from_bytes(number.to_string(), content());
                for upload in message.respond(&()).file(file).send().await? {
                    upload.finished().await?;
                }
            }
            Kind::GivenUp | Kind::TimedOut => {
                std::future::pending::<()>().await;
                drop(message);
            }
        }
        Ok(())
    }

    /// Files that this sent and a folder took: as a whole; or their beginning, and nobody was told of more.
    fn check_files(&self, folder: &Path) {
        let pages = self.pages();
        for number in pages.said.get(&Kind::File).into_iter().flatten() {
            let content = self.content(Kind::File, *number);
            let went_well = pages.went_well.get(&Kind::File).is_some_and(|files| files.contains(number));
            match fs::read(folder.join(number.to_string())) {
                Ok(saved) => assert!(saved == content, "file {number} is torn"),
                Err(_) => assert!(!went_well, "file {number} is not there"),
            }
            if let Ok(part) = fs::read(folder.join(format!(".ropeway-{number}.part"))) {
                assert!(content.starts_with(&part), "what there is of file {number} is not its beginning");
            }
        }
    }

    /// What number so and so says.
    fn content(&self, kind: Kind, number: u64) -> Vec<u8> {
        let most = if kind.is_large() { self.0.large } else { 200 };
        octets(Dice::new(number).roll(most + 1), number as usize)
    }

    fn note(&self, kind: Kind, number: u64) {
        let is_news = self.pages().heard.entry(kind).or_default().insert(number);
        assert!(is_news, "{kind} {number} is heard twice");
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks that what some heard is what others said to them, and that what went well was heard. Where all lines `lasted`,
/// all of it was.
pub fn reconcile(sayers: &[Book], hearers: &[Book], lasted: bool) {
    for book in sayers.iter().chain(hearers) {
        assert_eq!(book.0.broken.load(Ordering::Relaxed), 0, "a handler found something wrong");
    }
    for kind in Kind::ALL.iter().copied() {
        let said = union(sayers, |pages| &pages.said, kind);
        let well = union(sayers, |pages| &pages.went_well, kind);
        let heard = union(hearers, |pages| &pages.heard, kind);
        assert!(heard.is_subset(&said), "{kind}: {:?} were heard and not said", &heard - &said);
        if kind.is_acknowledged() || (lasted && !kind.may_be_passed_over()) {
            assert!(well.is_subset(&heard), "{kind}: {:?} went well and were not heard", &well - &heard);
        }
        assert!(!lasted || well == said, "{kind}: {:?} did not go well", &said - &well);
    }
    if let ([sayer], [hearer]) = (sayers, hearers)
        && let Some(folder) = &hearer.0.folder
    {
        sayer.check_files(folder);
    }
}

/// The numbers on the pages of all these books.
fn union(books: &[Book], page: fn(&Pages) -> &BTreeMap<Kind, BTreeSet<u64>>, kind: Kind) -> BTreeSet<u64> {
    let numbers = |book: &Book| page(&book.pages()).get(&kind).cloned().unwrap_or_default();
    books.iter().flat_map(numbers).collect()
}

fn code_of(number: u64) -> Code {
    Code::new(Code::FIRST_OWN + (number % 100) as u16).expect("below 4096")
}

/// How far it goes once `chunk` has come.
fn goes_on(content: &[u8], at: usize, chunk: &[u8]) -> usize {
    assert!(content[at..].starts_with(chunk), "a stream is torn at {at}");
    at + chunk.len()
}
