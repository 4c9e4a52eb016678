//! The names on a disk: as processes see them, and as they are on the medium.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::content::{Content, Survival};
use crate::prng::Prng;

/// What a name stands for: a number in the tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Node {
    Folder(usize),
    File(usize),
}

/// One folder.
#[derive(Clone, Default)]
pub(super) struct Folder {
    names: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
    /// What leads from one to the other, in order: names that change together.
    unflushed: Vec<Vec<(String, Option<Node>)>>,
}

/// All folders and files.
#[derive(Clone)]
pub(super) struct Tree {
    /// The first is the root.
    folders: Vec<Folder>,
    files: Vec<Content>,
    used_bytes: u64,
}

impl Folder {
    /// The names in it, and whether they are folders.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, bool)> {
        self.names.iter().map(|(name, node)| (name.as_str(), matches!(node, Node::Folder(_))))
    }

    pub(super) fn sync(&mut self) {
        self.durable.clone_from(&self.names);
        self.unflushed.clear();
    }

    fn change(&mut self, changes: Vec<(String, Option<Node>)>) {
        changes.iter().for_each(|(name, node)| set(&mut self.names, name, *node));
        self.unflushed.push(changes);
    }

    fn lose_unflushed(&mut self, survival: &mut Survival<'_>) {
        for changes in std::mem::take(&mut self.unflushed) {
            if survival.survives() {
                changes.iter().for_each(|(name, node)| set(&mut self.durable, name, *node));
            }
        }
        self.names.clone_from(&self.durable);
    }
}

fn set(names: &mut BTreeMap<String, Node>, name: &str, node: Option<Node>) {
    match node {
        Some(node) => names.insert(name.to_owned(), node),
        None => names.remove(name),
    };
}

impl Tree {
    pub(super) fn new() -> Self {
        Self { folders: vec![Folder::default()], files: Vec::new(), used_bytes: 0 }
    }

    pub(super) fn used_bytes(&self) -> u64 {
        self.used_bytes
    }

    /// What lies at a path.
    pub(super) fn node(&self, path: &Path) -> Option<Node> {
        let mut node = Node::Folder(0);
        for name in names(path) {
            let Node::Folder(folder) = node else { return None };
            node = *self.folders[folder].names.get(name)?;
        }
        Some(node)
    }

    pub(super) fn file(&self, path: &Path) -> Option<usize> {
        match self.node(path) {
            Some(Node::File(file)) => Some(file),
            _ => None,
        }
    }

    pub(super) fn content(&mut self, file: usize) -> SizedContent<'_> {
        let before = self.files[file].size();
        SizedContent { content: &mut self.files[file], before, used_bytes: &mut self.used_bytes }
    }

    pub(super) fn content_mut(&mut self, path: &Path) -> Option<&mut Content> {
        let file = self.file(path)?;
        self.files.get_mut(file)
    }

    pub(super) fn folder(&self, path: &Path) -> Option<&Folder> {
        match self.node(path) {
            Some(Node::Folder(folder)) => self.folders.get(folder),
            _ => None,
        }
    }

    pub(super) fn folder_mut(&mut self, path: &Path) -> Option<&mut Folder> {
        match self.node(path) {
            Some(Node::Folder(folder)) => self.folders.get_mut(folder),
            _ => None,
        }
    }

    /// Makes a folder and its parents. The root's names are durable at once: where the data folder lies is not the engine's.
    pub(super) fn create_folders(&mut self, path: &Path) -> Option<()> {
        let mut folder = 0;
        for name in names(path) {
            folder = match self.folders[folder].names.get(name) {
                Some(Node::Folder(inner)) => *inner,
                Some(Node::File(_)) => return None,
                None => {
                    let made = self.folders.len();
                    self.folders.push(Folder::default());
                    self.folders[folder].change(vec![(name.to_owned(), Some(Node::Folder(made)))]);
                    made
                }
            };
        }
        self.folders[0].sync();
        Some(())
    }

    pub(super) fn create_file(&mut self, path: &Path) -> Option<usize> {
        let made = self.files.len();
        let name = path.file_name()?.to_str()?.to_owned();
        let folder = self.folder_mut(path.parent()?)?;
        folder.change(vec![(name, Some(Node::File(made)))]);
        self.files.push(Content::default());
        Some(made)
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> Option<()> {
        let (from_name, to_name) = (from.file_name()?.to_str()?, to.file_name()?.to_str()?);
        let node = self.node(from)?;
        if let Some(replaced) = self.file(to) {
            self.used_bytes -= self.files[replaced].size();
        }
        let folder = self.folder_mut(to.parent()?)?;
        folder.change(vec![(from_name.to_owned(), None), (to_name.to_owned(), Some(node))]);
        Some(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> Option<()> {
        match self.node(path)? {
            Node::File(file) => self.used_bytes -= self.files[file].size(),
            Node::Folder(folder) if !self.folders[folder].names.is_empty() => return None,
            Node::Folder(_) => {}
        }
        let name = path.file_name()?.to_str()?.to_owned();
        self.folder_mut(path.parent()?)?.change(vec![(name, None)]);
        Some(())
    }

    pub(super) fn resize(&mut self, file: usize, size: u64, rng: &mut Prng) {
        let mut content = self.content(file);
        content.resize(size, rng);
    }

    /// The power was cut. What can be reached by no name any more is gone.
    pub(super) fn lose_unflushed(&mut self, survival: &mut Survival<'_>) {
        let mut folders = vec![0];
        self.used_bytes = 0;
        while let Some(folder) = folders.pop() {
            self.folders[folder].lose_unflushed(survival);
            for node in self.folders[folder].names.values() {
                match node {
                    Node::Folder(inner) => folders.push(*inner),
                    Node::File(file) => {
                        self.files[*file].lose_unflushed(survival);
                        self.used_bytes += self.files[*file].size();
                    }
                }
            }
        }
    }

    /// All files with their sizes, by path.
    pub(super) fn files(&self) -> Vec<(PathBuf, u64)> {
        let mut found = Vec::new();
        let mut folders = vec![(PathBuf::from("/"), 0)];
        while let Some((path, folder)) = folders.pop() {
            for (name, node) in &self.folders[folder].names {
                match node {
                    Node::Folder(inner) => folders.push((path.join(name), *inner)),
                    Node::File(file) => found.push((path.join(name), self.files[*file].size())),
                }
            }
        }
        found.sort_unstable();
        found
    }
}

/// A content whose changes of size are counted. A file that has no name any more may still be written; that is not much, and is
/// counted until the next power cut.
pub(super) struct SizedContent<'a> {
    content: &'a mut Content,
    before: u64,
    used_bytes: &'a mut u64,
}

impl std::ops::Deref for SizedContent<'_> {
    type Target = Content;

    fn deref(&self) -> &Content {
        self.content
    }
}

impl std::ops::DerefMut for SizedContent<'_> {
    fn deref_mut(&mut self) -> &mut Content {
        self.content
    }
}

impl Drop for SizedContent<'_> {
    fn drop(&mut self) {
        *self.used_bytes = (*self.used_bytes + self.content.size()).saturating_sub(self.before);
    }
}

fn names(path: &Path) -> impl Iterator<Item = &str> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => name.to_str(),
        _ => None,
    })
}
