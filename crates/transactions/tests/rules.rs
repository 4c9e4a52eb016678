//! Rules of the contract with the shell that a story does not show.
use ottla_transactions::records::{StoredRecord, TransactionState};
use ottla_transactions::*;

const NOW: Now = Now { monotonic_ms: 5_000, wall_ms: 1_000_000 };

/// A coordinator that has loaded this log.
fn loaded(log: &[Record]) -> Coordinator {
    let mut coordinator = Coordinator::new(Settings::default());
    log.iter().for_each(|record| coordinator.replay(record));
    coordinator.loaded(NOW);
    coordinator
}

fn ask(coordinator: &mut Coordinator, ticket: u64, request: Request) -> Vec<Action> {
    coordinator.handle(NOW, Event::Request { ticket: Ticket(ticket), request })
}

fn init(id: &str) -> Request {
    let transactional_id = id.into();
    Request::InitProducer(InitProducer { transactional_id, timeout_ms: 60_000, producer_id: -1, producer_epoch: -1 })
}

fn commit(id: &str, producer: Producer) -> Request {
    Request::EndTransaction(EndTransaction {
        transactional_id: id.into(),
        producer_id: producer.id,
        producer_epoch: producer.epoch,
        commits: true,
        bumps_epoch: true,
    })
}

/// Initialises an id, with this producer id.
fn begin(coordinator: &mut Coordinator, id: &str, producer_id: i64) -> Producer {
    let actions = ask(coordinator, 1, init(id));
    let [Action::AllotProducerId(allotment)] = actions[..] else { panic!("{actions:?}") };
    let producer_id = Some(producer_id);
    let actions = coordinator.handle(NOW, Event::ProducerIdAllotted { allotment, producer_id });
    let told = actions.iter().find_map(|action| match action {
        Action::Reply(Ticket(1), Answer::InitProducer(Ok(producer))) => Some(*producer),
        _ => None,
    });
    told.unwrap_or_else(|| panic!("{actions:?}"))
}

fn admit(
    coordinator: &mut Coordinator,
    now: Now,
    (id, producer): (&str, Producer),
    partitions: &[(&str, i32)],
) -> (Vec<Result<(), TransactionError>>, Vec<Action>) {
    let Producer { id: producer_id, epoch: producer_epoch } = producer;
    let membership = Membership::Implicit;
    let admission = Admission { transactional_id: id, producer_id, producer_epoch, partitions, membership };
    let mut actions = Vec::new();
    (coordinator.admit(now, &admission, &mut actions), actions)
}

fn end_of(actions: &[Action]) -> &EndStep {
    let step = actions.iter().find_map(|action| match action {
        Action::End(step) => Some(step),
        _ => None,
    });
    step.unwrap_or_else(|| panic!("{actions:?}"))
}

/// Appends that come before a reply.
fn appends_before_reply(actions: &[Action]) -> usize {
    let reply = actions.iter().position(|action| matches!(action, Action::Reply(..))).expect("there is a reply");
    actions[..reply].iter().filter(|action| matches!(action, Action::Append(_))).count()
}

#[test]
fn nothing_is_served_before_the_log_is_read() {
    let mut coordinator = Coordinator::new(Settings::default());
    let loading = TransactionError::CoordinatorLoadInProgress;
    let producer = Producer { id: 1, epoch: 0 };
    let add = |verify_only| {
        Request::AddPartitions(AddPartitions {
            transactional_id: "x".into(),
            producer_id: 1,
            producer_epoch: 0,
            partitions: vec![("t".into(), vec![0])],
            verify_only,
        })
    };
    let expected = [
        (init("x"), Answer::InitProducer(Err(loading))),
        (commit("x", producer), Answer::EndTransaction(Err(loading))),
        (add(false), Answer::AddPartitions(Err(loading))),
        (add(true), Answer::VerifyPartitions(Err(loading))),
        (Request::ListTransactions(ListTransactions::default()), Answer::ListTransactions(Err(loading))),
        (
            Request::DescribeTransaction(DescribeTransaction { transactional_id: "x".into() }),
            Answer::DescribeTransaction(Err(loading)),
        ),
    ];
    for (request, answer) in expected {
        assert_eq!(ask(&mut coordinator, 7, request), [Action::Reply(Ticket(7), answer)]);
    }
    assert_eq!(admit(&mut coordinator, NOW, ("x", producer), &[("t", 0), ("t", 1)]).0, [Err(loading), Err(loading)]);
    assert_eq!(coordinator.handle(NOW, Event::ExpireTransactionalIds), []);
    assert_eq!(coordinator.next_deadline(), None);
}

#[test]
fn answers_come_after_the_records_that_they_depend_on() {
    let mut coordinator = loaded(&[]);
    let producer = begin(&mut coordinator, "x", 9);
    let again = ask(&mut coordinator, 2, init("x"));
    assert_eq!(appends_before_reply(&again), 1, "{again:?}");
    let added = ask(
        &mut coordinator,
        3,
        Request::AddPartitions(AddPartitions {
            transactional_id: "x".into(),
            producer_id: producer.id,
            producer_epoch: producer.epoch + 1,
            partitions: vec![("t".into(), vec![0])],
            verify_only: false,
        }),
    );
    assert_eq!(appends_before_reply(&added), 1, "{added:?}");
    let producer = Producer { epoch: producer.epoch + 1, ..producer };
    let ending = ask(&mut coordinator, 4, commit("x", producer));
    assert!(!ending.iter().any(|action| matches!(action, Action::Reply(..) | Action::Append(_))), "{ending:?}");
    let end = end_of(&ending).end;
    let ended = coordinator.handle(NOW, Event::Ended { end, result: Ok(()) });
    let next = Producer { epoch: producer.epoch + 1, ..producer };
    assert!(ended.contains(&Action::Reply(Ticket(4), Answer::EndTransaction(Ok(next)))), "{ended:?}");
}

#[test]
fn an_end_holds_all_that_must_be_written_with_it() {
    let mut coordinator = loaded(&[]);
    let producer = begin(&mut coordinator, "x", 9);
    let partitions = [("u", 3), (OFFSETS_TOPIC, 8), ("t", 1), ("t", 0), ("t", 1), (OFFSETS_TOPIC, 2)];
    let (results, actions) = admit(&mut coordinator, NOW, ("x", producer), &partitions);
    assert_eq!(results, [Ok(()); 6]);
    assert_eq!(actions.iter().filter(|action| matches!(action, Action::Append(_))).count(), 1);
    let actions = ask(&mut coordinator, 4, commit("x", producer));
    let step = end_of(&actions);
    assert_eq!(step.partitions, [("t".to_string(), vec![0, 1]), ("u".to_string(), vec![3])]);
    assert_eq!((step.groups.as_slice(), step.commits), ([2, 8].as_slice(), true));
    assert_eq!((step.producer_id, step.producer_epoch), (9, 1));
    let StoredRecord::Transaction(id, Some(stored)) = StoredRecord::decode(&step.record).unwrap() else {
        panic!("{step:?}")
    };
    assert_eq!((id.as_str(), stored.state), ("x", TransactionState::CompleteCommit));
    assert!(stored.partitions.is_empty());
}

/// What is live until an end is there is what a start would find without it.
#[test]
fn an_end_changes_nothing_durable_before_it_is_there() {
    let mut coordinator = loaded(&[]);
    let producer = begin(&mut coordinator, "x", 9);
    admit(&mut coordinator, NOW, ("x", producer), &[("t", 0)]);
    let before = coordinator.durable_transactions().next().unwrap().1.clone();
    let actions = ask(&mut coordinator, 4, commit("x", producer));
    assert_eq!(coordinator.durable_transactions().next().unwrap().1, &before);
    let step = end_of(&actions).clone();
    coordinator.handle(NOW, Event::Ended { end: step.end, result: Ok(()) });
    let replayed = loaded(&[step.record]);
    assert_eq!(coordinator.durable_transactions().next(), replayed.durable_transactions().next());
}

#[test]
fn an_end_that_nobody_waits_for_is_ignored() {
    let mut coordinator = loaded(&[]);
    let producer = begin(&mut coordinator, "x", 9);
    admit(&mut coordinator, NOW, ("x", producer), &[("t", 0)]);
    let actions = ask(&mut coordinator, 4, commit("x", producer));
    let end = end_of(&actions).end;
    assert_eq!(coordinator.handle(NOW, Event::Ended { end: EndId(end.0 + 1), result: Ok(()) }), []);
    assert_ne!(coordinator.handle(NOW, Event::Ended { end, result: Ok(()) }), []);
    assert_eq!(coordinator.handle(NOW, Event::Ended { end, result: Ok(()) }), []);
    let unknown = Event::ProducerIdAllotted { allotment: Allotment(77), producer_id: Some(1) };
    assert_eq!(coordinator.handle(NOW, unknown), []);
}

/// Two wait for a producer id; the second finds what the first was given, and fences it.
#[test]
fn who_waits_for_a_producer_id_finds_what_happened_meanwhile() {
    let mut coordinator = loaded(&[]);
    let allotments: Vec<_> = [1, 2]
        .map(|ticket| match ask(&mut coordinator, ticket, init("x"))[..] {
            [Action::AllotProducerId(allotment)] => allotment,
            ref actions => panic!("{actions:?}"),
        })
        .into();
    let mut told = Vec::new();
    for (allotment, producer_id) in allotments.into_iter().zip([10, 11]) {
        let producer_id = Some(producer_id);
        for action in coordinator.handle(NOW, Event::ProducerIdAllotted { allotment, producer_id }) {
            if let Action::Reply(ticket, Answer::InitProducer(Ok(producer))) = action {
                told.push((ticket.0, producer.id, producer.epoch));
            }
        }
    }
    assert_eq!(told, [(1, 10, 0), (2, 10, 1)]);
}

#[test]
fn ids_that_no_record_can_carry_are_refused() {
    let mut coordinator = loaded(&[]);
    let refused = Answer::InitProducer(Err(TransactionError::InvalidRequest));
    for id in [String::new(), "x".repeat(32_768)] {
        assert_eq!(ask(&mut coordinator, 1, init(&id)), [Action::Reply(Ticket(1), refused.clone())]);
        let producer = Producer { id: 1, epoch: 0 };
        assert_eq!(
            admit(&mut coordinator, NOW, (&id, producer), &[("t", 0)]).0,
            [Err(TransactionError::InvalidRequest)]
        );
    }
    begin(&mut coordinator, &"x".repeat(32_767), 4);
    assert_eq!(coordinator.transactional_id_count(), 1);
}

#[test]
fn epochs_at_the_edge_of_their_range_are_compared_without_wrapping() {
    let mut coordinator = loaded(&[]);
    begin(&mut coordinator, "x", 9);
    for epoch in [i16::MIN, -1, i16::MAX] {
        let producer = Producer { id: 9, epoch };
        let fenced = TransactionError::ProducerFenced;
        let actions = ask(&mut coordinator, 4, commit("x", producer));
        assert_eq!(actions, [Action::Reply(Ticket(4), Answer::EndTransaction(Err(fenced)))]);
        assert_eq!(admit(&mut coordinator, NOW, ("x", producer), &[("t", 0)]).0, [Err(fenced)]);
    }
}

#[test]
fn deadlines_are_looked_at_in_intervals_and_time_does_not_run_backwards() {
    let mut coordinator = loaded(&[]);
    let producer = begin(&mut coordinator, "x", 9);
    assert_eq!(coordinator.next_deadline(), None);
    admit(&mut coordinator, NOW, ("x", producer), &[("t", 0)]);
    assert_eq!(coordinator.next_deadline(), Some(70_000), "5,000 and 60,000, at a multiple of 10,000");
    let early = Now { monotonic_ms: 64_999, ..NOW };
    assert_eq!(coordinator.handle(early, Event::Tick), []);
    // An earlier time counts as the last one.
    assert_eq!(coordinator.handle(Now { monotonic_ms: 3, ..NOW }, Event::Tick), []);
    let actions = coordinator.handle(Now { monotonic_ms: 65_000, ..NOW }, Event::Tick);
    assert!(!end_of(&actions).commits);
    assert_eq!(coordinator.next_deadline(), None);
}

/// A wall clock that was set back does not make a loaded transaction take longer than its time-out.
#[test]
fn a_loaded_transaction_gets_no_more_than_its_time_out() {
    let mut coordinator = loaded(&[]);
    let producer = begin(&mut coordinator, "x", 9);
    let (_, actions) = admit(&mut coordinator, NOW, ("x", producer), &[("t", 0)]);
    let Some(Action::Append(record)) = actions.first() else { panic!("{actions:?}") };
    for (wall_ms, deadline_ms) in [(1_000_000, 70_000), (0, 70_000), (1_050_000, 20_000), (9_000_000, 10_000)] {
        let mut again = Coordinator::new(Settings::default());
        again.replay(record);
        again.loaded(Now { wall_ms, ..NOW });
        assert_eq!(again.next_deadline(), Some(deadline_ms), "{wall_ms}");
    }
}

#[test]
fn settings_change_while_it_runs() {
    let mut coordinator = loaded(&[]);
    coordinator.configure(Settings { max_timeout_ms: 59_999, ..Settings::default() });
    let refused = Answer::InitProducer(Err(TransactionError::InvalidTransactionTimeout));
    assert_eq!(ask(&mut coordinator, 1, init("x")), [Action::Reply(Ticket(1), refused)]);
}
