//! One line of a dump.

use ottla_storage::local::inspect::{Field, Line};
use serde_json::{Map, Value};

/// For people: what it is, then names and values.
pub(super) fn text(line: &Line) -> String {
    let mut text = format!("{:<10}", line.kind);
    for (name, field) in &line.fields {
        let value = match field {
            Field::Number(number) => number.to_string(),
            Field::Count(number) => number.to_string(),
            Field::Bits(bits) => format!("{bits:016x}"),
            Field::Text(words) if words.is_empty() || words.contains([' ', '"']) => format!("{words:?}"),
            Field::Text(words) => words.clone(),
            Field::Flag(flag) => if *flag { "yes" } else { "no" }.to_owned(),
            Field::Null => "null".to_owned(),
        };
        text.push_str(&format!("  {name} {value}"));
    }
    text
}

/// For programs.
pub(super) fn json(line: &Line) -> Value {
    let mut object = Map::new();
    object.insert("kind".to_owned(), line.kind.into());
    for (name, field) in &line.fields {
        let value = match field {
            Field::Number(number) => (*number).into(),
            Field::Count(number) => (*number).into(),
            // Most programs take numbers for 64-bit floats, which lose bits of these.
            Field::Bits(bits) => format!("{bits:016x}").into(),
            Field::Text(words) => words.as_str().into(),
            Field::Flag(flag) => (*flag).into(),
            Field::Null => Value::Null,
        };
        object.insert((*name).to_owned(), value);
    }
    Value::Object(object)
}
