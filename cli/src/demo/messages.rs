//! Notices, and requests with every kind of answer.

use std::time::Duration;

use ropeway_tokio::{Body, Code, Error, Line};
use tokio::task::JoinSet;

use super::server::{Counted, Entry, FROZEN, REPORTS};
use super::stage::{NAME, Stage};
use super::table::{Measure, Row, Table};
use crate::exit::{Exit, Failed};

const NOTICES: u64 = 100_000;
/// Requests of a kind, and how many of them are under way at once.
const REQUESTS: u32 = 20_000;
const AT_ONCE: u32 = 200;
/// Shorter than the work it waits for, and longer than it is between two reports, also on a busy machine.
const PATIENCE: Duration = Duration::from_millis(360);

const _: () = assert!(REPORTS.0.as_millis() * REPORTS.1 as u128 > PATIENCE.as_millis());

const WORDS: &str = "each word of this comes in a response of its own";

pub(super) async fn all(stage: &Stage, table: &mut Table<'_>) -> Result<(), Failed> {
    let line = stage.line();
    let spinner = table.out.spinner("messages");
    table.push(measured(line, "notices", notices).await?)?;
    table.push(measured(line, "requests answered by a code", codes).await?)?;
    table.push(measured(line, "requests answered by a typed response", responses).await?)?;
    table.push(measured(line, "a request with a response for each word", several).await?)?;
    table.push(measured(line, "a request kept alive by reports of progress", updates).await?)?;
    table.push(measured(line, "a request answered by an error with text", error).await?)?;
    table.push(measured(line, "a request from the server to the client", from_server).await?)?;
    spinner.finish_and_clear();
    Ok(())
}

/// A row for work that says how many exchanges it was and whether all came as they should.
async fn measured(
    line: &Line,
    what: &str,
    work: impl AsyncFnOnce(&Line) -> Result<(u64, bool), Failed>,
) -> Result<Row, Failed> {
    let octets = || line.stats().sent.octets + line.stats().received.octets;
    let (measure, before) = (Measure::start(what), octets());
    let (count, verified) = work(line).await.map_err(|failed| failed.about(what))?;
    Ok(measure.messages(count, octets() - before, verified))
}

async fn notices(line: &Line) -> Result<(u64, bool), Failed> {
    for number in 0..NOTICES {
        line.notify("count", &number).await?;
    }
    let counted: Counted = line.request("counted", &()).await?;
    Ok((counted.count, counted == Counted { count: NOTICES, sum: NOTICES * (NOTICES - 1) / 2 }))
}

async fn codes(line: &Line) -> Result<(u64, bool), Failed> {
    many(line, |line, number| async move {
        let code = (number % u32::from(Code::MAX)) as u16;
        match line.request("code", &code).await {
            Ok(()) => Ok(code == 0),
            Err(Error::Answered(answer, None)) => Ok(answer.value() == code),
            Err(error) => Err(error),
        }
    })
    .await
}

async fn responses(line: &Line) -> Result<(u64, bool), Failed> {
    many(line, |line, number| async move {
        let next = Some(Box::new(Entry { number, text: String::new(), next: None }));
        let entry = Entry { number, text: format!("entry {number}"), next };
        let answer: Entry = line.request("entry", &entry).await?;
        Ok(answer == Entry { number: number + 1, ..entry })
    })
    .await
}

async fn several(line: &Line) -> Result<(u64, bool), Failed> {
    let mut exchange = line.open("words", WORDS).send().await?;
    let mut words = Vec::new();
    while let Some(reply) = exchange.next().await {
        words.push(text(reply?.body())?);
    }
    Ok((words.len() as u64, words.join(" ") == WORDS))
}

async fn updates(line: &Line) -> Result<(u64, bool), Failed> {
    let mut exchange = line.open("work", &()).timeout(PATIENCE).send().await?;
    let (mut reports, mut answer) = (0, String::new());
    while let Some(reply) = exchange.next().await {
        let reply = reply?;
        match reply.is_update() {
            true => reports += 1,
            false => answer = text(reply.body())?,
        }
    }
    Ok((1, reports == REPORTS.1 && answer == "done"))
}

async fn error(line: &Line) -> Result<(u64, bool), Failed> {
    match line.request::<_, ()>("fail", &()).await {
        Err(Error::Answered(code, Some(body))) => Ok((1, code == FROZEN.0 && text(&body)? == FROZEN.1)),
        Err(error) => Err(error.into()),
        Ok(()) => Ok((1, false)),
    }
}

async fn from_server(line: &Line) -> Result<(u64, bool), Failed> {
    let answer: String = line.request("ask back", &()).await?;
    Ok((1, answer == format!("you are {NAME}")))
}

/// Many requests, some under way at once; how many, and whether each was answered as it should be.
async fn many<A>(line: &Line, request: fn(Line, u32) -> A) -> Result<(u64, bool), Failed>
where
    A: Future<Output = Result<bool, Error>> + Send + 'static,
{
    let mut askers = JoinSet::new();
    for first in 0..AT_ONCE {
        let line = line.clone();
        askers.spawn(async move {
            let mut right = true;
            for number in (first..REQUESTS).step_by(AT_ONCE as usize) {
                right &= request(line.clone(), number).await?;
            }
            Ok::<_, Error>(right)
        });
    }
    let mut right = true;
    while let Some(asked) = askers.join_next().await {
        right &= asked??;
    }
    Ok((REQUESTS.into(), right))
}

fn text(body: &Body) -> Result<String, Failed> {
    body.decode().map_err(|error| Failed::new(Exit::Verify, error.to_string()))
}
