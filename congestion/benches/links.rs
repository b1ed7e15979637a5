//! Shell: the controller, and those of draft-ietf-rmcat-gcc-02 and RFC 8698, on every simulated link, as a table.
//! `cargo bench -p vdi-congestion -- [--json] [--trace FILE]… [PART OF A NAME]`; with `--json` a line for each tenth of a second
//! besides, for plots; with `--trace` on the link of a Mahimahi file too. Judges nothing: the tests do.

#![expect(clippy::print_stdout, reason = "a program for people, whose output is its result")]
#![allow(dead_code, reason = "the simulation has more than this needs")]

#[path = "../tests/link/mod.rs"]
mod link;

use link::{
    figures::Figures,
    gcc::Gcc,
    nada::Nada,
    ours::Ours,
    scenarios::{Scenario, all, ms, on},
    session::{BIN, Candidate, play},
    trace::Trace,
};
use std::{env, time::Duration};
use vdi_congestion::Bitrate;

/// The first seconds are the start, which is another matter.
const BEGIN: f64 = 5.0;

fn main() {
    let mut words = env::args().skip(1).filter(|word| word != "--bench");
    let (mut json, mut part, mut scenarios) = (false, String::new(), all(1));
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => json = true,
            "--trace" => scenarios.push(recorded(&words.next().unwrap_or_default())),
            _ => part = word,
        }
    }
    println!(
        "{:32}{:5}{:>7}{:>7}{:>9}{:>9}{:>9}{:>9}{:>8}{:>8}",
        "link", "", "used %", "Mbit/s", "queue50", "queue95", "late50", "late95", "lost %", "utility"
    );
    let mut sums = [0.0; 3];
    for scenario in scenarios.iter().filter(|scenario| scenario.name.contains(&part)) {
        let setup = &scenario.setup;
        let candidates: [(&str, Box<dyn Candidate>); 3] = [
            ("ours", Box::new(Ours::new(setup))),
            ("gcc", Box::new(Gcc::new(setup.bounds, setup.start))),
            ("nada", Box::new(Nada::new(setup.bounds, setup.start))),
        ];
        for ((name, mut candidate), sum) in candidates.into_iter().zip(&mut sums) {
            let figures = play(setup, &mut *candidate);
            *sum += row(scenario, name, &figures);
            if json {
                series(scenario, name, &figures);
            }
        }
    }
    println!("utility of all: ours {:.1}, gcc {:.1}, nada {:.1}", sums[0], sums[1], sums[2]);
}

/// The link of a Mahimahi file, for a minute.
fn recorded(path: &str) -> Scenario {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| fail(path, &error.to_string()));
    let trace = Trace::mahimahi(&text).unwrap_or_else(|error| fail(path, &error));
    let usual = trace.mean(Duration::ZERO, Duration::from_secs(60));
    Scenario { name: path.to_owned(), setup: on(trace, usual, ms(300), ms(20), 60.0) }
}

fn fail(path: &str, why: &str) -> ! {
    println!(
        "--trace {path:?}: {why}; it takes a Mahimahi file, on each line the millisecond at which 1500 bytes may leave"
    );
    std::process::exit(2)
}

fn row(scenario: &Scenario, name: &str, figures: &Figures) -> f64 {
    let end = scenario.setup.length.as_secs_f64();
    let in_ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let utility = figures.utility(BEGIN, end);
    println!(
        "{:32}{name:5}{:7.1}{:7.2}{:9.0}{:9.0}{:9.0}{:9.0}{:8.2}{utility:8.2}",
        if name == "ours" { &scenario.name } else { "" },
        100.0 * figures.used(BEGIN, end),
        mbps(figures.delivered(BEGIN, end)),
        in_ms(figures.waited(50.0, BEGIN, end)),
        in_ms(figures.waited(95.0, BEGIN, end)),
        in_ms(figures.late(50.0, BEGIN, end)),
        in_ms(figures.late(95.0, BEGIN, end)),
        100.0 * figures.lost(BEGIN, end),
    );
    utility
}

fn series(scenario: &Scenario, name: &str, figures: &Figures) {
    for (end, sample) in &figures.samples {
        let estimate = sample.output.map_or(0.0, |output| mbps(output.estimate));
        let link = mbps(scenario.setup.there.trace.mean(*end - BIN, *end));
        let came = sample.delivered as f64 * 8.0 / BIN.as_secs_f64() / 1e6;
        let queue = sample.waited.iter().max().copied().unwrap_or(ms(0)).as_secs_f64() * 1000.0;
        println!(
            r#"{{"link":{:?},"controller":{name:?},"seconds":{:.1},"linkMbps":{link:.3},"estimateMbps":{estimate:.3},"deliveredMbps":{came:.3},"queueMs":{queue:.1}}}"#,
            scenario.name,
            end.as_secs_f64(),
        );
    }
}

fn mbps(rate: Bitrate) -> f64 {
    rate.bps() as f64 / 1e6
}
