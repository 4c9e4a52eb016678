//! Which crate may import which. A new crate or a new edge is a decision: change this table and `ARCHITECTURE.md` together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use crate::source::rust_files;
use crate::{report, root};

/// Every crate of ours with exactly the crates of ours that it imports.
const EDGES: &[(&str, &[&str])] = &[
    ("ottla-protocol", &[]),
    ("ottla-groups", &[]),
    ("ottla-transactions", &["ottla-groups"]),
    ("ottla-storage", &["ottla-protocol"]),
    ("ottla-broker", &["ottla-groups", "ottla-protocol", "ottla-storage", "ottla-transactions"]),
    ("ottla-client", &["ottla-protocol"]),
    ("ottla", &["ottla-broker", "ottla-client", "ottla-storage"]),
];

/// Test only: it may import anything, and nobody may import it.
const TEST_ONLY: &str = "ottla-sim";

/// Packages that bring a clock, randomness, threads, a disk or a network.
const IMPURE: &[&str] = &["tokio", "rustix", "socket2", "getrandom", "rand", "libc", "tracing-subscriber", "tempfile"];

struct Package {
    name: String,
    /// What it needs to be built and run.
    needs: BTreeSet<String>,
    /// What its own tests need besides.
    tests_need: BTreeSet<String>,
}

fn packages() -> Vec<Package> {
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata writes JSON");
    metadata["packages"].as_array().expect("a list of packages").iter().map(package).collect()
}

fn package(value: &serde_json::Value) -> Package {
    let mut package = Package {
        name: value["name"].as_str().expect("a name").to_string(),
        needs: BTreeSet::new(),
        tests_need: BTreeSet::new(),
    };
    for dependency in value["dependencies"].as_array().expect("a list of dependencies") {
        let name = dependency["name"].as_str().expect("a name").to_string();
        match dependency["kind"].as_str() {
            Some("dev") => package.tests_need.insert(name),
            _ => package.needs.insert(name),
        };
    }
    package
}

#[test]
fn each_crate_imports_exactly_what_the_table_says() {
    let packages = packages();
    let ours: BTreeSet<&str> = packages.iter().map(|p| p.name.as_str()).collect();
    let table: BTreeMap<&str, BTreeSet<&str>> =
        EDGES.iter().map(|(name, needs)| (*name, needs.iter().copied().collect())).collect();
    let mut findings = Vec::new();
    for package in packages.iter().filter(|p| p.name != TEST_ONLY) {
        let found: BTreeSet<&str> = package.needs.iter().map(String::as_str).filter(|n| ours.contains(n)).collect();
        match table.get(package.name.as_str()) {
            None => findings.push(format!("{} is not in the table", package.name)),
            Some(allowed) if *allowed != found => {
                findings.push(format!("{} imports {found:?}; the table says {allowed:?}", package.name));
            }
            Some(_) => {}
        }
    }
    findings.extend(table.keys().filter(|name| !ours.contains(*name)).map(|name| format!("{name} does not exist")));
    report("a crate's imports differ from the table", &findings);
}

#[test]
fn nobody_imports_what_is_there_for_tests_only() {
    let findings: Vec<String> = packages()
        .iter()
        .filter(|p| p.needs.contains(TEST_ONLY) || p.tests_need.contains(TEST_ONLY))
        .map(|p| format!("{} imports {TEST_ONLY}", p.name))
        .collect();
    report("the simulation stands at the end of the graph", &findings);
}

#[test]
fn the_pure_crates_depend_on_nothing_impure() {
    let mut findings = Vec::new();
    for package in packages() {
        if package.name == "ottla-groups" {
            findings.extend(
                package.needs.iter().map(|name| format!("ottla-groups depends on {name}; it depends on nothing")),
            );
        }
        if package.name == "ottla-transactions" {
            let others = package.needs.iter().filter(|name| *name != "ottla-groups");
            findings.extend(others.map(|name| format!("ottla-transactions depends on {name}; ottla-groups is enough")));
        }
        if package.name == "ottla-protocol" {
            let impure = package.needs.iter().filter(|name| IMPURE.contains(&name.as_str()));
            findings.extend(impure.map(|name| format!("ottla-protocol depends on {name}")));
        }
    }
    report("a pure crate depends on the outside world", &findings);
}

#[test]
fn every_crate_obeys_the_workspace_lints_and_the_pure_ones_their_own() {
    let mut findings = Vec::new();
    for entry in fs::read_dir(root().join("crates")).expect("crates/") {
        let folder = entry.expect("an entry").path();
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
        if !manifest.contains("[lints]\nworkspace = true") {
            findings.push(format!("{} does not take the workspace's lints", folder.display()));
        }
    }
    for pure in ["groups", "transactions", "protocol"] {
        let rules = fs::read_to_string(root().join("crates").join(pure).join("clippy.toml")).unwrap_or_default();
        for banned in
            ["Instant::now", "SystemTime::now", "thread::sleep", "getrandom::fill", "fs::File", "net::TcpStream"]
        {
            if !rules.contains(banned) {
                findings.push(format!("crates/{pure}/clippy.toml no longer forbids {banned}"));
            }
        }
    }
    report("a crate escapes the lints", &findings);
}

/// Libraries of a sysroot that has `core` and `alloc` but no `std`: that of the installed compiler without the rest.
fn sysroot_without_std(out: &Path) {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).current_dir(root()).output().expect("rustc runs");
    let sysroot = String::from_utf8(sysroot.stdout).expect("a path");
    let version = Command::new("rustc").arg("-vV").current_dir(root()).output().expect("rustc runs");
    let version = String::from_utf8(version.stdout).expect("text");
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host");
    let libraries = format!("lib/rustlib/{host}/lib");
    let bare = out.join("sysroot").join(&libraries);
    fs::create_dir_all(&bare).expect("a folder");
    for entry in fs::read_dir(Path::new(sysroot.trim()).join(&libraries)).expect("the sysroot's libraries") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        if ["libcore-", "liballoc-", "libcompiler_builtins-"].iter().any(|library| name.starts_with(library)) {
            fs::copy(entry.path(), bare.join(name)).expect("a copy");
        }
    }
}

/// Compiles a crate against such libraries and one other crate that was compiled into `out` before.
fn compile_without_std(name: &str, needs: Option<&str>, file: &Path, out: &Path) -> std::process::Output {
    let needs = needs.into_iter().flat_map(|needs| ["--extern", needs]);
    Command::new("rustc")
        .args(["--edition", "2024", "--crate-type", "rlib", "--emit", "metadata", "--cap-lints", "allow"])
        .args(["--crate-name", name, "--sysroot"])
        .arg(out.join("sysroot"))
        .arg("-L")
        .arg(out)
        .args(needs)
        .arg("--out-dir")
        .arg(out)
        .arg(file)
        .current_dir(root())
        .output()
        .expect("rustc runs")
}

#[test]
fn the_cores_of_groups_and_transactions_compile_without_std() {
    let out = tempfile::tempdir().expect("a folder");
    sysroot_without_std(out.path());
    for (name, needs) in [("groups", None), ("transactions", Some("ottla_groups"))] {
        let file = root().join("crates").join(name).join("src/lib.rs");
        let core = compile_without_std(&format!("ottla_{name}"), needs, &file, out.path());
        assert!(core.status.success(), "ottla-{name} needs std:\n{}", String::from_utf8_lossy(&core.stderr));
    }

    let planted = out.path().join("planted.rs");
    fs::write(&planted, "#![no_std]\nextern crate std;\npub fn f() { std::println!(); }\n").expect("a file");
    let planted = compile_without_std("planted", None, &planted, out.path());
    assert!(!planted.status.success(), "a crate that uses std compiled as well: this test proves nothing");
}

/// The one crate that picks the clock and the source of randomness.
const PICKS_CLOCK_AND_RANDOMNESS: &str = "crates/cli/src/";

#[test]
fn clock_and_randomness_are_picked_in_one_crate() {
    let mut findings = Vec::new();
    for file in rust_files().iter().filter(|f| f.path.starts_with("crates/") && f.path.contains("/src/")) {
        if file.path.starts_with(PICKS_CLOCK_AND_RANDOMNESS) {
            continue;
        }
        // The timers of the runtime are set in its own time, and the runtime is made in that one crate.
        let runtime_time =
            file.code.iter().any(|line| line.starts_with("use tokio::time::") && line.contains("Instant"));
        let asks: &[&str] = match runtime_time {
            true => &["SystemTime::now", "getrandom::", ".elapsed()", "std::time::Instant"],
            false => &["SystemTime::now", "getrandom::", ".elapsed()", "Instant::now"],
        };
        for (number, line) in file.code.iter().enumerate().filter(|(number, _)| !file.in_test[*number]) {
            let found = asks.iter().find(|ask| line.contains(*ask));
            findings
                .extend(found.map(|ask| format!("{}:{}: {ask} (it comes in as an argument)", file.path, number + 1)));
        }
    }
    report("a clock or randomness is picked outside the binary's crate", &findings);
}
