//! What the tests know of the broker they run against: where it is, how it is killed, and names that nobody used.

use std::env;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, timeout};

/// How long a single wait may take before it has failed.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The broker's HOST:PORT.
pub fn bootstrap() -> String {
    from_environment("BROKER_BOOTSTRAP")
}

/// Kills the broker with SIGKILL, and comes back when it serves requests again.
pub async fn restart() {
    let control = from_environment("BROKER_CONTROL");
    let address = control.strip_prefix("http://").unwrap_or(&control).trim_end_matches('/').to_string();
    let answer = tokio::task::spawn_blocking(move || post(&address, "/restart")).await.unwrap().unwrap();
    let status = answer.split_whitespace().nth(1);
    assert_eq!(status, Some("200"), "the restart of the broker was answered with {answer}");
}

/// The whole answer to a POST without a body, status line first.
fn post(address: &str, path: &str) -> std::io::Result<String> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(DEADLINE))?;
    write!(connection, "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}

/// A name that is new in each call, so that tests share nothing but the broker.
pub fn name(kind: &str) -> String {
    // Every RandomState has keys of its own, so the hash of nothing is random.
    format!("{kind}-{:016x}", RandomState::new().build_hasher().finish())
}

/// The future's result. Panics when it does not come.
pub async fn within_deadline<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("did not come: {what}"))
}

/// Asks until the answer is yes. It is for what a broker makes known a moment after it has answered.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let mut ticks = interval(Duration::from_millis(20));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    within_deadline(what, async {
        while !holds().await {
            ticks.tick().await;
        }
    })
    .await;
}

fn from_environment(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the tests with clients/matrix/run"))
}
