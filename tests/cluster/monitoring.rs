//! Decision: rules and dashboard ask only for what is there, in the form in which it is there: every query is parsed, and
//! each metric that it names is one of the launcher's (`protocol/golden/metrics.txt`), the operator's, coturn's or a rule's.

use crate::{control_plane::with_cluster, stack};
use promql_parser::{
    parser::{self, Expr},
    util::{ExprVisitor, walk_expr},
};
use serde_json::Value;
use std::{collections::BTreeMap, convert::Infallible, time::Duration};
use vdi_operator::{error::Error, metrics::Metrics};

/// What Prometheus itself adds, and what coturn has with `prometheus` (its src/apps/relay/prom_server.c).
const OTHERS: &[(&str, &str)] = &[("up", "gauge"), ("turn_total_allocations", "gauge")];

/// The operator's metrics, by name, with their kinds: those that are counted by label are there after the first.
fn operators() -> BTreeMap<String, String> {
    let metrics = Metrics::default();
    metrics.count_sessions(Some(kube::runtime::reflector::store().0));
    metrics.failed(&Error::Setup(String::new()));
    metrics.wrote("create", "Pod");
    metrics.probed("answered");
    metrics.ended("LoggedOut");
    metrics.looked(Duration::ZERO);
    metrics.started(Duration::ZERO);
    metrics.replaced();
    metrics.pool("office", 1, 0);
    metrics.claimed(true);
    kinds(metrics.text().unwrap().lines().filter_map(|line| line.strip_prefix("# TYPE ")))
}

fn kinds<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    lines
        .map(|line| line.split_once(' ').unwrap())
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect()
}

/// Everything that can be asked for.
fn known() -> BTreeMap<String, String> {
    let mut known = kinds(include_str!("../../protocol/golden/metrics.txt").lines());
    known.extend(operators());
    known.extend(OTHERS.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())));
    known
}

/// Why a name cannot be asked for: as it is, or over a range as `rate` and `increase` do.
fn complaint(name: &str, ranged: bool, known: &BTreeMap<String, String>) -> Option<String> {
    let kind = |name: &str| known.get(name).map(String::as_str);
    let counted = name.strip_suffix("_total").is_some_and(|base| kind(base) == Some("counter"))
        || ["_bucket", "_sum", "_count"]
            .iter()
            .any(|end| name.strip_suffix(end).is_some_and(|base| kind(base) == Some("histogram")));
    match (counted, kind(name)) {
        (true, _) if ranged => None,
        (true, _) => Some(format!("{name} only ever grows: its rate is what tells")),
        (false, Some("gauge")) if !ranged => None,
        (false, Some("gauge")) => Some(format!("{name} is a gauge: it has no rate")),
        (false, Some(kind)) => Some(format!("{name} is a {kind}: its samples have a suffix")),
        (false, None) => Some(format!("nobody has {name}")),
    }
}

/// What is asked for within a query.
struct Names<'a> {
    known: &'a BTreeMap<String, String>,
    complaints: Vec<String>,
    names: usize,
}

impl ExprVisitor for Names<'_> {
    type Error = Infallible;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Infallible> {
        let (name, ranged) = match expr {
            Expr::VectorSelector(selector) => (&selector.name, false),
            Expr::MatrixSelector(selector) => (&selector.vs.name, true),
            _ => return Ok(true),
        };
        let name = name.as_deref().unwrap_or_default();
        self.names += 1;
        self.complaints.extend(complaint(name, ranged, self.known));
        Ok(true)
    }
}

fn complaints(query: &str, known: &BTreeMap<String, String>) -> Vec<String> {
    // Grafana fills these in.
    let filled = query.replace("$__rate_interval", "1m");
    let expr = match parser::parse(&filled) {
        Ok(expr) => expr,
        Err(error) => return vec![format!("{query}: {error}")],
    };
    let mut names = Names { known, complaints: Vec::new(), names: 0 };
    let Ok(_) = walk_expr(&mut names, &expr);
    if names.names == 0 {
        names.complaints.push("asks for nothing".to_owned());
    }
    names.complaints.into_iter().map(|complaint| format!("{query}: {complaint}")).collect()
}

/// Rules as (what they are called, query), those that record first.
fn rules(documents: &[Value]) -> Vec<(&str, &str)> {
    let groups = documents
        .iter()
        .filter(|document| document["kind"] == "PrometheusRule")
        .flat_map(|document| document["spec"]["groups"].as_array().unwrap());
    let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
    let named = rules.map(|rule| {
        let name = rule["record"].as_str().or(rule["alert"].as_str()).unwrap();
        (name, rule["expr"].as_str().unwrap())
    });
    named.collect()
}

#[test]
fn rules_and_dashboard_ask_only_for_metrics_that_launcher_operator_and_coturn_have() {
    with_cluster(async |cluster| {
        let documents = stack::documents(cluster, "overlays/monitored").await;
        let mut known = known();
        let rules = rules(&documents);
        let recorded = rules.iter().filter(|(name, _)| name.contains(':'));
        known.extend(recorded.map(|(name, _)| ((*name).to_owned(), "gauge".to_owned())));

        let dashboard = documents.iter().find(|document| document["data"]["vdi.json"].is_string()).unwrap();
        let dashboard: Value = serde_json::from_str(dashboard["data"]["vdi.json"].as_str().unwrap()).unwrap();
        let panels = dashboard["panels"].as_array().unwrap();
        let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
        let queries: Vec<_> = targets.map(|target| target["expr"].as_str().unwrap()).collect();
        assert!(rules.len() >= 20 && queries.len() >= 25, "{} rules, {} queries", rules.len(), queries.len());

        let all = rules.iter().map(|(_, query)| *query).chain(queries.iter().copied());
        let complaints: Vec<_> = all.flat_map(|query| complaints(query, &known)).collect();
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));

        // The three that it is for, and the operator's own.
        for name in [
            "vdi_glass_to_glass_latency_seconds",
            "vdi_encoder_info",
            "vdi_operator_sessions",
            "vdi_latency_stage_seconds",
        ] {
            assert!(queries.iter().any(|query| query.contains(name)), "the dashboard does not show {name}");
        }
    });
}

#[test]
fn each_alert_has_a_severity_and_a_sentence() {
    with_cluster(async |cluster| {
        let documents = stack::documents(cluster, "overlays/monitored").await;
        let rule = documents.iter().find(|document| document["kind"] == "PrometheusRule").unwrap();
        for rule in rule["spec"]["groups"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|group| group["rules"].as_array().unwrap())
        {
            let Some(name) = rule["alert"].as_str() else { continue };
            let severity = rule["labels"]["severity"].as_str().unwrap_or_default();
            assert!(["info", "warning", "critical"].contains(&severity), "{name}: {severity}");
            assert!(
                rule["annotations"]["summary"]
                    .as_str()
                    .is_some_and(|text| text.ends_with(['.', ':', '?', 'e'])),
                "{name}"
            );
        }
    });
}

#[test]
fn queries_for_what_nobody_has_are_complained_about() {
    let known = known();
    for (query, complaint) in [
        ("sum(vdi_operator_sesions)", "nobody has vdi_operator_sesions"),
        ("rate(vdi_frames_encoded[5m])", "is a counter: its samples have a suffix"),
        ("rate(vdi_consumers[5m])", "is a gauge: it has no rate"),
        ("sum(vdi_auth_failures_total)", "only ever grows"),
        ("vdi_latency_stage_seconds", "is a histogram: its samples have a suffix"),
        ("sum by (vdi_phase", "vdi_phase"),
        ("1 + 1", "asks for nothing"),
    ] {
        let complaints = complaints(query, &known);
        assert!(complaints.iter().any(|found| found.contains(complaint)), "{query}: {complaints:?}");
    }
    assert_eq!(complaints("rate(vdi_frames_encoded_total[$__rate_interval])", &known), [""; 0]);
}
