//! `ottla serve`: reads the configuration, opens the engine, runs the broker until a signal comes.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ottla_broker::config::{BrokerConfig, BrokerSettings, ConfigError, Layers, StorageKind, TopicLogs};
use ottla_broker::{Entropy, Identity, Loggers, Parts, RunningBroker};
use ottla_storage::local::disk::SystemDisk;
use ottla_storage::local::{LocalEngine, LocalOptions};
use ottla_storage::memory::{MemoryEngine, MemoryOptions};
use ottla_storage::{Engine, MonotonicMs};
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::{select, task, time};

use crate::arguments::ServeArguments;
use crate::data_folder;
use crate::exit::Failure;
use crate::machine::{Descriptors, SystemClock, SystemEntropy, raise_open_file_limit};

/// How long the end may take. All that was acknowledged is on disk already; what this is for are answers on their way out
/// and a checkpoint that makes the next start quicker.
const STOP_WITHIN: Duration = Duration::from_millis(800);

/// Kafka's `node.id`. There is one node, so there is nothing to choose.
const NODE_ID: i32 = 1;

/// Serves until a signal comes.
///
/// # Errors
/// The configuration is wrong, the broker could not start, or it could not go on.
pub(crate) fn run(arguments: &ServeArguments, clock: SystemClock, loggers: Arc<dyn Loggers>) -> Result<(), Failure> {
    let config = configuration(arguments)?;
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    let descriptors = Descriptors::share_out(raise_open_file_limit(), config.settings().open_files_max);
    let entropy = SystemEntropy::new()
        .map_err(|error| Failure::Runtime(format!("the system gives no random numbers: {error}")))?;
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Runtime(format!("the system refuses an event loop: {error}")))?;
    let served = runtime.block_on(serve(config, clock, Arc::new(entropy), loggers, descriptors));
    // A reader thread that hangs on a slow disk must not keep the process from ending.
    runtime.shutdown_background();
    served
}

/// All layers put together: flags before `--set` before the file before the defaults.
fn configuration(arguments: &ServeArguments) -> Result<BrokerConfig, Failure> {
    let file = match &arguments.config {
        None => None,
        Some(path) => Some((path.display().to_string(), fs::read(path).map_err(|error| unreadable(path, &error))?)),
    };
    layers(arguments, file).map_err(|error| Failure::Usage(error.to_string()))
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::Usage(format!(
        "could not read the configuration file {}: {error}; name a readable one with --config, or leave --config out: everything \
         has a default",
        path.display()
    ))
}

fn layers(arguments: &ServeArguments, file: Option<(String, Vec<u8>)>) -> Result<BrokerConfig, ConfigError> {
    let mut layers = Layers::default();
    if !arguments.listen.is_empty() {
        layers.listen(&arguments.listen)?;
    }
    if !arguments.advertise.is_empty() {
        layers.advertise(&arguments.advertise)?;
    }
    if let Some(folder) = &arguments.data {
        layers.data(&folder.to_string_lossy())?;
    }
    if let Some(engine) = &arguments.storage {
        layers.storage(engine)?;
    }
    for pair in &arguments.set {
        layers.set(pair)?;
    }
    if let Some((name, bytes)) = file {
        layers.file(&name, &bytes)?;
    }
    layers.resolve()
}

async fn serve(
    config: BrokerConfig,
    clock: SystemClock,
    entropy: Arc<SystemEntropy>,
    loggers: Arc<dyn Loggers>,
    descriptors: Descriptors,
) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let opening = {
        let (config, entropy) = (config.clone(), entropy.clone());
        task::spawn_blocking(move || open(&config, clock, &*entropy, descriptors.files))
    };
    // Recovery may take a while, and whoever is tired of it may stop it: nothing was acknowledged yet.
    let (engine, identity) = select! {
        opened = opening => opened.map_err(|error| Failure::Runtime(format!("opening the data folder failed: {error}")))??,
        () = signals.stop() => return Ok(()),
    };
    let parts = Parts { engine, clock: Arc::new(clock), entropy, loggers };
    let running = select! {
        started = ottla_broker::start_bounded(identity, config.clone(), parts, descriptors.connections) => {
            started.map_err(|error| Failure::Runtime(error.to_string()))?
        }
        () = signals.stop() => return Ok(()),
    };
    say_ready(&running, config.settings(), clock);
    let ended = select! {
        () = signals.stop() => Ok(()),
        why = running.failed() => Err(Failure::Runtime(why)),
    };
    let closed = match time::timeout(STOP_WITHIN, running.shutdown()).await {
        Ok(closed) => closed.map_err(|error| {
            Failure::Runtime(format!("{error}; all that was acknowledged is on disk, and the next start recovers it"))
        }),
        Err(_) => {
            tracing::warn!("the checkpoint at the end was given up; the next start reads more of the write-ahead log");
            Ok(())
        }
    };
    ended.and(closed)
}

/// Opens the engine and finds out whose data it is.
fn open(
    config: &BrokerConfig,
    clock: SystemClock,
    entropy: &dyn Entropy,
    open_files: usize,
) -> Result<(Arc<dyn Engine>, Identity), Failure> {
    let node_id = NODE_ID;
    let settings = config.settings();
    if settings.storage == StorageKind::Memory {
        let cluster_id = data_folder::new_cluster_id(entropy);
        let log_configs = TopicLogs::new(config.clone(), node_id);
        let options = MemoryOptions {
            log_configs,
            wall_ms: Arc::new(move || ottla_broker::Clock::wall_ms(&clock)),
            retention_check_interval_ms: config.settings().retention_check_interval_ms,
        };
        return Ok((Arc::new(MemoryEngine::with(options)), Identity { cluster_id, node_id }));
    }
    let options = LocalOptions { open_files, ..local_options(config, clock, entropy) };
    let engine =
        LocalEngine::open(options, Arc::new(SystemDisk)).map_err(|error| Failure::Runtime(error.to_string()))?;
    let cluster_id = data_folder::cluster_id(&settings.data_dir, node_id, entropy)?;
    Ok((Arc::new(engine), Identity { cluster_id, node_id }))
}

fn local_options(config: &BrokerConfig, clock: SystemClock, entropy: &dyn Entropy) -> LocalOptions {
    let settings = config.settings();
    let mut random = [0; 8];
    entropy.fill(&mut random);
    let monotonic_ms: MonotonicMs = Arc::new(move || ottla_broker::Clock::monotonic_ms(&clock));
    let mut options = LocalOptions::new(&settings.data_dir, u64::from_le_bytes(random), monotonic_ms);
    options.wal_max_bytes = settings.wal_max_bytes;
    options.checkpoint_interval_ms = settings.checkpoint_interval_ms;
    options.tail_bytes = settings.tail_bytes;
    options.retention_check_interval_ms = settings.retention_check_interval_ms;
    options.log_configs = TopicLogs::new(config.clone(), NODE_ID);
    options.cleaner_enable = settings.cleaner_enable;
    options.producer_expiration_ms = Some(settings.producer_id_expiration_ms);
    options.wall_ms = Arc::new(move || ottla_broker::Clock::wall_ms(&clock));
    plant(&mut options);
    options
}

#[cfg(not(feature = "planted-bugs"))]
fn plant(_: &mut LocalOptions) {}

/// A build with planted bugs has one: the one that `OTTLA_PLANTED_BUG` names, or else the first.
#[cfg(feature = "planted-bugs")]
fn plant(options: &mut LocalOptions) {
    use ottla_storage::local::PlantedBug;
    let named = std::env::var("OTTLA_PLANTED_BUG").ok().and_then(|name| PlantedBug::by_name(&name));
    let bug = named.unwrap_or(PlantedBug::ALL[0]);
    tracing::warn!("this build has a planted bug, {}: it loses data", bug.name());
    options.planted_bug = Some(bug);
}

/// The one line on stdout: from now on requests are answered.
fn say_ready(running: &RunningBroker, settings: &BrokerSettings, clock: SystemClock) {
    let addresses = running.addresses();
    let data = match settings.storage {
        StorageKind::Memory => "memory".to_string(),
        StorageKind::Local => settings.data_dir.display().to_string(),
    };
    let counted = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let line = format!(
        "ottla {}  ready in {} ms   {}   {data}   {}, {}\n",
        env!("CARGO_PKG_VERSION"),
        clock.running().as_millis(),
        addresses.first().map_or("", String::as_str),
        counted(running.topic_count(), "topic"),
        counted(running.group_count(), "group"),
    );
    let mut stdout = io::stdout().lock();
    // Nobody may be there to read it; the broker runs all the same.
    if let Err(error) = stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush()) {
        tracing::warn!("the ready line could not be written: {error}");
    }
    for address in addresses.iter().skip(1) {
        tracing::info!("also listening on {address}");
    }
}

/// The signals that mean stop.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let refused = |error| Failure::Runtime(format!("the system refuses signal handlers: {error}"));
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt()).map_err(refused)?,
            terminate: signal(SignalKind::terminate()).map_err(refused)?,
        })
    }

    /// Resolves when one of them has come.
    async fn stop(&mut self) {
        select! {
            _ = self.interrupt.recv() => tracing::info!("interrupted, stopping"),
            _ = self.terminate.recv() => tracing::info!("told to terminate, stopping"),
        }
    }
}
