//! One property, declared once: everything else (checks, help, DescribeConfigs, the documentation) is read off here.

use super::kind::Kind;

/// A property that an operator can set.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    /// Kafka's name, or one of ours, which begin with `ottla.`.
    pub name: &'static str,
    /// Type and range.
    pub kind: Kind,
    /// What holds where nobody sets it; `None` means unset, and the help says what that does.
    pub default: Option<&'static str>,
    /// What happens to a value.
    pub class: Class,
    /// When a new value takes effect.
    pub change: Change,
    /// One line, as it stands behind "did you mean".
    pub help: &'static str,
    /// Further sentences for the documentation; may be empty.
    pub more: &'static str,
    /// Coarser properties that count where this one is unset, the first set one wins: Kafka's `log.retention.ms` looks
    /// at `log.retention.minutes` and then at `log.retention.hours`.
    pub coarser: &'static [Coarser],
}

/// A property in a coarser unit.
#[derive(Clone, Copy, Debug)]
pub struct Coarser {
    /// Its name.
    pub name: &'static str,
    /// How many of the finer units make one of it.
    pub factor: i64,
}

/// What happens to a value of a known property.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// It does what its help says.
    Served,
    /// It is checked, kept and shown, but has no effect in this version. Setting it gives a warning.
    NotYet,
    /// Kafka knows it; here is nothing that it could steer. Setting it gives a warning.
    WithoutMeaning,
}

/// When a new value takes effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// At the next start.
    AtStart,
    /// While running, by the requests that change configs.
    WhileRunning,
}

impl Property {
    const fn new(name: &'static str, kind: Kind, default: Option<&'static str>, help: &'static str) -> Property {
        let class = Class::Served;
        Property { name, kind, default, class, change: Change::AtStart, help, more: "", coarser: &[] }
    }

    /// A served property with a default.
    pub(crate) const fn served(name: &'static str, kind: Kind, default: &'static str, help: &'static str) -> Property {
        Property::new(name, kind, Some(default), help)
    }

    /// A served property that is unset by default.
    pub(crate) const fn unset(name: &'static str, kind: Kind, help: &'static str) -> Property {
        Property::new(name, kind, None, help)
    }

    /// A property of Kafka that steers nothing here; `why` is its help.
    pub(crate) const fn without_meaning(
        name: &'static str,
        kind: Kind,
        default: Option<&'static str>,
        why: &'static str,
    ) -> Property {
        let mut property = Property::new(name, kind, default, why);
        property.class = Class::WithoutMeaning;
        property
    }

    /// The same, without effect in this version.
    pub(crate) const fn not_yet(mut self) -> Property {
        self.class = Class::NotYet;
        self
    }

    /// The same, changeable while running.
    pub(crate) const fn while_running(mut self) -> Property {
        self.change = Change::WhileRunning;
        self
    }

    /// The same with more documentation.
    pub(crate) const fn more(mut self, more: &'static str) -> Property {
        self.more = more;
        self
    }

    /// The same, falling back to properties in coarser units.
    pub(crate) const fn coarser(mut self, coarser: &'static [Coarser]) -> Property {
        self.coarser = coarser;
        self
    }

    /// Help and the further sentences.
    pub fn documentation(&self) -> String {
        let mut text = String::with_capacity(self.help.len() + self.more.len() + 3);
        let mut letters = self.help.chars();
        text.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        text.push_str(letters.as_str());
        text.push('.');
        if !self.more.is_empty() {
            text.push(' ');
            text.push_str(self.more);
        }
        text
    }
}

/// Properties of one subject, as one chapter of the documentation.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// The chapter's heading.
    pub title: &'static str,
    /// Its properties.
    pub properties: &'static [Property],
}

/// Declares properties as constants, so that code names them without strings, and gathers them in one table.
macro_rules! declare {
    ($table:ident: $($name:ident = $property:expr;)*) => {
        $(pub(crate) const $name: $crate::config::property::Property = $property;)*
        pub(crate) const $table: &[$crate::config::property::Property] = &[$($name),*];
    };
}
pub(crate) use declare;
