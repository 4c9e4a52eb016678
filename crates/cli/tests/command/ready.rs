//! The ready line, and that it tells the truth.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

use rustix::process::Signal;

use crate::process::{Ottla, api_versions, connect, parts, port};

#[test]
fn the_ready_line_names_address_data_and_counts_and_requests_are_answered() {
    let mut ottla = Ottla::run(&["serve", "--listen", "127.0.0.1:0", "--data", "./here"]);
    let (address, data, topics, groups) = parts(&ottla.ready());
    assert_eq!(address, format!("127.0.0.1:{}", port(&address)));
    assert_ne!(port(&address), 0, "the port that was chosen, not the one that was asked for");
    assert_eq!((data.as_str(), topics, groups), ("./here", 0, 0));
    assert!(ottla.folder.join("here").is_dir());
    assert!(api_versions(&mut connect((Ipv4Addr::LOCALHOST, port(&address)))) > 20);
}

#[test]
fn it_is_all_that_stdout_ever_gets() {
    let mut ottla = Ottla::run(&["serve", "--listen", "127.0.0.1:0", "--storage", "memory"]);
    ottla.ready();
    ottla.signal(Signal::TERM);
    ottla.end().check(0, &[]);
}

#[test]
fn memory_storage_leaves_nothing_behind() {
    let mut ottla = Ottla::run(&["serve", "--listen", "127.0.0.1:0", "--storage", "memory"]);
    let (address, data, ..) = parts(&ottla.ready());
    assert_eq!(data, "memory");
    assert!(api_versions(&mut connect((Ipv4Addr::LOCALHOST, port(&address)))) > 20);
    assert_eq!(std::fs::read_dir(&ottla.folder).expect("the folder").count(), 0);
}

#[test]
fn localhost_is_both_loopbacks_on_one_port() {
    let mut ottla = Ottla::run(&["serve", "--listen", "localhost:0", "--storage", "memory"]);
    let (address, ..) = parts(&ottla.ready());
    let port = port(&address);
    assert_eq!(address, format!("localhost:{port}"));
    api_versions(&mut connect((Ipv4Addr::LOCALHOST, port)));
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        api_versions(&mut connect((Ipv6Addr::LOCALHOST, port)));
    } else {
        ottla.says("::1");
    }
}

#[test]
fn listen_repeats_and_takes_ipv6_in_brackets() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return;
    }
    let mut ottla = Ottla::run(&["serve", "--listen", "[::1]:0", "--listen", "127.0.0.1:0", "--storage", "memory"]);
    let (address, ..) = parts(&ottla.ready());
    assert_eq!(address, format!("[::1]:{}", port(&address)));
    api_versions(&mut connect((Ipv6Addr::LOCALHOST, port(&address))));
    ottla.says("also listening on 127.0.0.1:");
}

#[test]
fn a_data_folder_keeps_its_cluster_id() {
    let folder = tempfile::tempdir().expect("a folder");
    let identity = || std::fs::read_to_string(folder.path().join("ottla-data/meta.properties")).expect("the identity");
    let start_and_stop = || {
        let mut ottla = Ottla::run_in(folder.path(), &["serve", "--listen", "127.0.0.1:0"], &[]);
        let (_, data, ..) = parts(&ottla.ready());
        assert_eq!(data, "./ottla-data", "the default");
        ottla.signal(Signal::TERM);
        ottla.end().check(0, &[]);
        identity()
    };
    let first = start_and_stop();
    assert!(first.contains("cluster.id="), "{first}");
    assert_eq!(start_and_stop(), first);
}
