//! `ottla group`: asks a broker about its groups, and says it to people. What is said is made by pure functions out of the JSON of
//! `docs/explain.md`; for a broker of Apache Kafka the same JSON is put together here, as far as Kafka tells it.

pub(crate) mod arguments;
mod describe;
mod document;
mod events;
mod kafka;
mod lag;
mod list;
mod problem;
pub(crate) mod reset;
mod session;
#[cfg(test)]
mod tests;
mod why;

use std::io::{self, Write};
use std::process::ExitCode;

use ottla_broker::Clock;
use tokio::runtime::Builder;

use crate::exit::Failure;
use crate::local_time::LocalTime;
use crate::machine::SystemClock;
use arguments::{EventsArguments, GroupArguments, GroupCommand, GroupOutput, ListArguments};
use problem::Problem;
use session::{Session, View};

/// What is to be said, and how it ended.
#[derive(Debug, Default)]
struct Said {
    /// For stdout.
    text: String,
    /// Where it was said that something was refused.
    failure: Option<Failure>,
}

impl From<String> for Said {
    fn from(text: String) -> Said {
        Said { text, failure: None }
    }
}

/// Asks and says it.
///
/// # Errors
/// No broker, no such group, or a refusal.
pub(crate) fn run(arguments: &GroupArguments, clock: SystemClock) -> Result<ExitCode, Failure> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Runtime(format!("the system gives no event queue: {error}")))?;
    let time = LocalTime::system(clock.wall_ms());
    let said = runtime.block_on(ask(arguments, time))?;
    match io::stdout().lock().write_all(said.text.as_bytes()) {
        // Whoever looks at the first lines only has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Runtime(format!("could not write the answer: {error}")))
        }
        _ => said.failure.map_or(Ok(ExitCode::SUCCESS), Err),
    }
}

async fn ask(arguments: &GroupArguments, time: LocalTime) -> Result<Said, Failure> {
    let mut session = Session::open(&arguments.bootstrap_server, time).await?;
    let output = arguments.output;
    let asked = match &arguments.command {
        GroupCommand::List(wanted) => list(&mut session, wanted, output).await,
        GroupCommand::Describe(one) => describe(&mut session, &one.group, output).await,
        GroupCommand::Why(one) => why(&mut session, &one.group, output).await,
        GroupCommand::Events(wanted) => events(&mut session, wanted, output).await,
        GroupCommand::Lag(one) => lag(&mut session, &one.group, output).await,
        GroupCommand::Reset(wanted) => reset::reset(&mut session, wanted, output).await,
        GroupCommand::Undo(wanted) => reset::undo(&mut session, wanted, output).await,
    };
    match asked {
        Ok(said) => Ok(said),
        Err(problem) => Err(session.failure(problem, group(&arguments.command)).await),
    }
}

fn group(command: &GroupCommand) -> &str {
    match command {
        GroupCommand::List(_) => "",
        GroupCommand::Describe(one) | GroupCommand::Why(one) | GroupCommand::Lag(one) => &one.group,
        GroupCommand::Events(wanted) => &wanted.group,
        GroupCommand::Reset(wanted) => &wanted.group,
        GroupCommand::Undo(wanted) => &wanted.group,
    }
}

async fn list(session: &mut Session, wanted: &ListArguments, output: GroupOutput) -> Result<Said, Problem> {
    let mut answer = session.view(View::Status, "").await?;
    let filtered = !wanted.state.is_empty() || !wanted.group_type.is_empty();
    if filtered {
        list::filter(&mut answer.json, wanted);
        answer.raw = answer.json.to_string();
    }
    Ok(answer.said(output, |json, _| list::render(json, filtered)))
}

async fn describe(session: &mut Session, group: &str, output: GroupOutput) -> Result<Said, Problem> {
    let why = session.view(View::Why, group).await?;
    let behind = session.view(View::Lag, group).await?;
    if output == GroupOutput::Json {
        return Ok(format!("{{\"why\": {}, \"lag\": {}}}\n", why.raw, behind.raw).into());
    }
    Ok(why.said(output, |json, time| describe::render(json, &behind.json, time)))
}

async fn why(session: &mut Session, group: &str, output: GroupOutput) -> Result<Said, Problem> {
    session.needs_ottla("why a group stands where it stands")?;
    Ok(session.view(View::Why, group).await?.said(output, why::render))
}

async fn events(session: &mut Session, wanted: &EventsArguments, output: GroupOutput) -> Result<Said, Problem> {
    session.needs_ottla("what happened to a group")?;
    let since_ms = match wanted.since {
        Some(moment) => session.moment(moment)?,
        None => -1,
    };
    let view = if wanted.loud { View::Events(since_ms) } else { View::Timeline(since_ms) };
    Ok(session.view(view, &wanted.group).await?.said(output, events::render))
}

async fn lag(session: &mut Session, group: &str, output: GroupOutput) -> Result<Said, Problem> {
    Ok(session.view(View::Lag, group).await?.said(output, lag::render))
}
