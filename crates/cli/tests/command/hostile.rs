//! Ten thousand mutated frames through real sockets, while another connection works on unharmed.

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

const FRAMES: u64 = 10_000;
/// Frames that go down one connection before it ends, if the broker has not closed it earlier.
const FRAMES_PER_CONNECTION: u64 = 8;
/// The largest sampled message that is worth sending: size is not what is tested.
const MAX_FRAME_BYTES: usize = 64 << 10;
/// What the process may take at its worst, in KiB: the frames are small, so whatever they ask for must not be.
const MAX_RESIDENT_KIB: u64 = 256 << 10;

#[test]
fn hostile_frames_harm_nobody_else() {
    let seed: u64 = std::env::var("OTTLA_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_122);
    let mut ottla = Ottla::run(&["serve", "--listen", "127.0.0.1:0"]);
    let (address, ..) = parts(&ottla.ready());
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port(&address)));
    let over = AtomicBool::new(false);
    let rounds = thread::scope(|scope| {
        let neighbour = scope.spawn(|| {
            let mut neighbour = Neighbour::connect(address);
            while !over.load(Ordering::Relaxed) {
                neighbour.round();
            }
            neighbour.round();
            neighbour.rounds()
        });
        for connection in 0..FRAMES / FRAMES_PER_CONNECTION {
            let frames = (0..FRAMES_PER_CONNECTION).map(|n| seed + connection * FRAMES_PER_CONNECTION + n);
            attack(address, frames.map(mutated).collect());
        }
        over.store(true, Ordering::Relaxed);
        neighbour.join()
    });
    let rounds = rounds.unwrap_or_else(|_| panic!("the neighbour was harmed (seed {seed})"));
    assert!(rounds > 10, "the neighbour hardly worked: {rounds} rounds");
    let resident_kib = ottla.peak_resident_kib();
    assert!(resident_kib < MAX_RESIDENT_KIB, "seed {seed} made the broker take {resident_kib} KiB");
    ottla.signal(Signal::TERM);
    let ended = ottla.end();
    let panics: Vec<&str> = ended.stderr.lines().filter(|line| line.contains("panic")).collect();
    assert!(panics.is_empty(), "seed {seed}: {panics:#?}");
    assert_eq!(ended.code, Some(0), "seed {seed}");
}

/// Sends the frames, says that no more will come, and reads until the broker has closed the connection.
fn attack(address: SocketAddr, frames: Vec<Vec<u8>>) {
    let mut stream = connect(address);
    let mut sending = stream.try_clone().expect("a second handle");
    let sender = thread::spawn(move || {
        // The broker may close at any frame; the rest then has nowhere to go.
        let sent = frames.iter().try_for_each(|frame| sending.write_all(frame));
        check_closed(sent);
        check_closed(sending.shutdown(Shutdown::Write));
    });
    check_closed(drain(&mut stream));
    sender.join().expect("the sender");
}

fn drain(stream: &mut TcpStream) -> io::Result<()> {
    let mut buffer = [0; 16 << 10];
    while stream.read(&mut buffer)? > 0 {}
    Ok(())
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
    for _ in 0..=dice.below(3) {
        damage(&mut frame, &mut dice);
    }
    let mut size = u32::try_from(frame.len()).expect("a small frame");
    if dice.below(12) == 0 {
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
    encoder.put_slice(&[0, 0, 0, 1, 0, 7]);
    encoder.put_slice(b"hostile");
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
    let at = dice.below(frame.len().max(1)).min(frame.len());
    // Lengths and counts stand near the front more often than not.
    let front = dice.below(frame.len().clamp(1, 60)).min(frame.len());
    match dice.below(12) {
        0 => flip_bits(frame, dice),
        1 => overwrite(frame, front, &extreme.to_be_bytes()),
        2 => overwrite(frame, at, &extreme.to_be_bytes()),
        3 => overwrite(frame, front, &(extreme as u16).to_be_bytes()),
        4 => overwrite(frame, at, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        5 => overwrite(frame, front, &[0xff; 10]),
        6 => frame.truncate(at),
        7 => frame.extend((0..dice.below(64)).map(|n| n as u8)),
        8 => overwrite(frame, 2, &(dice.bits() as u16).to_be_bytes()),
        9 => overwrite(frame, 0, &ApiKey::ALL[dice.below(ApiKey::ALL.len())].code().to_be_bytes()),
        10 => drop(frame.drain(front..at.max(front))),
        _ => frame.iter_mut().skip(8).for_each(|byte| *byte = dice.bits() as u8),
    }
}

fn flip_bits(frame: &mut [u8], dice: &mut Generator) {
    for _ in 0..=dice.below(8) {
        if !frame.is_empty() {
            let at = dice.below(frame.len());
            frame[at] ^= 1 << dice.below(8);
        }
    }
}

fn overwrite(frame: &mut [u8], at: usize, bytes: &[u8]) {
    for (place, byte) in frame.iter_mut().skip(at).zip(bytes) {
        *place = *byte;
    }
}
