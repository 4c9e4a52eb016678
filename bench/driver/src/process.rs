//! What a process takes, from /proc.

use std::fs;
use std::time::Instant;

use serde_json::{Value, json};

/// A moment of the measured process.
pub struct Moment {
    pid: Option<u32>,
    time: Instant,
    cpu_ticks: u64,
    written_bytes: u64,
}

/// The unit of CPU time in /proc: the kernel's constant on all machines that we know.
const TICKS_PER_S: f64 = 100.0;

impl Moment {
    pub fn now(pid: Option<u32>) -> Self {
        let cpu_ticks = pid.map_or(0, cpu_ticks);
        let written_bytes = pid.map_or(0, written_bytes);
        Self { pid, time: Instant::now(), cpu_ticks, written_bytes }
    }

    /// What happened since then: seconds, CPU seconds and bytes written of the process.
    pub fn elapsed(&self) -> Value {
        let seconds = self.time.elapsed().as_secs_f64();
        let now = Self::now(self.pid);
        json!({
            "seconds": seconds,
            "cpu_s": (now.cpu_ticks - self.cpu_ticks) as f64 / TICKS_PER_S,
            "written_bytes": now.written_bytes - self.written_bytes,
        })
    }
}

fn cpu_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the measured process is there");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let number = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    number(11) + number(12)
}

fn written_bytes(pid: u32) -> u64 {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let written = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    written.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}

/// Adds the fields of `more` to `value`.
pub fn with(mut value: Value, more: Value) -> Value {
    if let (Value::Object(all), Value::Object(more)) = (&mut value, more) {
        all.extend(more);
    }
    value
}
