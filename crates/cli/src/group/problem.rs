//! What can go wrong, and what a person can do about it.

use ottla_broker::config::nearest_by;
use ottla_client::{ApiKey, ClientError, ErrorCode};

use crate::exit::Failure;
use crate::text::{grouped, harmless};

/// How many groups are named where the one that was typed does not exist.
const NAMED: usize = 10;

/// Why there is nothing to say.
#[derive(Debug)]
pub(super) enum Problem {
    /// No answer, or a refusal.
    Client(ClientError),
    /// Already a sentence.
    Said(Failure),
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Problem {
        Problem::Client(error)
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Problem {
        Problem::Said(failure)
    }
}

/// The sentence with the next step. `bootstrap` is the address of the broker that was reached, if one was.
pub(super) fn failure(error: &ClientError, bootstrap: Option<&str>) -> Failure {
    let said = harmless(&error.to_string());
    match error {
        ClientError::Address { .. } => Failure::Usage(format!("--bootstrap-server: {said}")),
        _ => Failure::Runtime(format!("{said}{}", next_step(error, bootstrap))),
    }
}

fn next_step(error: &ClientError, bootstrap: Option<&str>) -> String {
    match (error, bootstrap) {
        (ClientError::Connect { address, .. }, Some(bootstrap)) if address != bootstrap => format!(
            "; {bootstrap} answers, and names that address: let it advertise one that can be reached \
             (`ottla serve --advertise`, advertised.listeners)"
        ),
        (ClientError::Connect { .. }, _) => {
            "; is the broker running? start one with `ottla serve`, or name another with --bootstrap-server".to_owned()
        }
        (ClientError::NotKafka { .. } | ClientError::Broken { .. }, _) => {
            "; is --bootstrap-server right? (listeners with TLS or SASL are not understood)".to_owned()
        }
        (ClientError::Timeout { .. }, _) => "; try again, or look at the broker's log".to_owned(),
        (ClientError::Unsupported { api, .. }, _) if is_ours(*api) => {
            "; only an Ottla broker can answer that, of the same version or a newer one".to_owned()
        }
        (ClientError::NoLeader { .. }, _) => "; `ottla group lag` shows the partitions that the group has".to_owned(),
        (error, _) if error.code().is_some_and(is_early) => "; the broker is still starting: try again".to_owned(),
        _ => String::new(),
    }
}

fn is_ours(api: ApiKey) -> bool {
    api.is_ours()
}

fn is_early(code: ErrorCode) -> bool {
    [ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, ErrorCode::COORDINATOR_NOT_AVAILABLE, ErrorCode::NOT_COORDINATOR]
        .contains(&code)
}

/// For a group that does not exist: which there are, with a near name first.
pub(super) fn no_such_group(group: &str, names: &[String]) -> Failure {
    let mut said = format!("there is no group {}", harmless(group));
    if let Some(near) = nearest_by(group, names.iter(), |name| name.as_str()) {
        said.push_str(&format!("\n  did you mean {}?", harmless(near)));
    }
    let shown: Vec<String> = names.iter().take(NAMED).map(|name| harmless(name)).collect();
    match names.len() {
        0 => said.push_str("\n  there are no groups; one appears with its first member or commit"),
        all if all > NAMED => {
            said.push_str(&format!(
                "\n  groups: {} and {} more; see `ottla group list`",
                shown.join(", "),
                grouped((all - NAMED) as u64)
            ));
        }
        _ => said.push_str(&format!("\n  groups: {}", shown.join(", "))),
    }
    Failure::Runtime(said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn refused(address: &str) -> ClientError {
        ClientError::Connect { address: address.to_owned(), error: io::ErrorKind::ConnectionRefused.into() }
    }

    #[test]
    fn nobody_there_says_how_to_start_a_broker() {
        let said = failure(&refused("localhost:9092"), None).to_string();
        assert_eq!(
            said,
            "cannot connect to localhost:9092: connection refused; is the broker running? \
             start one with `ottla serve`, or name another with --bootstrap-server"
        );
    }

    #[test]
    fn an_address_that_only_the_broker_knows_is_its_own_fault() {
        let said = failure(&refused("inside:9092"), Some("localhost:9092")).to_string();
        assert!(
            said.contains("localhost:9092 answers, and names that address") && said.contains("--advertise"),
            "{said}"
        );
    }

    #[test]
    fn an_address_without_a_port_is_wrong_usage() {
        let error = ClientError::Address { address: "localhost".to_owned() };
        assert!(matches!(failure(&error, None), Failure::Usage(said) if said.contains("localhost:9092")));
    }

    #[test]
    fn a_near_name_is_offered_and_the_others_named() {
        let names = ["audit", "billing", "emails"].map(str::to_owned);
        assert_eq!(
            no_such_group("biling", &names).to_string(),
            "there is no group biling\n  did you mean billing?\n  groups: audit, billing, emails"
        );
        assert_eq!(no_such_group("x1", &names).to_string(), "there is no group x1\n  groups: audit, billing, emails");
        let many: Vec<String> = (0..1_011).map(|number| format!("g{number}")).collect();
        let said = no_such_group("zzzzzz", &many).to_string();
        assert!(said.ends_with("g8, g9 and 1,001 more; see `ottla group list`"), "{said}");
        assert!(no_such_group("x", &[]).to_string().contains("there are no groups"));
    }
}
