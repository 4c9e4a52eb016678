//! ListTransactions (key 66), versions 0 to 2: all transactional ids of this broker (KIP-664).
//!
//! Version 1 filters by how long a transaction runs (KIP-994), 2 by a pattern of names in the syntax of RE2 (KIP-1152).

use std::borrow::Cow;
use std::collections::HashSet;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{ListTransactionsRequest, ListTransactionsResponse, ListedTransaction};
use ottla_transactions::{Answer, ListTransactions, ListedTransactions, Request as Asked};

use crate::context::{Context, Operation, Resource};
use crate::groups::expressions::matching;
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};
use crate::transactions::wire::error_code;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: ListTransactionsRequest<'_> = decode_question(&request)?;
    let response = match list(&context, &message).await {
        Ok(listed) => told(listed),
        Err(error_code) => ListTransactionsResponse { error_code, ..Default::default() },
    };
    request.respond(&response)
}

async fn list(context: &Context, message: &ListTransactionsRequest<'_>) -> Result<ListedTransactions, ErrorCode> {
    let pattern = message.transactional_id_pattern.as_deref().filter(|pattern| !pattern.is_empty());
    let matches = |names: &[&str]| pattern.map(|pattern| matching(pattern, names)).transpose();
    // Also where nothing is listed a bad pattern is told.
    matches(&[]).map_err(|_| ErrorCode::INVALID_REGULAR_EXPRESSION)?;
    let asked = Asked::ListTransactions(ListTransactions {
        states: message.state_filters.iter().map(|state| state.to_string()).collect(),
        producer_ids: message.producer_id_filters.clone(),
        longer_than_ms: message.duration_filter,
    });
    let mut all = ListedTransactions { unknown_states: Vec::new(), transactions: Vec::new() };
    for answer in context.broker().transactions.submit_to_all(&asked).await? {
        let Answer::ListTransactions(listed) = answer else { return Err(ErrorCode::UNKNOWN_SERVER_ERROR) };
        let listed = listed.map_err(error_code)?;
        all.unknown_states = listed.unknown_states;
        all.transactions.extend(listed.transactions);
    }
    let names: Vec<&str> = all.transactions.iter().map(|one| one.transactional_id.as_str()).collect();
    let matched = matches(&names).map_err(|_| ErrorCode::INVALID_REGULAR_EXPRESSION)?;
    let matched: Option<HashSet<String>> = matched.map(|names| names.into_iter().collect());
    all.transactions.retain(|one| {
        let id = &one.transactional_id;
        matched.as_ref().is_none_or(|matched| matched.contains(id))
            && context.authorize(Operation::Describe, Resource::TransactionalId(id))
    });
    Ok(all)
}

fn told(listed: ListedTransactions) -> ListTransactionsResponse<'static> {
    let transactions = listed.transactions.into_iter().map(|one| ListedTransaction {
        transactional_id: Cow::Owned(one.transactional_id),
        producer_id: one.producer_id,
        transaction_state: Cow::Borrowed(one.state.name()),
    });
    ListTransactionsResponse {
        unknown_state_filters: listed.unknown_states.into_iter().map(Cow::Owned).collect(),
        transaction_states: transactions.collect(),
        ..Default::default()
    }
}
