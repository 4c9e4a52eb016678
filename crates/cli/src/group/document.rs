//! Reads the JSON of `docs/explain.md`. What is missing or of another type counts as null: a newer broker may say more, and nothing that it
//! says ends the program.

use serde_json::Value;

use crate::text::{harmless, partition_runs};

/// What stands where a value is not known.
pub(super) const UNKNOWN: &str = "-";

/// A text; empty if it is null.
pub(super) fn text(value: &Value, key: &str) -> String {
    value[key].as_str().map(harmless).unwrap_or_default()
}

/// A text with something in it.
pub(super) fn some_text(value: &Value, key: &str) -> Option<String> {
    Some(text(value, key)).filter(|text| !text.is_empty())
}

/// A whole number.
pub(super) fn number(value: &Value, key: &str) -> Option<i64> {
    value[key].as_i64()
}

/// A number as people read it, or a dash.
pub(super) fn grouped(value: &Value, key: &str) -> String {
    number(value, key).map_or_else(|| UNKNOWN.to_owned(), crate::text::signed)
}

/// A length of time as people read it, or a dash.
pub(super) fn duration(value: &Value, key: &str) -> String {
    number(value, key).map_or_else(|| UNKNOWN.to_owned(), crate::text::duration)
}

/// The elements of a list.
pub(super) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// The texts of a list.
pub(super) fn texts(value: &Value, key: &str) -> Vec<String> {
    list(value, key).iter().filter_map(Value::as_str).map(harmless).collect()
}

/// `orders/3`.
pub(super) fn partition_name(value: &Value) -> String {
    format!("{}/{}", text(value, "topic"), number(value, "partition").unwrap_or(-1))
}

/// Partitions by topic, runs shortened: `orders 0-3 7, bills 1`.
pub(super) fn partitions(value: &Value) -> String {
    let Some(topics) = value.as_object() else { return String::new() };
    let numbers =
        |value: &Value| value.as_array().map_or_else(Vec::new, |all| all.iter().filter_map(Value::as_i64).collect());
    let topic = |(name, value): (&String, &Value)| format!("{} {}", harmless(name), partition_runs(&numbers(value)));
    topics.iter().map(topic).collect::<Vec<String>>().join(", ")
}

/// What people call a member: its client id, or its member id.
pub(super) fn name(member: &Value) -> Option<String> {
    some_text(member, "client_id").or_else(|| some_text(member, "member_id"))
}

/// `kafka-python 3.0.12`; empty if it is not known.
pub(super) fn software(member: &Value) -> String {
    let software = &member["software"];
    [text(software, "name"), text(software, "version")].join(" ").trim().to_owned()
}

/// `worker-2 (kafka-python 3.0.12, 10.0.3.7)`; `None` for a null.
pub(super) fn who(member: &Value) -> Option<String> {
    let name = name(member)?;
    let instance = some_text(member, "group_instance_id").filter(|instance| *instance != name);
    let parts =
        [instance.map(|instance| format!("instance {instance}")), Some(software(member)), some_text(member, "host")];
    let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    Some(if parts.is_empty() { name } else { format!("{name} ({})", parts.join(", ")) })
}

/// What the epoch is called in the group's protocol.
pub(super) fn epoch(group: &Value) -> Option<String> {
    let word = if group["type"] == "consumer" { "epoch" } else { "generation" };
    number(group, "epoch").map(|epoch| format!("{word} {}", crate::text::signed(epoch)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_are_named_by_what_is_known_of_them() {
        let whole = json!({"member_id": "w-1", "group_instance_id": "i-1", "client_id": "worker-1", "host": "10.0.3.5",
            "software": {"name": "librdkafka", "version": "2.12"}});
        assert_eq!(who(&whole).as_deref(), Some("worker-1 (instance i-1, librdkafka 2.12, 10.0.3.5)"));
        let bare =
            json!({"member_id": "w-1", "group_instance_id": null, "client_id": "", "host": "", "software": null});
        assert_eq!(who(&bare).as_deref(), Some("w-1"));
        assert_eq!(who(&Value::Null), None);
    }

    #[test]
    fn what_has_another_type_counts_as_null() {
        let odd = json!({"records": "many", "topic": 7, "next": {"a": 1}, "partitions": [1]});
        assert_eq!((grouped(&odd, "records"), text(&odd, "topic")), ("-".to_owned(), String::new()));
        assert!(texts(&odd, "next").is_empty() && partitions(&odd["partitions"]).is_empty());
        assert_eq!(partitions(&json!({"bills": [], "orders": [0, "x", 1, 2]})), "bills , orders 0-2");
    }
}
