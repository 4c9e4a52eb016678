//! What lies where: the manifest, the frames of the write-ahead log, the batches and records of segments, line by line.

mod manifest;
mod segments;
mod wal;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::enter;
use super::report::InspectError;
use super::segment::relative;
use crate::local::disk::Disk;
use crate::local::manifest::Manifest;
use crate::local::options::OpenError;
use crate::local::segments::{hex, topic_of_folder};
use crate::local::wal::{Entry, TOPIC_CREATED};
use crate::{ConfigResource, Metadata, PartitionId, Topic, TopicId};

/// What to tell.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct DumpWish {
    /// The manifest.
    pub manifest: bool,
    /// The write-ahead log's frames.
    pub wal: bool,
    /// The segments' batches.
    pub segments: bool,
    /// The records of batches, with keys and values shortened.
    pub records: bool,
    /// Only this topic, by name or by id in hex digits.
    pub topic: Option<String>,
    /// Only this partition.
    pub partition: Option<i32>,
    /// Only from this offset on.
    pub from: Option<i64>,
    /// Only up to this offset.
    pub to: Option<i64>,
}

/// One thing that was found.
#[derive(Clone, PartialEq, Debug)]
pub struct Line {
    /// What it is.
    pub kind: &'static str,
    /// What it says, in a fixed order for each kind.
    pub fields: Vec<(&'static str, Field)>,
}

/// One value of a line.
#[derive(Clone, PartialEq, Debug)]
pub enum Field {
    /// A number.
    Number(i64),
    /// A number that is never negative.
    Count(u64),
    /// A number in hex digits.
    Bits(u64),
    /// Words.
    Text(String),
    /// Yes or no.
    Flag(bool),
    /// Nothing: a record without a key, a tombstone's value.
    Null,
}

/// Hears of what is found; an error ends the dump.
pub(super) type Take<'a> = &'a mut dyn FnMut(Line) -> io::Result<()>;

/// Tells what lies in a data folder that no broker has open, and changes nothing. What cannot be read is told as
/// `unreadable` and passed over. Answers whether anything was.
///
/// # Errors
/// [`InspectError`], where nothing can be told or `take` fails.
pub fn dump(
    folder: &Path,
    disk: &dyn Disk,
    wish: &DumpWish,
    take: &mut dyn FnMut(Line) -> io::Result<()>,
) -> Result<bool, InspectError> {
    let (disk, _lock) = enter(folder, disk)?;
    let mut dump =
        Dump { disk: &disk, root: folder, wish, wanted: None, metadata: Metadata::default(), take, unreadable: false };
    let manifest = dump.read_manifest()?;
    dump.learn_names(manifest.as_ref())?;
    if let (true, Some(manifest)) = (wish.manifest, &manifest) {
        dump.manifest(manifest)?;
    }
    if wish.wal {
        dump.wal()?;
    }
    if wish.segments {
        match &manifest {
            Some(manifest) => dump.segments(manifest)?,
            None => dump.segments_alone()?,
        }
    }
    Ok(dump.unreadable)
}

struct Dump<'a> {
    disk: &'a dyn Disk,
    root: &'a Path,
    wish: &'a DumpWish,
    /// The topic that is wanted, where not all are.
    wanted: Option<TopicId>,
    /// Topics by their ids, as far as anything says.
    metadata: Metadata,
    take: Take<'a>,
    unreadable: bool,
}

fn text(text: impl ToString) -> Field {
    Field::Text(text.to_string())
}

impl Dump<'_> {
    fn tell(&mut self, kind: &'static str, fields: Vec<(&'static str, Field)>) -> Result<(), InspectError> {
        (self.take)(Line { kind, fields })
            .map_err(|error| InspectError::Output { kind: error.kind(), error: error.to_string() })
    }

    fn tell_unreadable(&mut self, path: &Path, byte: u64, what: &str) -> Result<(), InspectError> {
        self.unreadable = true;
        self.tell("unreadable", vec![("file", self.file(path)), ("byte", Field::Count(byte)), ("what", text(what))])
    }

    fn file(&self, path: &Path) -> Field {
        text(relative(self.root, path).display())
    }

    fn read_manifest(&mut self) -> Result<Option<Manifest>, InspectError> {
        match Manifest::read(self.disk, self.root) {
            Ok(manifest) => Ok(Some(manifest.unwrap_or_else(Manifest::empty))),
            Err(OpenError::NewerFormat { path, found, supported }) => {
                Err(InspectError::NewerFormat { path, found, supported })
            }
            Err(error) => {
                self.tell_unreadable(&self.root.join("manifest"), 0, &error.to_string())?;
                Ok(None)
            }
        }
    }

    /// The names of all topics that ever were, as far as manifest and log still say; and which one is wanted.
    fn learn_names(&mut self, manifest: Option<&Manifest>) -> Result<(), InspectError> {
        for (topic, _) in manifest.iter().flat_map(|manifest| &manifest.topics) {
            self.metadata.insert(Topic::clone(topic));
        }
        self.each_frame(&mut |dump, _, walk, frame| {
            if frame.header.kind == TOPIC_CREATED
                && let Ok(Some(payload)) = walk.view.whole(frame.payload.clone(), wal::PAYLOAD_BYTES)
                && let Ok(Entry::TopicCreated(topic)) = Entry::read(TOPIC_CREATED, &payload)
            {
                dump.metadata.insert(topic);
            }
            Ok(())
        })?;
        if let Some(topic) = &self.wish.topic {
            let by_name = self.metadata.by_name(topic).map(|topic| topic.id);
            self.wanted = by_name.or_else(|| topic_of_folder(topic));
            self.wanted.ok_or_else(|| InspectError::UnknownTopic { topic: topic.clone() })?;
        }
        Ok(())
    }

    fn wants(&self, partition: PartitionId) -> bool {
        self.wanted.is_none_or(|topic| topic == partition.topic)
            && self.wish.partition.is_none_or(|index| index == partition.index)
    }

    /// Whether offsets of that range, the last one excluded, are wanted.
    fn wants_offsets(&self, from: i64, end: i64) -> bool {
        self.wish.from.is_none_or(|first| end > first) && self.wish.to.is_none_or(|last| from <= last)
    }

    /// Whether only some partitions or offsets are wanted.
    fn is_filtered(&self) -> bool {
        let DumpWish { topic, partition, from, to, .. } = self.wish;
        topic.is_some() || partition.is_some() || from.is_some() || to.is_some()
    }

    fn name(&self, partition: PartitionId) -> [(&'static str, Field); 2] {
        let name =
            self.metadata.by_id(partition.topic).map_or_else(|| hex(partition.topic), |topic| topic.name.to_string());
        [("topic", Field::Text(name)), ("partition", Field::Number(partition.index.into()))]
    }
}

fn resource_fields(resource: &ConfigResource, configs: &BTreeMap<String, String>) -> Vec<(&'static str, Field)> {
    let (kind, name) = match resource {
        ConfigResource::Topic(id) => ("topic", hex(*id)),
        ConfigResource::Broker(name) => ("broker", name.to_string()),
        ConfigResource::Group(name) => ("group", name.to_string()),
        ConfigResource::ScramUser(name) => {
            // Whoever has what is stored of a password can log in with it: it goes into no listing.
            let mechanisms = configs.keys().map(|mechanism| (mechanism.clone(), "...".to_owned())).collect();
            return fields_of("scram-user", name.to_string(), &mechanisms);
        }
        ConfigResource::ClientQuota(name) => ("client-quota", name.to_string()),
        ConfigResource::ClientMetrics(name) => ("client-metrics", name.to_string()),
    };
    fields_of(kind, name, configs)
}

fn fields_of(kind: &str, name: String, configs: &BTreeMap<String, String>) -> Vec<(&'static str, Field)> {
    vec![("of", text(kind)), ("name", Field::Text(name)), ("configs", configs_field(configs))]
}

fn configs_field(configs: &BTreeMap<String, String>) -> Field {
    let configs: Vec<String> = configs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Field::Text(configs.join(" "))
}

fn topic_fields(topic: &Topic) -> Vec<(&'static str, Field)> {
    vec![
        ("topic", text(&topic.name)),
        ("id", Field::Text(hex(topic.id))),
        ("partitions", Field::Number(topic.partitions.into())),
        ("configs", configs_field(&topic.configs)),
    ]
}
