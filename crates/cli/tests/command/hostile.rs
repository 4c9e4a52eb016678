//! Ten thousand mutated frames through real sockets, while another connection works on unharmed.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ottla_protocol::messages::{AnyRequest, DECLARED_APIS};
use ottla_protocol::sample::Generator;
use ottla_protocol::{ApiKey, Encoder};
use rustix::process::Signal;

use crate::neighbour::Neighbour;
use crate::process::{Ottla, connect, parts, port};

/// Frames that each have a connection of their own: whatever the broker does with one, it looks at the next.
const FRAMES: u64 = 10_000;
/// Connections that get several frames in one go, so that some come while others are being answered.
const BURSTS: u64 = 500;
/// Frames of such a burst, as far as the broker does not close the connection before.
const FRAMES_PER_BURST: u64 = 8;
/// Attackers that are connected at a time. Each hangs up when that many others have come, whatever it is waiting for.
const ATTACKERS: usize = 64;
/// The largest sampled message that is worth sending: size is not what is tested.
const MAX_FRAME_BYTES: usize = 64 << 10;
/// What every frame's header says: key, version, correlation id, and this client id behind its length.
const CLIENT_ID: &[u8] = b"hostile";
const HEADER_BYTES: usize = 10 + CLIENT_ID.len();
/// What the process may take at its worst, in KiB: the frames are small, so whatever they ask for must not be.
const MAX_RESIDENT_KIB: u64 = 256 << 10;

#[test]
fn hostile_frames_harm_nobody_else() {
    let seed: u64 = std::env::var("OTTLA_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_122);
    let mut ottla = Ottla::run(&["serve", "--listen", "127.0.0.1:0"]);
    let (address, ..) = parts(&ottla.ready());
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port(&address)));
    let over = AtomicBool::new(false);
    let (rounds, answered) = thread::scope(|scope| {
        let neighbour = scope.spawn(|| {
            let mut neighbour = Neighbour::connect(address);
            while !over.load(Ordering::Relaxed) {
                neighbour.round();
            }
            neighbour.round();
            neighbour.rounds()
        });
        let mut attackers = Attackers { address, connected: VecDeque::new(), answered: 0 };
        for frame in 0..FRAMES {
            attackers.send(&mutated(seed + frame));
        }
        for burst in 0..BURSTS {
            let frames = (0..FRAMES_PER_BURST).map(|n| mutated(seed + FRAMES + burst * FRAMES_PER_BURST + n));
            attackers.send(&frames.collect::<Vec<_>>().concat());
        }
        attackers.hang_up_all_but(0);
        over.store(true, Ordering::Relaxed);
        (neighbour.join(), attackers.answered)
    });
    let rounds = rounds.unwrap_or_else(|_| panic!("the neighbour was harmed (seed {seed})"));
    assert!(answered > FRAMES / 5, "hardly any frame came through to a handler: {answered} answers");
    assert!(rounds > 10, "the neighbour hardly worked: {rounds} rounds");
    let resident_kib = ottla.peak_resident_kib();
    assert!(resident_kib < MAX_RESIDENT_KIB, "seed {seed} made the broker take {resident_kib} KiB");
    ottla.signal(Signal::TERM);
    let ended = ottla.end();
    let panics: Vec<&str> = ended.stderr.lines().filter(|line| line.contains("panic")).collect();
    assert!(panics.is_empty(), "seed {seed}: {panics:#?}");
    assert_eq!(ended.code, Some(0), "seed {seed}");
}

/// Who sends hostile frames.
struct Attackers {
    address: SocketAddr,
    connected: VecDeque<TcpStream>,
    /// Connections that got an answer.
    answered: u64,
}

impl Attackers {
    /// Sends this over a new connection. What a socket buffers is more than it is, so nobody has to read meanwhile.
    fn send(&mut self, frames: &[u8]) {
        let mut stream = connect(self.address);
        check_closed(stream.write_all(frames));
        self.connected.push_back(stream);
        self.hang_up_all_but(ATTACKERS);
    }

    /// Says on the oldest connections that no more will come, and reads until the broker has closed them.
    fn hang_up_all_but(&mut self, some: usize) {
        while self.connected.len() > some {
            let Some(mut stream) = self.connected.pop_front() else { return };
            check_closed(stream.shutdown(Shutdown::Write));
            let mut answer = Vec::new();
            check_closed(stream.read_to_end(&mut answer).map(drop));
            self.answered += u64::from(!answer.is_empty());
        }
    }
}

/// A connection may be closed in every way but not left hanging.
fn check_closed(result: io::Result<()>) {
    if let Err(error) = result {
        let hangs = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
        assert!(!hangs, "the broker neither reads, answers nor closes: {error}");
    }
}

/// A request of some API and version, whole and with its size, and then damaged.
fn mutated(seed: u64) -> Vec<u8> {
    let mut dice = Generator::new(seed * 16 + 3);
    let mut frame = loop {
        let frame = request(&mut dice);
        if frame.len() <= MAX_FRAME_BYTES {
            break frame;
        }
    };
    // Some go as they are: extreme values in a proper frame are hostile enough.
    for _ in 0..[0, 1, 1, 1, 2, 3][dice.below(6)] {
        damage(&mut frame, &mut dice);
    }
    let mut size = u32::try_from(frame.len()).expect("a small frame");
    if dice.below(16) == 0 {
        let lies = [
            0,
            1,
            size.saturating_sub(1),
            size + 1,
            size * 2,
            104_857_600,
            104_857_601,
            i32::MAX as u32,
            1 << 31,
            u32::MAX,
        ];
        size = lies[dice.below(lies.len())];
    }
    [&size.to_be_bytes()[..], &frame].concat()
}

/// A proper request without its size.
fn request(dice: &mut Generator) -> Vec<u8> {
    let api = DECLARED_APIS[dice.below(DECLARED_APIS.len())];
    let versions = api.versions;
    let version = versions.min + dice.below((versions.max - versions.min + 1) as usize) as i16;
    // Values of every shape: all null, all empty, all at their maximum, and mixed.
    let mut values = Generator::new(dice.bits());
    let body = AnyRequest::sample(&mut values, api.key, version).expect("a declared API");
    let mut encoder = Encoder::for_request();
    encoder.put_slice(&api.key.code().to_be_bytes());
    encoder.put_slice(&version.to_be_bytes());
    encoder.put_slice(&[0, 0, 0, 1, 0, CLIENT_ID.len() as u8]);
    encoder.put_slice(CLIENT_ID);
    encoder.set_flexible(version >= api.flexible_from);
    if version >= api.flexible_from {
        encoder.put_unsigned_varint(0);
    }
    body.write(&mut encoder, version).expect("a sample can be written");
    encoder.finish().concat()
}

/// Damages a frame in one of the ways that a broken or malicious client would.
fn damage(frame: &mut Vec<u8>, dice: &mut Generator) {
    let extremes =
        [0_u32, 1, 0x7f, 0xff, 0x7fff, 0x8000, 0xffff, 1 << 20, i32::MAX as u32, 1 << 31, u32::MAX - 1, u32::MAX];
    let extreme = extremes[dice.below(extremes.len())];
    let body = HEADER_BYTES.min(frame.len());
    let at = body + dice.below((frame.len() - body).max(1));
    // Lengths and counts stand at a body's front more often than not.
    let front = body + dice.below((frame.len() - body).clamp(1, 40));
    match dice.below(14) {
        0 => flip_bits(frame, body, dice),
        1 => flip_bits(frame, 0, dice),
        2 => overwrite(frame, front, &extreme.to_be_bytes()),
        3 => overwrite(frame, at, &extreme.to_be_bytes()),
        4 => overwrite(frame, front, &(extreme as u16).to_be_bytes()),
        5 => overwrite(frame, at, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        6 => overwrite(frame, front, &[0xff; 10]),
        7 => frame.truncate(at),
        8 => frame.extend((0..dice.below(64)).map(|n| n as u8)),
        9 => overwrite(frame, 2, &(dice.below(16) as u16).to_be_bytes()),
        10 => overwrite(frame, 0, &ApiKey::ALL[dice.below(ApiKey::ALL.len())].code().to_be_bytes()),
        11 => drop(frame.drain(front.min(frame.len())..at.max(front).min(frame.len()))),
        12 => overwrite(frame, dice.below(HEADER_BYTES), &extreme.to_be_bytes()),
        _ => frame.iter_mut().skip(body).for_each(|byte| *byte = dice.bits() as u8),
    }
}

fn flip_bits(frame: &mut [u8], from: usize, dice: &mut Generator) {
    for _ in 0..=dice.below(8) {
        if from < frame.len() {
            let at = from + dice.below(frame.len() - from);
            frame[at] ^= 1 << dice.below(8);
        }
    }
}

fn overwrite(frame: &mut [u8], at: usize, bytes: &[u8]) {
    for (place, byte) in frame.iter_mut().skip(at).zip(bytes) {
        *place = *byte;
    }
}
