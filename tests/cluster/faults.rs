//! Shell: operators that die, clocks that jump, writes that fail: in the end there is what an undisturbed run makes.

use crate::{
    children::Program,
    control_plane::{Cluster, with_cluster},
    dump,
    place::{Operator, Place, condition, phase},
    proxy::{Proxy, Verdict, Write},
    wait::{SOON, until},
};
use futures_util::{StreamExt, future::join_all, stream};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    os::unix::fs::FileExt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use vdi_operator::api::{Phase, VDISession};

/// An operator that has died is followed by another after this.
const LEASE: &str = "--lease-duration=2s";
/// Nothing is written for so long once all is as it should be.
const STILL: Duration = Duration::from_secs(2);
/// Kill points that are tried side by side.
const AT_ONCE: usize = 4;

type Dump = BTreeMap<String, Value>;

/// Waits until nothing is written any more.
async fn still(proxies: &[&Proxy]) {
    until("the writes to end", SOON, async || {
        let count = || proxies.iter().map(|proxy| proxy.writes().len()).sum::<usize>();
        let before = count();
        tokio::time::sleep(STILL).await;
        let more = count() - before;
        if more == 0 { Ok(()) } else { Err(format!("{more} more in {STILL:?}")) }
    })
    .await;
}

/// The operator of a place, and after it another, for as often as it dies.
fn keep_alive(place: Place<'static>, proxy: Arc<Proxy>) -> (Arc<AtomicBool>, tokio::task::JoinHandle<usize>) {
    let done = Arc::new(AtomicBool::new(false));
    let seen = done.clone();
    let keeper = tokio::spawn(async move {
        let mut started: usize = 0;
        let mut program: Option<Arc<Program>> = None;
        while !seen.load(Ordering::Relaxed) {
            if program.as_ref().is_none_or(|program| program.ended().is_some()) {
                let next = place.operator_through(&proxy, &[LEASE], &[]);
                proxy.victim(next.clone());
                program = Some(next);
                started += 1;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        started
    });
    (done, keeper)
}

/// What is there when a session runs, and when it was deleted after that; and how many writes each took.
struct Run {
    running: Dump,
    deleted: Dump,
    writes: [usize; 2],
    operators: usize,
}

/// Creates and deletes a session while `first` judges the writes of the one and `second` those of the other.
async fn run(
    cluster: &'static Cluster,
    name: &str,
    first: impl FnMut(&Write) -> Verdict + Send + 'static,
    second: impl FnOnce(usize) -> Box<dyn FnMut(&Write) -> Verdict + Send>,
) -> Run {
    let place = Place::new(cluster, name).await;
    let same = Place::again(&place);
    place.template("office", json!({ "storage": { "persistence": "claim", "retention": "delete" } })).await;
    let proxy = Proxy::start(cluster.client.clone(), &place.name, cluster.nodes.loopback().first()).await;
    proxy.judge(first);
    let (done, keeper) = keep_alive(same, proxy.clone());
    place.session("work", "office", json!({})).await;
    place.running("work").await;
    place.reason("work", "Ready").await;
    // Who comes after an operator that was killed is not writing yet, and is not still for that.
    let encodes = |seen: &VDISession| seen.status.as_ref().is_some_and(|status| status.encoder.is_some());
    place.session_until("work", "the encoder", encodes).await;
    still(&[&proxy]).await;
    let running = dump::objects(&place).await;
    let writes = proxy.writes().len();
    assert_eq!(cluster.nodes.started(&place.name), 1, "a pod was made twice");

    proxy.judge(second(writes));
    place.delete("work").await;
    place.gone("work").await;
    until("everything to be gone", SOON, async || {
        let left = dump::objects(&place).await;
        if left.is_empty() { Ok(()) } else { Err(format!("{:?}", left.keys())) }
    })
    .await;
    still(&[&proxy]).await;
    let deleted = dump::objects(&place).await;
    let writes = [writes, proxy.writes().len() - writes];
    done.store(true, Ordering::Relaxed);
    Run { running, deleted, writes, operators: keeper.await.unwrap() }
}

fn pass() -> Box<dyn FnMut(&Write) -> Verdict + Send> {
    Box::new(|_| Verdict::Pass)
}

#[test]
fn operator_killed_at_any_write_leaves_what_an_undisturbed_one_leaves() {
    with_cluster(async |cluster| {
        let undisturbed = run(cluster, "undisturbed", |_| Verdict::Pass, |_| pass()).await;
        assert_eq!(undisturbed.operators, 1);
        assert!(undisturbed.writes[0] >= 8, "{:?}", undisturbed.writes);
        let verdicts = [Verdict::KillBefore, Verdict::KillAfter];
        let points = (0..undisturbed.writes[0].max(undisturbed.writes[1]))
            .flat_map(|number| verdicts.map(|verdict| (number, verdict)));
        let at = move |point: usize, verdict: Verdict, first: usize| {
            move |write: &Write| if write.number == first + point { verdict } else { Verdict::Pass }
        };
        let runs = stream::iter(points).map(|(point, verdict)| async move {
            let name =
                format!("killed-{point}-{}", if verdict == Verdict::KillBefore { "before" } else { "after" });
            let second =
                move |first| Box::new(at(point, verdict, first)) as Box<dyn FnMut(&Write) -> Verdict + Send>;
            (name.clone(), point, run(cluster, &name, at(point, verdict, 0), second).await)
        });
        let runs: Vec<(String, usize, Run)> = runs.buffer_unordered(AT_ONCE).collect().await;
        for (name, point, run) in &runs {
            let difference = dump::difference(&undisturbed.running, &run.running);
            assert_eq!(difference, "", "{name}, running");
            let difference = dump::difference(&undisturbed.deleted, &run.deleted);
            assert_eq!(difference, "", "{name}, deleted");
            // A slow operator writes more often, since it sees more of what comes and goes.
            let written = run.writes[0].max(run.writes[1]);
            assert!(
                run.operators > 1 || written <= *point,
                "{name}: nobody died, of {:?} writes",
                run.writes
            );
        }
        let died = runs.iter().filter(|(_, _, run)| run.operators > 1).count();
        assert!(died >= 16, "only in {died} of {} runs an operator died", runs.len());
    });
}

/// Five sessions, of which one is suspended and one deleted.
async fn five(place: &Place<'_>) {
    let names = ["one", "two", "three", "four", "five"];
    let user = |name: &str| json!({ "user": format!("{name}@example.com") });
    join_all(names.iter().map(|name| place.session(name, "office", user(name)))).await;
    place.change("two", json!({ "spec": { "suspended": true } })).await;
    place.running("three").await;
    place.delete("three").await;
}

async fn five_settled(place: &Place<'_>, proxies: &[&Proxy]) -> Dump {
    for name in ["one", "four", "five"] {
        place.running(name).await;
        place.reason(name, "Ready").await;
    }
    // Pending is also what nobody has looked at yet.
    let suspended =
        |seen: &VDISession| phase(seen) == Phase::Pending && condition(seen, "Suspended") == "True Suspended";
    place.session_until("two", "the suspension", suspended).await;
    place.gone("three").await;
    still(proxies).await;
    let gone =
        |left: &Dump| !left.keys().any(|name| name.ends_with("/desktop-three") || name == "Pod/desktop-two");
    until("what was deleted to be gone", SOON, async || {
        let left = dump::objects(place).await;
        if gone(&left) { Ok(left) } else { Err(format!("{:?}", left.keys())) }
    })
    .await
}

async fn undisturbed_five(cluster: &'static Cluster) -> Dump {
    let place = Place::new(cluster, "five").await;
    place.template("office", json!({ "storage": { "persistence": "claim" } })).await;
    let operator = place.operator(&[]).await;
    five(&place).await;
    five_settled(&place, &[&operator.proxy]).await
}

#[test]
fn refused_slow_and_lost_writes_come_to_the_same_end() {
    with_cluster(async |cluster| {
        let undisturbed = undisturbed_five(cluster).await;
        let place = Place::new(cluster, "failing").await;
        place.template("office", json!({ "storage": { "persistence": "claim" } })).await;
        let operator = place.operator(&[]).await;
        let mut random = fastrand::Rng::with_seed(6);
        operator.proxy.judge(move |write| match random.u8(0..10) {
            _ if write.number > 150 => Verdict::Pass,
            0 => Verdict::Refuse(409),
            1 => Verdict::Refuse(429),
            2 => Verdict::Refuse(500),
            3 => Verdict::Refuse(503),
            4 => Verdict::CutBefore,
            5 => Verdict::CutAfter,
            6 | 7 => Verdict::Delay(Duration::from_millis(400)),
            _ => Verdict::Pass,
        });
        five(&place).await;
        // And for a while there is no API server at all.
        operator.proxy.is_down(true);
        tokio::time::sleep(Duration::from_secs(3)).await;
        operator.proxy.is_down(false);
        let settled = five_settled(&place, &[&operator.proxy]).await;
        assert_eq!(dump::difference(&undisturbed, &settled), "");
        assert_eq!(operator.program.ended(), None, "none of this ends an operator");
    });
}

#[test]
fn two_operators_that_both_believe_to_lead_come_to_the_same_end() {
    with_cluster(async |cluster| {
        let undisturbed = undisturbed_five(cluster).await;
        let place = Place::new(cluster, "split").await;
        place.template("office", json!({ "storage": { "persistence": "claim" } })).await;
        let one = place.operator(&["--lease-name=one"]).await;
        let two = place.operator(&["--lease-name=two"]).await;
        five(&place).await;
        let settled = five_settled(&place, &[&one.proxy, &two.proxy]).await;
        assert_eq!(dump::difference(&undisturbed, &settled), "");
        for operator in [&one, &two] {
            assert!(!operator.proxy.writes().is_empty(), "both have worked");
        }
    });
}

#[test]
fn one_operator_leads_and_the_other_takes_over_when_it_dies_or_goes() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "lease").await;
        place.template("office", json!({})).await;
        let mut operators: Vec<Operator> = Vec::new();
        for _ in 0..3 {
            operators.push(place.operator(&["--lease-duration=15s"]).await);
        }
        for (session, way) in [("one", "killed"), ("two", "stopped"), ("three", "")] {
            let before: Vec<usize> = operators.iter().map(|it| it.proxy.writes().len()).collect();
            place.session(session, "office", json!({ "user": format!("{session}@example.com") })).await;
            place.running(session).await;
            still(&operators.iter().map(|it| &*it.proxy).collect::<Vec<_>>()).await;
            let writing = |(it, before): (&Operator, usize)| it.proxy.writes().len() > before;
            let leads: Vec<bool> = operators.iter().zip(before).map(writing).collect();
            assert_eq!(leads.iter().filter(|leads| **leads).count(), 1, "{leads:?} have written");
            let leader = operators.remove(leads.iter().position(|leads| *leads).unwrap());
            match way {
                "killed" => leader.program.kill(),
                "stopped" => assert!(leader.program.stop(SOON).await.success()),
                _ => (),
            }
        }
    });
}

#[test]
fn operator_that_is_stopped_finishes_what_it_has_begun() {
    with_cluster(async |cluster| {
        let undisturbed = undisturbed_five(cluster).await;
        let place = Place::new(cluster, "stopped").await;
        place.template("office", json!({ "storage": { "persistence": "claim" } })).await;
        let operator = place.operator(&[LEASE]).await;
        operator.proxy.judge(|_| Verdict::Delay(Duration::from_millis(200)));
        let working = five(&place);
        let stopping = async {
            until("some writes", SOON, async || {
                let writes = operator.proxy.writes().len();
                if writes > 10 { Ok(()) } else { Err(writes) }
            })
            .await;
            let status = operator.program.stop(SOON).await;
            assert!(status.success(), "{status}: {}", operator.program.last_words(5));
            operator.proxy.judge(|_| Verdict::Pass);
            place.operator_through(&operator.proxy, &[LEASE], &[])
        };
        let ((), _other) = tokio::join!(working, stopping);
        let settled = five_settled(&place, &[&operator.proxy]).await;
        assert_eq!(dump::difference(&undisturbed, &settled), "");
    });
}

#[test]
fn sessions_come_through_a_restart_of_the_api_server() {
    with_cluster(async |shared| {
        let undisturbed = undisturbed_five(shared).await;
        let cluster = Cluster::start().await;
        let place = Place::new(&cluster, "restart").await;
        place.template("office", json!({ "storage": { "persistence": "claim" } })).await;
        let operator = place.operator(&[]).await;
        five(&place).await;
        cluster.restart_api_server(Duration::from_secs(2)).await;
        five_settled(&place, &[&operator.proxy]).await;
        // The nodes' heartbeats stood still too: for a while Kubernetes may hold their pods for lost, and sessions say so.
        until("the end of an undisturbed run", SOON, async || {
            let difference = dump::difference(&undisturbed, &dump::objects(&place).await);
            if difference.is_empty() { Ok(()) } else { Err(difference) }
        })
        .await;
        place.session("six", "office", json!({ "user": "six@example.com" })).await;
        place.running("six").await;
        assert_eq!(operator.program.ended(), None);
    });
}

#[test]
fn clock_that_jumps_ends_no_session_in_use_and_causes_no_storm() {
    with_cluster(async |cluster| {
        let place = Place::new(cluster, "clock").await;
        let folder = cluster.folder().join(&place.name);
        std::fs::create_dir(&folder).unwrap();
        let (library, clock) = (folder.join("clock.so"), folder.join("clock"));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/cluster/clock.c");
        let made = std::process::Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .arg(source)
            .status();
        assert!(made.unwrap().success());
        std::fs::write(&clock, 0_i64.to_ne_bytes()).unwrap();
        // The file is mapped, so it must not be empty for a moment.
        let file = std::fs::File::options().write(true).open(&clock).unwrap();
        let set = |hours: i64| file.write_all_at(&(hours * 3600).to_ne_bytes(), 0).unwrap();

        place.template("office", json!({})).await;
        let proxy = Proxy::start(cluster.client.clone(), &place.name, cluster.nodes.loopback().first()).await;
        let variables =
            [("LD_PRELOAD", library.to_str().unwrap()), ("VDI_TEST_CLOCK", clock.to_str().unwrap())];
        let operator = place.operator_through(&proxy, &[], &variables);
        let spec = json!({ "timeout": "8h", "idleTimeout": "1h" });
        place.session("work", "office", spec).await;
        let before = place.running("work").await.status.unwrap();
        let launcher = place.launcher(&place.running("work").await);
        for hours in [2, -2, 0] {
            launcher.input_was(Duration::from_secs(5));
            still(&[&proxy]).await;
            let (asked, writes) = (launcher.asked(), proxy.writes().len());
            set(hours);
            until("some more answers", SOON, async || {
                let more = launcher.asked() - asked;
                if more > 5 { Ok(()) } else { Err(more) }
            })
            .await;
            let storm = proxy.writes().split_off(writes);
            assert!(storm.len() <= 4, "{storm:?}");
            let after = place.running("work").await.status.unwrap();
            assert_eq!(
                (&before.start_time, &before.expires_at),
                (&after.start_time, &after.expires_at),
                "{hours}"
            );
        }
        // The absolute end is absolute.
        set(9);
        place.gone("work").await;
        assert_eq!(operator.ended(), None);
    });
}
