//! Many connections leave the broker the file descriptors that it needs for its files.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use rustix::process::Signal;

use crate::neighbour::Neighbour;
use crate::process::{Ottla, connect, parts, port};

#[test]
fn idle_connections_do_not_take_the_files_of_the_broker() {
    // Checkpoints all the time: each opens files.
    let checkpoints = "ottla.checkpoint.interval.ms=1";
    let mut ottla = Ottla::run_with_open_files(256, &["serve", "--listen", "127.0.0.1:0", "--set", checkpoints]);
    let (address, ..) = parts(&ottla.ready());
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port(&address)));
    let mut neighbour = Neighbour::connect(address);
    let idle: Vec<TcpStream> = (0..400).map(|_| connect(address)).collect();
    ottla.says("closed a new connection");
    (0..200).for_each(|_| neighbour.round());
    drop(idle);
    ottla.signal(Signal::TERM);
    let ended = ottla.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for trouble in ["cannot accept", "cannot write", "stops writing", "os error"] {
        assert!(!ended.stderr.contains(trouble), "{}", ended.stderr);
    }
}
