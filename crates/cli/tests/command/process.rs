//! Runs the real binary, each in a folder of its own, and waits for what it does: for a line, or for its end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// When a test gives up on a process that hangs. Nothing is expected to take a hundredth of it.
const DEADLINE: Duration = Duration::from_secs(60);

/// A process that ended by itself.
pub(crate) struct Ended {
    /// Its exit code; `None` if a signal killed it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// It ended with that code and said all of that on stderr.
    #[track_caller]
    pub(crate) fn check(&self, code: i32, said: &[&str]) {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        for part in said {
            assert!(self.stderr.contains(part), "no {part:?} in:\n{}", self.stderr);
        }
        assert_eq!(self.stdout, "", "errors go to stderr");
    }
}

/// A binary that is running.
pub(crate) struct Ottla {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    /// Its working folder, gone with the last of those that hold it.
    pub(crate) folder: PathBuf,
    _own: Option<TempDir>,
}

impl Ottla {
    /// Runs `ottla` with these arguments in a folder of its own.
    pub(crate) fn run(arguments: &[&str]) -> Ottla {
        let own = tempfile::tempdir().expect("a folder");
        let mut ottla = Ottla::run_in(own.path(), arguments, &[]);
        ottla._own = Some(own);
        ottla
    }

    /// Runs it in that folder, with these environment variables.
    pub(crate) fn run_in(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ottla {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
        command.args(arguments);
        Ottla::spawn(command, folder, variables)
    }

    /// Runs it in a folder of its own, allowed to have so many files and connections open.
    pub(crate) fn run_with_open_files(open_files: u32, arguments: &[&str]) -> Ottla {
        let own = tempfile::tempdir().expect("a folder");
        let mut command = Command::new("sh");
        command.args(["-c", r#"ulimit -n "$0" && exec "$@""#, &open_files.to_string(), env!("CARGO_BIN_EXE_ottla")]);
        command.args(arguments);
        let mut ottla = Ottla::spawn(command, own.path(), &[]);
        ottla._own = Some(own);
        ottla
    }

    fn spawn(mut command: Command, folder: &Path, variables: &[(&str, &str)]) -> Ottla {
        command.current_dir(folder).env_remove("OTTLA_LOG").env_remove("RUST_LOG");
        command.envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        let stdout = lines_of(child.stdout.take().expect("a pipe"));
        let stderr = lines_of(child.stderr.take().expect("a pipe"));
        Ottla { child, stdout, stderr, folder: folder.to_path_buf(), _own: None }
    }

    /// The ready line.
    #[track_caller]
    pub(crate) fn ready(&mut self) -> String {
        match self.stdout.recv_timeout(DEADLINE) {
            Ok(line) => line,
            Err(error) => {
                let _ = self.child.kill();
                let said: Vec<String> = self.stderr.iter().collect();
                panic!("no ready line ({error}); it said:\n{}", said.join("\n"));
            }
        }
    }

    /// Waits for a line on stderr that contains this.
    #[track_caller]
    pub(crate) fn says(&self, part: &str) {
        let mut said = Vec::new();
        while let Ok(line) = self.stderr.recv_timeout(DEADLINE) {
            if line.contains(part) {
                return;
            }
            said.push(line);
        }
        panic!("no {part:?} in:\n{}", said.join("\n"));
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).expect("the process is there");
    }

    /// The most memory it ever had resident.
    #[track_caller]
    pub(crate) fn peak_resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it is running");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        let status = self.wait();
        let all = |lines: &Receiver<String>| lines.iter().map(|line| line + "\n").collect::<String>();
        Ended { code: status.code(), stdout: all(&self.stdout), stderr: all(&self.stderr) }
    }

    fn wait(&mut self) -> ExitStatus {
        let id = rustix::process::Pid::from_child(&self.child);
        let (ended, ends) = mpsc::channel::<()>();
        let watchdog = thread::spawn(move || {
            // Hangs up when the process has ended in time.
            if ends.recv_timeout(DEADLINE) == Err(mpsc::RecvTimeoutError::Timeout) {
                let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
            }
        });
        let status = self.child.wait().expect("a status");
        drop(ended);
        watchdog.join().expect("the watchdog");
        status
    }
}

impl Drop for Ottla {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines_of(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// The parts of a ready line: `HOST:PORT`, `DATA`, topics, groups. Fails if it has another form.
#[track_caller]
pub(crate) fn parts(line: &str) -> (String, String, u32, u32) {
    let rest = line.strip_prefix(concat!("ottla ", env!("CARGO_PKG_VERSION"), "  ready in ")).expect(line);
    let (took, rest) = rest.split_once(" ms   ").expect(line);
    took.parse::<u32>().expect(line);
    let mut columns = rest.split("   ");
    let mut column = || columns.next().unwrap_or_else(|| panic!("a column is missing: {line}")).to_string();
    let (address, data, counts) = (column(), column(), column());
    assert_eq!(columns.next(), None, "{line}");
    let (topics, groups) = counts.split_once(", ").expect(line);
    (address, data, counted(topics, "topic"), counted(groups, "group"))
}

/// `1 topic`, `2 topics`.
#[track_caller]
fn counted(text: &str, one: &str) -> u32 {
    let (number, what) = text.split_once(' ').expect(text);
    let count = number.parse().expect(text);
    assert_eq!(what, if count == 1 { one.to_string() } else { format!("{one}s") }, "{text}");
    count
}

/// The port of a `HOST:PORT`.
#[track_caller]
pub(crate) fn port(address: &str) -> u16 {
    address.rsplit_once(':').expect(address).1.parse().expect(address)
}

/// A connection whose reads and writes give up instead of hanging.
pub(crate) fn connect(address: impl Into<SocketAddr>) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address.into(), DEADLINE).expect("a connection");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    stream.set_write_timeout(Some(DEADLINE)).expect("a timeout");
    stream
}

/// Asks for ApiVersions, version 0, and answers how many requests the broker serves.
#[track_caller]
pub(crate) fn api_versions(stream: &mut TcpStream) -> usize {
    // Length, key 18, version 0, correlation id 7, no client id.
    stream.write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 255, 255]).expect("a request");
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("an answer");
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer).expect("a whole answer");
    assert_eq!(answer[..6], [0, 0, 0, 7, 0, 0], "correlation id 7, no error");
    u32::from_be_bytes(answer[6..10].try_into().expect("four bytes")) as usize
}
