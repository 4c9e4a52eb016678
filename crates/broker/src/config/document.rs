//! `docs/configuration.md`, written from the tables.

use std::fmt::Write;

use super::group::GROUP;
use super::property::{Class, Property};
use super::topic::table::TOPIC;
use super::{Change, table};

const HEAD: &str = "\
# Configuration

<!-- Written from the property tables in crates/broker/src/config. Do not edit; to write it anew:
     OTTLA_REWRITE=1 cargo test -p ottla-broker configuration_page -->

Properties have Kafka's names and stand in a file of Kafka's format (`--config FILE`) or on the command line
(`--set name=value`). Flags win over `--set`, `--set` over the file, the file over the defaults; within one of them the last
value wins. The file is read as UTF-8.

There are three kinds of names:

- **served**: they do what this page says;
- **known to Kafka 4.3, but without effect here**: accepted, with one warning each when the broker starts, so that a file
  written for Kafka works. *Later* means that a later version will serve it, *none* that there is nothing it could steer;
- **unknown**: an error with the nearest valid name.

What is set is seen with DescribeConfigs (`kafka-configs.sh --describe`), with its source. A broker property takes effect at
the next start; a *dynamic* one can also be changed while the broker runs (`kafka-configs.sh --alter`), for this broker (its id, 1) or as the
default of all (`--entity-default`). What is set so wins over everything else, this broker before all, and stays over restarts.

";

/// The whole page.
pub fn document() -> String {
    let mut page = HEAD.to_owned();
    for subject in table::SUBJECTS {
        let _ = writeln!(page, "## {}\n", subject.title);
        rows(&mut page, subject.properties);
    }
    topics(&mut page);
    groups(&mut page);
    silent(&mut page);
    page
}

fn rows(page: &mut String, properties: &[Property]) {
    page.push_str("| property | value | default | effect | |\n|---|---|---|---|---|\n");
    for property in properties {
        row(page, property, "");
    }
    page.push('\n');
}

/// One line of a table: `more` stands between default and effect, with the bar that ends it.
fn row(page: &mut String, property: &Property, more: &str) {
    let (name, kind, default, effect) = (property.name, &property.kind, default(property), effect(property.class));
    let dynamic = if more.is_empty() { dynamic(property) } else { "" };
    let text = escape(&property.documentation());
    let _ = writeln!(page, "| `{name}` | {kind} | {default} |{more} {effect}{dynamic} | {text} |");
}

fn topics(page: &mut String) {
    page.push_str(
        "## Topic configs\n\nGiven when a topic is created, or changed later (`kafka-configs.sh --alter`). A name that is not in this table is refused with INVALID_CONFIG. \
         Where a topic has no value of\nits own, the broker's property counts. All are kept and shown by DescribeConfigs.\n\n\
         | config | value | default | broker's property | effect | |\n|---|---|---|---|---|---|\n",
    );
    for config in TOPIC {
        let broker = config.broker.map_or_else(String::new, |name| format!("`{name}`"));
        debug_assert_eq!(config.property.change, Change::WhileRunning);
        row(page, &config.property, &format!(" {broker} |"));
    }
    page.push('\n');
}

fn groups(page: &mut String) {
    page.push_str(
        "## Group configs\n\nOf single groups, which need not exist yet (`kafka-configs.sh --entity-type groups --alter`). They count at once, and stay over restarts. \
         A name that is not in this table is refused\nwith INVALID_CONFIG, and so is a value outside of the broker's bounds \
         (`group.consumer.min.session.timeout.ms` and so on). Where a group has no value of its own,\nthe broker's property counts.\n\n\
         | config | value | default | broker's property | effect | |\n|---|---|---|---|---|---|\n",
    );
    for config in GROUP {
        row(page, &config.property, &format!(" `{}` |", config.broker));
    }
    page.push('\n');
}

fn silent(page: &mut String) {
    page.push_str("## Known to Kafka, without effect\n\n");
    for subject in table::silent_subjects() {
        let Some(first) = subject.properties.first() else { continue };
        let _ = writeln!(page, "### {}\n\nEffect: {}; {}.\n", subject.title, effect(first.class), first.help);
        page.push_str("| property | value | Kafka's default |\n|---|---|---|\n");
        for property in subject.properties {
            let _ = writeln!(page, "| `{}` | {} | {} |", property.name, property.kind, default(property));
        }
        page.push('\n');
    }
    let prefixes: Vec<String> = table::PREFIXES.iter().map(|prefix| format!("`{prefix}`")).collect();
    let _ = writeln!(page, "Names that begin with {} are accepted in the same way.", prefixes.join(", "));
}

fn effect(class: Class) -> &'static str {
    match class {
        Class::Served => "served",
        Class::NotYet => "later",
        Class::WithoutMeaning => "none",
    }
}

/// What stands behind the effect of what can change while the broker runs.
fn dynamic(property: &Property) -> &'static str {
    match property.change {
        Change::WhileRunning => ", dynamic",
        Change::AtStart => "",
    }
}

fn default(property: &Property) -> String {
    match property.default {
        None => "unset".to_owned(),
        Some("") => "empty".to_owned(),
        Some(value) => format!("`{value}`"),
    }
}

fn escape(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn configuration_page_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
        let page = super::document();
        if std::env::var_os("OTTLA_REWRITE").is_some() {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("docs can be made");
            std::fs::write(&path, &page).expect("docs can be written");
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(stored == page, "docs/configuration.md is not current; OTTLA_REWRITE=1 writes it anew");
    }
}
